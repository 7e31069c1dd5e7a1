"""Confidence limits of models that were chosen by these limits themselves.

A search that keeps several gaps below a bound ends where many of them touch it. Which of them is
the largest in the population is then a matter of chance, and each may be: what one gap's limit
promises of a given model, it does not promise of the one that was chosen. Here the chances of all
comparisons to lie beyond the limit add up to what the confidence leaves. Where one gap stands out,
that is its own limit.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri

from skbadr.metrics.intervals import Averaged, Proportions, Transformed
from skbadr.metrics.limits import comparisons

# Steps of Newton's method on the log of the chances, which is nearly a parabola.
STEPS = 6
# Stands for the log of a ratio of 0, and for an error that nothing is known of.
FAR = 1e6


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


def chosen_limits(metric, data, statistics=None, confidence=0.9, *, response=None):
    """Return the limit on the unfair side of models that were chosen by it.

    Parameters
    ----------
    metric, data, confidence, response
        As of `skbadr.metrics.limits.limits`.
    statistics : ndarray of shape (T, n_statistics) or None, default=None
        Confusion matrices of T models; None: of the one of `response`.

    Returns
    -------
    limits : ndarray of shape (T,) or None
        None where the metric is no comparison of groups' rates or means.
    """
    parts = comparisons(metric, data, statistics, response)
    return None if parts is None else _limits(parts, confidence)


def _limits(parts, confidence):
    value = 1.0 / parts.value if parts.turned else parts.value
    largest, chance = parts.takes_largest, 1.0 - confidence
    found = [_of_rate(part, confidence) for part in parts.all]
    if not (parts.mean_over_rates or parts.mean_over_classes):
        centers, errors = (np.concatenate(arrays, axis=1) for arrays in zip(*found, strict=True))
        limit = _where_chances_add_up(centers, errors, chance)
        limit = _from_cost(parts.all[0], limit)
    else:
        limit = _mean_limit(parts, found, chance)
    limit = (np.fmax if largest else np.fmin)(limit, value)
    estimates, transform = parts.all[0].estimates, parts.all[0].transform
    least = 0.0 if transform in ("difference", "ratio") else estimates.lowest
    most = 1.0 if transform == "ratio" else estimates.highest
    limit = np.where(np.isnan(value), np.nan, np.clip(limit, least, most))
    if parts.turned:
        with np.errstate(divide="ignore"):
            limit = np.divide(1.0, limit)
    return limit


def _mean_limit(parts, found, chance):
    """Return the mean over rates, or classes, of the limits of each."""
    by_rate = []
    for part, (centers, errors) in zip(parts.all, found, strict=True):
        n_classes = part.estimates.center.shape[1]
        split = [
            _from_cost(part, _where_chances_add_up(*own, chance))
            for own in zip(*(np.split(a, n_classes, axis=1) for a in (centers, errors)), strict=True)
        ]
        extreme = np.fmax.reduce if part.takes_largest else np.fmin.reduce
        by_rate.append((np.nanmean if parts.mean_over_classes else extreme)(split, axis=0))
    extreme = np.fmax.reduce if parts.takes_largest else np.fmin.reduce
    return (np.nanmean if parts.mean_over_rates else extreme)(by_rate, axis=0)


def _of_rate(part, confidence):
    """Return each comparison as a cost, and its standard error, of shape (T, m K).

    Errors are those of limits somewhat beyond the one that is wanted, as several comparisons will
    share what the confidence leaves.
    """
    part = replace(part, estimates=_quick(part.estimates))
    z = float(ndtri((1.0 + confidence) / 2.0))
    centers = part.centers()
    if part.transform == "ratio" and part.overall is None:
        beyond = _lower_ratios(part, z)
    else:
        beyond = part.limit(z, upper=part.takes_largest)
    flat = (len(centers), -1)
    centers, beyond = (_as_cost(part, values).reshape(flat) for values in (centers, beyond))
    return centers, np.clip((beyond - centers) / z, 1e-12, FAR)


def _lower_ratios(part, z):
    """Return the lower limits of the ratios of groups' rates, in closed form.

    References
    ----------
    Donner and Zou (2012), "Closed-form confidence intervals for functions of the normal mean and
    standard deviation", Statistical Methods in Medical Research 21.
    """
    estimates = part.estimates
    first, second = (own[0, 0].argmax(axis=1) for own in (part.first, part.second))
    up, down = estimates.center[..., first], estimates.center[..., second]
    below = up**2 - (up - estimates.lower(z)[..., first]) ** 2
    above = down**2 - (estimates.upper(z)[..., second] - down) ** 2
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
            return np.minimum(-np.log(values), FAR)
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
    centers = np.where(np.isnan(centers), -np.inf, centers)
    errors = np.where(np.isnan(errors), 1e-12, errors)
    limit = (centers + float(ndtri(1.0 - chance)) * errors).max(axis=1)
    for _ in range(STEPS):
        z = (limit[:, None] - centers) / errors
        total = ndtr(-z).sum(axis=1)
        slope = (np.exp(-0.5 * z**2) / errors).sum(axis=1) / np.sqrt(2.0 * np.pi)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = total * np.log(total / chance) / slope
        limit = limit + np.where(np.isfinite(step), step, 0.0)
    return limit
