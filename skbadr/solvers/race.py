"""A race of single loops from several points, which picks the valleys to descend."""

import numpy as np

from skbadr.solvers.simplex_model import SMALL_WEIGHT
from skbadr.solvers.single_loop import Pair, Preconditioner, SingleLoop
from skbadr.solvers.starts import tilts, vertices_and_edges
from skbadr.solvers.upper_value import UpperValue

# Iterations that each runner gets before half of them are dropped.
LAP = 5
# Relative difference of weights up to which a starting point says nothing new.
NEAR = 0.01
# Share of what the best gained that another finalist must have gained.
CLOSE = 0.5


def race(smooth, states, size, *, tol, most, n_finalists):
    """Run single loops from several points, all but the most promising given up early.

    Parameters
    ----------
    smooth : SmoothProblem
    states : list of LinearState
        Its baseline solution.
    size : float
        Of the metric there.
    tol : float
        See `SingleLoop`.
    most : int
        Iterations of each.
    n_finalists : int

    Returns
    -------
    finalists : list of SingleLoop
        Best first; apart, and not far behind.
    """
    upper = UpperValue(smooth, smooth.scores(states), 0, size)
    reference, _ = upper(smooth, smooth.scores(states))
    runners = []
    for weights in _points(smooth.problem, upper):
        pairs = [Pair(state.coef, np.zeros_like(state.coef)) for state in states]
        conditions = [Preconditioner(level, smooth.problem.seed) for level in smooth.levels]
        runner = SingleLoop(smooth, upper, weights, pairs, conditions, tol=tol, reference=reference)
        runners.append(runner.run(min(LAP, most)))
    runners.sort(key=value_of)
    if value_of(runners[0]) < reference:
        # What is still worse than the baseline model is far behind.
        runners = [runner for runner in runners if value_of(runner) <= reference]
    while len(runners) > n_finalists and not all(r.converged or r.stopped for r in runners):
        runners = _apart(runners)[: max(n_finalists, len(runners) // 2)]
        for runner in runners:
            runner.run(min(2 * LAP, most - runner.n_iter))
        runners.sort(key=value_of)
        if all(runner.n_iter >= most for runner in runners):
            break
    runners = _apart(runners)[:n_finalists]
    for runner in runners:
        runner.run(most - runner.n_iter)
    runners.sort(key=value_of)
    enough = value_of(runners[0]) + (1.0 - CLOSE) * max(reference - value_of(runners[0]), 0.0)
    return [runner for runner in runners if value_of(runner) <= enough]


def value_of(loop):
    """Return the best value of a loop so far."""
    return np.inf if loop.best is None else loop.best[0]


def _points(problem, upper):
    """Return where to start: rates of whole classes are 0 or 1 near the vertices."""
    if upper.is_exact or problem.cells.target_of_cell is None:
        points = vertices_and_edges(problem, vertices=True, edges=True)
        return _distinct(points)
    points = [problem.shares, problem.initial, *tilts(problem.cells, (1.0, 0.5, 1.5))]
    points = [problem.project(point) for point in points]
    return [np.array(point) for point in dict.fromkeys(map(tuple, points))]


def _distinct(points):
    """Return the points that are not next to an earlier one, as equal weights are to shares."""
    chosen = []
    for point in points:
        moves = [(point - other) / np.maximum(other, SMALL_WEIGHT) for other in chosen]
        if all(np.abs(move).max() > NEAR for move in moves):
            chosen.append(point)
    return chosen


def _apart(runners, distance=0.02):
    """Return the runners, best first, that are not near a better one."""
    chosen = []
    for runner in runners:
        weights = runner.best[1]
        if all(np.abs(weights - other.best[1]).max() > distance for other in chosen):
            chosen.append(runner)
    return chosen
