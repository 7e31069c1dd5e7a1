"""Euclidean geometry of the weight simplex, where the upper-level variable lives."""

from __future__ import annotations

import numpy as np

from skbadr._typing import ArrayLike, Float, FloatArray


def project_simplex(point: ArrayLike, *, minimum: Float = 0.0) -> FloatArray:
    r"""Project onto the simplex with a floor under every coordinate.

    Solves ``min ||x - point||`` over ``sum(x) = 1, x >= minimum`` exactly, by sorting.

    Parameters
    ----------
    point : array-like of shape (K,) or (m, K)
        One point, or one point per row.
    minimum : float, default=0.0
        Smallest value of a coordinate; at most ``1 / K``.

    Returns
    -------
    projection : ndarray of the shape of `point`

    Raises
    ------
    ValueError
        If `minimum` is negative or above ``1 / K``, so that no such point exists.

    References
    ----------
    Duchi, Shalev-Shwartz, Singer and Chandra (2008), "Efficient projections onto the
    l1-ball for learning in high dimensions", ICML, algorithm 1.

    Examples
    --------
    >>> project_simplex([0.5, 1.5, -1.0]).tolist()
    [0.0, 1.0, 0.0]
    """
    point = np.asarray(point, dtype=float)
    n_cells = point.shape[-1]
    mass = 1.0 - n_cells * minimum
    if minimum < 0 or mass < 0:
        raise ValueError(f"minimum must lie in [0, 1/K] = [0, {1 / n_cells:.3g}], got {minimum}.")
    shifted = np.atleast_2d(point)
    # A common offset cancels in the projection, and coordinates more than 1 below the largest
    # end at the floor: so huge ones stay accurate.
    with np.errstate(over="ignore"):
        shifted = np.maximum(shifted - shifted.max(axis=1, keepdims=True), -2.0)
    descending = -np.sort(-shifted, axis=1)
    excess = np.cumsum(descending, axis=1) - mass
    rank = np.arange(1, n_cells + 1)
    n_active = np.count_nonzero(descending - excess / rank > 0, axis=1)
    n_active = np.maximum(n_active, 1)
    threshold = excess[np.arange(len(shifted)), n_active - 1] / n_active
    projection = np.maximum(shifted - threshold[:, None], 0.0) + minimum
    return projection.reshape(point.shape)


def log_coordinates(weights, shares):
    """Return log(weights / shares) without its mean: the baseline estimator is the origin."""
    logs = np.log(np.maximum(weights, 1e-300) / shares)
    return logs - logs.mean(axis=-1, keepdims=True)


def from_log_coordinates(t, shares):
    """Return the weights on the simplex that `log_coordinates` maps to `t`."""
    weights = shares * np.exp(t - t.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
