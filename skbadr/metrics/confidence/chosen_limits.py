"""Confidence limits of models that were chosen by these limits themselves.

A search that keeps several gaps below a bound ends where many of them touch it. Which of them is
the largest in the population is then a matter of chance, and each may be: what one gap's limit
promises of a given model, it does not promise of the one that was chosen. Here the chances of all
comparisons to lie beyond the limit add up to what the confidence leaves. Where one gap stands out,
that is its own limit.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.special import ndtr, ndtri

from skbadr._rows import ROUNDING
from skbadr.metrics.confidence.intervals import UNKNOWN, Averaged, Proportions, Transformed
from skbadr.metrics.confidence.limits import compare_rates, comparisons, worst_limit
from skbadr.metrics.rates.rate_metric import RateMetric

# Steps of Newton's method on the log of the chances, which is nearly a parabola.
NEWTON_STEPS = 5


@dataclass
class QuickProportions(Proportions):
    """Rates that are shares of rows, with limits in closed form for thousands of candidates.

    They agree with Jeffreys' limits but for terms of higher order in the number of rows.

    References
    ----------
    Cai (2005), "One-sided confidence intervals in discrete distributions", Journal of
    Statistical Planning and Inference 131, section 2 (the second-order corrected interval).
    """

    def of_rate(self, number):
        """Return the estimates of one of the m rates."""
        found = super().of_rate(number)
        return QuickProportions(found.share, found.n_rows)

    def _limit(self, z):
        n = np.maximum(self.n_rows, 1e-9)
        shift = z**2 / 3.0 + 1.0 / 6.0
        spread = self.share * (1.0 - self.share)
        more = (z**2 / 18.0 + 7.0 / 36.0 - (13.0 * z**2 + 17.0) / 18.0 * spread) / n
        center = (self.share * n + shift) / (n + 2.0 * shift)
        return center + z * np.sqrt(np.maximum(spread + more, 0.0) / n)

    def lower(self, z):
        """Return what the rates are at least, each with probability Phi(z)."""
        return np.clip(self._limit(-z), 0.0, self.share)

    def upper(self, z):
        """Return what the rates are at most, each with probability Phi(z)."""
        return np.clip(self._limit(z), self.share, 1.0)


def chosen_limits(metric, data, response, confidence=0.9):
    """Return the limit on the unfair side of a model that was chosen by it.

    Parameters
    ----------
    metric, data, response, confidence
        As of `skbadr.metrics.confidence.limits.limits`.

    Returns
    -------
    limit : float
        Of a metric that is no comparison of groups' rates or means, that of a given model.
    """
    pieces = metric.pieces(data, response=response)
    if pieces is not None:
        each = _level_of_each(confidence, pieces)
        found = [chosen_limits(piece.metric, piece.data, piece.response, each) for piece in pieces]
        return float(metric.worst_of(np.array(found)))
    parts = comparisons(metric, data, response=response)
    if parts is None:
        return worst_limit(metric, data, confidence=confidence, response=response)
    (limit,) = _limits(parts.all, confidence, parts.mean_over_rates, parts.mean_over_classes)
    return float(np.divide(1.0, limit) if parts.turned else limit)


def many_chosen_limits(metric, data, statistics, confidence=0.9):
    """Return the limits on the unfair side of models that were chosen by them.

    Parameters
    ----------
    metric : FairnessMetric
        That `is_of_rates`.
    data : EvaluationSet
    statistics : ndarray of shape (T, n_statistics)
        Confusion matrices of each.
    confidence : float, default=0.9

    Returns
    -------
    limits : ndarray of shape (T,)
        NaN where the metric has no value.
    """
    pieces = metric.pieces(data, statistics)
    if pieces is not None:
        each = _level_of_each(confidence, pieces)
        found = [many_chosen_limits(*piece[:3], each) for piece in pieces]
        return metric.worst_of(np.stack(found, axis=-1))
    parts = compare_rates(metric, data, statistics)
    mean_over_rates = metric.agg == "mean" and len(parts) > 1
    return _limits(parts, confidence, mean_over_rates, metric.class_agg == "mean")


def is_of_rates(metric, data):
    """Whether a metric compares rates of groups, or is the worst of several that do."""
    pieces = metric.pieces(data)
    if pieces is None:
        return isinstance(metric, RateMetric)
    return all(is_of_rates(piece.metric, piece.data) for piece in pieces)


def _level_of_each(confidence, pieces):
    """Return Bonferroni's level: of several pieces near their bounds, each may be the worst."""
    return 1.0 - (1.0 - confidence) / len(pieces)


def _limits(parts, confidence, mean_over_rates, mean_over_classes):
    chance, first = 1.0 - confidence, parts[0]
    found = [_costs(part, confidence) for part in parts]
    if not (mean_over_rates or mean_over_classes):
        centers, errors = (np.concatenate(arrays, axis=1) for arrays in zip(*found, strict=True))
        limit = _from_cost(first, _where_chances_add_up(centers, errors, chance))
    else:
        limit = _mean_limit(parts, found, chance, mean_over_rates, mean_over_classes)
    least = 0.0 if first.transform in ("difference", "ratio") else first.estimates.lowest
    most = 1.0 if first.transform == "ratio" else first.estimates.highest
    return np.clip(limit, least, most)


