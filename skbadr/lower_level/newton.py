"""Newton's method for the lower level: few passes over X, and an end that means something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize

if TYPE_CHECKING:
    from skbadr.lower_level.linear import LinearLowerLevel
    from skbadr.lower_level.state import LinearState

# A factorised Hessian serves other steps for as long as each is at most this share of the last.
SHRINKS = 0.1


def newton(level: LinearLowerLevel, state: LinearState, *, tol: float, max_iter: int) -> None:
    """Train in place from a starting point, by Newton's method with a line search.

    The search ends by how far scores still move, cell by cell: where a cell weighs next to
    nothing its gradient is small everywhere, so that a small gradient proves nothing.

    Parameters
    ----------
    level : LinearLowerLevel
    state : LinearState
        Its factorised Hessian, if any, serves for as long as steps shrink well.
    tol : float
        Root mean square change of the scores of any cell that a further step would make, in
        units of the family's scale of scores.
    max_iter : int
    """
    precise = 100.0 * float(np.finfo(level.X.dtype).eps)
    previous, unit = np.inf, max(tol, precise) * level.score_scale
    gradient = level.gradient(state.coef, state.scores, state.weight)
    for iteration in range(1, max_iter + 1):
        state.n_iter = iteration
        # Conjugate gradients leave a share of each step undone.
        loose = 0.0 if level.dense else min(0.1, max(1e-3, 0.1 * previous / level.score_scale))
        fresh = state.factor is None
        step = -level.hessian_solve(state, gradient, tol=loose)
        along = level.forward(step)
        size = level.score_size(along)
        if not fresh and size > SHRINKS * previous:
            # The Hessian of another point no longer serves.
            state.factor, fresh = None, True
            step = -level.hessian_solve(state, gradient, tol=loose)
            along = level.forward(step)
            size = level.score_size(along)
        # What is left after this step: Newton's error is quadratic, a frozen Hessian's linear.
        if fresh:
            share = size / level.score_scale
        else:
            share = max(state.left or SHRINKS, size / previous)
        left = size * min(1.0, max(share, loose))
        previous = size
        if left <= unit and level.family.admissible(state.coef + step):
            state.coef, state.scores = state.coef + step, state.scores + along
            break
        gradient, moved = _take(level, state, gradient, step, along)
        if not moved:
            break


def _take(level, state, gradient, step, along):
    """Move along a step; return the new gradient and whether there was a decrease.

    A full step that halves the gradient of a convex objective needs no look at its value;
    otherwise the step is shortened until the value decreases, without another pass over X.
    """
    if level.family.admissible(state.coef + step):
        coef, scores = state.coef + step, state.scores + along
        new = level.gradient(coef, scores, state.weight)
        if np.abs(new).max() <= 0.5 * np.abs(gradient).max():
            state.coef, state.scores = coef, scores
            return new, True
    value = level.objective(state.coef, state.scores, state.weight)
    slope = float((gradient * step).sum())
    length = _length(level, state, slope, step, along)
    while length > 1e-10:
        coef, scores = state.coef + length * step, state.scores + length * along
        if level.family.admissible(coef):
            new_value = level.objective(coef, scores, state.weight)
            # Near the solution differences of values drown in rounding.
            if new_value <= value + 1e-4 * length * slope + 1e-14 * (1.0 + abs(value)):
                state.coef, state.scores = coef, scores
                return level.gradient(coef, scores, state.weight), True
        length *= 0.5
    return gradient, False


def _length(level, state, slope, step, along):
    """Return about where the objective stops falling along a step, at most 1.

    Where rows of a rare value are sure of the wrong class, their curvature vanishes and the step
    is many times too long: halving it until there is any decrease would swing from one side to
    the other. Slopes cost no pass over X.
    """
    if not level.family.admissible(state.coef + step):
        return 1.0

    def uphill(length):
        here = _slope(level, state, length, step, along)
        return here if abs(here) > -0.25 * slope else 0.0

    return float(optimize.brentq(uphill, 0.0, 1.0)) if uphill(1.0) > 0.0 else 1.0


def _slope(level, state, length, step, along):
    """Return the derivative of the objective along a step, at some length of it."""
    residual = level.family.gradient(level.target, state.scores + length * along)
    loss = np.einsum("n,nm,nm->", state.weight, residual, along, dtype=float)
    coef = state.coef + length * step
    penalty = (level.penalty * coef * step).sum() + level.gauge * coef.sum(axis=1) @ step.sum(
        axis=1
    )
    return level.scale * float(loss) + float(penalty)
