"""One loop over parameters, adjoint and weights, each a step at a time."""

from dataclasses import dataclass, field

import numpy as np

from skbadr.lower_level.state import LinearState
from skbadr.problem.sampling import StratifiedSampler
from skbadr.solvers.simplex_model import SimplexModel

# Rows whose Hessian preconditions that of all, where there are at least twice as many.
SAMPLE = 20_000
# Log ratio of weights from which a preconditioner is renewed.
FAR = 0.7
# Share of a step that is left after it, until it is known: by factor and by diagonal.
LEFT, LEFT_BY_DIAGONAL = 0.1, 0.7
# Share of what a move of the weights changes that may be left before the next one.
ENOUGH = 0.1
# The same in units of the scores, and from which size on a first step says little of the next.
CLOSE, FAR_STEP = 0.01, 0.3
# Size of a step that is made of rounding alone, whose direction says nothing.
NOTHING = 1e-9
# Steps for one move of the weights at most.
MOST_STEPS = 12
# First and largest change of a log weight.
FIRST_RADIUS, LARGEST_RADIUS = 0.5, 3.0
# Below this a box says nothing about what lies beyond it.
SMALL_RADIUS = 0.02


class Preconditioner:
    """The inverse of a frozen Hessian: a Cholesky factor on a sample, or its diagonal.

    Parameters
    ----------
    level : LinearLowerLevel
    seed : int
    """

    def __init__(self, level, seed=0):
        self.level = self.whole = level
        if level.dense and level.cells.n_seen >= 2 * SAMPLE and (level.cells.totals > 0).all():
            rows = StratifiedSampler(level.cells).draw(SAMPLE, np.random.default_rng(seed))
            self.level = level.sample(rows)
        self.left = LEFT if level.dense else LEFT_BY_DIAGONAL
        self._weights = self._state = None

    def warm(self, weights, pair):
        """Return where a solution at some weights may start, with the factor where there is one."""
        scores = self.whole.forward(pair.coef)
        start = LinearState(weights, pair.coef, scores, self.whole.sample_weight(weights))
        if self.level.dense and self.suits(weights):
            start.factor = self._state.factor
        return start

    def suits(self, weights):
        """Whether no weight has moved far since the Hessian was taken."""
        if self._weights is None:
            return False
        ratio = np.maximum(weights, 1e-3) / np.maximum(self._weights, 1e-3)
        return bool(np.abs(np.log(ratio)).max() <= FAR)

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
        if not self.level.dense and size > NOTHING:
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
        Of all rows, or of some.
    upper : UpperValue
    weights : ndarray of shape (K,)
    pairs : list of Pair
        Where to start, per fold; not changed.
    preconditioners : list of Preconditioner
    model : SimplexModel or None, default=None
        With a curvature known from another run.
    tol : float
        Share of what was gained so far that a move must promise.
    reference : float or None, default=None
        Value of the baseline model, from which gains count; None: the first value.
    slant : ndarray of shape (K,) or None, default=None
        Gradient of a linear term that is added.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448 (BADR-GD); Dagreou, Ablin, Vaiter and
    Moreau (2022), "A framework for bilevel optimization that enables stochastic and global
    variance reduction algorithms", NeurIPS (the single loop).
    """

    def __init__(
        self, smooth, upper, weights, pairs, preconditioners, *, model=None, tol, reference=None,
        slant=None,
    ):  # fmt: skip
        self.smooth, self.upper, self.tol = smooth, upper, tol
        self.preconditioners, self.reference, self.slant = preconditioners, reference, slant
        self._anchor = weights
        self.model = model or SimplexModel(len(weights), smooth.min_weight)
        self.weights, self.radius = weights, FIRST_RADIUS
        self.n_iter = 0
        self.converged = self.stopped = self.faltered = False
        self.value, self._move = np.inf, None
        self._left, self._checked = {}, False
        self._follow([Pair(pair.coef, pair.adjoint) for pair in pairs])
        self.best = None

    def _follow(self, pairs):
        self.pairs = pairs
        self.followers = [
            Follower(level, held_out, precondition, pair)
            for level, held_out, precondition, pair in zip(
                self.smooth.levels, self.smooth.held_out, self.preconditioners, pairs, strict=True
            )
        ]

    def run(self, most, until=None):
        """Take at most so many more iterations; return the loop."""
        for _ in range(most):
            if self.converged or self.stopped or (until is not None and until()):
                break
            self._iterate()
        return self

    def _iterate(self):
        self.n_iter += 1
        value, gradient = self._look()
        if self.reference is None:
            self.reference = value
        if self.model.curvature is None:
            self.model.start(self.weights, gradient, FIRST_RADIUS)
        if self._move is not None and not self._judge(value, gradient):
            gradient, self.faltered = self.best[2], True
        if self.best is None or value < self.best[0]:
            pairs = [Pair(pair.coef, pair.adjoint) for pair in self.pairs]
            self.best = value, self.weights, gradient, pairs
        value, weights = self.best[0], self.best[1]
        gained = max(self.reference - value, 1e-3 * abs(value))
        moved, predicted = self.model.step(weights, gradient, self.radius)
        enough = self.tol * gained
        if self.model.residual(weights, gradient) <= enough or predicted <= enough:
            # Within a small box little is promised everywhere.
            self.converged = self.radius >= SMALL_RADIUS
            if not self.converged and not self._checked:
                self._look_again()
                return
            self.stopped = not self.converged
            return
        self._move = moved - weights, gradient, predicted, value
        self.weights = moved

    def _look(self):
        """Let parameters and adjoint follow; return the value and the hypergradient."""
        for follower in self.followers:
            follower.at(self.weights)
        self._settle("coef", lambda f, _: f.move_parameters())
        parts = [follower.scores for follower in self.followers]
        value, slope = self.upper(self.smooth, parts[0] if len(parts) == 1 else np.vstack(parts))
        stops = np.cumsum([len(part) for part in parts])
        slopes = np.split(slope, stops[:-1])
        self._settle("adjoint", lambda f, i: f.move_adjoint(slopes[i]))
        gradient = sum(follower.hypergradient() for follower in self.followers)
        if self.slant is not None:
            value = value + float(self.slant @ (self.weights - self._anchor))
            gradient = gradient + self.slant
        return value, gradient

    def _settle(self, kind, move):
        """Take steps until what is left of them is small beside what the first one did."""
        left = self._left.get(kind, max(p.left for p in self.preconditioners))
        first = before = None
        for _ in range(MOST_STEPS):
            size = max(move(follower, i) for i, follower in enumerate(self.followers))
            if first is None:
                first = size
                left = 1.0 if first > FAR_STEP else left
            else:
                left = min(size / max(before, 1e-300), 0.95)
                self._left[kind] = 0.5 * (left + self._left.get(kind, left))
            before = size
            if size * left <= min(max(ENOUGH * first, 1e-4), CLOSE):
                break

    def _judge(self, value, gradient):
        """Learn from the last move; return whether it was one for the better."""
        step, gradient_before, predicted, value_before = self._move
        self._move = None
        if not np.isfinite(value):
            self.radius *= 0.25
            self._restore()
            return False
        self.model.update(step, gradient - gradient_before)
        unit = np.maximum(self.best[1], 0.01)
        length = float(np.abs(step / unit).max())
        ratio = (value_before - value) / predicted
        if ratio > 0.5 and length > 0.7 * self.radius:
            self.radius = min(2.0 * self.radius, LARGEST_RADIUS)
        elif ratio < 0.1:
            self.radius = 0.35 * length
        if value >= self.best[0]:
            self._restore()
            return False
        return True

    def _look_again(self):
        """Measure the best point once more: its parameters may not have been there yet."""
        self._restore()
        self._checked = True
        value, gradient = self._look()
        pairs = [Pair(pair.coef, pair.adjoint) for pair in self.pairs]
        self.best = value, self.weights, gradient, pairs
        self.radius = FIRST_RADIUS

    def _restore(self):
        """Return to the best point."""
        self.weights = self.best[1]
        self._follow([Pair(pair.coef, pair.adjoint) for pair in self.best[3]])


def _minimise(curvature, slopes):
    """Return the minimum of a quadratic with these slopes at 0, of which one may be repeated."""
    if len(slopes) == 1:
        return -slopes / max(curvature[0, 0], np.finfo(float).tiny)
    size = np.sqrt(np.maximum(np.diag(curvature), np.finfo(float).tiny))
    scaled = curvature / np.outer(size, size)
    return np.linalg.lstsq(scaled, -slopes / size, rcond=1e-10)[0] / size
