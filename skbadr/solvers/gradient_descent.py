"""BADR-GD: a single loop over parameters, adjoint and weights, on all rows."""

import time

import numpy as np

from skbadr.metrics.annealing import ROUNDS
from skbadr.simplex import project_simplex
from skbadr.solvers.few_rows import FewRows
from skbadr.solvers.race import race, value_of
from skbadr.solvers.single_loop import Pair, Preconditioner, SingleLoop
from skbadr.solvers.smooth import SmoothSolver
from skbadr.solvers.upper_value import UpperValue

# Rows of the race that picks a valley, where there are many: of smooth metrics, and of rates.
RACE_ROWS, RATE_ROWS = 5_000, 20_000
# Iterations of a descent on some of the rows, and of each further and the last round of a
# surrogate.
SHORT, ROUND, LAST_ROUND = 60, 20, 8
# Iterations after which one of several descents on all rows is chosen.
TRIAL = 2
# Tolerances of the plain and the last solution: usual, and where the estimator's own is rough.
INNER_TOL, ROUGH_INNER_TOL, RACE_INNER_TOL = 1e-8, 5e-3, 1e-2
# Share of what was gained below which a move is not made: on some rows, and where that is rough.
RACE_TOL, ROUGH_TOL = 1e-2, 1e-3


class GDSolver(SmoothSolver):
    """Single loop on all rows: each iteration moves parameters, adjoint and weights by one step.

    Steps of parameters and adjoint are preconditioned by a frozen Cholesky factor of the Hessian
    (its diagonal, with conjugate directions, where that is too large or X is sparse), steps of
    the weights by what the hypergradients so far say about curvature; none has a size to tune.
    Where there are many rows, some thousand of them choose among starting points first. Metrics
    that are piecewise constant are replaced by ever sharper surrogates.

    Parameters
    ----------
    max_iter : int or None, default=None
        Iterations on all rows; None: 100.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448 (BADR-GD); Dagreou, Ablin, Vaiter and
    Moreau (2022), "A framework for bilevel optimization that enables stochastic and global
    variance reduction algorithms", NeurIPS.
    """

    def visit(self, smooth, finals, visited):  # noqa: D102
        problem, metric = smooth.problem, smooth.evaluator.metric
        tol = ROUGH_INNER_TOL if finals.tolerant else INNER_TOL
        recorder = Recorder(smooth, visited, finals, tol)
        begin = time.perf_counter()
        smooth_metric = metric.differentiable and not problem.objective.uses_score
        few = FewRows(smooth, RACE_ROWS if smooth_metric else RATE_ROWS, tol=RACE_INNER_TOL)
        plain = smooth.solve(problem.shares, few.plain_starts(finals.plain_model), tol=tol)
        erm = recorder.add(problem.shares, plain, "erm", begin)
        if problem.objective.is_ideal(erm) or recorder.stopped:
            visited.converged = True
            return
        size = abs(erm.metric)
        if few.smooth is None:
            loop = self._search_all(smooth, plain, size, recorder)
        else:
            loop = self._search_few(few, plain, size, recorder, rough=finals.tolerant)
        visited.converged = loop.converged
        _, weights, _, pairs = loop.best
        conditions = loop.preconditioners
        # The loop itself keeps vectors of the length of the data, which fits need the room of.
        finals.inside = lambda: recorder.retreat(weights, pairs, conditions)

    def _search_all(self, smooth, plain, size, recorder):
        """Race on all rows, as these are few, and sharpen what surrogates there are."""
        finalists = race(
            smooth, plain, size, tol=smooth.problem.tol, most=self.max_iter or SHORT, n_finalists=2
        )
        for loop in reversed(finalists):
            recorder.solve_best(loop, loop.n_iter)
        return self._sharpen(smooth, loop, size, recorder)

    def _search_few(self, few, plain, size, recorder, *, rough):
        """Race on some of the rows, and go on from its finalists on all of them."""
        tol = max(few.smooth.problem.tol, RACE_TOL)
        finalists = race(few.smooth, few.states, size, tol=tol, most=SHORT, n_finalists=2)
        if not finalists[0].upper.is_exact:
            finalists = finalists[:1]
        starts = [self._sharpen(few.smooth, loop, size) for loop in finalists]
        for start in starts:
            value, weights, gradient, pairs = start.best
            moved = [
                Pair(own.coef + pair.coef - before.coef, pair.adjoint)
                for own, pair, before in zip(plain, pairs, few.states, strict=True)
            ]
            start.best = value, weights, gradient, moved
        return self._descend(recorder.smooth, starts, plain, size, rough, recorder)

    def _continue(self, smooth, start, size, tol, *, plain=None, sharper=False):
        """Return a loop from where another one ended, on other rows or for a sharper surrogate."""
        _, weights, _, pairs = start.best
        parts = [
            level.forward(pair.coef, held_out)
            for level, pair, held_out in zip(smooth.levels, pairs, smooth.held_out, strict=True)
        ]
        scores = parts[0] if len(parts) == 1 else np.vstack(parts)
        upper = UpperValue(smooth, scores, start.upper.round_ + sharper, size)
        reference = None if plain is None else upper(smooth, smooth.scores(plain))[0]
        first_value, _ = upper(smooth, scores)
        if smooth is start.smooth:
            conditions = start.preconditioners
        else:
            conditions = [Preconditioner(level, smooth.problem.seed) for level in smooth.levels]
        model = None if sharper and not upper.is_exact else start.model
        loop = SingleLoop(
            smooth, upper, weights, pairs, conditions, model=model, tol=tol, reference=reference
        )
        loop.first_value = first_value
        return loop

    def _descend(self, smooth, starts, plain, size, rough, recorder):
        """Run loops on all rows from one or several starts; return the best."""
        tol = max(smooth.problem.tol, ROUGH_TOL) if rough else smooth.problem.tol
        limit = 100 if self.max_iter is None else self.max_iter
        loops = [
            self._continue(smooth, start, size, tol, plain=plain, sharper=True) for start in starts
        ]
        if not loops[0].upper.is_exact:
            limit = min(limit, LAST_ROUND)
        if len(loops) > 1:
            for loop in loops:
                loop.run(min(TRIAL, limit), recorder.asked_to_stop)
        loop = min(loops, key=value_of)
        loop.run(limit - loop.n_iter, recorder.asked_to_stop)
        recorder.solve_best(loop, loop.n_iter)
        return loop

    def _sharpen(self, smooth, loop, size, recorder=None):
        """Run the further rounds of a surrogate; record each by the exact metric."""
        if loop.upper.is_exact:
            return loop
        n_iter = loop.n_iter
        for _ in range(1, ROUNDS):
            if recorder is not None and recorder.asked_to_stop():
                break
            loop = self._continue(smooth, loop, size, loop.tol, sharper=True).run(ROUND)
            n_iter += loop.n_iter
            if recorder is not None:
                recorder.solve_best(loop, n_iter)
        return loop


