"""BADR-SGD: a single loop over parameters, adjoint and weights, on minibatches."""

from __future__ import annotations

import numpy as np

from skbadr._simplex import project_simplex
from skbadr._typing import Int
from skbadr.problem.sampling import Minibatches
from skbadr.solvers.correction import is_cheap
from skbadr.solvers.gradient_descent import FINE_TOL, RACE_TOL, SHORT, GDSolver
from skbadr.solvers.race import race
from skbadr.solvers.simplex_model import SimplexModel
from skbadr.solvers.single_loop import FIRST_RADIUS, Follower, Pair
from skbadr.solvers.smooth import is_smooth
from skbadr.solvers.variance_reduction import solve_pairs

# Rows of a minibatch.
BATCH = 8_192
# Rows of a minibatch for each column, with fewer of which its solution is another.
PER_COLUMN = 16
# Iterations.
ITERATIONS = 40
# Iterations without, and half life of, the decrease of stochastic steps, and its exponent.
DELAY, DECREASE = 10.0, 0.6
# Factors of stochastic steps that point on along the last one, or turn back.
BOLDER, SHYER = 1.2, 0.8
# Iterations before, and between, tests of the hypergradients' mean.
FIRST_TEST, NEXT_TEST = 40, 20
# Iterations without any move, as at a vertex, after which no more are made.
STILL = 5
# Relative change of the medians between tests below which they rest.
REST = 0.02
# Share of the baseline model's value that is rounding.
ROUNDING = 1e-12
# Share of what was gained that chance may make of that mean.
LITTLE = 0.1


