"""Projected Gauss-Newton steps on the simplex, for differentiable upper levels."""

import time
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from skbadr._simplex import project_simplex
from skbadr.problem.smooth.folds import MANY_ROWS
from skbadr.solvers.settings import DEFAULTS
from skbadr.solvers.steps.point import Point

# Cells up to which the moves of each score are kept.
DENSE_CELLS = 24


class GaussNewton:
    """Minimise a smooth metric over the simplex, with exact hypergradients.

    The derivative of the scores in the log weights gives the hypergradient and, with the metric
    of linearly moved scores, a model that needs no further refit. Steps minimise that model by
    projected gradients within a trust region; where there are many rows it is evaluated on some
    of them, with a linear term that makes its gradient exact.

    A step u multiplies weight k by ``exp(u_k)``, or by ``1 + u_k`` where it shrinks: scores are
    smooth in a weight that goes to 0, so that one step reaches the edge of the simplex. Weights
    below 0.01 move by ``0.01 u_k``, so that one step also leads away from there.

    Parameters
    ----------
    smooth : SmoothProblem
    record : callable ``(weights, states, origin, begin) -> bool`` or None
        Called with every refit; True ends the descent.
    tol : float
        The search ends when a step promises less than this share of what was gained, or the
        projected gradient is that much smaller still.
    max_refits : int
    inner_tol : float
        Tolerance of the lower level.
    metric : FairnessMetric or None, default=None
        Minimised in place of the problem's own.
    slant : ndarray of shape (K,) or None, default=None
        Gradient in the weights of a linear term that is added to the metric, 0 at the start.
    settings : SmoothSettings, default=DEFAULTS

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448: the hypergradient. Bertsekas (1982),
    "Projected Newton methods for optimization problems with simple constraints", SIAM Journal on
    Control and Optimization 20.
    """

    def __init__(
        self, smooth, record, *, tol, max_refits, inner_tol, metric=None, slant=None,
        settings=DEFAULTS,
    ):  # fmt: skip
        self.smooth, self.record, self.slant, self.settings = smooth, record, slant, settings
        self.metric = smooth.evaluator.metric if metric is None else metric
        self.minimum = smooth.min_weight
        self.tol, self.max_refits, self.inner_tol = tol, max_refits, inner_tol
        self.n_refits = 0
        self.converged, self.stopped = False, False
        self.point, self.radius = None, 1.0

    @property
    def value(self):
        """Best value so far."""
        return self.point.value

    @property
    def weights(self):
        """Weights of the best point so far."""
        return self.point.weights

    @property
    def done(self):
        """Whether the descent has ended."""
        return self.stopped or self.converged or self.n_refits >= self.max_refits

    @property
    def exhausted(self):
        """Whether the budget ended the descent."""
        return not self.converged and self.n_refits >= self.max_refits

    def evaluate(self, weights, starts):
        """Return the `Point` at some weights, without its derivatives."""
        begin = time.perf_counter()
        self.n_refits += 1
        states = self.smooth.solve(weights, starts, tol=self.inner_tol)
        scores = self.smooth.scores(states)
        value, slope = self.smooth.metric_gradient(scores, metric=self.metric)
        if self.slant is not None:
            value += float(self.slant @ (weights - self._anchor))
        if self.record is not None and self.record(weights, states, "gradient", begin):
            self.stopped = True
        return Point(weights, states, value, scores=scores, slope=slope)

    def begin(self, weights, starts=None, reference=None):
        """Start from some weights.

        Parameters
        ----------
        weights : ndarray of shape (K,)
        starts : list of LinearState or None, default=None
            States near them.
        reference : float or None, default=None
            Value of the baseline model; None: that at `weights`.
        """
        self._anchor = project_simplex(weights, minimum=self.minimum)
        self.point = self.evaluate(self._anchor, starts)
        self.reference = self.point.value if reference is None else reference
        return self

    def go_on(self, point, reference):
        """Start from a `Point` that another metric has led to: only its value is another."""
        value, slope = self.smooth.metric_gradient(point.scores, metric=self.metric)
        self._anchor, self.reference = point.weights, reference
        self.point = replace(point, value=value, slope=slope, gradient=None)
        return self

    def run(self, most=None):
        """Descend, for `most` more refits at most; return the descent."""
        limit = self.max_refits if most is None else min(self.max_refits, self.n_refits + most)
        while self.n_refits < limit and not self.stopped and not self.converged:
            if not self._step(limit):
                self.stopped = True
        return self

    def _step(self, limit):
        """Move to a better point; return whether there is one, or the end is not yet certain."""
        point = self.point
        if point.gradient is None:
            self._derive(point)
        model = ScoreModel(self.smooth, point, self.metric)
        while self.n_refits < limit and not self.stopped:
            step, predicted = model.minimise(*self._box(point.weights, self.radius))
            gained = max(self.reference - point.value, 1e-3 * abs(point.value))
            if predicted <= self.tol * gained or self.residual(point) <= 1e-3 * self.tol:
                if point.exact:
                    self.converged = True
                    return True
                model = self._exact_model(point)
                continue
            longest = np.abs(step).max()
            trial = self._move(point, step)
            ratio = (point.value - trial.value) / predicted
            if ratio > 0.75 and longest > 0.9 * self.radius:
                self.radius = min(2.0 * self.radius, self.settings.largest_radius)
            elif ratio < 0.25:
                self.radius = 0.35 * longest
            if ratio > 1e-4:
                self.point = trial
                return True
            if self.radius < 1e-4:
                return False
            if not point.exact:
                model = self._exact_model(point)
        return True

    def _derive(self, point):
        """Set the derivatives of a point, those of its parameters if they are not known."""
        if point.parameters is None:
            unit = np.maximum(point.weights, self.settings.small_weight) / point.weights
            moves = self.smooth.parameter_moves(point.states, exact=point.exact)
            point.parameters = [moved * unit for moved in moves]
        point.gradient = self.smooth.gradient_along(point.parameters, point.slope)
        if self.slant is not None:
            unit = np.maximum(point.weights, self.settings.small_weight)
            point.gradient = point.gradient + unit * (self.slant - point.weights @ self.slant)

    def _exact_model(self, point):
        """Return the model of a step by the Hessian at the solution: at an end, or misled."""
        point.parameters, point.exact = None, True
        self._derive(point)
        return ScoreModel(self.smooth, point, self.metric)

    def residual(self, point):
        """Return the largest entry of the projected gradient in the log weights.

        In units of the metric's value; weights at their minimum may not shrink.
        """
        size = max(abs(point.value), 1e-300)
        lower, upper = self._box(point.weights, 1.0)
        return float(np.abs(np.clip(-point.gradient / size, lower, upper)).max())

    def _box(self, weights, radius):
        """Return bounds of a step.

        Growing all weights is no step. That freedom is kept while every weight may shrink, as
        it then shortens the way to a vertex, and otherwise taken from the largest weight, so
        that no step grows others to shrink what may not.
        """
        unit = np.maximum(weights, self.settings.small_weight)
        lower = np.maximum(np.minimum((self.minimum - weights) / unit, 0.0), -radius)
        upper = np.full(len(weights), radius)
        if (weights <= self.minimum * (1.0 + 1e-6)).any():
            largest = np.argmax(weights)
            lower[largest] = upper[largest] = 0.0
        return lower, upper

    def _move(self, point, step):
        unit = np.maximum(point.weights, self.settings.small_weight)
        grown = (step > 0) & (point.weights >= self.settings.small_weight)
        weights = np.where(
            grown, point.weights * np.exp(np.maximum(step, 0.0)), point.weights + unit * step
        )
        weights = project_simplex(weights / weights.sum(), minimum=self.minimum)
        starts = []
        for level, state, moved in zip(
            self.smooth.levels, point.states, point.parameters, strict=True
        ):
            coef = state.coef + moved @ step
            if level.family.admissible(coef):
                scores = level.forward(coef)
                state = replace(state, coef=coef, scores=scores)
            starts.append(state)
        return self.evaluate(weights, starts)


