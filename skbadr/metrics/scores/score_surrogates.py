"""Smooth forms of metrics of scores, in O(n log n) or less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit, softmax

from skbadr._typing import Array, Float
from skbadr.metrics.aggregate import aggregate_with_gradient, check_positive, combine
from skbadr.metrics.scores.distribution_surrogate import KolmogorovSmirnovSurrogate
from skbadr.metrics.scores.predictions import KolmogorovSmirnovMetric
from skbadr.metrics.smooth.stand_in import StandIn

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet
    from skbadr.metrics.scores.score_metrics import AUCMetric, CalibrationMetric, ScoreParityMetric

# Nodes of the grid of scores for each unit of one over the temperature, and at most.
FINENESS, MOST_NODES = 8, 1 << 16


class _ScoreSurrogate(StandIn):
    temperature: Float

    def __init__(self, exact, temperature, rho):
        check_positive("temperature", temperature)
        check_positive("rho", rho, optional=True)
        self.temperature = temperature
        super().__init__(exact, rho)

    def value_and_gradient(  # noqa: D102
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        found = (
            self._of_class(evaluation_set, scores, column)
            for column in self.exact.columns(evaluation_set)
        )
        return worst_class(found, greater_is_better=self.greater_is_better, rho=self.rho)

    def _of_class(self, data, scores, column):
        """Return the value of one class and its gradient in the scores."""
        raise NotImplementedError


class CalibrationSurrogate(_ScoreSurrogate):
    """The expected calibration error with bins whose edges are smooth.

    A row belongs to the bins by logistic functions of its log odds, and its probability is that
    of a logistic regression.

    Parameters
    ----------
    exact : CalibrationMetric
    temperature : float, default=1.0
        As it grows, each row belongs to one bin.
    rho : float or None, default=None
        Softens maxima and minima over the groups.
    """

    exact: CalibrationMetric

    @property
    def kinked(self) -> bool:  # type: ignore[override]  # noqa: D102
        return True  # whatever softens the groups

    def __init__(
        self, exact: CalibrationMetric, temperature: Float = 1.0, rho: Float | None = None
    ) -> None:
        super().__init__(exact, temperature, rho)

    def _of_class(self, data, scores, column):
        exact = self.exact
        odds, pull_back = log_odds_of(scores, column)
        p, n_bins = expit(odds), exact.n_bins
        above = expit(self.temperature * (odds[:, None] - logit(exact.inner_edges)))
        member = -np.diff(above, axis=1, prepend=1.0, append=0.0)
        slopes = self.temperature * above * (1.0 - above)
        slopes = -np.diff(slopes, axis=1, prepend=0.0, append=0.0)
        missed = (data.y == column) - p
        weight = np.ones(len(p)) if data.sample_weight is None else data.sample_weight
        codes, totals = data.groups.codes, data.group_totals
        sums = np.stack(
            [
                np.bincount(codes, weight * missed * member[:, b], minlength=data.n_groups)
                for b in range(n_bins)
            ],
            axis=1,
        )
        present = data.present
        errors = np.abs(sums[present]).sum(axis=1) / totals[present]
        value, by_error, _ = aggregate_with_gradient(
            errors[:, None], None, exact.transform, self.rho
        )
        by_sum = np.zeros((data.n_groups, n_bins))
        by_sum[present] = by_error * np.sign(sums[present]) / totals[present, None]
        own = by_sum[codes]
        moved = (own * slopes).sum(axis=1) * missed - (own * member).sum(axis=1) * p * (1.0 - p)
        return float(value[0]), pull_back(weight * moved)


class AUCSurrogate(_ScoreSurrogate):
    """Areas under the curve with a smooth comparison, ``sigmoid(temperature * difference)``.

    The mean over all pairs of a positive and a negative takes a histogram of each and one
    convolution: rows share their mass between the two nodes of a fine grid beside them.

    Parameters
    ----------
    exact : AUCMetric
    temperature : float, default=1.0
        As it grows, pairs are ranked right or wrong.
    rho : float or None, default=None
        Softens maxima and minima over the groups.
    """

    exact: AUCMetric

    def __init__(
        self, exact: AUCMetric, temperature: Float = 1.0, rho: Float | None = None
    ) -> None:
        super().__init__(exact, temperature, rho)

    def _of_class(self, data, scores, column):
        if scores.shape[1] == 1:
            sign = 1.0 if column == 1 else -1.0
            values = sign * scores[:, 0].astype(float)
        else:
            sign, values = 1.0, scores[:, column].astype(float)
        positive, codes = data.y == column, data.groups.codes
        weight = np.ones(len(values)) if data.sample_weight is None else data.sample_weight
        mass = np.bincount(2 * codes + positive, weight, minlength=2 * data.n_groups)
        mass = mass.reshape(-1, 2)
        share = weight / np.maximum(mass[codes, positive.astype(int)], 1e-300)
        grid = _Grid(values, self.temperature)
        known = (mass > 0).all(axis=1) & data.present
        groups = np.flatnonzero(known)
        member = [[(codes == g) & (positive == side) for g in groups] for side in (False, True)]
        histograms = [[grid.histogram(rows, share) for rows in side] for side in member]
        # Share of the negatives below, and of the positives above, each node.
        below = [grid.smoothed(h) for h in histograms[0]]
        above = [grid.smoothed(h, upward=False) for h in histograms[1]]
        areas = np.full((data.n_groups, data.n_groups), np.nan)
        for i, a in enumerate(groups):
            for j, b in enumerate(groups):
                areas[a, b] = histograms[1][i] @ below[j]
        value, slope = self.exact.value_of_areas(areas, self.rho)
        gradient = np.zeros(len(values))
        for i, a in enumerate(groups):
            curve = sum(slope[a, b] * below[j] for j, b in enumerate(groups))
            gradient[member[1][i]] += grid.slope_of(curve, member[1][i])
            curve = sum(slope[b, a] * above[j] for j, b in enumerate(groups))
            gradient[member[0][i]] += grid.slope_of(curve, member[0][i])
        gradient *= sign * share
        if scores.shape[1] == 1:
            return value, gradient[:, None]
        found = np.zeros(scores.shape)
        found[:, column] = gradient
        return value, found


class KolmogorovSmirnovOfScores(_ScoreSurrogate):
    """The Kolmogorov-Smirnov distance of log odds, whose order is that of probabilities.

    Parameters
    ----------
    exact : ScoreParityMetric
    temperature, rho
        As of `KolmogorovSmirnovSurrogate`.
    """

    exact: ScoreParityMetric

    @property
    def kinked(self) -> bool:  # type: ignore[override]  # noqa: D102
        return True  # whatever softens the groups

    def __init__(
        self, exact: ScoreParityMetric, temperature: Float = 1.0, rho: Float | None = None
    ) -> None:
        super().__init__(exact, temperature, rho)
        self._distance = KolmogorovSmirnovSurrogate(KolmogorovSmirnovMetric(), temperature, rho)

    def _of_class(self, data, scores, column):
        if data.classes is None:
            return self._distance.value_and_gradient(data, scores)
        odds, pull_back = log_odds_of(scores, column)
        value, slope = self._distance.value_and_gradient(data, odds[:, None])
        return value, pull_back(slope[:, 0])


class _Grid:
    """A grid of scores, at multiples of its step so that it stays where it is as scores move."""

    def __init__(self, values, temperature):
        spread = float(np.ptp(values))
        self.step = max(1.0 / (FINENESS * temperature), spread / MOST_NODES, 1e-300)
        place = values / self.step
        low = np.floor(place)
        self.part, self.first = place - low, low.min()
        self.node = (low - self.first).astype(np.intp)
        self.n_nodes = int(self.node.max()) + 2
        apart = self.step * temperature * np.arange(1 - self.n_nodes, self.n_nodes)
        self._kernel = expit(apart)

    def histogram(self, rows, share):
        """Return the mass of some rows at each node."""
        node, part, share = self.node[rows], self.part[rows], share[rows]
        return np.bincount(node, share * (1.0 - part), minlength=self.n_nodes) + np.bincount(
            node + 1, share * part, minlength=self.n_nodes
        )

    def smoothed(self, histogram, upward=True):
        """Return the smooth share of the mass below each node, or above it."""
        from scipy.signal import fftconvolve  # which takes long to import

        kernel = self._kernel if upward else self._kernel[::-1]
        return fftconvolve(histogram, kernel, mode="full")[self.n_nodes - 1 : 2 * self.n_nodes - 1]

    def slope_of(self, curve, rows):
        """Return how a function on the nodes moves with the scores of some rows."""
        node = self.node[rows]
        return (curve[node + 1] - curve[node]) / self.step


def worst_class(found, *, greater_is_better, rho=None):
    """Return the worst of the classes' values, each given with its gradient, and its gradient."""
    values, gradients = zip(*found, strict=True)
    value, share = combine(
        np.array(values), "worst_case", greater_is_better=greater_is_better, rho=rho
    )
    parts = [part * own for part, own in zip(share, gradients, strict=True) if part]
    return float(value), sum(parts, start=np.zeros(gradients[0].shape))


def log_odds_of(scores, column):
    """Return the log odds of one class, and what turns slopes in them into slopes in the scores.

    Parameters
    ----------
    scores : ndarray of shape (n, m)
        m = 1 for two classes.
    column : int
        Code of the class.
    """
    if scores.shape[1] == 1:
        sign = 1.0 if column == 1 else -1.0
        return sign * scores[:, 0].astype(float), lambda slope: (sign * slope)[:, None]
    member = softmax(scores.astype(float), axis=1)
    p = np.clip(member[:, column], 1e-12, 1.0 - 1e-12)

    def pull_back(slope):
        own = -member.copy()
        own[:, column] += 1.0
        return slope[:, None] * own / (1.0 - p)[:, None]

    return logit(p), pull_back
