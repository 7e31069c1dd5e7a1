"""The dense Hessian of a smooth linear lower level, and its Cholesky factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg

from skbadr._typing import FloatArray
from skbadr.lower_level.not_smooth import NotSmooth

if TYPE_CHECKING:
    from skbadr.lower_level.linear import LinearLowerLevel
    from skbadr.lower_level.state import LinearState


def factorise(level: LinearLowerLevel, state: LinearState) -> Any:
    """Return a factor of the Hessian of a `LinearLowerLevel` at a state, for `solve`."""
    return _cholesky(_dense_hessian(level, state))


def solve(factor: Any, rhs: FloatArray) -> FloatArray:
    """Return the solution of a factorised system, for right-hand sides of shape (q,) or (q, r).

    Without what else `scipy.linalg.cho_solve` does, which takes far longer where systems are small.

    Raises
    ------
    NotSmooth
        If right-hand sides are not finite, as where the lower level diverged.
    """
    if not np.isfinite(rhs).all():
        raise NotSmooth("the lower level's derivatives are not finite.")
    matrix, lower = factor
    (potrs,) = linalg.get_lapack_funcs(("potrs",), (matrix, rhs))
    return potrs(matrix, rhs, lower=lower)[0]


def _dense_hessian(level, state):
    """Return the Hessian in the parameters that are trained, output by output."""
    p, m = level.p, level.m
    curvature = level.family.curvature(level.target, state.scores)
    full = np.zeros((p, m, p, m))
    for a in range(m):
        for b in range(a + 1):
            if curvature.ndim == 2 and a != b:
                continue  # outputs separate
            own = curvature[:, a] if curvature.ndim == 2 else curvature[:, a, b]
            block = level.scale * _gram(level, state.weight * own)
            full[:, a, :, b] = full[:, b, :, a] = block
    size, free = p * m, level.free.ravel()
    hessian = full.reshape(size, size)
    hessian[np.arange(size), np.arange(size)] += level.penalty.ravel()
    if level.gauge:
        hessian += level.gauge * np.kron(np.eye(p), np.ones((m, m)))
    return hessian if free.all() else hessian[np.ix_(free, free)]


def _gram(level, weight):
    """Return ``X' diag(weight) X`` with the intercept's row and column."""
    level.n_passes += 1
    d, scaling = level.d, level.family.intercept_scaling
    gram = np.empty((level.p, level.p))
    gram[:d, :d] = level.X.gram(weight)
    if level.family.fit_intercept:
        column = scaling * level.X.backward(weight[:, None])[:, 0]
        gram[d, :d] = gram[:d, d] = column
        gram[d, d] = scaling**2 * weight.sum()
    return gram


def _cholesky(hessian):
    """Factorise, with as little added to the diagonal as it takes."""
    diagonal = np.einsum("ii->i", hessian)
    size = max(float(np.abs(diagonal).max()), np.finfo(float).tiny)
    for jitter in (0.0, 1e-12, 1e-10, 1e-8, 1e-6, 1e-3):
        try:
            diagonal += jitter * size
            return linalg.cho_factor(hessian, lower=True, check_finite=False)
        except linalg.LinAlgError:
            continue
    raise linalg.LinAlgError("the lower-level Hessian is not positive semi-definite.")
