"""How many rows would tell whether a bound holds."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from skbadr.metrics.confidence.intervals import effective_rows
from skbadr.metrics.confidence.limits import comparisons, limits, one_side
from skbadr.metrics.rates.rate_metric import RateMetric

# Share of samples of the size given that tell: about two in three.
CHANCE = 0.65
# Samples drawn for each size; more rows than this factor of today's are not looked for.
N_SAMPLES, LARGEST_FACTOR = 200, 1e6


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


def rows_for_limit(metric, data, bound, evaluation):
    """Return how many rows would bring the limit of a chosen model within the bound.

    Limits shrink towards the value with the root of the number of rows, and the value errs as
    much itself: at the number returned about two in three samples would do.

    Parameters
    ----------
    metric : ConfidentMetric
        Whose value is within the bound, and whose limit is not.
    data : EvaluationSet
    bound : float
    evaluation : Evaluation
        Of the model.

    Returns
    -------
    needed : RowsNeeded or None
        None where a million times the rows would not do, or nothing can be told.
    """
    limit, value = evaluation.metric, evaluation.value
    z = float(ndtri(metric.confidence))
    room = abs(bound - value)
    if not (np.isfinite(limit) and room > 0):
        return None
    # Not less than one standard error, of which there is none at a confidence of one half.
    error = abs(limit - value) / max(z, 0.5)
    factor = (error * (z + float(ndtri(CHANCE))) / room) ** 2
    group = None
    if metric.uses_confusion and metric.of.pieces(data) is None:
        parts = comparisons(metric.of, data, evaluation.statistics)
        group = np.flatnonzero(data.present)[parts.weakest_group(max(z, 0.5))]
    return _result(data, factor, group)


def _result(data, factor, group=None):
    if not factor <= LARGEST_FACTOR:
        return None
    total = int(np.ceil(data.n_rows * factor))
    if group is None:
        return RowsNeeded(total)
    share = data.rows_by_group[group]
    return RowsNeeded(total, int(group), int(np.ceil(share * factor)))


def _by_drawing(metric, data, bound, statistics, confidence):
    present = np.flatnonzero(data.present)
    tables = statistics.reshape(data.n_groups, -1)
    totals = data.group_totals[present]
    # Effective rows are drawn, and count as the weight they stand for.
    sizes = effective_rows(totals, data.squared_totals[present])
    shares = np.clip(tables[present] / totals[:, None], 0.0, None)
    shares = shares / shares.sum(axis=1, keepdims=True)
    below = metric.from_statistics(data, statistics) <= bound

    def tells(factor):
        rng = np.random.default_rng(0)
        drawn = np.zeros((N_SAMPLES, *tables.shape))
        for g, size, total, share in zip(present, sizes, totals, shares, strict=True):
            n_rows = max(int(round(size * factor)), 1)
            drawn[:, g] = rng.multinomial(n_rows, share, size=N_SAMPLES) * (total / size)
        parts = comparisons(metric, data, drawn.reshape(N_SAMPLES, -1))
        like = comparisons(metric, data, statistics * factor)
        found = one_side(parts, confidence, upper=below, like=like)
        return np.mean(found <= bound if below else found > bound)

    low, high = 0.0, np.log(LARGEST_FACTOR)
    if tells(LARGEST_FACTOR) < CHANCE:
        return None
    for _ in range(14):
        middle = (low + high) / 2.0
        if tells(np.exp(middle)) >= CHANCE:
            high = middle
        else:
            low = middle
    group = comparisons(metric, data, statistics).weakest_group(float(ndtri(confidence)))
    return _result(data, np.exp(high), present[group])
