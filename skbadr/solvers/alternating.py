"""Alternating refits: any estimator, refitted where theory says that it is best."""

from __future__ import annotations

import time
from contextlib import closing
from numbers import Integral, Real
from typing import TYPE_CHECKING

from sklearn.exceptions import ConvergenceWarning

from skbadr._typing import Float, Int
from skbadr._warnings import warn_user
from skbadr.guides import make_guide
from skbadr.result import Archive
from skbadr.solvers.base import UpperSolver
from skbadr.solvers.guided_search import Candidate, GuidedSearch, Settings

if TYPE_CHECKING:
    from skbadr.problem import BilevelProblem


class AlternatingSolver(UpperSolver):
    """Alternate weighted refits of any estimator with steps that a guide predicts to be best.

    The solver fits the baseline first. A guide (``skbadr.guides``) then predicts, without a fit,
    the model at any weights, and the solver refits the estimator at the best predicted weights.
    Each refit corrects the guide. The search ends when the bound is met and the guide expects no
    gain, or when the budget is spent. The result is the best visited model by the exact metric.

    Parameters
    ----------
    max_iter : int or None, default=None
        Budget of evaluations, the baseline included. With folds each evaluation takes one fit per
        fold. None: 6 on training rows, 5 on one held-out part, on folds as many as 16 fits allow
        (4 on four folds, 3 on five), but no fewer than 2.
    time_limit : float or None, default=None
        Seconds after which no further refit is started.
    min_gain : float, default=1e-3
        The search ends if the guide predicts a smaller improvement than this from another refit
        (in accuracy, or as a part of the baseline's score or metric) and the bound, if any, is
        met.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448, for the bilevel problem; Zeng, Jiang, Cheng
    and Dobriban (2024), arXiv 2402.02817, for what weights do to the best classifier.
    """

    refits = True

    def __init__(
        self,
        max_iter: Int | None = None,
        *,
        time_limit: Float | None = None,
        min_gain: Float = 1e-3,
    ) -> None:
        super().__init__(max_iter)
        self.time_limit = time_limit
        self.min_gain = min_gain
        self._check()

    def _check(self):
        value = self.max_iter
        if value is not None:
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            if not whole or value < 1:
                raise ValueError(f"max_iter must be an integer >= 1, got {value!r}.")
        for name in ("time_limit", "min_gain"):
            value = getattr(self, name)
            if value is None and name == "time_limit":
                continue
            if not isinstance(value, Real) or isinstance(value, bool) or not value >= 0:
                raise ValueError(f"{name} must be a number >= 0, got {value!r}.")

    def budget(self, problem: BilevelProblem) -> Int | None:  # noqa: D102
        if self.max_iter is not None:
            return self.max_iter
        folds, settings = problem.evaluator.folds, Settings()
        if folds[0].rows is None:
            return settings.on_training_rows
        return settings.held_out if len(folds) == 1 else max(2, settings.on_folds // len(folds))

    def begin(self, problem: BilevelProblem, archive: Archive) -> GuidedSearch:  # noqa: D102
        return GuidedSearch(problem, archive, make_guide(problem), min_gain=self.min_gain)

    def solve(self, problem: BilevelProblem) -> Archive:  # noqa: D102
        archive = Archive(problem.objective, keeps_responses=True)
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
        archive.forget_responses()
        return archive

    def _run(self, problem, archive, budget):
        begin = time.perf_counter()
        # Alone, so that an estimator that cannot be fitted fails before anything else starts.
        if visit(problem, archive, Candidate(problem.shares, "baseline")):
            return
        if archive.best.failed:
            raise archive.best.error
        if budget == 1 or problem.objective.is_ideal(archive.best):
            archive.converged = True
            return
        search = self.begin(problem, archive)
        try:
            archive.converged = self._search(problem, archive, search, budget, begin)
        finally:
            archive.response = search.response()

    def _search(self, problem, archive, search, budget, begin):
        """Return whether the search came to its end."""
        while len(archive.evaluations) < budget and not problem.objective.is_ideal(archive.best):
            if self.time_limit is not None and time.perf_counter() - begin >= self.time_limit:
                return False
            candidate = search.next()
            if candidate is None:
                break
            if visit(problem, archive, candidate):
                return False
        return True


def visit(problem, archive, candidate):
    """Refit at a candidate; return whether a monitor asked to stop."""
    task = [(candidate.weights, candidate.origin)]
    with closing(problem.evaluate(task, len(archive.evaluations) + 1)) as evaluations:
        for evaluation in evaluations:
            evaluation.predicted_metric = candidate.metric
            evaluation.predicted_score = candidate.score
            archive.add(evaluation)
            if problem.monitor is not None and problem.monitor(evaluation, archive):
                return True
    return False
