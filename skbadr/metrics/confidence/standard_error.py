"""How far a metric's value may be from that on other rows of the same kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from skbadr._typing import Array, FloatArray
from skbadr.metrics.callables import take_rows

if TYPE_CHECKING:
    from skbadr.metrics.base import FairnessMetric
    from skbadr.metrics.evaluation_set import EvaluationSet

# Parts of the rows of which each is left out once; of a function that may take long.
N_BLOCKS, FEW_BLOCKS = 20, 10
# Rows from which on the error is that of some of them, made smaller by their share.
JACKKNIFE_ROWS = 5_000


def standard_error(
    metric: FairnessMetric,
    evaluation_set: EvaluationSet,
    *,
    statistics: FloatArray | None = None,
    response: Array | Callable[[Array], Array] | None = None,
) -> float:
    """Return the standard error of a metric of a given model.

    For metrics of the groups' confusion matrices it is that of the delta method: the counts of a
    group are multinomial, so that of a rate it is ``sqrt(p (1 - p) / n)``, and of a difference of
    two groups' rates the root of the sum of their squares. Otherwise each of 20 parts of the rows
    (10, for a user's function) is left out in turn (the delete-a-group jackknife).

    Parameters
    ----------
    metric : FairnessMetric
    evaluation_set : EvaluationSet
        With weights, n is Kish's effective number ``sum(w)^2 / sum(w^2)``.
    statistics : ndarray or None, default=None
        Confusion matrices, where the metric is of these.
    response : ndarray, callable or None, default=None
        What the metric takes of the model, otherwise; of some rows, where a function gives it.

    Returns
    -------
    error : float
        NaN where nothing tells it.

    References
    ----------
    Agresti (2013), "Categorical data analysis", section 16.1 (delta method); Kott (2001), "The
    delete-a-group jackknife", Journal of Official Statistics 17.
    """
    if metric.uses_confusion and statistics is not None:
        return _delta_method(metric, evaluation_set, np.asarray(statistics, dtype=float))
    if response is None:
        return np.nan
    return _jackknife(metric, evaluation_set, response)


def _delta_method(metric, data, statistics):
    tables = statistics.reshape(data.n_groups, -1)
    totals = tables.sum(axis=1)
    squares = data.squared_totals
    # A little apart, so that where two groups tie one of them is the greater.
    noise = np.random.default_rng(0).random(tables.shape)
    apart = tables * (1.0 + 1e-4 * noise)
    value = metric.from_statistics(data, apart.ravel())
    variance = 0.0
    for group in np.flatnonzero(totals > 0):
        step = 1e-7 * totals[group]
        moved = np.repeat(apart[None], tables.shape[1], axis=0)
        moved[:, group] += step * np.eye(tables.shape[1])
        values = metric.from_many_statistics(data, moved.reshape(len(moved), -1))
        slopes = totals[group] * (values - value) / step
        n_rows = totals[group] ** 2 / squares[group]
        shares = tables[group] / totals[group]
        spread = _variance(shares, slopes)
        if spread < 1e-9 * np.max(slopes**2):
            # All rows alike tell a rate near 0 or 1, not that it is 0 or 1: one more row is
            # taken to be of any kind.
            spread = _variance((n_rows * shares + 1.0 / len(shares)) / (n_rows + 1.0), slopes)
        variance += spread / n_rows
    return float(np.sqrt(variance))


def _variance(shares, slopes):
    possible = shares > 0
    shares, slopes = shares[possible], slopes[possible]
    return max(float(shares @ slopes**2 - (shares @ slopes) ** 2), 0.0)


def _jackknife(metric, data, response):
    rng = np.random.default_rng(0)
    weight = data.sample_weight
    rows = np.arange(len(data.y)) if weight is None else np.flatnonzero(weight)
    if len(rows) > JACKKNIFE_ROWS:
        rows = rng.choice(rows, JACKKNIFE_ROWS, replace=False)
    else:
        rows = rng.permutation(rows)
    shrink = np.sqrt(len(rows) / data.n_rows)
    # Every group is spread over the blocks.
    rows = rows[np.argsort(data.groups.codes[rows], kind="stable")]
    n_blocks = min(FEW_BLOCKS if metric.slow else N_BLOCKS, len(rows))
    block = np.arange(len(rows)) % n_blocks
    response = response(rows) if callable(response) else response[rows]
    values = np.array(
        [_value_of(metric, data, response, rows, block != b) for b in range(n_blocks)]
    )
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return np.nan
    share = (len(values) - 1) / len(values)
    return float(shrink * np.sqrt(share * np.square(values - values.mean()).sum()))


def _value_of(metric, data, response, rows, kept):
    """Return the value on those of the rows that are kept; `response` is of all of them."""
    rows, response = rows[kept], response[kept]
    part = data.take(rows)
    if metric.slow and data.sensitive_features is not None:  # a user's function may look at them
        part = replace(part, sensitive_features=take_rows(data.sensitive_features, rows))
    try:
        return metric.value(part, response)
    except Exception:  # of a user's function, which need not take few rows
        return np.nan
