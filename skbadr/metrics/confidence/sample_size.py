"""How many rows would tell whether a bound holds."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from skbadr.metrics.confidence.bootstrap import FEW_RESAMPLES
from skbadr.metrics.confidence.chosen_limits import many_chosen_limits
from skbadr.metrics.confidence.intervals import effective_rows
from skbadr.metrics.confidence.limits import comparisons, limits, one_side
from skbadr.metrics.rates.rate_metric import RateMetric

# Share of samples of the size given that tell: about two in three.
CHANCE = 0.65
# More rows than this factor of today's are not looked for.
LARGEST_FACTOR = 1e6


@dataclass(frozen=True)
class RowsNeeded:
    """About how many rows would do.

    Attributes
    ----------
    total : int
        Rows of all groups, in the shares they have now.
    group : int or None
        Code of the group whose few rows matter most, where that is known.
    group_total : int or None
        Its rows among them.
    """

    total: int
    group: int | None = None
    group_total: int | None = None


def rows_needed(metric, data, bound, statistics=None, confidence=0.9, *, response=None):
    """Return how many rows would tell on which side of the bound the metric is.

    Samples of more and more rows are drawn from what these rows show, until about two in three
    of them have a limit on the near side of the bound.

    Parameters
    ----------
    metric, data, statistics, confidence, response
        As of `skbadr.metrics.confidence.limits.limits`.
    bound : float

    Returns
    -------
    needed : RowsNeeded or None
        None where a million times the rows would not do, or nothing can be told.
    """
    if isinstance(metric, RateMetric):
        if statistics is None:
            statistics = metric.statistics(data, response)
        return _by_drawing(metric, data, bound, np.asarray(statistics, dtype=float), confidence)
    value = metric.value(data, response)
    low, high = limits(metric, data, confidence=confidence, response=response)
    width = high - value if value <= bound else value - low
    distance = abs(bound - value)
    if not (np.isfinite(width) and distance > 0):
        return None
    factor = (width * (1.0 + ndtri(CHANCE) / ndtri(confidence)) / distance) ** 2
    return _result(data, factor)


def rows_for_limit(metric, data, bound, evaluations):
    """Return how many rows would bring the limit of a visited model within the bound.

    The model whose limit is the nearest to the bound is not always the one that needs the fewest
    rows, which may have a smaller value and a wider limit. Limits of rates near 0 shrink with the
    number of rows, others with its root: those of rates are computed for each number.

    Parameters
    ----------
    metric : ConfidentMetric
    data : EvaluationSet
    bound : float
    evaluations : list of Evaluation
        Of the visited models.

    Returns
    -------
    needed : RowsNeeded or None
        None where no model's value is within the bound, a million times the rows would not do, or
        nothing can be told.
    """
    sign = -1.0 if metric.greater_is_better else 1.0
    within = [e for e in evaluations if sign * (bound - e.value) > 0 and np.isfinite(e.metric)]
    if not within:
        return None
    z = float(ndtri(metric.confidence))
    if not metric.uses_confusion:
        value, limit = (
            np.array([getattr(e, name) for e in within]) for name in ("value", "metric")
        )
        # Not less than one standard error, of which there is none at a confidence of one half.
        errors = np.abs(limit - value) / max(z, 0.5)
        factors = (errors * (z + float(ndtri(CHANCE))) / np.abs(bound - value)) ** 2
        return _result(data, factors.min())
    tables = metric.on_all_rows(np.array([e.statistics for e in within]))

    def excess(tables):
        return sign * (many_chosen_limits(metric.of, data, tables, metric.confidence) - bound)

    # Of what the rows show, without chance, the first model that is within the bound.
    factor = _smallest_factor(lambda factor: np.nanmin(excess(tables * factor)) <= 0)
    if factor is None:
        return None
    first = tables[np.nanargmin(excess(tables * factor))]
    draw = _Draws(data, first)
    factor = _smallest_factor(lambda factor: np.mean(excess(draw(factor)) <= 0) >= CHANCE)
    group = None
    if metric.of.pieces(data) is None:
        parts = comparisons(metric.of, data, first)
        group = np.flatnonzero(data.present)[parts.weakest_group(max(z, 0.5))]
    return _result(data, factor, group)


def _result(data, factor, group=None):
    if factor is None or not factor <= LARGEST_FACTOR:
        return None
    total = int(np.ceil(data.n_rows * factor))
    if group is None:
        return RowsNeeded(total)
    share = data.rows_by_group[group]
    return RowsNeeded(total, int(group), int(np.ceil(share * factor)))


class _Draws:
    """Samples of any number of rows from what a model's confusion matrices show."""

    def __init__(self, data, statistics):
        self._present = np.flatnonzero(data.present)
        tables = statistics.reshape(data.n_groups, -1)
        totals = data.group_totals[self._present]
        # Effective rows are drawn, and count as the weight they stand for.
        self._sizes = effective_rows(totals, data.squared_totals[self._present])
        shares = np.clip(tables[self._present] / totals[:, None], 0.0, None)
        self._shares = shares / shares.sum(axis=1, keepdims=True)
        self._weights, self._shape = totals / self._sizes, tables.shape

    def __call__(self, factor):
        """Return tables of `factor` times the rows, of shape (FEW_RESAMPLES, n_statistics)."""
        rng, drawn = np.random.default_rng(0), np.zeros((FEW_RESAMPLES, *self._shape))
        parts = zip(self._present, self._sizes, self._weights, self._shares, strict=True)
        for g, size, weight, share in parts:
            n_rows = max(int(round(size * factor)), 1)
            drawn[:, g] = rng.multinomial(n_rows, share, size=FEW_RESAMPLES) * weight
        return drawn.reshape(FEW_RESAMPLES, -1)


def _smallest_factor(suffices):
    """Return the smallest factor of the rows that suffices, None where the largest does not."""
    low, high = 0.0, np.log(LARGEST_FACTOR)
    if not suffices(LARGEST_FACTOR):
        return None
    for _ in range(14):
        middle = (low + high) / 2.0
        low, high = (low, middle) if suffices(np.exp(middle)) else (middle, high)
    return np.exp(high)


def _by_drawing(metric, data, bound, statistics, confidence):
    below = metric.from_statistics(data, statistics) <= bound
    draw = _Draws(data, statistics)

    def suffices(factor):
        parts = comparisons(metric, data, draw(factor))
        like = comparisons(metric, data, statistics * factor)
        found = one_side(parts, confidence, upper=below, like=like)
        return np.mean(found <= bound if below else found > bound) >= CHANCE

    factor = _smallest_factor(suffices)
    if factor is None:
        return None
    group = comparisons(metric, data, statistics).weakest_group(float(ndtri(confidence)))
    return _result(data, factor, np.flatnonzero(data.present)[group])
