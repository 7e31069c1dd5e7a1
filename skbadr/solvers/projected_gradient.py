"""Spectral projected gradients on the simplex, for differentiable upper levels."""

import time

import numpy as np

from skbadr.simplex import project_simplex

# Tolerance of the lower level at the start of a descent.
FIRST_INNER_TOL = 1e-6


class ProjectedGradient:
    """Minimise a smooth metric with exact hypergradients.

    Value and gradient come from one refit and one adjoint solve. Steps are Barzilai-Borwein,
    safeguarded by a non-monotone line search; the lower level is solved the more accurately, the
    nearer the upper level is to its end.

    Parameters
    ----------
    smooth : SmoothProblem
    record : callable ``(weights, states, origin, begin)`` or None
        Called with every refit.
    tol : float
        The search ends when no coordinate of the projected gradient step, scaled by the metric's
        own size, exceeds this.
    max_refits : int
    memory : int, default=5
        Values that the line search compares with.

    References
    ----------
    Birgin, Martinez and Raydan (2000), "Nonmonotone spectral projected gradient methods on convex
    sets", SIAM Journal on Optimization 10.
    """

    def __init__(self, smooth, record, *, tol, max_refits, memory=5):
        self.smooth, self.record = smooth, record
        self.metric, self.minimum = smooth.evaluator.metric, smooth.problem.min_weight
        self.tol, self.max_refits, self.memory = tol, max_refits, memory
        self.n_refits = 0
        self.converged = False

    def value_and_gradient(self, weights, starts, inner_tol):
        """Return the metric, its gradient in the weights, and the states."""
        begin = time.perf_counter()
        self.n_refits += 1
        states = self.smooth.solve(weights, starts, tol=inner_tol)
        scores = self.smooth.scores(states)
        value, slope = self.smooth.metric_gradient(scores)
        if self.record is not None:
            self.record(weights, states, "gradient", begin)
        gradient = self.smooth.hypergradient(states, slope, tol=min(1e-6, inner_tol))
        return value, gradient, states

    def begin(self, weights, starts=None):
        """Take the first value and gradient at some weights."""
        self.weights = project_simplex(weights, minimum=self.minimum)
        self.value, self.gradient, self.states = self.value_and_gradient(
            self.weights, starts, FIRST_INNER_TOL
        )

    def run(self):
        """Descend; return the best value, weights and states."""
        weights, value = self.weights, self.value
        gradient, states, inner_tol = self.gradient, self.states, FIRST_INNER_TOL
        size = max(abs(value), 1e-12)
        recent, best = [value], (value, weights, states)
        step = 1.0 / max(np.abs(gradient).max(), 1e-300) * 0.1
        while self.n_refits < self.max_refits:
            direction = project_simplex(weights - step * gradient, minimum=self.minimum) - weights
            unit = project_simplex(weights - gradient / size, minimum=self.minimum) - weights
            residual = float(np.abs(unit).max())
            if residual <= self.tol:
                self.converged = True
                break
            inner_tol = float(np.clip(1e-4 * residual, 1e-11, inner_tol))
            slope, length = float(gradient @ direction), 1.0
            if slope > -1e-15 * size:
                break
            moved = False
            while self.n_refits < self.max_refits and length > 1e-8:
                trial = weights + length * direction
                new = self.value_and_gradient(trial, states, inner_tol)
                if new[0] <= max(recent) + 1e-4 * length * slope:
                    moved = True
                    break
                # Minimiser of the parabola through both values and the slope, kept inside.
                curvature = 2.0 * (new[0] - value - length * slope)
                ideal = -slope * length**2 / curvature if curvature > 0 else 0.0
                length = float(np.clip(ideal, 0.1 * length, 0.5 * length))
            if not moved:
                break
            change, bend = trial - weights, new[1] - gradient
            along = float(change @ bend)
            step = float(change @ change) / along if along > 0 else 10.0 * step
            step = float(np.clip(step, 1e-10, 1e10))
            weights, (value, gradient, states) = trial, new
            recent = [*recent[1 - self.memory :], value] if self.memory > 1 else [value]
            if value < best[0]:
                best = (value, weights, states)
        return best
