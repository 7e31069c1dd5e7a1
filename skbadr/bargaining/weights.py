"""Bargaining weights: the direction in which every player gains, and whether there is one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import linalg
from scipy.optimize import nnls

from skbadr._typing import Array, ArrayLike, FloatArray
from skbadr._warnings import record_warnings

# Newton steps; 30 are many.
MAX_NEWTON_STEPS = 500
# Bargaining power of a floor, which keeps a direction off it, beside 1 of a player.
FLOOR_POWER = 0.01


def nash_weights(
    gains: ArrayLike, *, power: ArrayLike | None = None, tol: float = 1e-6
) -> FloatArray | None:
    r"""Return the weights of the Nash bargaining solution, or None without an agreement.

    Player a wants to move along :math:`g_a`. Among the directions x of bounded length, the Nash
    solution maximises :math:`\sum_a p_a \log(g_a' x)`; it is :math:`x = G' \alpha` with

    .. math:: (G G' \alpha)_a = p_a / \alpha_a, \quad \alpha > 0,

    Every player gains: :math:`g_a' x = p_a / \alpha_a > 0`. The solution is the minimum of the
    strictly convex :math:`\|G' \alpha\|^2 / 2 - \sum_a p_a \log \alpha_a`. A damped Newton method
    on gains of unit length finds it. Rescaling a player's gains does not change x.

    Parameters
    ----------
    gains : array-like of shape (A, d)
        One row for each player, in any units, of any rank.
    power : array-like of shape (A,), default=None
        Bargaining powers p > 0; None: 1 for each player.
    tol : float, default=1e-6
        There is no agreement if a convex combination of the gains, each scaled to length 1, is
        shorter than `tol`. No direction then gives every player more than `tol` times what the
        player could have alone.

    Returns
    -------
    alpha : ndarray of shape (A,) or None
        None also if a gain is zero, because that player is at its optimum.

    Raises
    ------
    ValueError
        If `gains` is not a finite matrix of at least one row, or `power` not positive.

    References
    ----------
    Zeng et al. (2024), "Fairness-aware meta-learning via Nash bargaining", NeurIPS,
    arXiv 2406.07029; Nash (1950), "The bargaining problem", Econometrica 18; Kalai (1977),
    "Nonsymmetric Nash solutions and replications of 2-person bargaining" (powers).

    Examples
    --------
    >>> import numpy as np
    >>> from skbadr.bargaining import nash_weights
    >>> gains = np.array([[4.0, 0.0], [-0.5, 3**0.5 / 2]])
    >>> alpha = nash_weights(gains)
    >>> alpha.round(6).tolist(), (gains.T @ alpha).round(6).tolist()
    ([0.353553, 1.414214], [0.707107, 1.224745])
    >>> nash_weights([[1.0, 0.0], [-1.0, 0.0]]) is None
    True
    """
    unit, lengths = _normalised(gains)
    power = np.ones(len(unit)) if power is None else np.asarray(power, dtype=float)
    if power.shape != (len(unit),) or not np.isfinite(power).all() or (power <= 0).any():
        raise ValueError("power must hold one positive number for each row of gains.")
    if not lengths.all():
        return None
    alpha = np.ones(len(unit))
    alpha *= np.sqrt(power.sum()) / max(np.linalg.norm(unit.T @ alpha), tol)
    previous = np.inf
    for _ in range(MAX_NEWTON_STEPS):
        rows = alpha[:, None] * unit
        total = rows.sum(axis=0)
        if np.linalg.norm(total) <= tol * alpha.sum():
            return None
        # In relative steps the Hessian is a Gram matrix plus the powers: never singular.
        slope = power - rows @ total
        hessian = rows @ rows.T + np.diag(power)
        step = linalg.solve(hessian, slope, assume_a="pos")
        decrement = float(slope @ step)
        alpha = alpha * (1.0 + _length(total, rows.T @ step, step, power, decrement) * step)
        if decrement <= 1e-24 * power.sum() or previous <= decrement < 1e-6:
            break
        previous = decrement
    return alpha / lengths


def _length(total, change, step, power, decrement):
    """Return how far to go along a Newton step, so that the objective decreases."""
    if decrement < 1e-4:  # full steps converge quadratically; differences drown in rounding
        return 1.0
    length = min(1.0, 0.95 / max(float(-step.min()), 1e-300))
    while True:
        decrease = power @ np.log1p(length * step) - length * (
            total @ change + 0.5 * length * (change @ change)
        )
        if decrease >= 1e-4 * length * decrement or length < 1e-12:
            return length
        length *= 0.5


def agreement(
    gains: ArrayLike, floors: Array | Sequence[Sequence[float]] | None = None
) -> tuple[float, FloatArray]:
    r"""Return how far the players are from Pareto stationarity, and a direction they agree on.

    The distance is :math:`\min \|\sum_a \beta_a g_a / \|g_a\| + \sum_k \mu_k n_k\|` over beta in
    the simplex and mu >= 0. It is 0 exactly if no direction that respects the floors gives every
    player a gain. Otherwise the minimiser v is such a direction. Along v each player gains at least
    ``distance * ||v||`` in units of the length of its own gain.

    Parameters
    ----------
    gains : array-like of shape (A, d)
        One row for each player.
    floors : ndarray of shape (m, d), default=None
        Inward normals of the constraints that hold with equality here: a direction x must have
        ``floors @ x >= 0``.

    Returns
    -------
    distance : float
        NaN if the least-squares solver gave up.
    direction : ndarray of shape (d,)

    References
    ----------
    Desideri (2012), "Multiple-gradient descent algorithm (MGDA) for multiobjective
    optimization", Comptes Rendus Mathematique 350, for the least element of the convex hull.

    Examples
    --------
    >>> from skbadr.bargaining import agreement
    >>> distance, direction = agreement([[2.0, 0.0], [0.0, 1.0]])
    >>> round(distance, 6), direction.round(6).tolist()
    (0.707107, [0.5, 0.5])
    """
    unit, lengths = _normalised(gains)
    if not lengths.all():
        return 0.0, np.zeros(unit.shape[1])
    floors = np.empty((0, unit.shape[1])) if floors is None else floors
    # One more row asks beta to sum to one, at the same price as a unit of length: the minimiser
    # of both together has the direction of the least element, and a sum below one.
    vectors = np.vstack([unit, floors])
    asked = np.r_[np.ones(len(unit)), np.zeros(len(floors))]
    target = np.r_[np.zeros(unit.shape[1]), 1.0]
    try:
        with record_warnings():  # older SciPy warns of parallel gains, whose sum is determined
            found, _ = nnls(np.vstack([vectors.T, asked]), target, maxiter=30 * len(vectors))
    except RuntimeError:
        return np.nan, np.zeros(unit.shape[1])
    direction = vectors.T @ found / found[: len(unit)].sum()
    return float(np.linalg.norm(direction)), direction


def nash_direction(
    gains: ArrayLike, floors: Array | Sequence[Sequence[float]] | None = None, *, tol: float = 1e-6
) -> tuple[float, FloatArray | None]:
    """Return the direction of the bargaining solution that respects floors.

    Each floor bargains as a player of little power that wants the direction to lead away from the
    floor. One set of equations then serves all faces.

    Parameters
    ----------
    gains : array-like of shape (A, d)
        One row for each player.
    floors : ndarray of shape (m, d), default=None
        Inward normals of the constraints that hold with equality here.
    tol : float, default=1e-6
        Distance from Pareto stationarity below which there is no agreement.

    Returns
    -------
    distance : float
        Distance from Pareto stationarity, see `agreement`.
    direction : ndarray of shape (d,) or None
        Direction of unit length; None if there is no agreement.

    Examples
    --------
    >>> from skbadr.bargaining import nash_direction
    >>> floors = [[0.0, 1.0]]
    >>> distance, direction = nash_direction([[3.0, -1.0]], floors)
    >>> bool(direction[0] > 0), bool(direction[1] >= 0)
    (True, True)
    >>> nash_direction([[0.0, -1.0]], floors)[1] is None
    True
    """
    distance, direction = agreement(gains, floors)
    if distance <= tol:
        return distance, None
    vectors, power = np.asarray(gains, dtype=float), None
    if floors is not None and len(floors):
        power = np.r_[np.ones(len(vectors)), np.full(len(floors), FLOOR_POWER)]
        vectors = np.vstack([vectors, floors])
    alpha = nash_weights(vectors, power=power, tol=tol)
    if alpha is not None:
        direction = vectors.T @ alpha
    length = np.linalg.norm(direction)
    return distance, direction / length if length > 0 else None


def _normalised(gains):
    """Return rows of unit length (zero rows stay) and their lengths, without overflow."""
    gains = np.asarray(gains, dtype=float)
    if gains.ndim != 2 or gains.size == 0 or not np.isfinite(gains).all():
        raise ValueError(
            "gains must be a finite matrix with one row for each player, got shape "
            f"{gains.shape}{'' if np.isfinite(gains).all() else ' with NaN or infinity'}."
        )
    largest = np.abs(gains).max(axis=1)
    scaled = gains / np.where(largest > 0, largest, 1.0)[:, None]
    lengths = np.linalg.norm(scaled, axis=1)
    return scaled / np.where(lengths > 0, lengths, 1.0)[:, None], lengths * largest
