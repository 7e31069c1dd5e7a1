"""Descents on a sample of the rows that lead where all rows would."""

import numpy as np

from skbadr.solvers.single_loop import Pair, SingleLoop

# Iterations of each descent on the sample.
SHORT = 60
# Share of what was gained below which a promise is not worth another solution on all rows.
LITTLE = 5e-3
# Tolerance of solutions for each share of the baseline model's value that is gained.
RESOLVED, LEAST_TOL = 0.02, 1e-4


def follow_all_rows(sample, loop, baseline, *, reference, tols, rounds):
    """Descend on a sample whose hypergradient is corrected at anchors, solved on all rows.

    The sample's objective gets a linear term by which its hypergradient at the anchor is that of
    all rows; the end of the descent is the next anchor. What is left of the noise is that in
    curvature alone, and each round costs one solution, and one adjoint system, of all rows.

    Parameters
    ----------
    sample : Sample
    loop : SingleLoop
        On the sample; its best point is the first anchor.
    baseline : list of LinearState
        The baseline solution on all rows.
    reference : float
        Its value.
    tols : tuple (tol, inner_tol)
        Of descents, and of solutions.
    rounds : int
        Largest number of descents.

    Returns
    -------
    weights : ndarray of shape (K,)
    states : list of LinearState
        Solutions on all rows.
    value : float
    converged : bool

    References
    ----------
    Johnson and Zhang (2013), "Accelerating stochastic gradient descent using predictive variance
    reduction", NeurIPS: the correction at an anchor. Shamir, Srebro and Zhang (2014),
    "Communication-efficient distributed optimization using an approximate Newton-type method",
    ICML, equation 9: minimising a part of the data that is corrected so.
    """
    smooth, upper, conditions = sample.whole, loop.upper, loop.preconditioners
    objective = smooth.problem.objective
    ideal = -np.inf if objective.ideal is None else objective.cost(objective.ideal)
    tol, inner_tol = tols
    # The less there is to gain, the more of it would what is left of solutions hide.
    gained = (loop.reference - loop.best[0]) / max(abs(loop.reference), np.finfo(float).tiny)
    if np.isfinite(gained):
        inner_tol = float(np.clip(RESOLVED * gained, min(LEAST_TOL, inner_tol), inner_tol))
    own = solve_pairs(sample.smooth, loop.best[1], loop.best[3], inner_tol)
    weights, best = loop.best[1], None
    states = smooth.solve(weights, sample.lifted(own, baseline, sample.baseline), tol=inner_tol)
    here, own_slope = upper(sample.smooth, sample.smooth.scores(own))
    promised = np.inf
    for round_ in range(rounds + 1):
        value, slope = upper(smooth, smooth.scores(states))
        if best is not None and not value < best[0]:
            return best[1], best[2], best[0], False
        enough = LITTLE * (reference - value)
        if best is not None and loop.converged and abs(best[0] - value - promised) <= enough:
            # Of what a descent promises, the next one can mend what it was wrong about.
            return weights, states, value, True
        best = value, weights, states
        if value - ideal <= enough:
            return weights, states, value, True
        if round_ == rounds:
            break
        pairs, known = _hypergradient(sample.smooth, own, own_slope)
        slant = sample.hypergradient(states, slope, own) - known
        loop = SingleLoop(sample.smooth, upper, weights, pairs, conditions, tol=tol, slant=slant)
        loop.run(SHORT)
        # Parameters that only follow would make more or less of what the descent promises.
        moved = solve_pairs(sample.smooth, loop.best[1], loop.best[3], inner_tol)
        there, own_slope = upper(sample.smooth, sample.smooth.scores(moved))
        promised = here - there - float(slant @ (loop.best[1] - weights))
        if promised <= enough:
            return weights, states, value, True
        weights = loop.best[1]
        states = smooth.solve(weights, sample.lifted(moved, states, own), tol=inner_tol)
        own, here = moved, there
    return best[1], best[2], best[0], False


def solve_pairs(smooth, weights, pairs, tol):
    """Return solutions at some weights, from where a loop follows them."""
    starts = [
        level.state_at(weights, pair.coef) for level, pair in zip(smooth.levels, pairs, strict=True)
    ]
    return smooth.solve(weights, starts, tol=tol)


def _hypergradient(smooth, states, slope):
    """Return solutions with their adjoints, per fold, and d Phi / d lam there, of shape (K,)."""
    pairs, gradient = [], 0.0
    for level, state in zip(smooth.levels, states, strict=True):
        adjoint = level.adjoint(state, level.pull_back(slope), tol=1e-4)
        gradient = gradient + level.hypergradient_along(state, level.forward(adjoint))
        pairs.append(Pair(state.coef, adjoint))
    return pairs, gradient
