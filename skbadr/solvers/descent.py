"""Descents from several points, for differentiable upper levels."""

import time

import numpy as np

from skbadr.lower_level.linear import LinearState
from skbadr.simplex import project_simplex
from skbadr.solvers.projected_gradient import ProjectedGradient

# Rows of the first, cheap fit that the plain model starts from.
SUBSET = 5000
# Weights below this are hard on solvers that stop at a tolerance of their own.
SAFE_WEIGHT = 1e-4


class Descents:
    """Projected gradients from the best of several points.

    Where there are many rows, the points are compared and improved on a few thousand of them
    first, so that the whole data are only needed for the last steps.

    Parameters
    ----------
    search : LinearisedSearch
        Records refits, and polishes where the metric has kinks.
    max_refits : int
        Of each descent.
    n_valleys : int
        Points, apart from each other, that are compared on all rows.
    """

    def __init__(self, search, max_refits, n_valleys):
        self.search, self.smooth, self.problem = search, search.smooth, search.problem
        self.max_refits, self.n_valleys = max_refits, n_valleys

    def run(self, starts):
        """Search from states near the plain solution; return whether the descents converged."""
        problem, smooth, search = self.problem, self.smooth, self.search
        begin = time.perf_counter()
        small = None
        if smooth.levels[0].n >= 4 * SUBSET:
            small = smooth.subset(smooth.levels[0].n // SUBSET)
        states = smooth.solve(problem.shares, starts, tol=1e-6)
        search.record(problem.shares, states, "erm", begin)
        screen = smooth if small is None else small
        found = self._screen(screen)
        descents = []
        for _, weights, there in apart(found, self.n_valleys):
            start = states if small is not None else there
            descents.append(self._descent(smooth, search.record))
            descents[-1].begin(weights, start)
        if small is not None:  # what is best on some rows may not be on all
            descents = [min(descents, key=lambda descent: descent.value)]
        reached = [descent.run() for descent in descents]
        self._retreat(*min(reached, key=lambda item: item[0])[1:])
        if problem.evaluator.metric.kinked:
            # Gradients stall where groups tie; a search by exact values does not.
            begin = time.perf_counter()
            _, weights, states = min(reached, key=lambda item: item[0])
            states = smooth.solve(weights, states, tol=1e-6)
            evaluation = search.record(weights, states, "gradient", begin)
            search.max_refits += len(search.archive.evaluations)
            search.run(states, evaluation, radius=0.3, max_steps=8)
        return all(descent.converged for descent in descents)

    def _retreat(self, weights, states):
        """Visit a point a little inside where the best one lies at the edge of the simplex.

        The estimator's own solver may fail where a cell weighs next to nothing.
        """
        safe = min(SAFE_WEIGHT, 0.5 * self.problem.shares.min())
        if weights.min() < safe:
            begin = time.perf_counter()
            inside = project_simplex(weights, minimum=safe)
            states = self.smooth.solve(inside, states, tol=1e-6)
            self.search.record(inside, states, "inside", begin)

    def _screen(self, smooth):
        """Return (value, weights, states) of starting points, the best improved, best first."""
        problem = self.problem
        n_cells, shares = problem.n_cells, problem.shares
        points = [shares, problem.initial, np.full(n_cells, 1.0 / n_cells)]
        for k in range(min(n_cells, 8)):
            corner = np.eye(n_cells)[k]
            points += [corner, 0.99 * corner + 0.01 * shares]
        points = list(dict.fromkeys(tuple(problem.project(point)) for point in points))
        reached, states = [], smooth.solve(shares, tol=1e-6)
        for point in points:
            weights = np.array(point)
            there = smooth.solve(weights, states, tol=1e-4)
            reached.append((smooth.metric_gradient(smooth.scores(there))[0], weights, there))
        reached.sort(key=lambda item: item[0])
        if smooth.data is smooth.evaluator.evaluation_set:
            return reached
        improved = []
        for _, weights, there in apart(reached, 1 + self.n_valleys):
            descent = self._descent(smooth, None, looser=10.0)
            descent.begin(weights, there)
            improved.append(descent.run())
        return sorted(improved, key=lambda item: item[0])

    def _descent(self, smooth, record, looser=1.0):
        return ProjectedGradient(
            smooth, record, tol=looser * self.problem.tol, max_refits=self.max_refits
        )


def apart(found, count, distance=0.2):
    """Return the first points that are not near an earlier one: different valleys."""
    chosen = []
    for item in found:
        if all(np.abs(item[1] - other[1]).max() > distance for other in chosen):
            chosen.append(item)
    return chosen[:count]


def first_state(level, model):
    """Return a starting point at the plain weights: a fitted model, or a cheap solution.

    Parameters
    ----------
    level : LinearLowerLevel
    model : fitted estimator or None
        On the same rows.

    Returns
    -------
    state : LinearState or None
    """
    shares = level.cells.shares
    if model is not None:
        coef = level.family.parameters(model)
        return LinearState(shares, coef, level.forward(coef), level.sample_weight(shares))
    if level.n < 4 * SUBSET:
        return None
    smaller = level.subset(np.arange(0, level.n, level.n // SUBSET))
    if (smaller.cells.totals <= 0).any():
        return None
    return smaller.solve(smaller.cells.shares, tol=1e-3).moved_to(level)
