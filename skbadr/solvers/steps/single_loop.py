"""One loop over parameters, adjoint and weights, each a step at a time."""

from dataclasses import dataclass, field, replace

import numpy as np

from skbadr.lower_level.linear import SAME_HESSIAN
from skbadr.lower_level.newton import SHRINKS
from skbadr.lower_level.state import LinearState
from skbadr.solvers.settings import DEFAULTS
from skbadr.solvers.steps.simplex_model import SimplexModel


class Preconditioner:
    """The inverse of a frozen Hessian: a Cholesky factor, or its diagonal.

    Parameters
    ----------
    level : LinearLowerLevel
    settings : SmoothSettings, default=DEFAULTS
    """

    def __init__(self, level, settings=DEFAULTS):
        self.level = level
        self.left = SHRINKS if level.dense else settings.left_by_diagonal
        self._weights = self._state = None

    def suits(self, weights):
        """Whether no weight has moved far since the Hessian was taken."""
        if self._weights is None:
            return False
        ratio = np.maximum(weights, 1e-3) / np.maximum(self._weights, 1e-3)
        return bool(np.abs(np.log(ratio)).max() <= SAME_HESSIAN)

    def renew(self, weights, coef):
        """Take the Hessian at other weights and parameters."""
        self._weights, level = weights, self.level
        state = level.state_at(weights, coef)
        self._state = state if level.dense else 1.0 / level.hessian_diagonal(state)

    def __call__(self, gradient):
        """Return the preconditioned gradient, of shape (p, m)."""
        if self.level.dense:
            return self.level.hessian_solve(self._state, gradient)
        return np.where(self.level.free, gradient * self._state, 0.0)


@dataclass
class Pair:
    """Parameters and adjoint of one fold, of shape (p, m) each."""

    coef: np.ndarray
    adjoint: np.ndarray | None


@dataclass
class Follower:
    """Parameters and adjoint of one fold on some rows, following the weights.

    A step minimises the quadratic model of the lower level (or of the adjoint system, which has
    the same Hessian) over the plane of the preconditioned gradient and the step before, as
    conjugate gradients do: no step size is left to choose.

    Parameters
    ----------
    level : LinearLowerLevel
    held_out : Design or None
    precondition : Preconditioner
    pair : Pair
        Moved in place.
    """

    level: object
    held_out: object
    precondition: Preconditioner
    pair: Pair
    state: LinearState | None = None
    _curve: object = None
    _along: np.ndarray | None = None
    _last: dict = field(default_factory=dict)

    def copy(self):
        """Return a follower that may be moved without this one."""
        pair = Pair(self.pair.coef, self.pair.adjoint)
        return replace(self, pair=pair, _last=dict(self._last))

    def at(self, weights):
        """Set the weights; the products with X are taken the first time alone."""
        level = self.level
        scores = level.forward(self.pair.coef) if self.state is None else self.state.scores
        weight = level.sample_weight(weights)
        self.state = LinearState(weights, self.pair.coef, scores, weight)
        if not self.precondition.suits(weights):
            self.precondition.renew(weights, self.pair.coef)

    @property
    def scores(self):
        """Scores of the evaluated rows."""
        if self.held_out is None:
            return self.state.scores
        return self.level.forward(self.state.coef, self.held_out)

    def move_parameters(self, rate=1.0):
        """Take a step of the parameters; return its size in the family's scale of scores."""
        level, state = self.level, self.state
        gradient = level.gradient(state.coef, state.scores, state.weight)
        step, image = self._best_step("coef", gradient)
        while not level.family.admissible(state.coef + rate * step) and rate > 1e-10:
            rate *= 0.5
        self.pair.coef = state.coef = state.coef + rate * step
        state.scores, self._curve = state.scores + (rate * image).astype(image.dtype), None
        return rate * self._remember("coef", step, image, level.score_scale)

    def move_adjoint(self, score_gradient, rate=1.0):
        """Take a step of the adjoint; return its size as a share of the adjoint's."""
        level, state, pair = self.level, self.state, self.pair
        if self._along is None:
            self._along = level.forward(pair.adjoint)
        own = score_gradient if self.held_out is None else None
        gradient = level.adjoint_gradient(state, pair.adjoint, self._along, own, self._curvature())
        if own is None:
            gradient = gradient - level.pull_back(score_gradient, self.held_out)
        step, image = self._best_step("adjoint", gradient)
        pair.adjoint = pair.adjoint + rate * step
        self._along = self._along + (rate * image).astype(image.dtype)
        return rate * self._remember("adjoint", step, image, self._size(self._along))

    def hypergradient(self):
        """Return d Phi / d lam as the adjoint has it, of shape (K,)."""
        return self.level.hypergradient_along(self.state, self._along)

    def _best_step(self, kind, gradient):
        step = -self.precondition(gradient)
        image = self.level.forward(step)
        directions, images = [step], [image]
        if not self.level.dense and kind in self._last:
            directions.append(self._last[kind][0])
            images.append(self._last[kind][1])
        curvature = self.level.second_derivative(self.state, directions, images, self._curvature())
        slopes = np.array([np.vdot(gradient, direction) for direction in directions])
        lengths = _minimise(curvature, slopes)
        step = sum(length * d for length, d in zip(lengths, directions, strict=True))
        image = sum(image.dtype.type(s) * im for s, im in zip(lengths, images, strict=True))
        return step, image

    def _curvature(self):
        """Return the losses' curvature at the scores as they are, which several steps share."""
        if self._curve is None:
            self._curve = self.level.curvature_at(self.state)
        return self._curve

    def _remember(self, kind, step, image, unit):
        """Keep a step as a direction of the next one; return its size in some unit."""
        size = self._size(image) / max(unit, 1e-300)
        self._last.pop(kind, None)
        # The direction of what is rounding alone says nothing.
        if not self.level.dense and size > np.finfo(image.dtype).eps:
            self._last[kind] = step, image
        return size

    def _size(self, values):
        """Return the root mean square of values of the training rows, of shape (n, m)."""
        cells = self.level.cells
        squares = np.einsum("nm,nm->n", values, values)
        mean = cells.base_weight @ squares / (cells.totals.sum() * values.shape[1])
        return float(np.sqrt(mean))


