"""Confidence limits by resampling rows, for metrics that nothing else is known of."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri

from skbadr.metrics.callables import take_rows, user_labels
from skbadr.metrics.confidence.standard_error import JACKKNIFE_ROWS

# Resamples; fewer of what takes long, as a user's function may.
N_RESAMPLES, FEW_RESAMPLES = 1_000, 200


def resampled_limits(metric, data, response, confidence):
    """Return one-sided limits of a metric by a bootstrap of the rows of each group.

    A gap or a distance is larger on resamples than on the rows they are drawn of. Percentiles are
    therefore safe on its upper side, mirrored ones on its lower side, and neither is taken to lie
    nearer than those corrected for bias (Efron's BC).

    Parameters
    ----------
    metric : FairnessMetric
    data : EvaluationSet
    response : ndarray
        What the metric takes of the model.
    confidence : float
        Of each limit.

    Returns
    -------
    lower, upper : float
        NaN where the metric has no value.

    References
    ----------
    Efron and Tibshirani (1993), "An introduction to the bootstrap", chapter 14.
    """
    value = metric.value(data, response)
    # Both limits, and those of what the metric is a part of, are of the same resamples.
    known = data.cache.setdefault("resamples", {})
    last = known.get(id(metric))
    if last is None or last[0] is not metric or not np.array_equal(last[1], response):
        last = known[id(metric)] = metric, response, resample(metric, data, response)
    draws, shrink = last[2]
    return limits_from_draws(
        value, draws, confidence, shrink=shrink, biased_up=not metric.greater_is_better
    )


def resample(metric, data, response):
    """Return the metric's values on resamples, and the factor that makes up for fewer rows."""
    rng = np.random.default_rng(0)
    weight = data.sample_weight
    rows = np.arange(len(data.y)) if weight is None else np.flatnonzero(weight)
    codes = data.groups.codes[rows]
    rows, codes = (part[np.argsort(codes, kind="stable")] for part in (rows, codes))
    sizes = np.bincount(codes, minlength=data.n_groups)
    taken, shrink = sizes, 1.0
    if metric.slow and len(rows) > JACKKNIFE_ROWS:
        # No group becomes smaller than it has to.
        taken = np.minimum(sizes, np.maximum(sizes * JACKKNIFE_ROWS // len(rows), 50))
        shrink = np.sqrt(taken.sum() / len(rows))
    starts = np.cumsum(sizes) - sizes
    group = np.repeat(np.arange(data.n_groups), taken)
    values = np.empty(FEW_RESAMPLES if metric.slow else N_RESAMPLES)
    for k in range(len(values)):
        places = starts[group] + (rng.random(len(group)) * sizes[group]).astype(np.intp)
        values[k] = _value_of(metric, data, response, rows[places])
    return values, shrink


def _value_of(metric, data, response, rows):
    part = data.take(rows)
    if metric.slow and data.sensitive_features is not None:  # a user's function may look at them
        part = replace(part, sensitive_features=take_rows(data.sensitive_features, rows))
    try:
        return metric.value(part, response[rows])
    except Exception:  # of a user's function, which need not take any rows
        return np.nan


def limits_from_draws(value, draws, confidence, *, shrink=1.0, biased_up=True):
    """Return limits about a value from its draws; see `resampled_limits`."""
    draws = draws[np.isfinite(draws)]
    if len(draws) < 20 or not np.isfinite(value):
        return np.nan, np.nan
    share = np.mean(draws < value) + 0.5 * np.mean(draws == value)
    bias = ndtri(np.clip(share, 0.5 / len(draws), 1.0 - 0.5 / len(draws)))
    z = ndtri(confidence)
    places = ndtr(np.array([2.0 * bias - z, 2.0 * bias + z, -z, z]))
    below, above, low, high = shrink * (np.quantile(draws, places) - value)
    if biased_up:
        below, above = min(below, -high), max(above, high)
    else:
        below, above = min(below, low), max(above, -low)
    return value + min(float(below), 0.0), value + max(float(above), 0.0)


@dataclass
class Draws:
    """Values of groups with what they are on resamples, as estimates of `compare_groups`.

    Attributes
    ----------
    center : ndarray of shape (1, 1, G)
    draws : ndarray of shape (B, G)
    """

    center: np.ndarray
    draws: np.ndarray
    lowest, highest = -np.inf, np.inf

    @property
    def variance(self):
        """Variance of each value."""
        return np.nanvar(self.draws, axis=0)[None, None]

    def lower(self, z):
        """Return what the values are at least."""
        return np.fmin(np.nanquantile(self.draws, ndtr(-z), axis=0)[None, None], self.center)

    def upper(self, z):
        """Return what the values are at most."""
        return np.fmax(np.nanquantile(self.draws, ndtr(z), axis=0)[None, None], self.center)


def resampled_groups(metric, data, response):
    """Return the `Draws` of a metric that calls a function on each group.

    Parameters
    ----------
    metric : PerGroupMetric
    data : EvaluationSet
    response : ndarray
        What the metric takes of the model.
    """
    rng = np.random.default_rng(0)
    y_true, y_pred = user_labels(data, response, metric.response_method)
    centers, columns = [], []
    for group in np.flatnonzero(data.present):
        rows = data.groups.codes == group
        if data.sample_weight is not None:
            rows &= data.sample_weight > 0
        rows = np.flatnonzero(rows)
        centers.append(metric.of_rows(data, y_true, y_pred, rows))
        taken = min(len(rows), JACKKNIFE_ROWS)
        shrink = np.sqrt(taken / len(rows))
        found = np.empty(FEW_RESAMPLES)
        for k in range(len(found)):
            drawn = rows[rng.integers(len(rows), size=taken)]
            try:
                found[k] = metric.of_rows(data, y_true, y_pred, drawn)
            except Exception:  # of a function that needs more than one class, say
                found[k] = np.nan
        columns.append(centers[-1] + shrink * (found - centers[-1]))
    return Draws(np.array(centers, dtype=float)[None, None], np.column_stack(columns))
