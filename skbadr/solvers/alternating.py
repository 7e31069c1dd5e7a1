"""Alternating refits: any estimator, one weighted fit per upper-level evaluation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from numbers import Integral, Real
from typing import TYPE_CHECKING

from sklearn.exceptions import ConvergenceWarning

from skbadr._typing import Float, Int
from skbadr._warnings import warn_user
from skbadr.result import Archive
from skbadr.solvers.base import UpperSolver
from skbadr.solvers.proposals import GUIDES, Candidate, Proposals

if TYPE_CHECKING:
    from skbadr.problem import BilevelProblem


class AlternatingSolver(UpperSolver):
    """Alternate weighted refits of any estimator with guided upper-level steps.

    The baseline estimator is refitted first. Guides then predict for free what any weights would
    make of it: from its own scores or predictions, and from a convex proxy on some of the rows. A
    Gaussian process learns from each refit by how much reality differs from the guide that
    explains the refits best, of which one is that nothing changes, and the next batch goes to
    where the two together promise most. The best visited point by the exact metric is the result.

    Parameters
    ----------
    max_iter : int or None, default=None
        Budget of refits, the baseline one included; with folds, each counts once for every fold.
        None: 9 up to four cells, 11 up to six, else 13.
    batch_size : int, default=2
        Refits between two updates of the Gaussian process. It does not depend on `n_jobs`, so
        that neither does the result.
    guides : sequence of {"score_shift", "density_shift", "proxy"}, default=all of them
        What predicts refits, where it applies: shifted log odds of a classifier with
        probabilities, re-weighted densities of targets around a regressor's predictions (both for
        cells of groups and targets), and a logistic or ridge regression for any estimator. Empty:
        nothing but earlier refits.
    time_limit : float or None, default=None
        Seconds after which no further batch is started.
    min_gain : float, default=1e-3
        The search ends where the improvement that is expected of another refit is smaller than
        that (in accuracy, or as a part of the mean squared error), once the bound, if any, is met.
        On a few thousand rows, refits of trees at nearly the same weights differ by more; where
        rows are many and a refit is worth its time, less is asked with a smaller value.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448, for the bilevel problem; Jones, Schonlau
    and Welch (1998), "Efficient global optimization of expensive black-box functions", Journal
    of Global Optimization 13, for expected improvement.
    """

    def __init__(
        self,
        max_iter: Int | None = None,
        *,
        batch_size: int = 2,
        guides: Sequence[str] = tuple(GUIDES),
        time_limit: Float | None = None,
        min_gain: Float = 1e-3,
    ) -> None:
        super().__init__(max_iter)
        self.batch_size = batch_size
        self.guides = guides
        self.time_limit = time_limit
        self.min_gain = min_gain
        self._check()

    def _check(self):
        for name in ("max_iter", "batch_size"):
            value = getattr(self, name)
            allowed = isinstance(value, Integral) and not isinstance(value, bool) and value >= 1
            if not allowed and (name != "max_iter" or value is not None):
                raise ValueError(f"{name} must be an integer >= 1, got {value!r}.")
        known = list(GUIDES)
        if isinstance(self.guides, str) or any(name not in known for name in self.guides):
            raise ValueError(f"guides must be a sequence of names of {known}, got {self.guides!r}.")
        for name in ("time_limit", "min_gain"):
            value = getattr(self, name)
            if value is None and name == "time_limit":
                continue
            if not isinstance(value, Real) or isinstance(value, bool) or not value >= 0:
                raise ValueError(f"{name} must be a number >= 0, got {value!r}.")

    def budget(self, problem: BilevelProblem) -> Int | None:  # noqa: D102
        if self.max_iter is not None:
            return self.max_iter
        return 9 if problem.n_cells <= 4 else 11 if problem.n_cells <= 6 else 13

    def solve(self, problem: BilevelProblem) -> Archive:  # noqa: D102
        archive = Archive(problem.objective)
        budget = self.budget(problem)
        try:
            self._run(problem, archive, budget)
        except KeyboardInterrupt:
            if not archive.evaluations:
                raise
            archive.interrupted = True
            warn_user(
                f"the search was interrupted after {len(archive.evaluations)} of {budget} refits; "
                "the best model so far is kept.",
                ConvergenceWarning,
            )
        return archive

    def _run(self, problem, archive, budget):
        begin = time.perf_counter()
        # Alone, so that an estimator that cannot be fitted fails before anything else starts.
        if self._visit(problem, archive, [Candidate(problem.shares, "baseline")], 1):
            return
        if archive.best.failed:
            raise archive.best.error
        proposals = Proposals(problem, archive, self.guides)
        try:
            self._search(problem, archive, budget, proposals, begin)
        finally:
            archive.response = proposals.response()

    def _search(self, problem, archive, budget, proposals, begin):
        iteration = 1
        while len(archive.evaluations) < budget and not problem.objective.is_ideal(archive.best):
            if self.time_limit is not None and time.perf_counter() - begin >= self.time_limit:
                return
            iteration += 1
            size = min(self.batch_size, budget - len(archive.evaluations))
            batch = proposals.next_batch(size, self.min_gain)
            if not batch:
                break
            if self._visit(problem, archive, batch, iteration):
                return
        archive.converged = True

    def _visit(self, problem, archive, candidates, iteration):
        """Evaluate candidates; return whether a monitor asked to stop."""
        tasks = [(candidate.weights, candidate.origin) for candidate in candidates]
        with closing(problem.evaluate(tasks, iteration)) as evaluations:
            for candidate, evaluation in zip(candidates, evaluations, strict=False):
                evaluation.predicted_metric = candidate.metric
                evaluation.predicted_score = candidate.score
                archive.add(evaluation)
                if problem.monitor is not None and problem.monitor(evaluation, archive):
                    return True
        return False