class SingleLoop:
    """Parameters, adjoint and weights, moved together until the hypergradient vanishes.

    Parameters
    ----------
    smooth : SmoothProblem
        Of all rows, or of a sample.
    upper : UpperValue
    weights : ndarray of shape (K,)
    pairs : list of Pair
        Where to start, per fold; not changed.
    tol : float
        Share of what was gained so far that a move must promise.
    reference : float
        Value of the baseline model, from which gains count.
    most : int
        Largest number of iterations.
    slant : ndarray of shape (K,) or None, default=None
        Gradient of a linear term that is added, 0 at the start.
    settings : SmoothSettings, default=DEFAULTS

    Attributes
    ----------
    value, weights, pairs
        Of the best point so far.
    converged : bool
        Whether no move promises anything.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448 (BADR-GD); Dagreou, Ablin, Vaiter and
    Moreau (2022), "A framework for bilevel optimization that enables stochastic and global
    variance reduction algorithms", NeurIPS (the single loop).
    """

    def __init__(
        self, smooth, upper, weights, pairs, *, tol, reference, most, slant=None,
        settings=DEFAULTS,
    ):  # fmt: skip
        self.smooth, self.upper, self.tol, self.reference = smooth, upper, tol, reference
        self.most, self.slant, self.settings = most, slant, settings
        self.n_iter, self.converged, self.stopped = 0, False, False
        self.value, self.weights = np.inf, weights
        self._followers = make_followers(
            smooth, [Preconditioner(lv, settings) for lv in smooth.levels], pairs
        )
        self._gradient, self._anchor, self._is_sure = None, weights, False
        self._model = SimplexModel(len(weights), smooth.min_weight, settings)
        self._radius = settings.first_radius

    @property
    def pairs(self):
        """Parameters and adjoints at the best point so far."""
        return [follower.pair for follower in self._followers]

    @property
    def done(self):
        """Whether the loop has ended."""
        return self.converged or self.stopped or self.n_iter >= self.most

    def run(self, most=None):
        """Take at most so many more iterations; return the loop."""
        last = self.most if most is None else min(self.most, self.n_iter + most)
        if self._gradient is None:
            self._begin()
        while self.n_iter < last and not self.done:
            self._iterate()
        return self

    def _begin(self):
        self.value, self._gradient, self._followers = self._look(self.weights)
        # A lower level that diverges leads nowhere.
        self.stopped = not (np.isfinite(self.value) and np.isfinite(self._gradient).all())
        if not self.stopped:
            self._model.start(self.weights, self._gradient, self.settings.first_radius)

    def _iterate(self):
        """Move the weights; go back where the value does not fall."""
        self.n_iter += 1
        moved, predicted = self._model.step(self.weights, self._gradient, self._radius)
        enough = self.tol * max(self.reference - self.value, 1e-3 * abs(self.value))
        residual = self._model.residual(self.weights, self._gradient)
        if residual <= enough or predicted <= enough:
            self._end()
            return
        value, gradient, followers = self._look(moved)
        if not np.isfinite(value):
            self._radius *= 0.25
            return
        self._model.update(moved - self.weights, gradient - self._gradient)
        unit = np.maximum(self.weights, self.settings.small_weight)
        length = float(np.abs((moved - self.weights) / unit).max())
        ratio = (self.value - value) / predicted
        if ratio > 0.5 and length > 0.7 * self._radius:
            self._radius = min(2.0 * self._radius, self.settings.largest_radius)
        elif ratio < 0.1:
            self._radius = 0.35 * length
        if value < self.value:
            self.value, self.weights, self._gradient = value, moved, gradient
            self._followers, self._is_sure = followers, False

    def _end(self):
        """Look at the best point again, whose adjoint may not have been there yet, or end."""
        if not self._is_sure:
            self.value, self._gradient, self._followers = self._look(self.weights, enough=0.0)
            self._radius, self._is_sure = self.settings.first_radius, True
            return
        # Within a small box little is promised everywhere.
        self.converged = self._radius >= self.settings.smallest_radius
        self.stopped = not self.converged

    def _look(self, weights, enough=None):
        """Let parameters and adjoint follow; return value, hypergradient and followers."""
        enough = self.settings.enough if enough is None else enough
        followers = [follower.copy() for follower in self._followers]
        for follower in followers:
            follower.at(weights)
        self._settle(lambda i: followers[i].move_parameters(), enough)
        parts = [follower.scores for follower in followers]
        value, slopes = upper_slopes(self.upper, self.smooth, parts)
        self._settle(lambda i: followers[i].move_adjoint(slopes[i]), enough)
        gradient = sum(follower.hypergradient() for follower in followers)
        if self.slant is not None:
            value = value + float(self.slant @ (weights - self._anchor))
            gradient = gradient + self.slant
        return value, gradient, followers

    def _settle(self, move, enough):
        """Take steps of all folds until what is left is this share of the first one, or none."""
        left, sizes = max(follower.precondition.left for follower in self._followers), []
        least, far = self.settings.sample_inner_tol, self.settings.far_step
        for _ in range(self.settings.most_steps):
            sizes.append(max(move(i) for i in range(len(self._followers))))
            if len(sizes) == 1 and sizes[0] > far:
                left = 1.0
            elif len(sizes) > 1:
                left = min(sizes[-1] / max(sizes[-2], 1e-300), 0.95)
            if sizes[-1] * left <= max(enough * sizes[0], least):
                break


def make_followers(smooth, preconditioners, pairs):
    """Return one follower per fold, which moves copies of the pairs."""
    parts = zip(smooth.levels, smooth.held_out, preconditioners, pairs, strict=True)
    return [Follower(*part).copy() for part in parts]


def upper_slopes(upper, smooth, parts):
    """Return the upper level's value at the scores of all folds, and its gradient in each."""
    value, slope = upper(smooth, parts[0] if len(parts) == 1 else np.vstack(parts))
    return value, np.split(slope, np.cumsum([len(part) for part in parts])[:-1])


def _minimise(curvature, slopes):
    """Return the minimum of a quadratic with these slopes at 0, of which one may be repeated."""
    if len(slopes) == 1:
        return -slopes / max(curvature[0, 0], np.finfo(float).tiny)
    size = np.sqrt(np.maximum(np.diag(curvature), np.finfo(float).tiny))
    scaled = curvature / np.outer(size, size)
    return np.linalg.lstsq(scaled, -slopes / size, rcond=1e-10)[0] / size
