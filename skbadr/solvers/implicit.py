"""The implicit solver: exact lower-level derivatives of smooth linear models."""

import copy
import time

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skbadr._warnings import warn_user
from skbadr.problem import SmoothProblem
from skbadr.result import Archive
from skbadr.solvers.base import UpperSolver
from skbadr.solvers.linearised import LinearisedSearch
from skbadr.solvers.projected_gradient import ProjectedGradient
from skbadr.solvers.starts import group_moves, tilts

# Rows of the search itself, where there are at least twice as many.
SEARCH_ROWS = 30_000
# Rows of the first, cheap fit that the plain model starts from.
SUBSET = 5000


class ImplicitSolver(UpperSolver):
    """Search with the lower level's own derivatives, for smooth linear models.

    The plain model is trained by Newton's method; from then on refits are warm-started and
    their number is small, because the derivative of the scores in the weights predicts each of
    them. The wrapped estimator itself is fitted once, at the end.

    Parameters
    ----------
    max_iter : int or None, default=None
        Budget of warm-started refits; None: 40.
    n_starts : int, default=1
        Starting points besides the plain model.
    inner_tol : float, default=3e-4
        Tolerance of the refits during the search: largest entry of the gradient per unit of
        sample weight.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448, section on the implicit hypergradient.
    """

    def __init__(self, max_iter=None, *, n_starts=1, inner_tol=3e-4):
        super().__init__(max_iter)
        self.n_starts = n_starts
        self.inner_tol = inner_tol

    def budget(self, problem):
        """Return None: the last fits come on top of the warm-started refits."""
        return None

    @property
    def max_refits(self):
        """Budget of warm-started refits."""
        return 40 if self.max_iter is None else self.max_iter

    def solve(self, problem):  # noqa: D102
        archive = Archive(problem.objective)
        metric = problem.evaluator.metric
        smooth_upper = metric.differentiable and not problem.objective.uses_score
        # Single precision is ample for choosing weights; the estimator's own fit is the last word.
        smooth = SmoothProblem(problem, dtype=None if smooth_upper else np.float32)
        search = LinearisedSearch(
            smooth,
            archive,
            max_refits=self.max_refits,
            tol=problem.tol,
            inner_tol=self.inner_tol,
        )
        try:
            run = self._descend if smooth_upper else self._search
            run(problem, smooth, search)
        except KeyboardInterrupt:
            if not archive.evaluations:
                raise
            archive.interrupted = True
            warn_user(
                f"the search was interrupted after {len(archive.evaluations)} refits; the best "
                "weights so far are kept.",
                ConvergenceWarning,
            )
        self._finish(problem, archive)
        return archive

    def _search(self, problem, smooth, search):
        begin = time.perf_counter()
        states = [
            level.solve(problem.shares, *_subset_start(level), tol=0.1 * self.inner_tol)
            for level in smooth.levels
        ]
        plain = search.record(problem.shares, states, "erm", begin)
        found = self._search_subset(smooth)
        if found is None:
            best = self._search_from(problem, search, (states, plain))
        else:
            begun, evaluation = search.refit(found, states, "subset")
            best = search.run(begun, evaluation, radius=0.1)
            best = _better(problem.objective, (states, plain), best)
        self._insist(problem, search, best)

    def _search_subset(self, smooth):
        """Return the weights that some of the rows prefer, or None where there are few."""
        n = smooth.levels[0].n
        if n < 2 * SEARCH_ROWS or smooth.evaluator.scoring is not None:
            return None
        small = smooth.subset(n // SEARCH_ROWS)
        if small is None:
            return None
        problem = copy.copy(smooth.problem)
        problem.monitor = None
        small.problem = problem
        search = LinearisedSearch(
            small,
            Archive(problem.objective),
            max_refits=self.max_refits,
            tol=problem.tol,
            inner_tol=self.inner_tol,
        )
        states, plain = search.refit(problem.shares, [None], "erm")
        best = self._search_from(problem, search, (states, plain))
        return best[1].cell_weights

    def _search_from(self, problem, search, plain):
        """Search from the plain model and from `n_starts` others; return the best."""
        best = search.run(*plain)
        starts = [(problem.project(w), origin) for w, origin in self._starts(problem)]
        for weights, origin in starts[: self.n_starts]:
            best = self._try(problem, search, weights, origin, best)
        return best

    def _insist(self, problem, search, best):
        """Where the bound is missed, let it weigh more, from the best and from more starts."""
        starts = [(problem.project(w), origin) for w, origin in self._starts(problem)]
        if self.max_iter is None:
            search.max_refits += self.max_refits // 2
        for harder in (5.0, 20.0):
            if problem.objective.is_met(best[1]) or search.done:
                break
            search.score_scale *= harder
            best = _better(problem.objective, best, search.run(*best))
            for weights, origin in starts[self.n_starts :]:
                if problem.objective.is_met(best[1]):
                    break
                best = self._try(problem, search, weights, origin, best)

    def _descend(self, problem, smooth, search):
        """Projected gradients from several points, for differentiable metrics.

        Where there are many rows, the points are compared and improved on a few thousand of
        them first, so that the whole data are only needed for the last steps.
        """
        begin = time.perf_counter()
        small = None
        if smooth.levels[0].n >= 4 * SUBSET:
            small = smooth.subset(smooth.levels[0].n // SUBSET)
        starts = [None] * len(smooth.levels)
        if small is not None:
            starts = small.solve(problem.shares, tol=1e-4)
            starts = [starts[0].moved_to(smooth.levels[0])]
        states = smooth.solve(problem.shares, starts, tol=1e-6)
        search.record(problem.shares, states, "erm", begin)
        screen = smooth if small is None else small
        found = self._screen(problem, screen)
        descents = []
        for _, weights, there in _apart(found, 1 + self.n_starts):
            start = states if small is not None else there
            descents.append(self._descent(problem, smooth, search.record))
            descents[-1].begin(weights, start)
        if small is not None:  # what is best on some rows may not be on all
            descents = [min(descents, key=lambda descent: descent.value)]
        reached = [descent.run() for descent in descents]
        search.archive.converged = all(descent.converged for descent in descents)
        if problem.evaluator.metric.kinked:
            # Gradients stall where groups tie; a search by exact values does not.
            begin = time.perf_counter()
            _, weights, states = min(reached, key=lambda item: item[0])
            states = smooth.solve(weights, states, tol=1e-6)
            evaluation = search.record(weights, states, "gradient", begin)
            search.max_refits += len(search.archive.evaluations)
            search.run(states, evaluation, radius=0.3, max_steps=8)

    def _screen(self, problem, smooth):
        """Return (value, weights, states) of starting points, the best improved, best first."""
        n_cells, shares = problem.n_cells, problem.shares
        points = [shares, problem.initial, np.full(n_cells, 1.0 / n_cells)]
        for k in range(min(n_cells, 8)):
            corner = np.eye(n_cells)[k]
            points += [corner, 0.99 * corner + 0.01 * shares]
        points = list({tuple(problem.project(point)) for point in points})
        reached, states = [], smooth.solve(shares, tol=1e-6)
        for point in points:
            weights = np.array(point)
            there = smooth.solve(weights, states, tol=1e-4)
            reached.append((smooth.metric_gradient(smooth.scores(there))[0], weights, there))
        reached.sort(key=lambda item: item[0])
        if smooth.data is smooth.evaluator.evaluation_set:
            return reached
        improved = []
        for _, weights, there in _apart(reached, 3 + self.n_starts):
            descent = self._descent(problem, smooth, None, looser=10.0)
            descent.begin(weights, there)
            improved.append(descent.run())
        return sorted(improved, key=lambda item: item[0])

    def _descent(self, problem, smooth, record, looser=1.0):
        return ProjectedGradient(
            smooth, record, tol=looser * problem.tol, max_refits=self.max_refits
        )

    def _try(self, problem, search, weights, origin, best):
        if search.done or problem.objective.is_ideal(best[1]):
            return best
        begun, evaluation = search.refit(weights, best[0], origin)
        return _better(
            problem.objective, best, search.run(begun, evaluation, radius=0.5, max_steps=6)
        )

    def _starts(self, problem):
        """Return starting points, of which `n_starts` are always tried."""
        starts = [(problem.initial, "init")]
        if np.array_equal(problem.initial, problem.shares):
            starts = []
        starts += [(weights, "tilt") for weights in tilts(problem.cells, (1.0, 0.5, 1.5))]
        if problem.cells.target_of_cell is None:
            starts += [(weights, "group") for weights in group_moves(problem.cells, 8.0)]
        return starts

    def _finish(self, problem, archive):
        """Fit the wrapped estimator itself at the best weights, and check what it does.

        Its tolerance moves the metric a little: where it misses the bound, the next best
        points with more room are tried.
        """
        objective = problem.objective
        visited = sorted(archive.evaluations, key=objective.key)
        plain, tried = archive.evaluations[0], []
        for candidate in _with_room(visited, objective)[:3]:
            tried.append(self._fit(problem, archive, candidate))
            if objective.is_met(tried[-1]) or not objective.is_met(candidate):
                break
        best = min(tried, key=objective.key)
        if objective.key(plain) <= objective.key(best) and candidate is not plain:
            tried.append(self._fit(problem, archive, plain))
            best = min(tried, key=objective.key)
        archive.best = best
        for final in tried:
            if final is not best:
                final.model = None

    def _fit(self, problem, archive, candidate):
        evaluations = problem.evaluate([(candidate.cell_weights, "final")], archive.n_iter)
        final = next(iter(evaluations))
        if final.failed:
            raise final.error
        archive.evaluations.append(final)
        return final


def _apart(found, count, distance=0.2):
    """Return the first points that are not near an earlier one: different valleys."""
    chosen = []
    for item in found:
        if all(np.abs(item[1] - other[1]).max() > distance for other in chosen):
            chosen.append(item)
    return chosen[:count]


def _better(objective, one, other):
    return other if objective.key(other[1]) < objective.key(one[1]) else one


def _with_room(visited, objective):
    """Order candidates: the best, then ever safer ones inside the bound."""
    if objective.bound is None:
        return visited[:1]
    chosen = visited[:1]
    for candidate in visited[1:]:
        if objective.cost(candidate.metric) < objective.cost(chosen[-1].metric) - 1e-3:
            chosen.append(candidate)
    return chosen


def _subset_start(level):
    """Return a cheap first solution, from a few thousand rows where there are many."""
    if level.n < 4 * SUBSET:
        return (None,)
    smaller = level.subset(np.arange(0, level.n, level.n // SUBSET))
    if (smaller.cells.totals <= 0).any():
        return (None,)
    return (smaller.solve(smaller.cells.shares, tol=1e-3).moved_to(level),)
