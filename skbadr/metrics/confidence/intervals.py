"""One-sided confidence limits of the groups' rates and means, before groups are compared.

Estimates have the shape (T, m, G): T tables (candidate models), m rates, G groups. A level is given
as z, the quantile of the normal distribution: 1.645 for 95 %.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import betaincinv, ndtr, stdtrit

# Stands for infinity where squares of it are added up.
UNKNOWN = 1e100


@dataclass
class Proportions:
    """Rates that are shares of rows.

    The limits are the quantiles of Jeffreys' posterior, Beta(x + 1/2, n - x + 1/2): of all simple
    limits the one whose two sides miss most nearly as often as they should, also for rates of 1 %
    and groups of 30 rows.

    Attributes
    ----------
    share : ndarray of shape (T, m, G)
    n_rows : ndarray, broadcast to that shape
        Rows that the share is of; effective ones where rows have weights. 0: nothing is known.

    References
    ----------
    Cai (2005), "One-sided confidence intervals in discrete distributions", Journal of
    Statistical Planning and Inference 131.
    """

    share: np.ndarray
    n_rows: np.ndarray
    # Rates lie between these.
    lowest, highest = 0.0, 1.0

    @property
    def center(self):
        """The rates themselves."""
        return self.share

    @cached_property
    def variance(self):
        """Variance of each rate; positive where all rows are alike."""
        smoothed = (self._count + 0.5) / (self.n_rows + 1.0)
        return smoothed * (1.0 - smoothed) / np.maximum(self.n_rows, 1.0)

    @property
    def _count(self):
        return self.share * self.n_rows

    def of_rate(self, number):
        """Return the estimates of one of the m rates."""
        n_rows = np.broadcast_to(self.n_rows, self.share.shape)
        own = slice(number, number + 1)
        return Proportions(self.share[:, own], n_rows[:, own])

    def lower(self, z):
        """Return what the rates are at least, each with probability Phi(z)."""
        count = self._count
        found = betaincinv(count + 0.5, self.n_rows - count + 0.5, ndtr(-z))
        return np.where(count < 1e-9, 0.0, np.minimum(found, self.share))

    def upper(self, z):
        """Return what the rates are at most, each with probability Phi(z)."""
        count = self._count
        rest = self.n_rows - count
        found = 1.0 - betaincinv(rest + 0.5, count + 0.5, ndtr(-z))
        return np.where(rest < 1e-9, 1.0, np.maximum(found, self.share))


@dataclass
class Transformed:
    """An increasing function of rates, for instance F1 as one of a share."""

    of: Proportions
    function: object
    slope: object
    lowest, highest = 0.0, 1.0

    @property
    def center(self):
        """The rates themselves."""
        return self.function(self.of.center)

    @property
    def variance(self):
        """Variance of each rate (delta method)."""
        return self.of.variance * self.slope(self.of.center) ** 2

    def of_rate(self, number):
        """Return the estimates of one of the m rates."""
        return Transformed(self.of.of_rate(number), self.function, self.slope)

    def lower(self, z):
        """Return what the rates are at least."""
        return self.function(self.of.lower(z))

    def upper(self, z):
        """Return what the rates are at most."""
        return self.function(self.of.upper(z))


@dataclass
class Averaged:
    """The mean of rates of different rows, for instance of the recalls of all classes.

    Attributes
    ----------
    of : Proportions
        Of shape (T, C, G).
    weight : ndarray of shape (C, G)
        Weight of each in the mean.
    """

    of: Proportions
    weight: np.ndarray
    lowest, highest = 0.0, 1.0

    @property
    def center(self):
        """The means."""
        return (self.of.center * self.weight).sum(axis=1, keepdims=True)

    @property
    def variance(self):
        """Variance of each mean."""
        return (self.of.variance * self.weight**2).sum(axis=1, keepdims=True)

    def of_rate(self, number):
        """Return the estimates themselves: there is one rate."""
        return self

    def _offset(self, one_by_one):
        squares = np.square((one_by_one - self.of.center) * self.weight)
        return np.sqrt(squares.sum(axis=1, keepdims=True))

    def lower(self, z):
        """Return what the means are at least."""
        return self.center - self._offset(self.of.lower(z))

    def upper(self, z):
        """Return what the means are at most."""
        return self.center + self._offset(self.of.upper(z))


@dataclass
class Means:
    """Means of any quantity, for instance of a loss, with Hall's correction for skewness.

    Attributes
    ----------
    center : ndarray of shape (1, 1, G)
    deviation : ndarray of shape (1, 1, G)
        Standard deviation of the quantity in each group.
    skewness : ndarray of shape (1, 1, G)
    n_rows : ndarray of shape (1, 1, G)
        Effective number of rows.

    References
    ----------
    Hall (1992), "On the removal of skewness by transformation", Journal of the Royal Statistical
    Society B 54.
    """

    center: np.ndarray
    deviation: np.ndarray
    skewness: np.ndarray
    n_rows: np.ndarray
    lowest, highest = -np.inf, np.inf

    @property
    def variance(self):
        """Variance of each mean."""
        return np.where(self.n_rows > 1, self._error**2, UNKNOWN**2)

    @property
    def _error(self):
        return self.deviation / np.sqrt(np.maximum(self.n_rows, 1.0))

    def _moved(self, z):
        n = np.maximum(self.n_rows, 2.0)
        quantile = np.sign(z) * stdtrit(n - 1.0, ndtr(np.abs(z)))
        bend = np.where(np.abs(self.skewness) < 1e-6, 1e-6, self.skewness) / np.sqrt(n)
        student = 3.0 / bend * (np.cbrt(1.0 + bend * (quantile - bend / 6.0)) - 1.0)
        moved = self.center - self._error * student
        return np.where(self.n_rows > 1, moved, self.center - np.sign(z) * UNKNOWN)

    def lower(self, z):
        """Return what the means are at least."""
        return np.minimum(self._moved(z), self.center)

    def upper(self, z):
        """Return what the means are at most."""
        return np.maximum(self._moved(-z), self.center)


def group_means(data, values):
    """Return the `Means` of a quantity by group.

    Parameters
    ----------
    data : EvaluationSet
    values : ndarray of shape (n,)
    """
    center = data.group_means(values)
    from_mean = values - center[data.groups.codes]
    n_rows = effective_rows(data.group_totals, data.squared_totals)
    spread = data.group_means(from_mean**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.sqrt(spread * n_rows / (n_rows - 1.0))
        third = data.group_means(from_mean**3) / spread**1.5
    third = np.where(spread > 0, third, 0.0)
    parts = (center, np.where(n_rows > 1, deviation, 0.0), third, n_rows)
    return Means(*(part[data.present][None, None] for part in parts))


def effective_rows(totals, squares):
    """Return Kish's effective number of rows, ``sum(w)^2 / sum(w^2)``, 0 where there are none."""
    return np.divide(totals**2, squares, out=np.zeros(np.shape(totals)), where=squares > 0)


def effective_total(data):
    """Return the effective number of all rows of an `EvaluationSet`."""
    return float(effective_rows(data.group_totals.sum(), data.squared_totals.sum()))
