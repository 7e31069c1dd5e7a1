"""Confidence limits of the largest gap, the smallest ratio and the extreme group.

Each comparison of groups is a contrast of their rates, whose limits follow from the groups' own
(the method of variance estimates recovery). A metric is the largest or the smallest of its
comparisons. The limit on the side of the extreme needs no correction for their number: the largest
gap *is* one of the gaps, so that it lies above the largest of all upper limits no more often than
that one gap lies above its own. The other side does: its z is that of the largest error of all.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from skbadr.metrics.confidence.intervals import UNKNOWN

# Draws of the errors whose largest is looked for, and the numbers in all of them beyond which
# Bonferroni's correction takes their place.
N_ERROR_DRAWS, MOST_NUMBERS = 10_000, 10_000_000


@dataclass
class Comparisons:
    """All comparisons of one set of estimates.

    Attributes
    ----------
    estimates : Proportions or alike
        Of shape (T, m, G).
    transform : {"difference", "ratio", "group_min", "group_max"}
    first, second : ndarray, broadcast to (T, m, K, G)
        The comparisons: of ``first @ rates`` with ``second @ rates``.
    shared_variance : ndarray of shape (T, m) or float
        Variance of the overall rate that comes from the groups' shares.
    overall : ndarray of shape (2, K), bool
        Whether the first, and the second, of a comparison is the overall rate.
    """

    estimates: object
    transform: str
    first: np.ndarray
    second: np.ndarray
    shared_variance: np.ndarray | float = 0.0
    overall: np.ndarray | None = None

    @property
    def takes_largest(self):
        """Whether the metric is the largest of its comparisons."""
        return self.transform in ("difference", "group_max")

    def centers(self):
        """Return the comparisons of the estimates themselves, of shape (T, m, K)."""
        center = self.estimates.center[:, :, None]
        first, second = (self.first * center).sum(axis=-1), (self.second * center).sum(axis=-1)
        if self.transform != "ratio":
            return first - second
        return np.divide(first, second, out=np.full(first.shape, np.nan), where=second > 0)

    def limit(self, z, *, upper):
        """Return the upper, or lower, limits of all comparisons at one z, of shape (T, m, K)."""
        below, above = self._offsets(z)
        if self.transform != "ratio":
            return self._contrast(1.0, below, above, z, upper)
        shape = (*self.estimates.center.shape[:2], self.first.shape[-2])
        low, high = np.zeros(shape), np.ones(shape)
        # first >= ratio * second is doubtful (upper: possible) up to the limit.
        for _ in range(np.finfo(float).nmant // 2):
            middle = (low + high) / 2.0
            holds = self._contrast(middle, below, above, z, upper) >= 0.0
            low, high = np.where(holds, middle, low), np.where(holds, high, middle)
        return high if upper else low

    def _offsets(self, z):
        center = self.estimates.center
        below, above = center - self.estimates.lower(z), self.estimates.upper(z) - center
        return np.minimum(below, UNKNOWN), np.minimum(above, UNKNOWN)

    def _contrast(self, ratio, below, above, z, upper):
        ratio = np.asarray(ratio)[..., None]
        x = self.first - ratio * self.second
        down, up = (above, below) if upper else (below, above)
        squares = (np.maximum(x, 0.0) ** 2 * down[:, :, None] ** 2).sum(axis=-1)
        squares += (np.minimum(x, 0.0) ** 2 * up[:, :, None] ** 2).sum(axis=-1)
        if self.overall is not None:
            factor = self.overall[0] + self.overall[1] * ratio[..., 0] ** 2
            squares = squares + z**2 * factor * np.asarray(self.shared_variance)[..., None]
        value = (x * self.estimates.center[:, :, None]).sum(axis=-1)
        return value + np.sqrt(squares) if upper else value - np.sqrt(squares)

    def errors(self, rng, n_draws):
        """Draw the comparisons' standardised errors, of shape (n_draws, m, K), of one table."""
        center, variance = self.estimates.center[0], self.estimates.variance[0]
        first, second = self.first[0], self.second[0]
        ratio = 1.0
        if self.transform == "ratio":
            up, down = ((part * center[:, None]).sum(axis=-1) for part in (first, second))
            ratio = np.divide(up, down, out=np.zeros_like(up), where=down > 0)[..., None]
        x = (first - ratio * second) * np.sqrt(np.minimum(variance, UNKNOWN))[:, None]
        norm = np.sqrt((x**2).sum(axis=-1, keepdims=True))
        x = np.divide(x, norm, out=np.zeros_like(x), where=norm > 0)
        drawn = rng.standard_normal((n_draws, *center.shape))
        return np.einsum("bmg,mkg->bmk", drawn, x)

    def weakest_group(self, limits, z):
        """Return the group, of one table, that adds most to the extreme one of these limits.

        Parameters
        ----------
        limits : ndarray of shape (m, K)
        z : float
        """
        chosen = (np.nanargmax if self.takes_largest else np.nanargmin)(limits)
        rate, comparison = np.unravel_index(chosen, limits.shape)
        below, above = (part[0, rate] for part in self._offsets(z))
        x = np.broadcast_to(self.first - self.second, (1, *limits.shape, len(below)))
        return int(np.argmax(np.abs(x[0, rate, comparison]) * np.maximum(below, above)))

    def extreme(self, values):
        """Return the largest (smallest) over the comparisons, of shape (T, m)."""
        return (np.fmax if self.takes_largest else np.fmin).reduce(values, axis=-1)