class SGDSolver(GDSolver):
    """Single loop on minibatches, for more rows than passes over all of them are worth.

    This is `GDSolver` with three changes. Each step draws new rows, stratified by cell. Steps
    decrease. The result is the median of the weights of the last half of the iterations. The loop
    ends when the mean of the last projected hypergradients is small and no larger than chance
    would make it.

    Parameters
    ----------
    max_iter : int or None, default=None
        Iterations; None: 40, or half as many if steps on a sample follow or smooth metrics are
        used.
    batch_size : int or None, default=None
        Rows of a minibatch; None: 8,192, or 128 for each cell, or 16 for each dense column,
        whichever is most.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448 (BADR-SGD); Polyak and Juditsky (1992),
    "Acceleration of stochastic approximation by averaging", SIAM Journal on Control and
    Optimization 30.
    """

    # Minibatches from all over X say more of the next round than some rows do.
    sharpens_few = False

    def __init__(self, max_iter: Int | None = None, *, batch_size: Int | None = None) -> None:
        super().__init__(max_iter)
        self.batch_size = batch_size

    def _search_all(self, smooth, baseline, size, recorder):
        finalists = race(
            smooth, baseline, size, tol=max(smooth.problem.tol, RACE_TOL), most=SHORT, n_finalists=1
        )
        start = self._sharpen(smooth, finalists[0], size)
        return self._descend([start], baseline, size, recorder, smooth.problem.tol)

    def _descend(self, starts, baseline, size, recorder, tol):
        """Run minibatches from the best of several starts, all rows being no more than drawn."""
        smooth = recorder.smooth
        sample = smooth if recorder.sample is None else recorder.sample.smooth
        loops = [self._continue(sample, start, size, tol, baseline=baseline) for start in starts]
        loop = min(loops, key=lambda loop: loop.first_value)
        begun = loop.weights, [Pair(pair.coef, pair.adjoint) for pair in loop.pairs]
        n_cells = smooth.problem.n_cells
        # What a race on few rows learnt about curvature, far from here, would mislead.
        loop.model = SimplexModel(n_cells, smooth.min_weight)
        exact = loop.upper.is_exact
        batch_size = self.batch_size or max(
            BATCH, 128 * n_cells, PER_COLUMN * _dense_columns(smooth)
        )
        batch_size = min(batch_size, smooth.n_seen)
        if recorder.sample is None:
            batches = Minibatches(smooth, batch_size, smooth.problem.seed)
        else:
            batches = recorder.sample.batches.resized(batch_size)
        limit = ITERATIONS if self.max_iter is None else self.max_iter
        descent = StochasticLoop(loop, batches)
        # Half will do of a surrogate, as rows that stand for all have been searched before, and
        # where more steps follow on a sample.
        short = recorder.sample is not None or not exact
        descent.run((limit + 1) // 2 if short else limit, recorder.asked_to_stop)
        loop.best = (np.inf, descent.average, None, loop.pairs)
        loop.n_iter, loop.converged = descent.n_iter, False
        if not is_cheap(smooth):
            loop.converged = descent.converged
            found = recorder.solve_best(loop, loop.n_iter)
            cost = smooth.problem.objective.cost(found.metric)
            worse = cost > loop.first_value + ROUNDING * abs(size)
            if not np.isfinite(cost) or worse or loop.upper.score_of is not None:
                # Steps that wander are not to end worse than where they set out.
                loop.best = (np.inf, begun[0], None, begun[1])
                recorder.solve_best(loop, loop.n_iter)
        elif sample is not smooth:
            self._correct_sample(loop, tol)
            if is_smooth(smooth.problem):
                value = _value_at(loop, *begun)
                if not loop.best[0] <= value:
                    loop.best = (value, begun[0], None, begun[1])
        return loop


def _value_at(loop, weights, pairs):
    """Return the upper level's value at the solution for some weights, on the rows of a loop."""
    states = solve_pairs(loop.smooth, weights, pairs, FINE_TOL)
    return loop.upper(loop.smooth, loop.smooth.scores(states))[0]


def _dense_columns(smooth):
    """Return the number of columns, 0 where X is sparse: there, each is in few rows anyway."""
    return max(0 if level.X.is_sparse else level.d for level in smooth.levels)


class StochasticLoop:
    """The same loop on minibatches, with decreasing steps and a median of the weights.

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
        self._visited, self._gradients, self._values = [], [], []
        self._boldness, self._rested = 1.0, self.weights

    def run(self, most, until):
        """Take at most so many iterations."""
        while self.n_iter < most and not self.converged and not until():
            self._iterate()
            if self._is_still():
                self.converged, self.average = True, self.weights
            elif self.n_iter >= FIRST_TEST and self.n_iter % NEXT_TEST == 0:
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
            if not gradient.any():
                return
            loop.model.start(self.weights, gradient, FIRST_RADIUS)
        self._embolden(gradient)
        damped = rate * self._boldness * gradient
        self.weights, _ = loop.model.step(self.weights, damped, rate * FIRST_RADIUS)
        self._visited.append(self.weights)
        self._gradients.append(gradient)
        self._values.append(value)
        # Means would keep away from the edges that the weights only ever bounce off.
        last = np.median(self._visited[len(self._visited) // 2 :], axis=0)
        self.average = project_simplex(last / last.sum(), minimum=loop.model.minimum)

    def _embolden(self, gradient):
        """Lengthen steps while one points on along the last, shorten them where it turns back.

        Of pure noise, half do either, and steps become shorter.
        """
        if len(self._visited) > 1:
            onward = gradient @ (self._visited[-1] - self._visited[-2]) < 0
            self._boldness *= BOLDER if onward else SHYER
            self._boldness = float(np.clip(self._boldness, 0.05, 50.0))

    def _is_still(self):
        """Whether the weights have not moved for some time: every hypergradient holds them."""
        last = self._visited[-STILL:]
        return len(last) == STILL and all(np.array_equal(w, last[0]) for w in last)

    def _is_stationary(self):
        """Whether the mean hypergradient of the last half is no larger than chance makes it.

        And chance small enough: what a log weight may still gain is little beside what was.
        """
        half = len(self._gradients) // 2
        last = np.array(self._gradients[half:])
        model, mean = self.loop.model, last.mean(axis=0)
        centred = last - last.mean(axis=1, keepdims=True)
        error = centred.std(axis=0, ddof=1) / np.sqrt(len(last))
        chance = 2.0 * float((np.maximum(self.average, 0.01) * error).max())
        gained = self.loop.reference - np.mean(self._values[half:])
        if model.residual(self.average, mean) <= chance <= LITTLE * gained:
            return True
        before, self._rested = self._rested, self.average
        moved = np.abs(self.average - before) / np.maximum(before, 0.01)
        return bool(moved.max() <= REST)