class Recorder:
    """Solve the lower level at chosen weights, and record what the solutions do."""

    def __init__(self, smooth, visited, finals, tol):
        self.smooth, self.visited, self.finals, self.tol = smooth, visited, finals, tol
        self.stopped = False

    def asked_to_stop(self):
        """Whether a monitor ended the search."""
        return self.stopped

    def add(self, weights, states, origin, begin, iteration=1):
        """Record solved states."""
        evaluation = self.smooth.evaluate(weights, states, origin, iteration, begin)
        self.visited.add(evaluation)
        if origin == "erm":
            self.finals.check_plain(evaluation)
        monitor = self.smooth.problem.monitor
        if monitor is not None and monitor(evaluation, self.visited):
            self.stopped = True
        return evaluation

    def solve(self, weights, pairs, preconditioners, iteration, origin="single_loop"):
        """Record the solution at some weights."""
        begin = time.perf_counter()
        starts = [p.warm(weights, pair) for p, pair in zip(preconditioners, pairs, strict=True)]
        states = self.smooth.solve(weights, starts, tol=self.tol)
        return self.add(weights, states, origin, begin, 1 + iteration)

    def solve_best(self, loop, iteration):
        """Record the solution at the best weights of a loop."""
        return self.solve(loop.best[1], loop.best[3], loop.preconditioners, iteration)

    def retreat(self, weights, pairs, preconditioners):
        """Visit a point a little inside, where the best one is at an edge of the simplex."""
        lowest = self.smooth.resolved_weight
        if weights.min() < 0.5 * lowest:
            inside = project_simplex(weights, minimum=lowest)
            self.solve(inside, pairs, preconditioners, self.visited.n_iter, "inside")
