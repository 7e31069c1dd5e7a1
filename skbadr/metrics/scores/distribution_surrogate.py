"""The smooth form of the distance between groups' distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit

from skbadr._typing import Array, Float
from skbadr.metrics.aggregate import aggregate_with_gradient, check_positive
from skbadr.metrics.base import FairnessMetric

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet
    from skbadr.metrics.scores.predictions import KolmogorovSmirnovMetric

# Thresholds at which smoothed distribution functions are compared before the best is refined,
# and bins of the predictions from which they are computed.
N_THRESHOLDS = 64
N_BINS = 512


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
