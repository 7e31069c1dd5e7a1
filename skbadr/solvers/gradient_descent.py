"""BADR-GD and BADR-SGD: single loops over parameters, adjoint and weights."""

import time

import numpy as np

from skbadr.metrics.annealing import ROUNDS
from skbadr.problem.sampling import Minibatches
from skbadr.simplex import project_simplex
from skbadr.solvers.few_rows import FewRows
from skbadr.solvers.single_loop import FIRST_RADIUS, Follower, Pair, Preconditioner, SingleLoop
from skbadr.solvers.smooth import SmoothSolver
from skbadr.solvers.starts import tilts, vertices_and_edges
from skbadr.solvers.upper_value import UpperValue

# Rows of the race that picks a valley, where there are many: of smooth metrics, and of rates.
RACE_ROWS, RATE_ROWS = 5_000, 20_000
# Rows of a minibatch, likewise.
BATCH, RATE_BATCH = 8_192, 32_768
# Iterations that each runner of the race gets before half of them are dropped.
LAP = 5
# Iterations of a descent on some of the rows, and of each further round of a surrogate.
SHORT, ROUND = 60, 20
# Tolerances of the plain and the last solution: usual, and where the estimator's own is rough.
INNER_TOL, ROUGH_INNER_TOL, RACE_INNER_TOL = 1e-8, 5e-3, 1e-2
# Share of what was gained below which a move is not made: on some rows, and where that is rough.
RACE_TOL, ROUGH_TOL = 1e-2, 1e-3
# Iterations without, and half life of, the decrease of stochastic steps, and its exponent.
DELAY, DECREASE = 10.0, 0.6
# Iterations between tests of a stochastic hypergradient, of as many of the last ones.
WINDOW = 20


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

    # Whether, where rows are few, the race on all of them is already the descent.
    race_decides = True

    def visit(self, smooth, finals, visited):  # noqa: D102
        problem, metric = smooth.problem, smooth.evaluator.metric
        self._check(metric)
        tol = ROUGH_INNER_TOL if finals.tolerant else INNER_TOL
        recorder = _Recorder(smooth, visited, finals, tol)
        begin = time.perf_counter()
        smooth_metric = metric.differentiable and not problem.objective.uses_score
        few = FewRows(smooth, RACE_ROWS if smooth_metric else RATE_ROWS, tol=RACE_INNER_TOL)
        plain = smooth.solve(problem.shares, few.plain_starts(finals.plain_model), tol=tol)
        erm = recorder.add(problem.shares, plain, "erm", begin)
        size = abs(erm.metric)
        if problem.objective.is_ideal(erm) or recorder.stopped:
            visited.converged = True
            return
        rows, states = (smooth, plain) if few.smooth is None else (few.smooth, few.states)
        start = self._race(rows, states, size, exact=few.smooth is None, tol=problem.tol)
        if few.smooth is not None:
            start = self._sharpen(rows, start, size)
        n_iter = start.n_iter
        if few.smooth is not None:
            moved = [
                Pair(whole.coef + pair.coef - own.coef, pair.adjoint)
                for whole, pair, own in zip(plain, start.best[3], states, strict=True)
            ]
            start.best = (np.inf, start.best[1], start.best[2], moved)
        visited.converged = start.converged
        if few.smooth is not None or not self.race_decides:
            loop = self._descend(smooth, start, plain, size, finals.tolerant, recorder)
            visited.converged = loop.converged
        else:
            recorder.solve(start.best[1], start.best[3], start.preconditioners, n_iter)
            loop = self._sharpen(smooth, start, size, recorder)
        best = loop.best
        finals.inside = lambda: recorder.retreat(best[1], best[3], loop.preconditioners)

    def _check(self, metric):
        if not metric.differentiable and metric.surrogate() is None:
            raise ValueError(f"metric {metric.name!r} has no gradient and no smooth stand-in")

    def _race(self, smooth, states, size, *, exact, tol):
        """Return the best of single loops from several points, on some rows or on few."""
        scores = smooth.scores(states)
        upper = UpperValue(smooth, scores, 0, size)
        reference, _ = upper(smooth, scores)
        seed, tol = smooth.problem.seed, tol if exact else max(tol, RACE_TOL)
        runners = []
        for weights in self._points(smooth.problem, upper):
            pairs = [Pair(state.coef, np.zeros_like(state.coef)) for state in states]
            conditions = [Preconditioner(level, seed) for level in smooth.levels]
            runners.append(
                SingleLoop(
                    smooth, upper, weights, pairs, conditions, tol=tol, reference=reference
                ).run(LAP)
            )
        limit = SHORT if self.max_iter is None or not exact else self.max_iter
        runners.sort(key=_value)
        while len(runners) > 1 and not all(r.converged or r.stopped for r in runners):
            runners = _apart(runners)[: max(1, len(runners) // 2)]
            for runner in runners:
                runner.run(min(2 * LAP, limit - runner.n_iter))
            runners.sort(key=_value)
        return runners[0].run(limit - runners[0].n_iter)

    def _points(self, problem, upper):
        """Return where to start: rates of whole classes are 0 or 1 near the vertices."""
        if upper.is_exact or problem.cells.target_of_cell is None:
            return vertices_and_edges(problem, edges=True)
        points = [problem.shares, problem.initial, *tilts(problem.cells, (1.0, 0.5, 1.5))]
        points = [problem.project(point) for point in points]
        return [np.array(point) for point in dict.fromkeys(map(tuple, points))]

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
        if smooth is start.smooth:
            conditions = start.preconditioners
        else:
            conditions = [Preconditioner(level, smooth.problem.seed) for level in smooth.levels]
        model = None if sharper else start.model
        return SingleLoop(
            smooth, upper, weights, pairs, conditions, model=model, tol=tol, reference=reference
        )

    def _descend(self, smooth, start, plain, size, rough, recorder):
        """Run the loop on all rows; return it."""
        tol = max(smooth.problem.tol, ROUGH_TOL) if rough else smooth.problem.tol
        loop = self._continue(smooth, start, size, tol, plain=plain)
        limit = 100 if self.max_iter is None else self.max_iter
        if not loop.upper.is_exact:
            limit = min(limit, ROUND)
        loop.run(limit, recorder.asked_to_stop)
        recorder.solve(loop.best[1], loop.best[3], loop.preconditioners, loop.n_iter)
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
                recorder.solve(loop.best[1], loop.best[3], loop.preconditioners, n_iter)
        return loop


class SGDSolver(GDSolver):
    """Single loop on minibatches, for more rows than passes over all of them are worth.

    As `GDSolver`, but for rows that are drawn anew for every step, stratified by cell, steps
    that decrease, and weights that are averaged over the last half of the iterations. The loop
    ends where the mean of the last projected hypergradients is no larger than chance makes it.

    Parameters
    ----------
    max_iter : int or None, default=None
        Iterations; None: 200.
    batch_size : int or None, default=None
        Rows of a minibatch; None: 8,192 (four times as many for rates), more for many
        cells.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448 (BADR-SGD); Polyak and Juditsky (1992),
    "Acceleration of stochastic approximation by averaging", SIAM Journal on Control and
    Optimization 30.
    """

    race_decides = False

    def __init__(self, max_iter=None, *, batch_size=None):
        super().__init__(max_iter)
        self.batch_size = batch_size

    def _descend(self, smooth, start, plain, size, rough, recorder):
        limit = 200 if self.max_iter is None else self.max_iter
        rows, n_cells = sum(level.n for level in smooth.levels), smooth.problem.n_cells
        batch_size = max(BATCH if start.upper.is_exact else RATE_BATCH, 128 * n_cells)
        batches = Minibatches(smooth, min(self.batch_size or batch_size, rows), smooth.problem.seed)
        loop = self._continue(smooth, start, size, smooth.problem.tol)
        # Steps that wander are not to end worse than where they set out.
        recorder.solve(loop.weights, loop.pairs, loop.preconditioners, 0)
        descent = StochasticLoop(loop, batches)
        descent.run(limit, recorder.asked_to_stop)
        loop.best = (np.inf, descent.average, None, loop.pairs)
        loop.n_iter, loop.converged = descent.n_iter, descent.converged
        recorder.solve(loop.best[1], loop.best[3], loop.preconditioners, loop.n_iter)
        return loop


class StochasticLoop:
    """The same loop on minibatches, with decreasing steps and an average of the weights.

    Parameters
    ----------
    loop : SingleLoop
        Where to start; its pairs are moved.
    batches : Minibatches
    """

    def __init__(self, loop, batches):
        self.loop, self.batches = loop, batches
        self.weights = self.average = loop.weights
        self.n_iter, self.converged = 0, False
        self._visited, self._gradients = [], []

    def run(self, most, until):
        """Take at most so many iterations."""
        while self.n_iter < most and not self.converged and not until():
            self._iterate()
            if self.n_iter >= 2 * WINDOW and self.n_iter % (WINDOW // 2) == 0:
                self.converged = self._is_stationary()

    def _iterate(self):
        loop = self.loop
        rate = (1.0 + self.n_iter / DELAY) ** -DECREASE
        self.n_iter += 1
        part = self.batches.draw()
        followers = [
            Follower(level, held_out, precondition, pair)
            for level, held_out, precondition, pair in zip(
                part.levels, part.held_out, loop.preconditioners, loop.pairs, strict=True
            )
        ]
        for follower in followers:
            follower.at(self.weights)
            follower.move_parameters(rate)
        parts = [follower.scores for follower in followers]
        value, slope = loop.upper(part, parts[0] if len(parts) == 1 else np.vstack(parts))
        stops = np.cumsum([len(scores) for scores in parts])
        for follower, own in zip(followers, np.split(slope, stops[:-1]), strict=True):
            follower.move_adjoint(own, rate if self.n_iter > 1 else 1.0)
        gradient = sum(follower.hypergradient() for follower in followers)
        if not np.isfinite(value) or not np.isfinite(gradient).all():
            return
        if loop.model.curvature is None:
            loop.model.start(self.weights, gradient, FIRST_RADIUS)
        moved, _ = loop.model.step(self.weights, gradient, rate * FIRST_RADIUS)
        self.weights = self.weights + rate * (moved - self.weights)
        self._visited.append(self.weights)
        self._gradients.append(gradient)
        self.average = np.mean(self._visited[len(self._visited) // 2 :], axis=0)

    def _is_stationary(self):
        """Whether the mean of the last hypergradients is no larger than chance makes it."""
        last = np.array(self._gradients[-WINDOW:])
        model, mean = self.loop.model, last.mean(axis=0)
        centred = last - last.mean(axis=1, keepdims=True)
        error = centred.std(axis=0, ddof=1) / np.sqrt(len(last))
        unit = np.maximum(self.average, 0.01)
        return model.residual(self.average, mean) <= 2.0 * float((unit * error).max())


class _Recorder:
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
        self.add(weights, states, origin, begin, 1 + iteration)

    def retreat(self, weights, pairs, preconditioners):
        """Visit a point a little inside, where the best one is at an edge of the simplex."""
        lowest = self.smooth.resolved_weight
        if weights.min() < 0.5 * lowest:
            inside = project_simplex(weights, minimum=lowest)
            self.solve(inside, pairs, preconditioners, self.visited.n_iter, "inside")


def _value(runner):
    return np.inf if runner.best is None else runner.best[0]


def _apart(runners, distance=0.02):
    """Return the runners, best first, that are not near a better one."""
    chosen = []
    for runner in runners:
        weights = runner.best[1]
        if all(np.abs(weights - other.best[1]).max() > distance for other in chosen):
            chosen.append(runner)
    return chosen
