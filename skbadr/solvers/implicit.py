"""The implicit solver: exact lower-level derivatives of smooth linear models."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING

import numpy as np

from skbadr._typing import Int
from skbadr.problem import UpperObjective
from skbadr.problem.smooth_folds import MANY_ROWS
from skbadr.result import Archive
from skbadr.solvers.descent import Descents
from skbadr.solvers.directions import directions_of
from skbadr.solvers.few_rows import FewRows
from skbadr.solvers.linearised import LinearisedSearch
from skbadr.solvers.smooth import SmoothSolver, is_smooth
from skbadr.solvers.starts import group_moves, tilts

if TYPE_CHECKING:
    from skbadr.problem import SmoothProblem
    from skbadr.solvers.finals import Finals

# Rows of the search itself, where there are at least twice as many.
SEARCH_ROWS = 30_000
# Rows of a first solution from which that on all rows starts.
START_ROWS = 5_000
# From so many cells on, searches are less thorough where the estimator does not resolve weights
# of `LOOSE`.
MANY_CELLS, LOOSE = 6, 1e-4
# Number of cells up to which each is weighted most in turn.
MOST_CORNERS = 8
# Share of a metric that a start must gain on some rows to be tried on all.
CORNER_GAIN = 0.1
# Factor of the smallest improvement worth a step where the estimator's own solver is loose.
ROUGHER = 3.0
# Where the estimator's own fits miss a bound: steps of searches further inside it, and the factors
# by which their distance from it grows.
RETREAT, DEEPER = 2, (4.0, 3.0)
# Factor of the weights of a class where a search starts with fewer, or with more, selected. With 4
# searches ended nearer to a dense one on generated problems than with 2.
STRENGTH = 4.0
# Factor between bounds on the way to one that is hard to meet.
WALK = 0.6


class ImplicitSolver(SmoothSolver):
    """Search with the lower level's own derivatives, for smooth linear models.

    Refits are Newton solves that start from the last solution. Few are needed, because the
    derivative of the scores in the weights predicts each of them. The wrapped estimator itself is
    fitted at the weights found. Below 10,000 rows, or if the improvement is small, it is fitted as
    the baseline, too. `AlternatingSolver` takes over if the estimator does not return the
    solution (it stops early, for example), or if its own fits keep less than half of the
    predicted gain.

    Parameters
    ----------
    max_iter : int or None, default=None
        Budget of warm-started refits; None: 40.
    n_starts : int or None, default=None
        Further starting points that are always tried: besides the baseline model, or under a bound
        besides the better of the baseline and a first tilt. More are tried if a bound is missed.
        None: one below 10,000 rows, where refits cost next to nothing, else none.
    inner_tol : float, default=3e-4
        Tolerance of the refits during the search: largest entry of the gradient per unit of
        sample weight.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448, section on the implicit hypergradient.
    """

    def __init__(
        self, max_iter: Int | None = None, *, n_starts: Int | None = None, inner_tol: float = 3e-4
    ) -> None:
        super().__init__(max_iter)
        self.n_starts = n_starts
        self.inner_tol = inner_tol

    @property
    def max_refits(self) -> Int:
        """Budget of warm-started refits."""
        return 40 if self.max_iter is None else self.max_iter

    def visit(self, smooth: SmoothProblem, finals: Finals, visited: Archive) -> None:  # noqa: D102
        problem = smooth.problem
        search = LinearisedSearch(
            smooth,
            visited,
            max_refits=self.max_refits,
            # The tolerance of a loose solver moves the metric by more than such small steps.
            tol=problem.tol * (ROUGHER if smooth.rough else 1.0),
            inner_tol=self.inner_tol,
            check=finals.check_baseline,
        )
        if is_smooth(problem):
            if self.max_iter is None:
                search.max_refits = np.inf  # the budget is that of each descent
            # What the estimator's solver would not notice is not searched for in many directions.
            loose = problem.n_cells >= MANY_CELLS and smooth.family.resolution > LOOSE
            descents = Descents(
                smooth,
                lambda *visit: search.record(*visit) and search.done,
                max_refits=self.max_refits,
                n_finalists=self.n_starts or (2 if loose or finals.tolerant else 4),
                rough=finals.tolerant,
                loose=loose,
            )
            descent = descents.run(finals.baseline_model)
            visited.converged = descent.converged
            visited.exhausted = descent.exhausted
            finals.inside = lambda: descent.retreat(search.record)
        else:
            best = self._search(problem, smooth, search, finals.baseline_model)
            visited.converged = not search.done
            if problem.objective.bound is not None:
                finals.inside = lambda: self._retreat(search, best)

    def _search(self, problem, smooth, search, model):
        begin = time.perf_counter()
        many = smooth.levels[0].cells.n_seen >= 2 * SEARCH_ROWS
        few = FewRows(
            smooth,
            SEARCH_ROWS if many else START_ROWS,
            tol=search.inner_tol,
            stabilised=smooth.rough and not many,
        )
        states = smooth.solve(problem.shares, few.baseline_starts(model), tol=search.inner_tol)
        baseline = search.record(problem.shares, states, "baseline", begin)
        found = self._search_few(few)
        if found is None:
            best = self._search_from(problem, search, (states, baseline))
        else:
            weights = found[1].cell_weights
            begun, evaluation = search.refit(weights, few.moved(found[0], states), "subset")
            best = search.run(begun, evaluation, radius=0.1)
            best = _better(problem.objective, (states, baseline), best)
        # Near corners an estimator whose solver is loose does not follow.
        if not problem.objective.uses_score and not smooth.rough:
            best = self._try_corners(problem, search, few, best)
        return self._insist(problem, search, best, (states, baseline), few)

    def _retreat(self, search, best):
        """Search further inside the bound, for a solver too loose to keep it at the edge."""
        search.score_scale *= 5.0
        for factor in DEEPER:
            search.max_refits += RETREAT
            search.margin *= factor
            best = search.run(*best, radius=0.3, max_steps=RETREAT)

    def _try_corners(self, problem, search, few, best):
        """Try equal weights, and most of the weight on one cell, where a metric alone counts.

        Exact metrics are flat in places, so that a search from the baseline model may end early.
        Where there are many rows, some of them tell which of these points are worth it.
        """
        n_cells, shares = problem.n_cells, problem.shares
        corners = [np.full(n_cells, 1.0 / n_cells)]
        if n_cells <= MOST_CORNERS:
            vertices = np.eye(n_cells)
            corners += list(0.98 * vertices + 0.02 * shares)
            corners += list(vertices)
        corners = [problem.project(corner) for corner in corners]
        if few.smooth is not None:
            screen = LinearisedSearch(
                few.smooth,
                Archive(problem.objective),
                max_refits=np.inf,
                tol=problem.tol,
                inner_tol=self.inner_tol,
            )
            _, reference = screen.refit(best[1].cell_weights, few.states, "screen")
            reached = [screen.refit(corner, few.states, "screen")[1] for corner in corners]
            gains = [problem.objective.gain(reference, evaluation) for evaluation in reached]
            enough = CORNER_GAIN * abs(reference.metric)
            corners = [corners[i] for i in np.argsort(gains)[::-1][:2] if gains[i] > enough]
        if self.max_iter is None:
            search.max_refits += 8 * len(corners)
        for corner in corners:
            best = self._try(problem, search, corner, "corner", best)
        return best

    def _search_few(self, few):
        """Return what some of the rows prefer, or None where these are too few to tell."""
        if few.smooth is None or few.all_rows < 2 * SEARCH_ROWS:
            return None
        problem, search, begun = self._begin_few(few)
        return self._search_from(problem, search, begun)

    def _insist_on_few(self, problem, search, few, states, best):
        """Look on some of the rows for where a bound that is missed is met, and start there.

        Such a place may lie beyond others that are worse, which takes many refits to find.
        """
        if search.done or _is_solved(problem, search):
            return best
        few_problem, few_search, begun = self._begin_few(few)
        few_search.max_refits *= 2  # each costs a small part of one on all rows
        found = self._search_from(few_problem, few_search, begun)
        found = self._insist(few_problem, few_search, found, begun)
        if not problem.objective.is_met(found[1]):
            return best
        weights, scale = found[1].cell_weights, search.score_scale
        search.score_scale = few_search.score_scale
        there = search.refit(weights, few.moved(found[0], states), "subset")
        best = _better(problem.objective, best, search.run(*there, radius=0.5))
        search.score_scale = scale
        return best

    def _begin_few(self, few):
        """Return the problem on some of the rows, a search of it, and its baseline model."""
        problem = copy.copy(few.smooth.problem)
        problem.monitor = None
        few.smooth.problem = problem
        search = LinearisedSearch(
            few.smooth,
            Archive(problem.objective),
            max_refits=self.max_refits,
            tol=problem.tol * (ROUGHER if few.smooth.rough else 1.0),
            inner_tol=self.inner_tol,
        )
        baseline = search.record(problem.shares, few.states, "baseline", time.perf_counter())
        return problem, search, (few.states, baseline)

    def _search_from(self, problem, search, baseline):
        """Search from the baseline model and from `n_starts` others; return the best."""
        starts, n_starts = (
            self._starts(problem, search.smooth, baseline[0]),
            self._n_starts(search.smooth),
        )
        if problem.objective.bound is None or not starts:
            best = search.run(*baseline)
            for weights, origin in starts[:n_starts]:
                best = self._try(problem, search, weights, origin, best)
            return best
        # Under a bound a refit tells whether a tilt is nearer to what is wanted.
        begun = baseline
        if not problem.objective.is_met(baseline[1]) and not search.done:
            tilted = search.refit(problem.project(starts[0][0]), baseline[0], starts[0][1])
            if search.merit_of(tilted[1]) < search.merit_of(baseline[1]):
                begun = tilted
        best = _better(problem.objective, baseline, search.run(*begun))
        for weights, origin in starts[1 : 1 + n_starts]:
            best = self._try(problem, search, weights, origin, best)
        return best

    def _insist(self, problem, search, best, baseline, few=None):
        """Where the bound is missed, let it weigh more, from the best and from more starts."""
        if _is_solved(problem, search) or search.done:
            return best
        targets = problem.cells.target_of_cell
        if self._n_starts(search.smooth) and targets is not None:
            # Gaps close where nearly all are selected, and where hardly any are: a bound that is
            # hard to meet may cost far less in the other of these valleys.
            for weights in group_moves(problem.cells, STRENGTH, targets):
                best = self._try(problem, search, weights, "target", best)
        if self.max_iter is None:
            search.max_refits += self.max_refits // 2
        search.score_scale *= 5.0
        best = _better(problem.objective, best, search.run(*best, max_steps=6))
        if few is not None and few.smooth is not None:
            best = self._insist_on_few(problem, search, few, baseline[0], best)
            if _is_solved(problem, search):
                return best
        # What first meets a bound may pay too much for it.
        best = _better(problem.objective, best, self._walk_down(problem, search, baseline))
        search.score_scale *= 4.0
        for weights, origin in self._starts(problem, search.smooth, baseline[0]):
            if _is_solved(problem, search) or search.done:
                break
            best = self._try(problem, search, weights, origin, best)
        return best

    def _walk_down(self, problem, search, baseline):
        """Search under ever tighter bounds, each from what the last one led to."""
        objective, best = problem.objective, baseline
        ideal = 0.0 if objective.ideal is None else objective.ideal
        distance = baseline[1].metric - ideal
        last = max(abs(objective.bound - ideal), 0.01 * abs(distance))
        while abs(distance := WALK * distance) > last and not search.done:
            search.objective = UpperObjective(objective.metric, bound=ideal + distance)
            best = search.run(*best, radius=0.5, max_steps=2)
        search.objective = objective
        return search.run(*best, radius=0.5, max_steps=6)

    def _try(self, problem, search, weights, origin, best):
        if search.done or problem.objective.is_ideal(best[1]):
            return best
        begun, evaluation = search.refit(problem.project(weights), best[0], origin)
        return _better(
            problem.objective, best, search.run(begun, evaluation, radius=0.5, max_steps=6)
        )

    def _n_starts(self, smooth):
        if self.n_starts is not None:
            return self.n_starts
        given = not np.array_equal(smooth.problem.initial, smooth.problem.shares)
        # Where rows are few, a second start is always tried.
        return int(given or smooth.levels[0].cells.n_seen < MANY_ROWS)

    def _starts(self, problem, smooth, states):
        """Return starting points, of which `n_starts` are always tried; `states` are the first."""
        starts = [(problem.initial, "init")]
        if np.array_equal(problem.initial, problem.shares):
            starts = []
        factors = (1.0, 0.5, 1.5, 4.0, 8.0)  # the last where a model hardly feels its weights
        starts += [(weights, "tilt") for weights in tilts(problem.cells, factors)]
        if problem.cells.target_of_cell is None:
            blocks = directions_of(smooth, states)
            member = None if blocks is None else blocks.argmax(axis=1)
            starts += [(weights, "group") for weights in group_moves(problem.cells, 8.0, member)]
        return starts


def _is_solved(problem, search):
    """Whether a visited model meets the bound, other than by predicting the same for everybody."""
    objective, best = problem.objective, search.archive.best
    return objective.bound is None or (objective.is_met(best) and not best.constant)


def _better(objective, one, other):
    return other if objective.key(other[1]) < objective.key(one[1]) else one
