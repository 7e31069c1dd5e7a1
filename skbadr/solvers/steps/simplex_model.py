"""A quadratic model of the upper level on the simplex, learnt from hypergradients."""

import numpy as np

from skbadr._simplex import project_simplex
from skbadr.solvers.settings import DEFAULTS


class SimplexModel:
    """Hypergradient and curvature of the upper level, and the step that they suggest.

    Curvature starts as a multiple of that of the entropy, so that a first step changes the
    weights by similar factors, and is then learnt by damped BFGS updates. No step size is left
    to choose: steps minimise the model within a box that widens and shrinks with how well it
    predicts.

    Parameters
    ----------
    n_cells : int
    minimum : float
        Smallest weight.
    settings : SmoothSettings, default=DEFAULTS

    Attributes
    ----------
    curvature : ndarray of shape (K, K) or None
        None before the first step.

    References
    ----------
    Powell (1978), "A fast algorithm for nonlinearly constrained optimization calculations",
    Numerical Analysis, Lecture Notes in Mathematics 630: damped updates.
    """

    def __init__(self, n_cells, minimum, settings=DEFAULTS):
        self.n_cells, self.minimum = n_cells, minimum
        self.small, self.damping = settings.small_weight, settings.damping
        self.curvature = None

    def box(self, weights, radius):
        """Return the bounds of a step: radius is the largest change of a log weight."""
        unit = np.maximum(weights, self.small)
        lower = np.maximum(self.minimum - weights, -radius * unit)
        return np.minimum(lower, 0.0), radius * unit

    def start(self, weights, gradient, length):
        """Set a first curvature by which the best step changes no log weight by more."""
        unit = np.maximum(weights, self.small)
        centred = gradient - unit @ gradient / unit.sum()
        steepest = max(float(np.abs(centred).max()), np.finfo(float).tiny)
        self.curvature = np.diag(steepest / (length * unit))

    def step(self, weights, gradient, radius):
        """Return the step within the box that minimises the model, and the decrease predicted."""
        lower, upper = self.box(weights, radius)
        step = minimise_in_box(self.curvature, gradient, lower, upper)
        predicted = -(gradient @ step + 0.5 * step @ self.curvature @ step)
        moved = project_simplex(weights + step, minimum=self.minimum)
        return moved, float(predicted)

    def update(self, step, change):
        """Learn from the change of the gradient along a step."""
        # A constant in the gradient has no effect on the simplex.
        change = change - change.mean()
        bent = self.curvature @ step
        expected, seen = float(step @ bent), float(step @ change)
        if expected <= 0:
            return
        if seen < self.damping * expected:
            share = (1.0 - self.damping) * expected / (expected - seen)
            change = share * change + (1.0 - share) * bent
            seen = float(step @ change)
        self.curvature += np.outer(change, change) / seen - np.outer(bent, bent) / expected

    def residual(self, weights, gradient):
        """Return the largest slope in a log weight that may move downhill.

        In units of what the gradient is of; 0 where the weights are stationary on the simplex.
        """
        unit = np.maximum(weights, self.small)
        free = weights > self.minimum * (1.0 + 1e-6)
        level = unit[free] @ gradient[free] / unit[free].sum()
        slope = unit * (gradient - level)
        return float(np.abs(np.where(free, slope, np.minimum(slope, 0.0))).max())


def minimise_in_box(curvature, gradient, lower, upper):
    """Minimise ``g's + s'Bs / 2`` over ``sum(s) = 0, lower <= s <= upper`` by active sets.

    Parameters
    ----------
    curvature : ndarray of shape (K, K)
        Positive definite on steps that sum to zero.
    gradient, lower, upper : ndarray of shape (K,)
        With ``lower <= 0 <= upper``.

    Returns
    -------
    step : ndarray of shape (K,)
    """
    step = _minimise_separately(curvature.diagonal(), gradient, lower, upper)
    free = (step > lower) & (step < upper)
    if not free.any():
        free[np.argmax(upper - lower)] = True
    size = max(float(np.abs(gradient).max()), np.finfo(float).tiny)
    for _ in range(6 * len(gradient)):
        target, multiplier = _on_free(curvature, gradient, step, free)
        direction = target - step
        blocking, room = _first_bound(step, direction, free, lower, upper)
        if room < 1.0:
            step = step + room * direction
            step[blocking] = upper[blocking] if direction[blocking] > 0 else lower[blocking]
            free[blocking] = False
            if not free.any():
                break
            continue
        step = target
        if free.all():
            break
        slope = gradient + curvature @ step + multiplier
        wish = np.where(step >= upper, slope, -slope)
        wish[free] = 0.0
        worst = int(np.argmax(wish))
        if wish[worst] <= 1e-10 * size:
            break
        free[worst] = True
    return step


def _first_bound(step, direction, free, lower, upper):
    """Return which entry meets its bound first along a direction, and after what share of it."""
    moving = np.flatnonzero(free & (direction != 0.0))
    if len(moving) == 0:
        return 0, np.inf
    along = direction[moving]
    bound = np.where(along > 0, upper[moving], lower[moving])
    room = np.maximum((bound - step[moving]) / along, 0.0)
    first = int(np.argmin(room))
    return int(moving[first]), float(room[first])


def _minimise_separately(diagonal, gradient, lower, upper):
    """Minimise the model without its mixed terms: where active sets start.

    The sum of the steps falls piecewise linearly with the multiplier: its zero lies between two
    of the points at which an entry reaches a bound.
    """
    diagonal = np.maximum(diagonal, np.finfo(float).tiny)
    bends = np.sort(np.concatenate([-gradient - diagonal * lower, -gradient - diagonal * upper]))
    sums = np.clip(-(gradient + bends[:, None]) / diagonal, lower, upper).sum(axis=1)
    # Sums fall from that of the upper bounds, which is no less than 0, to that of the lower ones.
    after = int(np.clip(np.searchsorted(-sums, 0.0), 1, len(bends) - 1))
    fall = sums[after - 1] - sums[after]
    share = float(np.clip(sums[after - 1] / fall, 0.0, 1.0)) if fall > 0 else 0.0
    multiplier = (1.0 - share) * bends[after - 1] + share * bends[after]
    step = np.clip(-(gradient + multiplier) / diagonal, lower, upper)
    # What rounding leaves goes to where there is room.
    room = upper - step if step.sum() < 0 else step - lower
    place = int(np.argmax(room))
    step[place] = np.clip(step[place] - step.sum(), lower[place], upper[place])
    return step


def _on_free(curvature, gradient, step, free):
    """Return the best step with the entries that are not free as they are, and its multiplier."""
    inside, outside = np.flatnonzero(free), np.flatnonzero(~free)
    m, rows = len(inside), curvature[inside]
    system = np.ones((m + 1, m + 1))
    system[:m, :m], system[m, m] = rows[:, inside], 0.0
    right = np.empty(m + 1)
    right[:m] = -gradient[inside] - rows[:, outside] @ step[outside]
    right[m] = -step[outside].sum()
    # In units in which both parts of the system are of one size.
    unit = max(float(np.abs(system[:m, :m]).max()), np.finfo(float).tiny)
    system[:m, :m] /= unit
    right[:m] /= unit
    try:
        solution = np.linalg.solve(system, right)
    except np.linalg.LinAlgError:
        solution = np.linalg.lstsq(system, right, rcond=None)[0]
    target = step.copy()
    target[inside] = solution[:m]
    return target, solution[m] * unit
