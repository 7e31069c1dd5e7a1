"""Descents on a sample of the rows that lead where all rows would."""

from skbadr.solvers.single_loop import Pair, SingleLoop

# Iterations of each descent on the sample.
SHORT = 60
# Share of what was gained below which a promise is not worth another solution on all rows.
LITTLE = 5e-3


def follow_all_rows(smooth, sample, weights, starts, *, upper, reference, conditions, tols, rounds):
    """Descend on a sample whose hypergradient is corrected at anchors, solved on all rows.

    The sample's objective gets a linear term by which its hypergradient at the anchor is that of
    all rows; the end of the descent is the next anchor. What is left of the noise is that in
    curvature alone, and each round costs one solution, and one adjoint system, of all rows.

    Parameters
    ----------
    smooth, sample : SmoothProblem
        Of all rows, and of some.
    weights : ndarray of shape (K,)
        The first anchor.
    starts : list of LinearState
        Near the solutions there, of all rows.
    upper : UpperValue
    reference : float
        Value of the plain model.
    conditions : list of Preconditioner
        Of the sample.
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
    tol, inner_tol = tols
    states, best = smooth.solve(weights, starts, tol=inner_tol), None
    for round_ in range(rounds + 1):
        value, slope = upper(smooth, smooth.scores(states))
        if best is not None and not value < best[0]:
            return best[1], best[2], best[0], False
        best = value, weights, states
        if round_ == rounds:
            break
        wanted = _hypergradient(smooth, states, slope)
        own = sample.solve(weights, _moved(states, sample), tol=inner_tol)
        here, slope = upper(sample, sample.scores(own))
        slant = wanted - _hypergradient(sample, own, slope)
        pairs = [Pair(state.coef, 0.0 * state.coef) for state in own]
        loop = SingleLoop(sample, upper, weights, pairs, conditions, tol=tol, slant=slant)
        loop.run(SHORT)
        _, moved, _, pairs = loop.best
        if here - loop.best[0] <= LITTLE * (reference - value):
            return weights, states, value, True
        weights = moved
        states = [
            level.state_at(weights, s.coef + pair.coef - o.coef)
            for level, s, o, pair in zip(smooth.levels, states, own, pairs, strict=True)
        ]
        states = smooth.solve(weights, states, tol=inner_tol)
    return best[1], best[2], best[0], False


def _moved(states, sample):
    return [s.moved_to(level) for s, level in zip(states, sample.levels, strict=True)]


def _hypergradient(smooth, states, slope):
    """Return d Phi / d lam at solutions, of shape (K,)."""
    gradient, position = 0.0, 0
    for level, state, X in zip(smooth.levels, states, smooth.held_out, strict=True):
        n = level.n if X is None else X.shape[0]
        pulled = level.pull_back(slope[position : position + n], X)
        position += n
        gradient = gradient + level.hypergradient(state, pulled, tol=1e-4)
    return gradient
