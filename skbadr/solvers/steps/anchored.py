"""Descents on a sample of the rows that lead to the optimum of all rows."""

from __future__ import annotations

import numpy as np

from skbadr.solvers.steps.point import Point


def resolved_tol(tol, reference, value, settings):
    """Return the tolerance of solutions: the less is gained, the more of it would errors hide."""
    gained = (reference - value) / max(abs(reference), np.finfo(float).tiny)
    if not np.isfinite(gained):
        return tol
    return float(np.clip(settings.resolved * gained, min(settings.sample_inner_tol, tol), tol))


def follow_all_rows(sample, upper, descend, weights, own, states, *, reference, tol, record):
    """Descend on a sample whose hypergradient is corrected at anchors, solved on all rows.

    The sample's objective gets a linear term by which its hypergradient at the anchor is that of
    all rows; the end of the descent is the next anchor. Each anchor costs one solution, and one
    adjoint system, of all rows.

    Parameters
    ----------
    sample : Sample
    upper : callable ``(smooth, scores) -> (value, slope)``
        The upper level.
    descend : callable ``(weights, states, slant) -> (weights, states)``
        Minimises the sample's objective plus ``slant @ weights``; states are solutions.
    weights : ndarray of shape (K,)
        The first anchor.
    own : list of LinearState
        The solution there on the sample.
    states : list of LinearState
        The solution there on all rows.
    reference : float
        The baseline's value.
    tol : float
        Of solutions on all rows.
    record : callable ``(weights, states) -> bool``
        Called with each further solution on all rows; True ends the search.

    Returns
    -------
    point : Point
        The best anchor.

    References
    ----------
    Johnson and Zhang (2013), "Accelerating stochastic gradient descent using predictive variance
    reduction", NeurIPS: the correction at an anchor. Shamir, Srebro and Zhang (2014),
    "Communication-efficient distributed optimization using an approximate Newton-type method",
    ICML, equation 9: minimising a part of the data that is corrected so.
    """
    smooth, settings, best, promised = sample.whole, sample.settings, None, np.inf
    here, own_slope = upper(sample.smooth, sample.smooth.scores(own))
    for _ in range(settings.most_anchors):
        value, slope = upper(smooth, smooth.scores(states))
        if best is not None and not value < best.value:
            return best
        before, best = best, Point(weights, states, value)
        enough = settings.sample_tol * (reference - value)
        if before is not None and abs(before.value - value - promised) <= enough:
            # The next descent can mend what this one was wrong about, and no more.
            best.converged = True
            return best
        slant = sample.hypergradient(states, slope, own) - _hypergradient(
            sample.smooth, own, own_slope
        )
        end, moved = descend(weights, own, slant)
        there, own_slope = upper(sample.smooth, sample.smooth.scores(moved))
        promised = here - there - float(slant @ (end - weights))
        if not promised > enough:
            best.converged = True
            return best
        weights = end
        states = smooth.solve(weights, sample.lifted(moved, states, own), tol=tol)
        own, here = moved, there
        if record(weights, states):
            break
    value, _ = upper(smooth, smooth.scores(states))
    return Point(weights, states, value) if value < best.value else best


def _hypergradient(smooth, states, slope):
    """Return d Phi / d lam at solutions, of shape (K,)."""
    parts = zip(smooth.levels, states, smooth.pull_back(slope), strict=True)
    return sum(level.hypergradient(state, wanted, tol=1e-4) for level, state, wanted in parts)
