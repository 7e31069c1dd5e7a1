"""Worst expected loss over a ball of group shares: distributionally robust optimisation."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import xlogy

from skbadr._typing import FloatArray
from skbadr.metrics.aggregate import check_option

BALLS = ("kl", "chi2")


def worst_expectation(
    losses: FloatArray, shares: FloatArray, ball: Literal["kl", "chi2"], radius: float
) -> tuple[float, FloatArray]:
    """Return the largest expectation over a ball around the shares, and its gradient.

    ``max over q of sum_k q_k losses_k`` with q on the simplex and ``D(q | shares) <= radius``.
    By Danskin's theorem the gradient is the maximiser q itself.

    Parameters
    ----------
    losses : ndarray of shape (G,)
    shares : ndarray of shape (G,)
        Positive, of sum 1.
    ball : {"kl", "chi2"}
        D is ``sum q log(q / p)``, or ``sum (q - p)^2 / p``.
    radius : float
        0 gives the mean; from a finite radius on, all is on the largest loss.

    Returns
    -------
    value : float
    q : ndarray of shape (G,)

    References
    ----------
    Ben-Tal et al. (2013), "Robust solutions of optimization problems affected by uncertain
    probabilities", Management Science 59; Duchi and Namkoong (2019), "Variance-based
    regularization with convex objectives", JMLR 20 (chi-square).
    """
    check_option("ball", ball, BALLS)
    if not np.isfinite(losses).all():
        return np.inf if (losses == np.inf).any() else np.nan, np.zeros(len(losses))
    top = losses == losses.max()
    mass = shares[top].sum()
    limit = -np.log(mass) if ball == "kl" else 1.0 / mass - 1.0
    if radius == 0 or top.all():
        q = shares
    elif radius >= limit:
        q = np.where(top, shares, 0.0) / mass
    else:
        q = (_kl if ball == "kl" else _chi2)(losses, shares, radius)
    return float(q @ losses), q


def divergence(q: FloatArray, shares: FloatArray, ball: Literal["kl", "chi2"]) -> float:
    """Return how far shares q are from others, in the measure of a ball."""
    if ball == "kl":
        return float(xlogy(q, q / shares).sum())
    return float((np.square(q - shares) / shares).sum())


def _kl(losses, shares, radius):
    """Tilt the shares exponentially, as far as the radius allows."""
    scaled = (losses - losses.max()) / np.ptp(losses)

    def tilted(log_tilt):
        q = shares * np.exp(np.exp(log_tilt) * scaled)
        return q / q.sum()

    def excess(log_tilt):
        q = tilted(log_tilt)
        return xlogy(q, q / shares).sum() - radius

    low, high = -1.0, 1.0
    while excess(low) > 0 and low > -60:
        low -= 2.0
    while excess(high) < 0 and high < 60:
        high += 2.0
    if excess(low) > 0 or excess(high) < 0:  # beyond the resolution of floats
        return tilted(low if excess(low) > 0 else high)
    return tilted(brentq(excess, low, high, xtol=1e-14, rtol=1e-14))


def _chi2(losses, shares, radius):
    """Tilt the shares linearly; the largest losses alone keep a share where others reach 0."""
    order = np.argsort(-losses, kind="stable")
    p, f = shares[order], losses[order]
    mass = np.cumsum(p)
    mean = np.cumsum(p * f) / mass
    # Sums of squares about the mean, added up without cancellation.
    before = np.append(0.0, mass[:-1])
    moved = f - np.append(0.0, mean[:-1])
    spread = np.cumsum(p * before / mass * moved**2)
    for kept in range(len(f), 0, -1):
        free = (1.0 + radius) * mass[kept - 1] - 1.0
        if free <= 0:
            continue
        # q = p (f - level) / sum p (f - level) over the groups kept.
        gap = np.sqrt(spread[kept - 1] / mass[kept - 1] / free)
        level = mean[kept - 1] - gap
        if gap > 0 and level <= f[kept - 1]:
            tilt = np.where(np.arange(len(f)) < kept, p * (f - level), 0.0)
            q = np.empty(len(f))
            q[order] = np.maximum(tilt, 0.0) / np.maximum(tilt, 0.0).sum()
            return q
    raise AssertionError("some set of groups satisfies the conditions of optimality")