def _mean_limit(parts, found, chance, mean_over_rates, mean_over_classes):
    """Return the mean over rates, or classes, of the limits of each."""
    extreme = (np.fmax if parts[0].takes_largest else np.fmin).reduce
    by_rate = []
    for part, costs in zip(parts, found, strict=True):
        n_classes = part.estimates.center.shape[1]
        by_class = [
            _from_cost(part, _where_chances_add_up(*own, chance))
            for own in zip(*(np.split(own, n_classes, axis=1) for own in costs), strict=True)
        ]
        by_rate.append((np.nanmean if mean_over_classes else extreme)(by_class, axis=0))
    return (np.nanmean if mean_over_rates else extreme)(by_rate, axis=0)


def _costs(part, confidence):
    """Return each comparison as a cost, and its standard error, of shape (T, m K).

    Errors are those of limits somewhat beyond the one that is wanted, as several comparisons will
    share what the confidence leaves.
    """
    estimates, z = _quick(part.estimates), float(ndtri((1.0 + confidence) / 2.0))
    center = estimates.center
    if part.transform in ("group_min", "group_max"):
        centers = center
        beyond = (estimates.upper if part.takes_largest else estimates.lower)(z)
    elif part.overall is not None:
        part = replace(part, estimates=estimates)
        centers, beyond = part.centers(), part.limit(z, upper=part.takes_largest)
    else:
        first, second = _pairs(center.shape[-1])
        one, other = center[..., first], center[..., second]
        if part.transform == "difference":
            above, below = estimates.upper(z) - center, center - estimates.lower(z)
            centers = one - other
            beyond = centers + np.hypot(above[..., first], below[..., second])
        else:
            centers = np.divide(one, other, out=np.full(one.shape, np.nan), where=other > 0)
            below, above = estimates.lower(z)[..., first], estimates.upper(z)[..., second]
            beyond = _lower_ratios(one, other, below, above)
    flat = (len(center), -1)
    centers, beyond = (_as_cost(part, values).reshape(flat) for values in (centers, beyond))
    return centers, np.clip((beyond - centers) / z, ROUNDING, UNKNOWN)


@lru_cache
def _pairs(n_groups):
    """Return both groups of every ordered pair."""
    pairs = np.nonzero(np.eye(n_groups) == 0)
    return pairs if n_groups > 1 else (np.zeros(1, dtype=int),) * 2


def _lower_ratios(up, down, lower, upper):
    """Return lower limits of ratios ``up / down``, of these rates' own limits, in closed form.

    References
    ----------
    Donner and Zou (2012), "Closed-form confidence intervals for functions of the normal mean and
    standard deviation", Statistical Methods in Medical Research 21.
    """
    below = up**2 - (up - lower) ** 2
    above = down**2 - (upper - down) ** 2
    product = up * down
    root = np.sqrt(np.maximum(product**2 - below * above, 0.0))
    return np.divide(below, product + root, out=np.zeros_like(below), where=product > 0)


def _quick(estimates):
    if isinstance(estimates, Proportions):
        return QuickProportions(estimates.share, estimates.n_rows)
    if isinstance(estimates, (Transformed, Averaged)):
        return replace(estimates, of=_quick(estimates.of))
    return estimates


def _as_cost(part, values):
    if part.takes_largest:
        return values
    if part.transform == "ratio":
        with np.errstate(divide="ignore"):
            return np.minimum(-np.log(values), UNKNOWN)
    return -values


def _from_cost(part, costs):
    if part.takes_largest:
        return costs
    return np.exp(-costs) if part.transform == "ratio" else -costs


def _where_chances_add_up(centers, errors, chance):
    """Return the costs beyond which the chances of all comparisons add up to `chance`.

    Parameters
    ----------
    centers, errors : ndarray of shape (T, J)
        NaN: a comparison that does not exist.
    chance : float
        At most one half.
    """
    missing = np.isnan(centers) | np.isnan(errors)
    unknown = missing.all(axis=1)
    if missing.any():
        centers, errors = np.where(missing, -UNKNOWN, centers), np.where(missing, 1.0, errors)
    limit = (centers + float(ndtri(1.0 - chance)) * errors).max(axis=1)
    for _ in range(NEWTON_STEPS):
        z = (limit[:, None] - centers) / errors
        total = ndtr(-z).sum(axis=1)
        slope = (np.exp(-0.5 * z**2) / errors).sum(axis=1) / np.sqrt(2.0 * np.pi)
        step = np.divide(
            total * np.log(total / chance), slope, out=np.zeros_like(total), where=slope > 0
        )
        limit = limit + step
        if np.square(step).max() <= ROUNDING:  # of which size the next one would be
            break
    return np.where(unknown, np.nan, limit)
