"""A metric by its confidence limit, so that a search bounds what new rows will show."""

from __future__ import annotations

from typing import Any

import numpy as np

from skbadr._typing import Array, Float, FloatArray
from skbadr.metrics.base import FairnessMetric
from skbadr.metrics.confidence.chosen_limits import chosen_limits, is_of_rates, many_chosen_limits
from skbadr.metrics.evaluation_set import EvaluationSet


class ConfidentMetric(FairnessMetric):
    """The confidence limit, on the unfair side, of another metric.

    For metrics of confusion matrices every prediction of a search is a limit. For others a limit
    costs far more than a value: it is taken of the models that are measured, and predictions in
    between keep the last one's distance from its value.

    Parameters
    ----------
    metric : FairnessMetric
    confidence : float
    data : EvaluationSet
        Rows that models are judged on, whose number the limit depends on. Other sets that the
        limit is asked for are taken to stand for these.

    Attributes
    ----------
    of : FairnessMetric
        The metric itself.
    """

    of: FairnessMetric
    confidence: float

    def __init__(self, metric: FairnessMetric, confidence: Float, data: EvaluationSet) -> None:
        super().__init__(
            metric.name,
            greater_is_better=metric.greater_is_better,
            response_method=metric.response_method,
            tasks=metric.tasks,
        )
        self.of, self.confidence, self._whole = metric, float(confidence), data
        self.pos_label, self.slow = metric.pos_label, metric.slow
        self.uses_confusion = is_of_rates(metric, data)
        self._distance = 0.0

    @property
    def ideal(self) -> float | None:  # noqa: D102
        return self.of.ideal

    @property
    def own_bound(self) -> float | None:  # noqa: D102
        return self.of.own_bound

    @property
    def response_methods(self) -> Any:  # noqa: D102
        return self.of.response_methods

    @property
    def references(self) -> Any:  # noqa: D102
        return self.of.references

    def bound_text(self, bound: Float) -> str:  # noqa: D102
        return self.of.bound_text(bound)

    def surrogate(  # noqa: D102
        self, temperature: Float = 1.0, *, rho: Float | None = None
    ) -> FairnessMetric | None:
        # Of the metric: searches correct a bound by how far a stand-in is off.
        return self.of.surrogate(temperature, rho=rho)

    def undefined(self, evaluation_set: EvaluationSet) -> list[str]:  # noqa: D102
        return self.of.undefined(evaluation_set)

    def undefined_value(self, evaluation_set: EvaluationSet, response: Array) -> list[str]:  # noqa: D102
        return self.of.undefined_value(evaluation_set, response)

    def statistics(self, evaluation_set: EvaluationSet, response: Array) -> FloatArray:  # noqa: D102
        if self.uses_confusion:
            return self.of.statistics(evaluation_set, response)
        own = np.ravel(self.of.statistics(evaluation_set, response))
        value = float(self.of.from_statistics(evaluation_set, own))
        limit = chosen_limits(self.of, evaluation_set, response, self.confidence)
        if np.isfinite(limit - value):
            self._distance = limit - value
        return np.array([limit, value, *own])

    def from_many_statistics(  # noqa: D102
        self, evaluation_set: EvaluationSet, statistics: FloatArray
    ) -> FloatArray:
        statistics = np.asarray(statistics, dtype=float)
        if not self.uses_confusion:
            return statistics[:, 0]
        tables = self.on_all_rows(statistics)
        return many_chosen_limits(self.of, self._whole, tables, self.confidence)

    def from_statistics(self, evaluation_set: EvaluationSet, statistics: FloatArray) -> float:  # noqa: D102
        return float(self.from_many_statistics(evaluation_set, np.reshape(statistics, (1, -1)))[0])

    def value(self, evaluation_set: EvaluationSet, response: Array) -> float:  # noqa: D102
        if self.uses_confusion:
            return super().value(evaluation_set, response)
        return float(self.of.value(evaluation_set, response)) + self._distance

    def value_of(self, statistics: FloatArray) -> float:
        """Return the metric itself, of statistics that were measured."""
        if not self.uses_confusion:
            return float(statistics[1])
        return float(self.of.from_statistics(self._whole, statistics))

    def own_statistics(self, statistics: FloatArray) -> FloatArray:
        """Return those of the metric itself, of statistics that were measured."""
        return statistics if self.uses_confusion else statistics[2:]

    def on_all_rows(self, statistics: FloatArray) -> FloatArray:
        """Return tables of some rows, or predicted ones, with the totals of all rows."""
        whole, n_classes = self._whole, self._whole.n_classes
        tables = statistics.reshape(len(statistics), -1, n_classes, n_classes)
        totals = tables.sum(axis=-1, keepdims=True)
        factor = np.divide(
            whole.class_totals[None, :, :, None], totals, out=np.ones_like(totals), where=totals > 0
        )
        return (tables * factor).reshape(len(statistics), -1)


def measured(metric: FairnessMetric, statistics: FloatArray) -> tuple[FairnessMetric, FloatArray]:
    """Return the metric itself and its statistics, where one by its limit was searched with."""
    if isinstance(metric, ConfidentMetric):
        return metric.of, metric.own_statistics(statistics)
    return metric, statistics
