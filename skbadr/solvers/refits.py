"""What searches by refits share: the budget, the first fit, visits, limits and interruption."""

from __future__ import annotations

import time
from abc import abstractmethod
from contextlib import closing
from itertools import count
from numbers import Integral, Real
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skbadr._typing import Float, Int
from skbadr._warnings import warn_user
from skbadr.result import Archive
from skbadr.solvers.base import UpperSolver

if TYPE_CHECKING:
    from skbadr.problem import BilevelProblem


class Candidate(NamedTuple):
    """Weights to refit at, where they come from, and what is expected of them.

    Attributes
    ----------
    weights : ndarray of shape (K,)
    origin : str
    metric, score : float
        Predictions; NaN where there are none.
    gain : float
        Predicted improvement on the best visited point, in the search's own units.
    """

    weights: np.ndarray
    origin: str
    metric: float = np.nan
    score: float = np.nan
    gain: float = np.inf


class Steps(Protocol):
    """What chooses the next refits."""

    def next_batch(self, n_left: int) -> list[Candidate]:
        """Return at most `n_left` candidates; none where nothing more is to be gained."""
        ...

    def response(self) -> float:
        """Return how far refits moved along what was predicted, NaN where nothing tells."""
        ...


class RefitSolver(UpperSolver):
    """Fit the baseline estimator, then refit in batches until nothing more is to be gained.

    Parameters
    ----------
    max_iter : int or None, default=None
        Budget of refits, the baseline one included; with folds, each counts once for every fold.
    time_limit : float or None, default=None
        Seconds after which no further batch is started.
    min_gain : float, default=1e-3
        The search ends where the improvement that is expected of another refit is smaller.
    """

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
        self._check_counts("max_iter")
        for name in ("time_limit", "min_gain"):
            value = getattr(self, name)
            if value is None and name == "time_limit":
                continue
            if not isinstance(value, Real) or isinstance(value, bool) or not value >= 0:
                raise ValueError(f"{name} must be a number >= 0, got {value!r}.")

    def _check_counts(self, *names):
        for name in names:
            value = getattr(self, name)
            allowed = isinstance(value, Integral) and not isinstance(value, bool) and value >= 1
            if not allowed and (name != "max_iter" or value is not None):
                raise ValueError(f"{name} must be an integer >= 1, got {value!r}.")

    @abstractmethod
    def begin(self, problem: BilevelProblem, archive: Archive) -> Steps:
        """Return the steps after the baseline, which is the archive's first evaluation."""

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
        if _visit(problem, archive, [Candidate(problem.shares, "baseline")], 1):
            return
        if archive.best.failed:
            raise archive.best.error
        budget -= len(archive.evaluations)
        if budget == 0 or problem.objective.is_ideal(archive.best):
            archive.converged = True
            return
        steps = self.begin(problem, archive)
        try:
            archive.converged = self._search(problem, archive, budget, steps, begin)
        finally:
            archive.response = steps.response()

    def _search(self, problem, archive, n_left, steps, begin):
        """Return whether the search came to its end."""
        for iteration in count(2):
            if n_left == 0 or problem.objective.is_ideal(archive.best):
                return True
            if self.time_limit is not None and time.perf_counter() - begin >= self.time_limit:
                return False
            batch = steps.next_batch(n_left)
            if not batch:
                return True
            if _visit(problem, archive, batch, iteration):
                return False
            n_left -= len(batch)


def _visit(problem, archive, candidates, iteration):
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
