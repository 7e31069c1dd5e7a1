"""The bilevel problem as a solver sees it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.exceptions import FitFailedWarning

from skbadr._parallel import run_tasks
from skbadr._simplex import project_simplex
from skbadr._typing import Float, FloatArray, Int
from skbadr._warnings import record_warnings, warn_user
from skbadr.result import Evaluation

if TYPE_CHECKING:
    from skbadr.partition import Cells
    from skbadr.problem.evaluator import Evaluator
    from skbadr.problem.objective import UpperObjective
    from skbadr.result import Archive


class BilevelProblem:
    """Minimise an upper objective over weights on the simplex.

    A solver reads the geometry (`shares`, `min_weight`, `initial`), asks for evaluations, and ranks
    them with `objective`. `evaluate` hides data, estimator and processes.

    Parameters
    ----------
    evaluator : Evaluator
    objective : UpperObjective
    cells : Cells
        Cells of all training rows.
    initial : ndarray of shape (K,)
        Starting weights.
    min_weight : float
    tol : float
    n_jobs : int or None
    seed : int
        Seed of all that a solver draws.
    monitor : callable or None, default=None
        Called with every Evaluation; True ends the search.
    """

    evaluator: Evaluator
    objective: UpperObjective
    cells: Cells
    initial: FloatArray
    min_weight: Float
    tol: Float
    n_jobs: Int | None
    seed: int
    monitor: Callable[[Evaluation, Archive], Any] | None

    def __init__(
        self,
        evaluator: Evaluator,
        objective: UpperObjective,
        cells: Cells,
        *,
        initial: FloatArray,
        min_weight: Float,
        tol: Float,
        n_jobs: Int | None,
        seed: int,
        monitor: Callable[[Evaluation, Archive], Any] | None = None,
    ) -> None:
        self.evaluator, self.objective, self.cells = evaluator, objective, cells
        self.initial, self.min_weight, self.tol = initial, min_weight, tol
        self.n_jobs, self.seed, self.monitor = n_jobs, seed, monitor
        # Evaluations of an earlier stage by the bytes of their weights, which need no refit.
        self.known: dict[bytes, Evaluation] = {}

    @property
    def n_cells(self) -> int:
        """Number of cells K."""
        return self.cells.n_cells

    @property
    def shares(self) -> FloatArray:
        """Weights of the baseline estimator, of shape (K,)."""
        return self.cells.shares

    def project(self, weights: FloatArray) -> FloatArray:
        """Return the nearest admissible weights; the baseline estimator's are always admissible."""
        if np.array_equal(weights, self.shares):
            return self.shares
        if np.array_equal(weights, self.initial) and self.initial.min() >= self.min_weight:
            return self.initial  # bit for bit those of an earlier fit, say
        return project_simplex(weights, minimum=self.min_weight)

    def evaluate(
        self, candidates: Sequence[tuple[FloatArray, str]], iteration: int
    ) -> Generator[Evaluation, None, None]:
        """Evaluate candidates in parallel and yield their evaluations in order.

        Parameters
        ----------
        candidates : list of (weights, origin)
        iteration : int

        Yields
        ------
        evaluation : Evaluation
            In the order of the candidates, whatever `n_jobs` is. Evaluations in `known` are not
            repeated.

        Warns
        -----
        FitFailedWarning
            For each refit that failed. The refit is recorded and skipped.
        """
        known = [self.known.get(weights.tobytes()) for weights, _ in candidates]
        fresh = [c for c, found in zip(candidates, known, strict=True) if found is None]
        evaluations = self._refits(fresh, iteration)
        try:
            for found in known:
                evaluation = next(evaluations) if found is None else found
                if evaluation.failed and evaluation.origin != "baseline":
                    weights = np.round(evaluation.cell_weights, 4).tolist()
                    warn_user(
                        f"the refit at weights {weights} failed and is "
                        f"skipped: {type(evaluation.error).__name__}: {evaluation.error}",
                        FitFailedWarning,
                    )
                yield evaluation
        finally:
            evaluations.close()

    def _refits(self, candidates, iteration):
        """Yield the evaluations of candidates, and go on where a worker process is killed."""
        n_done = 0
        try:
            for evaluation in self._parallel(candidates, iteration):
                n_done += 1
                yield evaluation
        except BrokenExecutor:
            # Which of them it was is unknown: each has one more chance, on its own.
            for candidate in candidates[n_done:]:
                try:
                    yield from self._parallel([candidate], iteration, alone=False)
                except BrokenExecutor as error:
                    yield self._killed(candidate, iteration, error)

    def _parallel(self, candidates, iteration, alone=True):
        """Yield evaluations in order; `alone` allows a single fit to do without a pool."""
        evaluator, n_folds = self.evaluator, len(self.evaluator.folds)
        fits = [(weights, number) for weights, _ in candidates for number in range(n_folds)]
        if effective_n_jobs(self.n_jobs) == 1 or (alone and len(fits) == 1):
            # A fold that fails ends its candidate.
            yield from (evaluator(*candidate, iteration) for candidate in candidates)
            return
        parts = run_tasks(evaluator.fit_fold, fits, self.n_jobs)
        try:
            for candidate in candidates:
                own = [next(parts) for _ in range(n_folds)]
                yield evaluator.combine(*candidate, iteration, _until_failed(own))
        finally:
            # Whoever stops early means to: joblib need not warn that tasks are cancelled.
            with record_warnings():
                parts.close()

    def _killed(self, candidate, iteration, error):
        weights, origin = candidate
        evaluation = Evaluation(
            weights,
            cell_losses=np.full(self.n_cells, np.nan),
            origin=origin,
            iteration=iteration,
            n_refits=1,
        )
        evaluation.error = RuntimeError(
            "its worker process was killed, as the system does where memory runs out "
            f"({type(error).__name__}); n_jobs=1 needs less of it"
        )
        return evaluation


def _until_failed(fits):
    """Return the fits up to the first that failed, as one after another would have run."""
    failed = next((i for i, fit in enumerate(fits) if fit.error is not None), len(fits))
    return fits[: failed + 1]