def compare_groups(estimates, transform, method, shares=None, total=None):
    """Return the `Comparisons` of a metric.

    Parameters
    ----------
    estimates : Proportions or alike
    transform, method : str
        As of `skbadr.metrics.aggregate.aggregate_groups`.
    shares : ndarray, broadcast to (T, m, G)
        With method="to_overall": each group's share in the overall rate.
    total : ndarray, broadcast to (T, m)
        Then: rows in all.
    """
    n_groups = estimates.center.shape[-1]
    own = np.eye(n_groups)
    if transform in ("group_min", "group_max"):
        return Comparisons(estimates, transform, own[None, None], np.zeros((1, 1, 1, n_groups)))
    if method == "between_groups":
        a, b = np.nonzero(own == 0)
        if not len(a):
            a = b = np.zeros(1, dtype=int)
        return Comparisons(estimates, transform, own[a][None, None], own[b][None, None])
    shape = np.broadcast_shapes(np.shape(shares), estimates.center.shape)
    shares = np.broadcast_to(shares, shape)
    everyone = np.broadcast_to(shares[:, :, None], (*shape[:2], n_groups, n_groups))
    own = np.broadcast_to(own, everyone.shape)
    overall = (shares * estimates.center).sum(axis=-1)
    spread = (shares * np.square(estimates.center - overall[..., None])).sum(axis=-1)
    flags = np.repeat([[False, True], [True, False]], n_groups, axis=1)
    return Comparisons(
        estimates,
        transform,
        np.concatenate([own, everyone], axis=2),
        np.concatenate([everyone, own], axis=2),
        spread / np.maximum(total, 1.0),
        flags,
    )


def largest_error(comparisons, z, kept=None):
    """Return the z that all comparisons' errors together stay below with probability Phi(z).

    Parameters
    ----------
    comparisons : list of Comparisons
        Of one table each.
    z : float
        At least 0.
    kept : list of ndarray of shape (m, K), bool, or None, default=None
        Comparisons that count; None: all.
    """
    n_comparisons = [c.estimates.center.shape[1] * c.first.shape[2] for c in comparisons]
    if kept is None:
        kept = [np.ones((1, 1), dtype=bool)] * len(comparisons)
    else:
        n_comparisons = [int(own.sum()) for own in kept]
    bonferroni = max(-ndtri(ndtr(-z) / max(sum(n_comparisons), 1)), z)
    n_numbers = sum(c.estimates.center[0].size * c.first.shape[2] for c in comparisons)
    if n_numbers * N_ERROR_DRAWS > MOST_NUMBERS:
        return bonferroni
    rng = np.random.default_rng(0)
    worst = np.zeros(N_ERROR_DRAWS)
    for comparison, own in zip(comparisons, kept, strict=True):
        errors = np.where(own, comparison.errors(rng, N_ERROR_DRAWS), 0.0)
        worst = np.maximum(worst, errors.max(axis=(1, 2)))
    return float(np.clip(np.quantile(worst, ndtr(z)), z, bonferroni))
