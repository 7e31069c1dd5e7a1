"""The implicit solver: exact lower-level derivatives of smooth linear models."""

import copy
import time

import numpy as np
from scipy.linalg import LinAlgError
from sklearn.exceptions import ConvergenceWarning

from skbadr._warnings import warn_user
from skbadr.problem import SmoothProblem
from skbadr.result import Archive
from skbadr.solvers.alternating import AlternatingSolver
from skbadr.solvers.base import UpperSolver
from skbadr.solvers.descent import Descents, apart, first_state
from skbadr.solvers.linearised import LinearisedSearch
from skbadr.solvers.starts import group_moves, tilts

# Rows of the search itself, where there are at least twice as many.
SEARCH_ROWS = 30_000
# Below this a second start is always tried.
FEW_ROWS = 10_000


class ImplicitSolver(UpperSolver):
    """Search with the lower level's own derivatives, for smooth linear models.

    From the plain model on, refits are warm-started Newton solves, and their number is small
    because the derivative of the scores in the weights predicts each of them. The wrapped
    estimator itself is fitted twice: plain, and at the weights found. Where its own solver does
    not return the solutions (it stops early, say), alternating refits take over.

    Parameters
    ----------
    max_iter : int or None, default=None
        Budget of warm-started refits; None: 40.
    n_starts : int or None, default=None
        Starting points besides the plain model that are always tried; more are where a bound is
        missed. None: one below 10,000 rows, where refits cost next to nothing, else none.
    inner_tol : float, default=3e-4
        Tolerance of the refits during the search: largest entry of the gradient per unit of
        sample weight.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448, section on the implicit hypergradient.
    """

    def __init__(self, max_iter=None, *, n_starts=None, inner_tol=3e-4):
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
        plain = next(iter(problem.evaluate([(problem.shares, "erm")], 1)))
        if plain.failed:
            raise plain.error
        archive.add(plain)
        visited = Archive(problem.objective)
        try:
            self._visit(problem, plain, visited)
            archive.converged, trusted = visited.converged, True
        except KeyboardInterrupt:
            archive.interrupted, trusted = True, True
            warn_user(
                f"the search was interrupted after {len(visited.evaluations)} refits; the best "
                "weights so far are kept.",
                ConvergenceWarning,
            )
        except (NotTheEstimators, LinAlgError, ValueError, FloatingPointError):
            trusted = False
        # The first is the plain model once more. None of them is a fit of the estimator's class.
        archive.evaluations += visited.evaluations[1:]
        archive.n_iter = max(archive.n_iter, visited.n_iter)
        for evaluation in archive.evaluations[1:]:
            evaluation.n_refits = 0
        kept = trusted and self._finish(problem, archive, visited.evaluations)
        if not kept and not archive.interrupted:
            self._refit_instead(problem, archive)
        return archive

    def _visit(self, problem, plain, visited):
        """Search among solutions of the lower level, recorded in `visited`."""
        metric = problem.evaluator.metric
        smooth_upper = metric.differentiable and not problem.objective.uses_score
        smooth = SmoothProblem(problem, single=not smooth_upper)

        def check(evaluation):
            if not _agree(plain, evaluation):
                raise NotTheEstimators

        search = LinearisedSearch(
            smooth,
            visited,
            max_refits=self.max_refits,
            tol=problem.tol,
            inner_tol=self.inner_tol,
            check=check,
        )
        starts = [first_state(level, plain.model) for level in smooth.levels]
        if smooth_upper:
            descents = Descents(search, self.max_refits, 2 + (self.n_starts or 1))
            visited.converged = descents.run(starts)
        else:
            self._search(problem, smooth, search, starts)

    def _refit_instead(self, problem, archive):
        """Alternate refits where the smooth problem does not lead to a model of the estimator.

        Its own solver may stop early, or overfit a rate of a few samples differently.
        """
        other = AlternatingSolver(self.max_iter).solve(problem)
        archive.n_iter += other.n_iter
        archive.converged, archive.interrupted = other.converged, other.interrupted
        archive.evaluations += other.evaluations[1:]
        if archive.objective.key(other.best) < archive.objective.key(archive.best):
            archive.best = other.best

    def _search(self, problem, smooth, search, starts):
        begin = time.perf_counter()
        states = smooth.solve(problem.shares, starts, tol=0.3 * self.inner_tol)
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
        if n < 2 * SEARCH_ROWS:
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
        for weights, origin in starts[: self._n_starts(search.smooth)]:
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
            for weights, origin in starts[self._n_starts(search.smooth) :]:
                if problem.objective.is_met(best[1]):
                    break
                best = self._try(problem, search, weights, origin, best)

    def _try(self, problem, search, weights, origin, best):
        if search.done or problem.objective.is_ideal(best[1]):
            return best
        begun, evaluation = search.refit(weights, best[0], origin)
        return _better(
            problem.objective, best, search.run(begun, evaluation, radius=0.5, max_steps=6)
        )

    def _n_starts(self, smooth):
        if self.n_starts is not None:
            return self.n_starts
        return int(smooth.levels[0].n < FEW_ROWS)

    def _starts(self, problem):
        """Return starting points, of which `n_starts` are always tried."""
        starts = [(problem.initial, "init")]
        if np.array_equal(problem.initial, problem.shares):
            starts = []
        starts += [(weights, "tilt") for weights in tilts(problem.cells, (1.0, 0.5, 1.5))]
        if problem.cells.target_of_cell is None:
            starts += [(weights, "group") for weights in group_moves(problem.cells, 8.0)]
        return starts

    def _finish(self, problem, archive, visited):
        """Fit the estimator itself at the best weights; return whether it does what they promise.

        Its tolerance moves the metric: where it misses the bound, or ends far from the solution,
        the next best points are tried.
        """
        objective, plain = archive.objective, archive.evaluations[0]
        candidates = _with_room(sorted(visited, key=objective.key), objective)
        for candidate in candidates[:5]:
            if not objective.key(candidate) < objective.key(plain):
                return objective.is_met(plain) or archive.best is not plain
            weights = problem.project(_rounded(candidate.cell_weights))
            evaluations = problem.evaluate([(weights, "final")], archive.n_iter)
            final = next(iter(evaluations))
            archive.add(final)
            if not final.failed and _as_promised(objective, plain, candidate, final):
                return True
        return False


