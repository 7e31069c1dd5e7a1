"""The smooth form of metrics of rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skbadr._typing import Array, Float
from skbadr.metrics.aggregate import aggregate_with_gradient, check_positive, combine
from skbadr.metrics.rates.confusion_rates import rates_with_gradient
from skbadr.metrics.smooth.soft_tables import TableSurrogate

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet
    from skbadr.metrics.rates.rate_metric import RateMetric


class RateSurrogate(TableSurrogate):
    r"""A metric of confusion matrices, of which the predicted classes are made smooth.

    A sample counts in each predicted class by its membership, ``sigmoid(temperature * score)``
    for two classes, ``softmax(temperature * scores)`` for more. All else is as in the exact
    metric, but that maxima and minima may be softened too.

    Parameters
    ----------
    metric : RateMetric
    temperature : float, default=1.0
        At 1, memberships are the probabilities of a logistic regression.
    rho : float or None, default=None
        None: maxima and minima over groups, rates and classes are exact, and the gradient jumps
        where two are equal. Otherwise log-sum-exp with this factor, which exceeds a maximum of m
        rates by at most ``log(m) / rho``; ratios soften the maxima of log rates.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448 (log-sum-exp of smooth rates).
    """

    def __init__(
        self, metric: RateMetric, temperature: Float = 1.0, rho: Float | None = None
    ) -> None:
        check_positive("temperature", temperature)
        check_positive("rho", rho, optional=True)
        self.temperature = temperature
        super().__init__(metric, rho)

    def __repr__(self):
        return f"<RateSurrogate {self.name!r}, temperature={self.temperature:g}, rho={self.rho}>"

    def value_of_tables(  # noqa: D102
        self, evaluation_set: EvaluationSet, tables: Array
    ) -> tuple[float, Array]:
        exact, present = self.exact, evaluation_set.present
        seen = tables[present]
        columns = exact.positive_columns(evaluation_set)
        parts = [self._rate(rate, seen, columns) for rate in exact.rates_for(evaluation_set)]
        values = np.array([value for value, _ in parts])
        value, share = combine(
            values, exact.agg, greater_is_better=self.greater_is_better, rho=self.rho
        )
        gradient = np.zeros(tables.shape)
        gradient[present] = sum(
            part * pull_back() for part, (_, pull_back) in zip(share, parts, strict=True) if part
        )
        return float(value), gradient

    def _rate(self, rate, tables, columns):
        exact = self.exact
        by_group, pull_back = rates_with_gradient(rate, tables, columns)
        overall, pull_back_pooled = None, None
        if exact.method == "to_overall":
            pooled = tables.sum(axis=0, keepdims=True)
            overall, pull_back_pooled = rates_with_gradient(rate, pooled, columns)
            overall = overall[0]
        values, by_rate, by_overall = aggregate_with_gradient(
            by_group, overall, exact.transform, self.rho
        )
        value, share = combine(
            values, exact.class_agg, greater_is_better=self.greater_is_better, rho=self.rho
        )

        def gradient():
            total = pull_back(by_rate * share)
            if pull_back_pooled is not None:
                total = total + pull_back_pooled((by_overall * share)[None])
            return total

        return value, gradient
