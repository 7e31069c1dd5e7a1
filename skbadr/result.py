"""What a search visited, and the best of it."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skbadr._typing import Array, BoolArray, FloatArray, Numbers, Objective

__all__ = ["Archive", "Evaluation"]


def sendable_state(record):
    """Return the state of a record for another process, its error as one that can be pickled.

    An error that cannot be pickled must not take a worker process down with it.
    """
    state = dict(vars(record))
    try:
        pickle.loads(pickle.dumps(record.error))
    except Exception:
        state["error"] = RuntimeError(f"{type(record.error).__name__}: {record.error}")
    return state


@dataclass
class Evaluation:
    """One visited point of the upper level.

    Attributes
    ----------
    cell_weights : ndarray of shape (K,)
    metric, score : float
        NaN if the refit failed or the metric is undefined.
    value : float
        The metric itself if `metric` is a confidence limit; else NaN.
    cell_losses : ndarray of shape (K,)
    losses_by_group : ndarray of shape (S,) or None
        Mean loss of each sensitive group; NaN if no sample of the group was evaluated.
    statistics : ndarray or None
        The metric's statistics, which surrogates model.
    origin : str
        What proposed the candidate.
    iteration : int
        Upper-level iteration in which the point was visited.
    refit_time : float
        Seconds spent in the wrapped estimator's fit.
    n_refits : int
        Number of fits of the wrapped estimator (one per fold).
    constant : bool
        Whether a single class (or value) is predicted for every evaluated sample.
    error : Exception or None
        Why the refit failed.
    warnings : list of (message, category)
        Warnings of the wrapped estimator, kept for the model that is chosen.
    model : object or None
        The fitted last step, dropped as soon as a better point is known.
    responses : dict of ndarray or None
        Responses of the estimator to the evaluated rows, by method, if a guide learns from them.
    predicted_metric, predicted_score : float
        What the search expected of the refit; NaN if it expected nothing.
    """

    cell_weights: FloatArray
    metric: float = np.nan
    score: float = np.nan
    value: float = np.nan
    cell_losses: FloatArray = None  # type: ignore[assignment]
    losses_by_group: FloatArray | None = None
    statistics: FloatArray | None = None
    origin: str = ""
    iteration: int = 0
    refit_time: float = np.nan
    n_refits: int = 0
    constant: bool = False
    error: Exception | None = None
    warnings: list[tuple[str, type[Warning]]] = field(default_factory=list)
    model: Any = None
    responses: dict[str, Array] | None = None
    predicted_metric: float = np.nan
    predicted_score: float = np.nan

    def __getstate__(self) -> dict[str, Any]:
        return sendable_state(self)

    @property
    def failed(self) -> bool:
        """Whether the refit failed."""
        return self.error is not None


class Archive:
    """All visited points in order; only the best keeps its fitted model.

    Parameters
    ----------
    objective : UpperObjective
        Ranks evaluations by its ``key``.
    keeps_responses : bool, default=False
        Whether all evaluations keep their responses, for a guide, instead of only the first.
    """

    objective: Objective
    evaluations: list[Evaluation]
    best: Evaluation | None
    n_iter: int
    converged: bool
    exhausted: bool
    interrupted: bool
    response: float

    def __init__(self, objective: Objective, *, keeps_responses: bool = False) -> None:
        self.objective, self.keeps_responses = objective, keeps_responses
        self.evaluations = []
        self.best = None
        self.n_iter = 0
        self.converged = False
        # Whether a descent by gradients was cut short by its budget.
        self.exhausted = False
        self.interrupted = False
        self.response = np.nan

    def add(self, evaluation: Evaluation) -> bool:
        """Record an evaluation and return whether it is the best so far."""
        if not self.evaluations:
            self.objective.calibrate(evaluation)
        elif not self.keeps_responses:
            evaluation.responses = None
        self.evaluations.append(evaluation)
        self.n_iter = max(self.n_iter, evaluation.iteration)
        improved = self.best is None or (
            not evaluation.failed
            and (self.best.failed or self.objective.key(evaluation) < self.objective.key(self.best))
        )
        if improved:
            if self.best is not None:
                self.best.model = None
            self.best = evaluation
        else:
            evaluation.model = None
        return improved

    def replace(self, other: Archive) -> None:
        """Hold what another archive does, of the same points but nearer to the truth.

        Of its own evaluations this one keeps those that rank below the new best: less exact, but
        safer if the estimator's own fits miss the bound.
        """
        key, earlier = self.objective.key, self.evaluations[1:]
        vars(self).update(vars(other))
        self.evaluations += [own for own in earlier if key(self.best) < key(own)]

    def forget_responses(self) -> None:
        """Drop what estimators responded to the evaluated rows, which only guides need."""
        for evaluation in self.evaluations:
            evaluation.responses = None

    def absorb(self, evaluations: list[Evaluation], candidates: list[Evaluation]) -> None:
        """Record what was visited before this search, right after the baseline model.

        Parameters
        ----------
        evaluations : list of Evaluation
        candidates : list of Evaluation
            Evaluations among these that may be the best: fits of the estimator itself.
        """
        seen = {id(evaluation) for evaluation in self.evaluations}
        self.evaluations[1:1] = [e for e in evaluations if id(e) not in seen]
        for evaluation in candidates:
            if self.objective.key(evaluation) < self.objective.key(self.best):
                self.best = evaluation

    @property
    def moved(self) -> bool:
        """Whether any refit differs from the baseline estimator in what is measured."""
        baseline = self.evaluations[0]
        return any(
            not e.failed
            and (
                e.metric != baseline.metric
                or e.score != baseline.score
                or not np.array_equal(e.cell_losses, baseline.cell_losses, equal_nan=True)
            )
            for e in self.evaluations[1:]
        )

    @property
    def n_refits(self) -> int:
        """Number of fits of the wrapped estimator, failed ones included."""
        return sum(evaluation.n_refits for evaluation in self.evaluations)

    def as_dict(self) -> dict[str, Array]:
        """Return a dict of equal-length arrays, one entry per visited point."""
        visited = self.evaluations
        costs = np.array([self.objective.cost(e.metric) for e in visited])
        scores = np.array([e.score for e in visited])
        metric = np.array([e.metric for e in visited])
        values = np.array([e.value for e in visited])
        limits = {} if np.isnan(values).all() else {"metric_upper": metric}
        return {
            "cell_weights": np.array([e.cell_weights for e in visited]),
            "metric": values if limits else metric,
            **limits,
            "score": scores,
            "cell_losses": np.array([e.cell_losses for e in visited]),
            "refit_time": np.array([e.refit_time for e in visited]),
            "pareto_optimal": non_dominated(costs, -scores),
            "iteration": np.array([e.iteration for e in visited]),
            "origin": np.array([e.origin for e in visited]),
            "predicted_metric": np.array([e.predicted_metric for e in visited]),
            "predicted_score": np.array([e.predicted_score for e in visited]),
            "failed": np.array([e.failed for e in visited]),
            "constant": np.array([e.constant for e in visited]),
        }


def non_dominated(*costs: Array | Sequence[float]) -> BoolArray:
    """Return the mask of points no other point beats in all costs; NaN is never optimal.

    Parameters
    ----------
    *costs : ndarrays of shape (n,)
        Lower is better in each.

    Returns
    -------
    mask : ndarray of shape (n,), bool
        Of points with equal costs, all are kept.

    Examples
    --------
    >>> import numpy as np
    >>> non_dominated(np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 3.0])).tolist()
    [True, True, False]
    """
    points: Array = np.column_stack(costs)
    finite: Any = ~np.isnan(points).any(axis=1)
    mask = finite.copy()
    for i in np.flatnonzero(finite):
        better = (points <= points[i]).all(axis=1) & (points < points[i]).any(axis=1)
        mask[i] = not better.any()
    return mask


def hypervolume(*costs: Array | Sequence[float], reference: Numbers) -> float:
    """Return the volume that a set of points dominates, up to a reference point.

    Parameters
    ----------
    *costs : two ndarrays of shape (n,)
        Lower is better in each.
    reference : array-like of shape (2,)
        What is not below it in both costs counts for nothing.

    Returns
    -------
    volume : float

    References
    ----------
    Zitzler and Thiele (1998), "Multiobjective optimization using evolutionary algorithms: a
    comparative case study", PPSN V.

    Examples
    --------
    >>> hypervolume([0.0, 1.0], [1.0, 0.0], reference=(2.0, 2.0))
    3.0
    """
    points = np.column_stack(costs).astype(float)
    first, second = np.asarray(reference, dtype=float)
    points = points[(points < (first, second)).all(axis=1)]  # NaN is never below
    volume = 0.0
    # From left to right, each point adds the strip below the lowest of those before it.
    for x, y in points[np.lexsort(points.T[::-1])]:
        volume += (first - x) * max(0.0, second - y)
        second = min(second, y)
    return float(volume)