class ScoreModel:
    """The metric of linearly moved scores, as a function of a step in the log weights."""

    def __init__(self, smooth, point, metric):
        self.smooth, self.metric = smooth, metric
        self.many = len(point.weights) > DENSE_CELLS
        # Of some rows, if there are many: groups that tie on all rows do not on a few.
        self.data, self.scores, self.moved, _ = smooth.linearised(
            point.scores, point.parameters, MANY_ROWS // 2, many=self.many
        )
        if not self.many:  # one product of matrices, where one for each row would cost more
            self.moved = self.moved.reshape(-1, len(point.weights))
        self.value, gradient = self._evaluate(np.zeros(len(point.weights)))
        # The gradient at the point is that of all rows, and of the linear term.
        self.correction = point.gradient - gradient

    def _evaluate(self, step):
        along = (self.moved @ step).reshape(self.scores.shape)
        value, slope = self.smooth.metric_gradient(self.scores + along, self.data, self.metric)
        if self.many:
            return value, self.moved.pull_back(slope)
        return value, slope.ravel() @ self.moved

    def minimise(self, lower, upper):
        """Return the best step within bounds, and the decrease that it promises."""

        def model(step):
            value, gradient = self._evaluate(step)
            change = (value - self.value) + float(np.sum(self.correction * step))
            return change / size, (gradient + self.correction) / size

        size = max(abs(self.value), 1e-300)
        bounds = np.column_stack([lower, upper])
        start = np.zeros(len(lower))
        options = {"maxiter": 10, "ftol": 1e-7, "gtol": 1e-7}
        found = minimize(model, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        return found.x, -float(found.fun) * size
