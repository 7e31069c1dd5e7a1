"""Smooth stand-ins, with gradients in the scores, for metrics that are piecewise constant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit, softmax

from skbadr._typing import Array, Float, FloatArray
from skbadr.metrics.aggregate import aggregate_with_gradient, combine
from skbadr.metrics.base import FairnessMetric
from skbadr.metrics.confusion_rates import rates_with_gradient
from skbadr.metrics.stand_in import StandIn

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet
    from skbadr.metrics.predictions import KolmogorovSmirnovMetric
    from skbadr.metrics.rates import RateMetric

# Thresholds at which smoothed distribution functions are compared before the best is refined,
# and bins of the predictions from which they are computed.
N_THRESHOLDS = 64
N_BINS = 512


class SoftPredictions:
    """Class memberships of scores: a logistic function, or its form for several classes.

    Parameters
    ----------
    scores : ndarray of shape (n,) or (n, m)
        m = 1 for two classes, else one score per class.
    temperature : float
        Factor of the scores; as it grows, memberships become the predicted classes.
    """

    def __init__(self, scores: Array, temperature: Float) -> None:
        scores = scores.reshape(len(scores), -1)
        self.temperature, self.binary = temperature, scores.shape[1] == 1
        self.membership = (
            expit(temperature * scores) if self.binary else softmax(temperature * scores, axis=1)
        )

    def pull_back(self, slope: Array) -> Array:
        """Return derivatives in the scores from those in the memberships, of shape (n, C)."""
        member = self.membership
        if self.binary:
            slope = slope[:, 1:] - slope[:, :1]
            return self.temperature * member * (1.0 - member) * slope
        mean = (member * slope).sum(axis=1, keepdims=True)
        return self.temperature * member * (slope - mean)

    def gradient(self, evaluation_set: EvaluationSet, by_table: Array) -> Array:
        """Return derivatives in the scores from those in the tables, of shape (G, C, C)."""
        gradient = self.pull_back(by_table[evaluation_set.groups.codes, evaluation_set.y])
        if evaluation_set.sample_weight is not None:
            gradient *= evaluation_set.sample_weight[:, None]
        return gradient

    def tables(self, evaluation_set: EvaluationSet) -> Array:
        """Return the confusion matrices of the groups, shared out by membership."""
        data = evaluation_set
        pair = data.groups.codes * data.n_classes + data.y
        size, weight = data.n_groups * data.n_classes, data.sample_weight
        columns = []
        for member in self.membership.T:
            member = member if weight is None else member * weight
            columns.append(np.bincount(pair, weights=member, minlength=size))
        if self.binary:
            columns.insert(0, np.maximum(data.class_totals.ravel() - columns[0], 0.0))
        return np.stack(columns, axis=-1).reshape(data.n_groups, data.n_classes, data.n_classes)


class TableSurrogate(StandIn):
    """A differentiable function of confusion matrices that are shared out by membership.

    A subclass implements `value_of_tables`.
    """

    temperature: Float

    def value_of_tables(self, evaluation_set: EvaluationSet, tables: Array) -> tuple[float, Array]:
        """Return the value and its gradient in the tables, both of shape (G, C, C)."""
        raise NotImplementedError

    def statistics(self, evaluation_set: EvaluationSet, response: Array) -> FloatArray:  # noqa: D102
        return SoftPredictions(response, self.temperature).tables(evaluation_set).ravel()

    def from_statistics(self, evaluation_set: EvaluationSet, statistics: FloatArray) -> float:  # noqa: D102
        shape = (evaluation_set.n_groups, evaluation_set.n_classes, evaluation_set.n_classes)
        return self.value_of_tables(evaluation_set, statistics.reshape(shape))[0]

    def value(self, evaluation_set: EvaluationSet, response: Array) -> float:  # noqa: D102
        # Without the gradient.
        return self.from_statistics(evaluation_set, self.statistics(evaluation_set, response))

    def value_and_gradient(  # noqa: D102
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        soft = SoftPredictions(scores, self.temperature)
        value, by_table = self.value_of_tables(evaluation_set, soft.tables(evaluation_set))
        return value, soft.gradient(evaluation_set, by_table)


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


class KolmogorovSmirnovSurrogate(FairnessMetric):
    r"""Distance between groups' distributions of predictions, with smoothed steps.

    ``max_t D(t)`` with D the largest difference, between groups or to all samples, of the means
    of ``sigmoid(temperature * (t - prediction))``. The best of a grid of thresholds is refined;
    the gradient is that of D there, since D is stationary in t (Danskin).

    Parameters
    ----------
    metric : KolmogorovSmirnovMetric
    temperature : float, default=1.0
        In units of 1 over the predictions'.
    rho : float or None, default=None
        As in `RateSurrogate`, for the maxima over groups.

    References
    ----------
    Agarwal, Dudik and Wu (2019), "Fair regression: quantitative definitions and reduction-based
    algorithms", ICML, section 2.
    """

    differentiable = True
    kinked = True

    def __init__(
        self, metric: KolmogorovSmirnovMetric, temperature: Float = 1.0, rho: Float | None = None
    ) -> None:
        check_positive("temperature", temperature)
        check_positive("rho", rho, optional=True)
        self.exact, self.temperature, self.rho = metric, temperature, rho
        super().__init__(metric.name, tasks=metric.tasks)

    def surrogate(  # noqa: D102
        self, temperature: Float = 1.0, *, rho: Float | None = None
    ) -> FairnessMetric | None:
        return KolmogorovSmirnovSurrogate(self.exact, temperature, rho)

    def value(self, evaluation_set: EvaluationSet, response: Array) -> float:  # noqa: D102
        return self.value_and_gradient(evaluation_set, np.reshape(response, (-1, 1)))[0]

    def value_and_gradient(  # noqa: D102
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        predicted = scores[:, 0].astype(float, copy=False)
        threshold = self._best_threshold(evaluation_set, predicted)
        value, by_share, by_overall, step = self._distance(evaluation_set, predicted, threshold)
        totals = evaluation_set.group_totals
        factor = np.zeros(len(totals))
        present = evaluation_set.present
        factor[present] = by_share / totals[present] + by_overall / totals.sum()
        gradient = -self.temperature * step * (1.0 - step) * factor[evaluation_set.groups.codes]
        if evaluation_set.sample_weight is not None:
            gradient = gradient * evaluation_set.sample_weight
        return float(value), gradient[:, None]

    def _best_threshold(self, evaluation_set, predicted):
        """Return the threshold of the largest distance: from a histogram, then where it is flat."""
        size, weight = evaluation_set.n_groups * N_BINS, evaluation_set.sample_weight
        counted = predicted if weight is None else predicted[weight > 0]
        low, high = counted.min(), counted.max()
        edges = np.linspace(low, high, N_BINS + 1)
        place = np.searchsorted(edges[1:-1], predicted, side="right")
        pair = evaluation_set.groups.codes * N_BINS + place
        table = np.bincount(pair, weights=weight, minlength=size).reshape(-1, N_BINS)
        table = table[evaluation_set.present]
        # Steps are blurred: the best threshold may lie a little outside the predictions.
        blur = 4.0 / self.temperature
        shares = np.cumsum(table.sum(axis=0)) / table.sum()
        inside = np.searchsorted(shares, np.linspace(0.0, 1.0, N_THRESHOLDS)[1:-1])
        grid = np.unique(np.r_[low - blur, low, edges[1:][inside], high, high + blur])
        middles = 0.5 * (edges[1:] + edges[:-1])
        steps = expit(self.temperature * (grid - middles[:, None]))
        values = self._compare(table @ steps, table.sum(axis=1))[0]
        best = int(np.clip(np.argmax(values), 1, len(grid) - 2))
        low, middle, high = grid[best - 1 : best + 2]

        def slope(threshold):
            _, by_share, by_overall, step = self._distance(evaluation_set, predicted, threshold)
            moved = evaluation_set.group_sums(self.temperature * step * (1.0 - step))
            moved, totals = moved[evaluation_set.present], table.sum(axis=1)
            return by_share @ (moved / totals) + by_overall * moved.sum() / totals.sum()

        def value(threshold):
            return self._distance(evaluation_set, predicted, threshold)[0]

        tolerance = 1e-9 * max(high - low, 1e-300)
        if slope(low) > 0 > slope(high):
            found = brentq(slope, low, high, xtol=tolerance, rtol=1e-12)
            if value(found) >= value(middle):
                return found
        return minimize_scalar(
            lambda t: -value(t), bounds=(low, high), method="bounded", options={"xatol": tolerance}
        ).x

    def _distance(self, evaluation_set, predicted, threshold):
        step = expit(self.temperature * (threshold - predicted))
        sums = evaluation_set.group_sums(step)[evaluation_set.present]
        totals = evaluation_set.group_totals[evaluation_set.present]
        value, by_share, by_overall = self._compare(sums[:, None], totals)
        return value[0], by_share[:, 0], by_overall[0], step

    def _compare(self, sums, totals):
        """Return the distances of shares at each of m thresholds, and their gradients."""
        overall = None
        if self.exact.method == "to_overall":
            overall = sums.sum(axis=0) / totals.sum()
        return aggregate_with_gradient(sums / totals[:, None], overall, "difference", self.rho)


def check_positive(name, value, *, optional=False):
    """Raise a ValueError where an option is not a positive number."""
    if value is None and optional:
        return
    if isinstance(value, (bool, str)) or np.ndim(value) != 0 or not value > 0:
        none = " or None" if optional else ""
        raise ValueError(f"{name} must be a positive number{none}, got {value!r}.")
