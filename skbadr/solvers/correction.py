"""Last steps of a single loop, with the lower level's own derivatives in the weights."""

import copy

import numpy as np

from skbadr.result import Archive
from skbadr.solvers.gauss_newton import GaussNewton
from skbadr.solvers.linearised import LinearisedSearch
from skbadr.solvers.smooth import is_smooth

# First change of a log weight for metrics that are piecewise constant.
EXACT_RADIUS = 0.3
# The same where little is left, or nothing was found.
CLOSE_BY = 0.1
# Share of such a metric that a step must gain.
EXACT_TOL = 5e-3
# Share of the baseline's distance to the ideal that is as good as none.
CLOSE = 0.015


def is_cheap(smooth):
    """Whether such steps cost little: where the Hessian is dense, one solves for all cells."""
    return all(level.dense for level in smooth.levels)


def correct(
    smooth, weights, starts, *, reference, steps, tol, inner_tol, visited=None, radius=EXACT_RADIUS,
    sample=None,
):  # fmt: skip
    """Move on from where a loop ended; return the weights, their solutions and the cost.

    A loop knows the curvature of the upper level from its own last steps, and its parameters
    only follow. The derivatives of the parameters in the weights predict the metric itself:
    smooth metrics take Gauss-Newton steps, the others linearised ones, by their exact values.

    Parameters
    ----------
    smooth : SmoothProblem
        Of all rows, or of some.
    weights : ndarray of shape (K,)
    starts : list of LinearState
        Near the solutions there.
    reference : float
        Cost of the baseline model.
    steps : int
        Largest number of them.
    tol, inner_tol : float
        See `GaussNewton`.
    visited : Archive or None, default=None
        Receives the exact values of a piecewise-constant metric; None: nothing does.
    radius : float, default=0.3
        First change of a log weight in each step for such a metric.
    sample : SmoothProblem or None, default=None
        Rows that stand for all in the first step for such a metric, and in derivatives, where
        it counts signs.

    Returns
    -------
    weights : ndarray of shape (K,)
    states : list of LinearState
    cost : float
    converged : bool
        Whether no further step promises anything.
    """
    problem = smooth.problem
    if is_smooth(problem):
        descent = GaussNewton(smooth, None, tol=tol, max_refits=1 + steps, inner_tol=inner_tol)
        descent.begin(weights, starts, reference).run()
        point = descent.point
        return point.weights, point.states, point.value, descent.converged
    if visited is None:
        # Nobody is told of points of a sample.
        smooth, visited = copy.copy(smooth), Archive(problem.objective)
        smooth.problem = copy.copy(problem)
        smooth.problem.monitor = None
    search = LinearisedSearch(
        smooth,
        visited,
        max_refits=float("inf"),
        tol=min(problem.tol, EXACT_TOL * abs(reference)),
        inner_tol=inner_tol,
        sample=sample,
    )
    states, start = search.refit(weights, starts, "single_loop")
    found, tried = start, []
    for _ in range(steps):
        left = _share_left(problem.objective, found, reference)
        if left <= CLOSE:
            break
        before, sampled = found, search.is_sampling
        # The less there is left, the nearer it is likely to be; then everywhere, or nearby.
        nearer = min(radius, max(CLOSE_BY, 6.0 * left))
        untried = [r for r in (nearer, radius, CLOSE_BY) if r not in tried]
        if not untried:
            break
        states, found = search.run(states, found, radius=untried[0], max_steps=1)
        if found is not before:
            tried = []
        elif not sampled:
            tried = [*tried, untried[0]]
    return found.cell_weights, states, problem.objective.cost(found.metric), found is start


def _share_left(objective, found, reference):
    """Return what is left of the baseline's distance to the ideal; infinite where not known."""
    if objective.uses_score or objective.ideal is None:
        return np.inf
    before = abs(objective.cost(reference) - objective.ideal)
    return abs(found.metric - objective.ideal) / max(before, np.finfo(float).tiny)
