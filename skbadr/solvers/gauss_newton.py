"""Projected Gauss-Newton steps on the simplex, for differentiable upper levels."""

import time
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from skbadr._simplex import project_simplex

# Rows on which a step's model of the metric is evaluated, where there are more: of smooth metrics,
# and of kinked ones, as groups that tie on all rows do not on some.
MODEL_ROWS, KINKED_ROWS = 2_000, 20_000
# Longest step: a weight grows by at most this many natural logarithms at once.
LARGEST_RADIUS = 3.0
# Weights below this move on a linear scale.
SMALL_WEIGHT = 0.01
# Cells up to which how each score moves is kept, and trial steps of each length at most, where a
# metric is kinked: more find steps that are better by less than a thousandth of a loss.
DENSE_CELLS, MOST_TRIALS = 24, 40
# Tolerance of the first solutions of the lower level.
FIRST_INNER_TOL = 1e-5


@dataclass
class Point:
    """Lower-level solutions at some weights, and how they move with the weights.

    Attributes
    ----------
    weights : ndarray of shape (K,)
    states : list of LinearState
        One per fold.
    value : float
        Of the metric.
    scores, slope : ndarray of shape (n, m)
        And the metric's derivative in them.
    parameters : list of ndarray of shape (p, m, K)
        Derivatives in a step, per fold.
    gradient : ndarray of shape (K,)
        Of the metric, in a step.
    """

    weights: np.ndarray
    states: list
    value: float
    scores: np.ndarray
    slope: np.ndarray
    parameters: list | None = None
    gradient: np.ndarray | None = None


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
    record : callable ``(weights, states, origin, begin, value) -> bool`` or None
        Called with every refit; True ends the descent.
    tol : float
        The search ends when a step promises less than this share of what was gained, or the
        projected gradient is that much smaller still.
    max_refits : int
    inner_tol : float
        Tolerance of the lower level at the end; it is looser at first.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448: the hypergradient. Bertsekas (1982),
    "Projected Newton methods for optimization problems with simple constraints", SIAM Journal on
    Control and Optimization 20.
    """

    def __init__(self, smooth, record, *, tol, max_refits, inner_tol):
        self.smooth, self.record = smooth, record
        self.minimum = smooth.min_weight
        self.tol, self.max_refits, self.inner_tol = tol, max_refits, inner_tol
        self.rng = np.random.default_rng(smooth.problem.seed)
        self.n_refits = 0
        self.converged, self.stopped = False, False
        self.point, self.radius = None, 1.0
        self._tol = max(FIRST_INNER_TOL, inner_tol)

    @property
    def exhausted(self):
        """Whether the budget ended the descent."""
        return not self.converged and self.n_refits >= self.max_refits

    def evaluate(self, weights, starts):
        """Return the `Point` at some weights, without its derivatives."""
        begin = time.perf_counter()
        self.n_refits += 1
        states = self.smooth.solve(weights, starts, tol=self._tol)
        scores = self.smooth.scores(states)
        value, slope = self.smooth.metric_gradient(scores)
        if self.record is not None and self.record(weights, states, "gradient", begin, value):
            self.stopped = True
        return Point(weights, states, value, scores, slope)

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
        self.point = self.evaluate(project_simplex(weights, minimum=self.minimum), starts)
        self.reference = self.point.value if reference is None else reference
        return self

    def run(self, most=None):
        """Descend, for `most` more refits at most; return the best point so far."""
        limit = self.max_refits if most is None else min(self.max_refits, self.n_refits + most)
        while self.n_refits < limit and not self.stopped and not self.converged:
            if not self._step(limit):
                self.stopped = True
        return self.point

    def _step(self, limit):
        """Move to a better point; return whether there is one, or the end is not yet certain."""
        point = self.point
        if point.parameters is None:
            parameters, gradient = self.smooth.derivatives(point.states, point.slope)
            unit = np.maximum(point.weights, SMALL_WEIGHT) / point.weights
            point.parameters = [moved * unit for moved in parameters]
            point.gradient = gradient * unit
        model = ScoreModel(self.smooth, point, self.rng)
        while self.n_refits < limit and not self.stopped:
            step, predicted = model.minimise(*self._box(point.weights, self.radius))
            gained = max(self.reference - point.value, 1e-3 * abs(point.value))
            if predicted <= self.tol * gained or self.residual(point) <= 1e-3 * self.tol:
                self.converged = self._tol <= self.inner_tol
                if not self.converged:
                    self._tol = self.inner_tol
                    self.point = self.evaluate(point.weights, point.states)
                return True
            longest = np.abs(step).max()
            self._tol = float(np.clip(1e-3 * longest, self.inner_tol, self._tol))
            trial = self._move(point, step)
            ratio = (point.value - trial.value) / predicted
            if ratio > 0.75 and longest > 0.9 * self.radius:
                self.radius = min(2.0 * self.radius, LARGEST_RADIUS)
            elif ratio < 0.25:
                self.radius = 0.35 * longest
            if ratio > 1e-4:
                self.point = trial
                return True
            if self.radius < 1e-4:
                return False
        return True

    def retreat(self, record):
        """Visit a point a little inside where the best one lies at the edge of the simplex.

        The estimator's own solver may fail where a cell weighs next to nothing.
        """
        lowest = self.smooth.resolved_weight
        if self.point.weights.min() < 0.5 * lowest:
            begin = time.perf_counter()
            inside = project_simplex(self.point.weights, minimum=lowest)
            states = self.smooth.solve(inside, self.point.states, tol=self._tol)
            record(inside, states, "inside", begin)

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
        unit = np.maximum(weights, SMALL_WEIGHT)
        lower = np.maximum(np.minimum((self.minimum - weights) / unit, 0.0), -radius)
        upper = np.full(len(weights), radius)
        if (weights <= self.minimum * (1.0 + 1e-6)).any():
            largest = np.argmax(weights)
            lower[largest] = upper[largest] = 0.0
        return lower, upper

    def _move(self, point, step):
        unit = np.maximum(point.weights, SMALL_WEIGHT)
        grown = (step > 0) & (point.weights >= SMALL_WEIGHT)
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

    def __init__(self, smooth, point, rng):
        self.smooth, self.rng = smooth, rng
        most = KINKED_ROWS if smooth.evaluator.metric.kinked else MODEL_ROWS
        self.many = len(point.weights) > DENSE_CELLS
        self.data, self.scores, self.moved, rows = smooth.linearised(
            point.scores, point.parameters, most, many=self.many
        )
        self.value, gradient = self._evaluate(np.zeros(len(point.weights)))
        self.correction = 0.0 if rows is None else point.gradient - gradient

    def _evaluate(self, step):
        value, slope = self.smooth.metric_gradient(self.scores + self.moved @ step, self.data)
        if self.many:
            return value, self.moved.pull_back(slope)
        return value, np.einsum("nm,nmk->k", slope, self.moved)

    def _value(self, step):
        """Return the change of the metric along a step."""
        scores = self.scores + self.moved @ step
        value, _ = self.smooth.metric_gradient(scores, self.data)
        return (value - self.value) + float(np.sum(self.correction * step))

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
        step, change = found.x, float(found.fun)
        if self.smooth.evaluator.metric.kinked:
            # Gradients stall where groups tie; trials by value do not.
            for spread in upper.max() * 0.4 ** np.arange(6):
                size_of = (min(8 + 2 * len(lower), MOST_TRIALS), len(lower))
                trials = step + spread * self.rng.standard_normal(size_of)
                trials = np.clip(trials, bounds[:, 0], bounds[:, 1])
                values = [self._value(trial) / size for trial in trials]
                best = int(np.argmin(values))
                if values[best] < change:
                    step, change = trials[best], values[best]
        return step, -change * size
