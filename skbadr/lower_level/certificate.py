"""How far parameters are from being optimal for some weights of the cells."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from skbadr._typing import FloatArray
from skbadr._warnings import record_warnings


def distance_to_hull(gradients: FloatArray, penalty: FloatArray) -> tuple[float, FloatArray]:
    """Return ``min || sum_k beta_k g_k + penalty ||`` over beta in the simplex.

    Parameters
    ----------
    gradients : ndarray of shape (K, p)
        Of the cells' mean losses.
    penalty : ndarray of shape (p,)

    Returns
    -------
    distance : float
    beta : ndarray of shape (K,)
        Where it is attained.

    Raises
    ------
    RuntimeError
        If the least squares do not converge.
    """
    # In units of the largest entry: tolerances of the least squares are absolute in some versions.
    size = max(float(np.abs(gradients).max()), float(np.abs(penalty).max()), 1e-300)
    # The constraint that beta sums to one is a heavy row of a non-negative least squares.
    heavy = 1e4
    system = np.vstack([gradients.T / size, np.full(len(gradients), heavy)])
    # More cells than parameters leave beta, but not the residual, undetermined: a warning of that
    # is dropped.
    with record_warnings():
        beta, _ = nnls(system, np.r_[-penalty / size, heavy])
    beta = beta / beta.sum()
    return float(np.linalg.norm(beta @ gradients + penalty)), beta
