"""BADR-SGD: the single loop on minibatches, with decreasing steps and averaged weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skbadr._simplex import project_simplex
from skbadr._typing import Int
from skbadr.problem.sampling import Minibatches
from skbadr.solvers.gd import GDSolver
from skbadr.solvers.steps.simplex_model import SimplexModel
from skbadr.solvers.steps.single_loop import (
    Preconditioner,
    make_followers,
    upper_slopes,
)

if TYPE_CHECKING:
    from skbadr.solvers.gd import Run


class SGDSolver(GDSolver):
    """Single loop on minibatches, for more rows than passes over all of them are worth.

    From the starting point on, each step draws new rows, stratified by cell. Steps decrease, and
    the weights of the last half of the iterations are averaged. The last iterations are those of
    `GDSolver`.

    Parameters
    ----------
    max_iter : int or None, default=None
        Iterations, at most 40 of them on minibatches; None: 250.
    batch_size : int or None, default=None
        Rows of a minibatch; None: 8,192, or 128 for each cell if that is more.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448 (BADR-SGD); Polyak and Juditsky (1992),
    "Acceleration of stochastic approximation by averaging", SIAM Journal on Control and
    Optimization 30.
    """

    def __init__(self, max_iter: Int | None = None, *, batch_size: Int | None = None) -> None:
        super().__init__(max_iter)
        self.batch_size = batch_size

    def _descend(self, run: Run) -> None:
        """Move on minibatches; keep the average if it is better than the starting point."""
        smooth, settings = run.smooth, self.settings
        size = self.batch_size or max(settings.batch, settings.per_cell * smooth.problem.n_cells)
        batches = Minibatches(smooth, min(size, smooth.n_seen), smooth.problem.seed)
        loop = StochasticLoop(run.loop, batches, settings)
        n_iter = min(settings.n_batches, run.left)
        for _ in range(n_iter):
            loop.iterate()
        run.left -= n_iter
        first = run.loop_from(run.loop.weights, run.loop.pairs, run.left).run(0)
        moved = run.loop_from(loop.average(), loop.pairs, run.left).run(0)
        run.loop = moved if moved.value < first.value else first
        if not run.samples:
            run.loop.run()
            run.left -= run.loop.n_iter


class StochasticLoop:
    """The single loop on minibatches.

    Parameters
    ----------
    loop : SingleLoop
        Where to start; not changed.
    batches : Minibatches
    settings : SmoothSettings
    """

    def __init__(self, loop, batches, settings):
        self.upper, self.batches, self.settings = loop.upper, batches, settings
        self.weights, self.pairs = loop.weights, loop.pairs
        self.preconditioners = [Preconditioner(level, settings) for level in loop.smooth.levels]
        self.model = SimplexModel(len(loop.weights), loop.smooth.min_weight, settings)
        self.visited = []

    def iterate(self):
        """Take a step of parameters, adjoint and weights on a minibatch."""
        settings = self.settings
        rate = (1.0 + len(self.visited) / settings.delay) ** -settings.decrease
        part = self.batches.draw()
        followers = make_followers(part, self.preconditioners, self.pairs)
        for follower in followers:
            follower.at(self.weights)
            follower.move_parameters(rate)
        _, slopes = upper_slopes(self.upper, part, [follower.scores for follower in followers])
        for follower, slope in zip(followers, slopes, strict=True):
            follower.move_adjoint(slope, rate if self.visited else 1.0)
        gradient = sum(follower.hypergradient() for follower in followers)
        if np.isfinite(gradient).all() and gradient.any():
            if self.model.curvature is None:
                self.model.start(self.weights, gradient, settings.first_radius)
            radius = rate * settings.first_radius
            self.weights, _ = self.model.step(self.weights, rate * gradient, radius)
        self.pairs = [follower.pair for follower in followers]
        self.visited.append(self.weights)

    def average(self):
        """Return the average of the weights of the last half of the iterations."""
        if not self.visited:
            return self.weights
        mean = np.mean(self.visited[len(self.visited) // 2 :], axis=0)
        return project_simplex(mean, minimum=self.model.minimum)