class NotTheEstimators(Exception):
    """The solution of the lower level is not what the estimator's own fit returns."""


def _agree(one, other):
    """Whether two evaluations at the same weights are those of nearly the same model."""
    metrics = abs(one.metric - other.metric) <= 0.01 * (1e-3 + abs(one.metric)) + 2e-3
    losses = np.abs(one.cell_losses - other.cell_losses)
    return metrics and bool(np.all(losses <= 0.01 * np.abs(one.cell_losses) + 1e-6))


def _rounded(weights):
    """Round to five digits, so that the last ones of a solver do not reach the model."""
    unit = 10.0 ** (np.floor(np.log10(weights)) - 4)
    return np.round(weights / unit) * unit


def _better(objective, one, other):
    return other if objective.key(other[1]) < objective.key(one[1]) else one


def _as_promised(objective, plain, candidate, final):
    """Whether the estimator itself does at some weights what the solution there does."""
    if objective.bound is not None:
        return objective.is_met(final)
    promised = objective.key(plain)[0] - objective.key(candidate)[0]
    return objective.key(plain)[0] - objective.key(final)[0] >= 0.9 * promised


def _with_room(visited, objective):
    """Order candidates: the best, then ever safer ones inside the bound, or elsewhere."""
    if objective.bound is None:
        found = [(None, evaluation.cell_weights, evaluation) for evaluation in visited]
        return [item[-1] for item in apart(found, 3, distance=1e-5)]
    chosen = visited[:1]
    for candidate in visited[1:]:
        if objective.cost(candidate.metric) < objective.cost(chosen[-1].metric) - 1e-3:
            chosen.append(candidate)
    return chosen
