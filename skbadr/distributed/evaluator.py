"""Evaluation of one point on Dask arrays: the workers predict and add up, sums alone travel."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from skbadr._typing import Array, IntArray
from skbadr._warnings import record_warnings
from skbadr.distributed.collections import blocks_of, in_blocks, is_dask, run_on_blocks, tasks_of
from skbadr.losses import LOSSES
from skbadr.metrics import EvaluationSet, FairnessMetric
from skbadr.metrics.inputs.responses import get_response, log_odds, pick
from skbadr.partition import Groups
from skbadr.problem.coding import code_response, known_of
from skbadr.problem.evaluator import Evaluator, Fold

if TYPE_CHECKING:
    from skbadr.distributed.rows import DaskRows
    from skbadr.partition import Cells


class CollectedEvaluator(Evaluator):
    """Evaluate weights by responses to the blocks of X, all of which are collected."""

    def _raw(self, model, X, **asked):
        if type(model).__module__.partition(".")[0] != "sklearn":  # which predicts on blocks itself
            return np.asarray(get_response(model, X, **asked))
        import dask

        blocks = blocks_of(X.rechunk({1: -1}))
        return np.concatenate(run_on_blocks(_respond, (blocks,), dask.delayed(model), asked))

    def response_of(self, model: Any, rows: Array | None = None) -> Array:  # noqa: D102
        response = super().response_of(model)
        return response if rows is None else response[rows]


class BlockEvaluator(Evaluator):
    """Evaluate weights by sums over the blocks of Dask arrays.

    What guides see is a sample: `evaluation_set` and `cells` are of some thousand rows, with the
    totals of all. What is measured of a refit is of all rows.

    Parameters
    ----------
    folds, *of_sample, **options
        As of `Evaluator`; the metric has additive statistics.
    rows : DaskRows
    sample : DaskSample
    """

    def __init__(
        self, folds: list[Fold], *of_sample: Any, rows: DaskRows, sample: DaskSample, **options: Any
    ) -> None:
        folds[0].X = folds[0].X_final = sample.X
        # Such an estimator is asked for all that it predicts.
        super().__init__(folds, *of_sample, **options | {"family": None})
        self.rows, self.sample = rows, sample

    def __call__(self, cell_weights, origin="", iteration=0):
        """Return the `Evaluation` of one point; a failed refit is recorded, not raised."""
        evaluation = self._empty(cell_weights, origin, iteration)
        with record_warnings() as evaluation.warnings:
            try:
                self._fill(evaluation)
            except Exception as error:
                evaluation.error = error
        return evaluation

    def _fill(self, evaluation):
        lower = self.folds[0].lower_level
        evaluation.n_refits, start = 1, time.perf_counter()
        model = evaluation.model = lower.fit(evaluation.cell_weights)
        evaluation.refit_time = time.perf_counter() - start
        columns = [response_blocks(model, lower.X, name, self.rows.lengths) for name in self.asked]
        responses = [dict(zip(self.asked, own, strict=True)) for own in zip(*columns, strict=True)]
        measure = _Measure.of(self, model)
        found = run_on_blocks(_measure, (self.rows.parts, responses, self.sample.places), measure)
        self._add_up(evaluation, [sums for sums, _ in found])
        kept = [name for name in ("predict", self.guide_method) if name in self.methods]
        evaluation.responses = {
            name: np.concatenate([own[name] for _, own in found]) for name in kept
        }

    @property
    def asked(self) -> list[str]:
        """Names of the responses, in a fixed order."""
        return sorted(self.methods)

    def _add_up(self, evaluation, sums):
        cells, data = self.cells, self.evaluation_set
        total = {name: sum(own[name] for own in sums) for name in sums[0] if name != "range"}
        evaluation.cell_losses = total["cell_losses"] / cells.totals
        evaluation.losses_by_group = total["group_losses"]
        evaluation.score = float(total["score"] / cells.totals.sum())
        low, high = np.array([own["range"] for own in sums]).T
        evaluation.constant = bool(low.min() == high.max())
        evaluation.statistics = np.ravel(total["statistics"])
        evaluation.metric = float(self.metric.from_statistics(data, evaluation.statistics))

    def constant_score(self) -> float:  # noqa: D102
        if self.evaluation_set.classes is None:
            return -float(self.rows.totals.variance)
        return super().constant_score()

    def constant_metric(self) -> float:  # noqa: D102
        return np.nan  # the rows are elsewhere

    def response_of(self, model: Any, rows: Array | None = None) -> Array:
        """Return what the metric takes of a model, on (some of) the rows of the sample."""
        import dask.array as da

        X = self.sample.X if rows is None else self.sample.X[rows]
        method = self.metric.response_method
        blocks = response_blocks(model, da.from_array(X, chunks=X.shape), method, X.shape[:1])
        return _Measure.of(self, model).responses({method: blocks[0].compute()}, X.shape[0])[method]


@dataclass
class DaskSample:
    """Some rows that stand for all, in memory.

    Attributes
    ----------
    X : ndarray or sparse matrix of shape (m, d)
    places : list of ndarray
        The rows of each block that these are.
    data : EvaluationSet
        With the totals of all rows.
    cells : Cells
        With the totals of all rows.
    """

    X: Any
    places: list[IntArray]
    data: EvaluationSet
    cells: Cells


def draw_sample(X: Any, rows: DaskRows) -> DaskSample:
    """Return the sample of Dask rows that guides see.

    Parameters
    ----------
    X : dask array of shape (n, d)
    rows : DaskRows

    Returns
    -------
    sample : DaskSample
    """
    places, drawn = rows.sample()
    parts = run_on_blocks(_take, (blocks_of(X.rechunk({1: -1})), places))
    stack = sparse.vstack if sparse.issparse(parts[0]) else np.concatenate
    groups = Groups(drawn.groups, rows.groups.labels, rows.groups.names)
    data = EvaluationSet(drawn.y, groups, rows.classes, drawn.weight)
    totals = rows.totals
    data.group_totals, data.squared_totals = totals.weight.sum(axis=1), totals.squares
    data.n_rows = int(totals.rows.sum())
    if rows.classes is not None:
        data.class_totals = totals.weight
    return DaskSample(stack(parts), places, data, rows.cells_of(drawn))


def response_blocks(model: Any, X: Any, method: str, lengths: tuple[int, ...]) -> list[Any]:
    """Return a model's response to each block of X, as Delayed.

    Log odds stand in for the decision function of a classifier that has probabilities alone.

    Parameters
    ----------
    model : fitted estimator
    X : dask array of shape (n, d)
    method : str
    lengths : tuple of int
        Rows of each block.

    Returns
    -------
    blocks : list of Delayed
    """
    by_odds = method == "decision_function" and not hasattr(model, method)
    method = "predict_proba" if by_odds else method
    response = getattr(model, method)(X)
    if is_dask(response) and hasattr(response, "to_dask_array"):
        response = response.to_dask_array(lengths=list(lengths))
    if not is_dask(response) or response.numblocks[0] != len(lengths):
        response = in_blocks(response, lengths, f"{method} of {type(model).__name__}")
    elif response.ndim == 2 and response.numblocks[1] > 1:
        response = response.rechunk({1: -1})
    blocks = blocks_of(response)
    return tasks_of(log_odds, (blocks,)) if by_odds else blocks


@dataclass
class _Measure:
    """What a worker has to know to measure a block."""

    whole: EvaluationSet
    metric: FairnessMetric
    loss: str
    cell_of: IntArray
    n_targets: int
    n_cells: int
    model: tuple[Array | None, str]

    @classmethod
    def of(cls, evaluator, model):
        rows = evaluator.rows
        known, name = known_of(model)
        return cls(
            evaluator.evaluation_set.without_rows(), evaluator.metric, evaluator.loss,
            rows.cell_of, rows.n_targets, rows.cells.n_cells,
            (None if known is None else np.asarray(known), name),
        )  # fmt: skip

    def responses(self, raw, n_rows):
        """Return the responses of the model to a block of so many rows as metrics take them."""
        classes, (known, name) = self.whole.classes, self.model
        return {
            method: code_response(np.asarray(response), n_rows, method, classes, known, name)
            for method, response in raw.items()
        }


def _measure(rows, responses, places, measure):
    """Return sums over a block, and responses to some of its rows."""
    responses = measure.responses(responses, len(rows.y))
    predicted, whole = responses["predict"], measure.whole
    part = whole.part(rows.y, rows.groups, rows.weight)
    loss, method, _ = LOSSES[measure.loss]
    losses = loss(rows.y, responses[method])
    cells = measure.cell_of[rows.groups * measure.n_targets + rows.targets]
    counted = predicted[rows.weight > 0].astype(float)
    score = rows.y == predicted if whole.classes is not None else -np.square(rows.y - predicted)
    sums = {
        "cell_losses": np.bincount(cells, losses * rows.weight, measure.n_cells),
        "group_losses": part.group_means(losses),
        "score": float(rows.weight @ score),
        "statistics": measure.metric.statistics(part, pick(measure.metric, responses)),
        "range": (np.min(counted, initial=np.inf), np.max(counted, initial=-np.inf)),
    }
    return sums, {name: own[places] for name, own in responses.items()}


def _respond(X, model, asked):
    return get_response(model, X, **asked)


def _take(X, places):
    return X[places]
