"""The weights of minimax models: the largest value of the lower level, as a function of weights."""

import numpy as np
from scipy.optimize import linprog, minimize

from skbadr._simplex import project_simplex
from skbadr._warnings import record_warnings
from skbadr.metrics import GroupLossMetric
from skbadr.metrics.inputs.responses import pick
from skbadr.metrics.losses.ambiguity import divergence

# Share of a loss that a step must promise.
SHARE = float(np.sqrt(np.finfo(float).eps))


def minimax_weights(smooth, weights, states, baseline, settings):
    r"""Return the weights whose model has the smallest largest loss of a group.

    The value of the lower level, :math:`\min_\theta \sum_k \lambda_k F_k(\theta) + \Omega(\theta)`,
    is concave in the weights, and its gradient is the cells' losses. Its largest value over the
    simplex, or over a ball of shares, belongs to the model that minimises the largest loss (or
    the largest expected one) and the penalty. Newton's steps find it.

    Parameters
    ----------
    smooth : SmoothProblem
        On which `is_dual` holds.
    weights : ndarray of shape (K,)
        Where to start.
    states : list of LinearState
        Near them.
    baseline : list of LinearState
        The baseline solution, which tells what is gained.
    settings : SmoothSettings

    Returns
    -------
    weights : ndarray of shape (K,)
    states : list of LinearState

    References
    ----------
    Diana et al. (2021), "Minimax group fairness: algorithms and experiments", AIES; Sagawa et al.
    (2020), "Distributionally robust neural networks for group shifts", ICLR.
    """
    return _walk(smooth, weights, states, baseline, settings, _dual_step, _dual_cost)


def lower_largest_loss(smooth, weights, states, baseline, settings):
    """Return weights, and states, near others whose largest loss of a group is smaller still.

    Minimax models are not the best for weights if the penalty is strong: its part in the value of
    the lower level counts, too. Each step solves a linear programme of linearly moved losses.

    Parameters
    ----------
    smooth, weights, states, baseline, settings
        As in `minimax_weights`.
    """
    return _walk(smooth, weights, states, baseline, settings, _primal_step, _largest_loss)


def _walk(smooth, weights, states, baseline, settings, propose, cost):
    """Take proposed steps as long as they lower a cost by a fair share of what was gained."""
    states = smooth.solve(weights, states, tol=settings.sample_inner_tol)
    reference, here, size = cost(smooth, baseline[0]), cost(smooth, states[0]), 1.0
    losses, slopes = _linear_losses(smooth, weights, states[0])
    for _ in range(settings.max_refits):
        step, gain = propose(smooth, weights, losses, slopes, size, settings)
        if gain <= max(SHARE * abs(here), settings.sample_tol * (reference - here)):
            break
        trial = project_simplex(weights + step, minimum=smooth.min_weight)
        moved = smooth.solve(trial, states, tol=settings.sample_inner_tol)
        there = cost(smooth, moved[0])
        if there < here:
            weights, states, here, size = trial, moved, there, 1.0
            losses, slopes = _linear_losses(smooth, weights, states[0])
        else:
            size *= 0.5
    return weights, states


def _losses(smooth, state):
    (level,) = smooth.levels
    return level.cells.means(level.losses(state.scores))


def _largest_loss(smooth, state):
    return _losses(smooth, state).max()


def _linear_losses(smooth, weights, state):
    """Return the cells' losses, and their derivatives in the weights, of shape (K, K)."""
    (level,), (moves,) = smooth.levels, smooth.parameter_moves([state])
    slopes = np.tensordot(level.cell_gradients(state), moves, axes=2) / weights
    return _losses(smooth, state), slopes


def _dual_cost(smooth, state):
    """Return the negative value of the lower level, per unit of weight."""
    (level,) = smooth.levels
    value = level.objective(state.coef, state.scores, state.weight)
    return -value / (level.scale * level.cells.totals.sum())


def _dual_step(smooth, weights, losses, slopes, size, settings):
    """Return a part of the way to the largest value of the quadratic model, and what it gains."""
    metric, shares = smooth.evaluator.metric, smooth.problem.shares
    curvature = 0.5 * (slopes + slopes.T)

    def negative(step):
        bent = curvature @ step
        return -(losses + 0.5 * bent) @ step, -(losses + bent)

    constraints = [{"type": "eq", "fun": np.sum, "jac": np.ones_like}]
    if metric.ball is not None:
        room = {"fun": lambda d: metric.radius - divergence(weights + d, shares, metric.ball)}
        constraints.append({"type": "ineq", **room})
    with record_warnings():  # older SciPy's, of rounding at the bounds
        found = minimize(
            negative, np.zeros(len(weights)), jac=True, method="SLSQP",
            bounds=_box(smooth, weights), constraints=constraints, options={"ftol": 1e-3 * SHARE},
        )  # fmt: skip
    return size * found.x, -found.fun


def _primal_step(smooth, weights, losses, slopes, size, settings):
    """Return the step that lowers the largest linearly moved loss most, and what it gains."""
    n_cells = len(weights)
    reach = size * np.maximum(weights, settings.small_weight)
    low, high = _box(smooth, weights).T
    found = linprog(
        np.append(np.zeros(n_cells), 1.0),
        A_ub=np.column_stack([slopes, -np.ones(n_cells)]),
        b_ub=-losses,
        A_eq=np.append(np.ones(n_cells), 0.0)[None],
        b_eq=[0.0],
        bounds=[*zip(np.maximum(low, -reach), np.minimum(high, reach), strict=True), (None, None)],
    )
    return found.x[:-1], losses.max() - found.x[-1]


def _box(smooth, weights):
    return np.column_stack([smooth.min_weight - weights, 1.0 - weights])


def is_dual(smooth, states):
    """Whether the metric is a largest loss of those that the weights of the cells multiply."""
    metric, data = smooth.evaluator.metric, smooth.data
    if not isinstance(metric, GroupLossMetric) or metric.summary != "worst_group_loss":
        return False
    alone = len(smooth.levels) == 1 and smooth.held_out[0] is None and not smooth.leaves_out
    if metric.rho is not None or not alone or smooth.problem.objective.uses_score:
        return False
    (level,), scores = smooth.levels, states[0].scores
    if not np.array_equal(level.cells.codes, data.groups.codes):
        return False
    response = pick(metric, smooth.responses(scores, set(metric.response_methods)))
    measured = metric.statistics(data, response)
    trained = level.cells.means(level.losses(scores))
    # Equal but for a factor: half of a squared error, say.
    return np.allclose(measured * trained.sum(), trained * measured.sum(), rtol=1e-5)
