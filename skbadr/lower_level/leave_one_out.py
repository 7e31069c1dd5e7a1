"""What each training row's score would be, had the model been trained without that row.

One Newton step away from the solution tells it, for all rows at the cost of a Hessian. Judged by
these scores a model is judged on rows that it was not trained on, without a single refit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

from skbadr._rows import steps
from skbadr._typing import Array
from skbadr.lower_level.hessian import factorise

if TYPE_CHECKING:
    from skbadr.lower_level.linear import LinearLowerLevel
    from skbadr.lower_level.state import LinearState

# What is left, at least, of a row's curvature without the row's own share: below, one step tells
# nothing any more.
LEAST = 0.1


def leverages(level: LinearLowerLevel, state: LinearState) -> Array:
    """Return ``X_i H^-1 X_i'`` of every row, of shape (n, m, m) for m outputs.

    Parameters
    ----------
    level : LinearLowerLevel
        Whose Hessian is dense.
    state : LinearState
        Where H is taken.
    """
    p, m, d = level.p, level.m, level.d
    factor, _ = factorise(level, state)
    inverse = linalg.solve_triangular(
        np.tril(factor), np.eye(len(factor)), lower=True, check_finite=False
    )
    root = np.zeros((len(inverse), p, m))
    root[:, level.free] = inverse
    root = root.astype(level.X.dtype)
    found = np.empty((level.n, m, m), dtype=level.X.dtype)
    for rows in steps(level.n):
        X = level.X.matrix[rows]
        images = [X @ root[:, :d, a].T for a in range(m)]
        if level.family.fit_intercept:
            scaling = level.family.intercept_scaling
            images = [own + scaling * root[:, d, a] for a, own in enumerate(images)]
        for a in range(m):
            for b in range(a + 1):
                found[rows, a, b] = found[rows, b, a] = np.einsum("nq,nq->n", images[a], images[b])
    return found


def left_out_scores(
    level: LinearLowerLevel, state: LinearState, leverage: Array | None = None
) -> Array:
    """Return the score of every training row by the model of all other rows, of shape (n, m).

    Parameters
    ----------
    level : LinearLowerLevel
        Whose Hessian is dense.
    state : LinearState
        A solution.
    leverage : ndarray of shape (n, m, m) or None, default=None
        The `leverages` at it, or at weights not far away; None: they are computed.

    Returns
    -------
    scores : ndarray of shape (n, m)

    References
    ----------
    Rad and Maleki (2020), "A scalable estimate of the out-of-sample prediction error via
    approximate leave-one-out cross-validation", Journal of the Royal Statistical Society B 82.
    """
    leverage = leverages(level, state) if leverage is None else leverage
    family, scores = level.family, np.empty_like(state.scores)
    for rows in steps(level.n):
        target, own = level.target[rows], state.scores[rows]
        weight = (level.scale * state.weight[rows])[:, None]
        slope = weight * family.gradient(target, own)
        curvature = family.curvature(target, own)
        if level.m == 1:
            curvature = weight * curvature.reshape(len(own), 1)
            rest = np.maximum(1.0 - leverage[rows, 0] * curvature, LEAST)
            scores[rows] = own + leverage[rows, 0] * slope / rest
            continue
        if curvature.ndim == 2:
            curvature = np.einsum("na,ab->nab", curvature, np.eye(level.m))
        curved = np.einsum("nab,nbc->nac", leverage[rows], weight[:, :, None] * curvature)
        moved = np.einsum("nab,nb->na", leverage[rows], slope)
        rest = np.eye(level.m) - curved
        moved = np.linalg.solve(rest.astype(float), moved.astype(float)[:, :, None])[:, :, 0]
        scores[rows] = own + moved
    return scores
