"""Fidelities: the problem on samples of the rows, and what their solutions say about all rows."""

from __future__ import annotations

import numpy as np

from skbadr.problem.sampling import Minibatches
from skbadr.problem.smooth.folds import MANY_ROWS

# Tolerances of solutions: usual, if the estimator's own solver is loose, and on a sample.
INNER_TOL, LOOSE_INNER_TOL, SAMPLE_INNER_TOL = 1e-8, 5e-3, 1e-4
# Share of what was gained that a step on a sample must promise, and a correction by all rows.
SAMPLE_TOL = 3e-3
# A larger sample has this share of the rows, up to the largest number of rows.
SAMPLE_SHARE, LARGEST_SAMPLE = 0.125, 40_000
# Relative error of a Hessian on a sample, in units of the root of parameters over rows.
ERROR = 3.0
# Error from which a Hessian on all rows costs less than the steps that it saves.
LARGE = 0.3


def inner_tol(is_loose):
    """Return the tolerance of solutions on all rows."""
    return LOOSE_INNER_TOL if is_loose else INNER_TOL


class Sample:
    """A smooth problem on a stratified sample of the rows, and its baseline solution.

    Solutions on all rows start at those on the sample, moved by the difference of the two
    baseline solutions, and take steps by the sample's Hessian.

    Parameters
    ----------
    whole : SmoothProblem
        On all rows.
    rows : int
        Size of the sample.
    tol : float
        Tolerance of the baseline solution.
    starts : list of LinearState or None, default=None
        States on other rows, near the baseline solution.

    Attributes
    ----------
    smooth : SmoothProblem
        On the sample.
    baseline : list of LinearState
        Its baseline solution.
    """

    def __init__(self, whole, rows, *, tol, starts=None):
        self.whole = whole
        self.smooth = Minibatches(whole, rows, whole.problem.seed).draw()
        starts = None if starts is None else self.moved(starts)
        self.baseline = self.smooth.solve(whole.problem.shares, starts, tol=tol)

    def moved(self, states):
        """Return the parameters of states on other rows as starting points on the sample."""
        pairs = zip(states, self.smooth.levels, strict=True)
        return [state.moved_to(level) for state, level in pairs]

    def lifted(self, own, known=None, before=None):
        """Return where to start solutions on all rows at the weights of solutions on the sample.

        Parameters
        ----------
        own : list of LinearState
        known, before : list of LinearState or None, default=None
            Solutions at other weights, on all rows and on the sample, which tell how they differ.
        """
        starts = []
        for i, (level, state) in enumerate(zip(self.whole.levels, own, strict=True)):
            coef = state.coef
            if known is not None:
                coef = coef + known[i].coef - before[i].coef
            if not level.family.admissible(coef):
                coef = state.coef
            start, error = level.state_at(state.cell_weights, coef), self.error(state)
            if error < LARGE:
                start.factor, start.left = state.factor, error
            starts.append(start)
        return starts

    def error(self, state):
        """Return about the relative error of the Hessian at a state on the sample."""
        if state.factor is None:
            return np.inf
        weight = state.weight.astype(float)
        effective = weight.sum() ** 2 / np.square(weight).sum()
        return ERROR * float(np.sqrt(state.coef.size / effective))

    def hypergradient(self, states, slope, own):
        """Return d Phi / d lam at solutions on all rows, of shape (K,).

        The adjoint systems are solved by the sample's Hessians, and refined once.

        Parameters
        ----------
        states, own : list of LinearState
            Solutions on all rows and on the sample.
        slope : ndarray of shape (n, m)
            Derivative of Phi in the scores of the evaluated rows.
        """
        gradient = 0.0
        levels = zip(
            self.whole.levels, self.smooth.levels, states, own, self.whole.pull_back(slope),
            strict=True,
        )  # fmt: skip
        for level, smaller, state, mine, wanted in levels:
            if not self.error(mine) < LARGE:
                gradient = gradient + level.hypergradient(state, wanted, tol=1e-4)
                continue
            adjoint = smaller.hessian_solve(mine, wanted)
            along = level.forward(adjoint)
            missed = level.adjoint_gradient(state, adjoint, along) - wanted
            along += level.forward(-smaller.hessian_solve(mine, missed))
            gradient = gradient + level.hypergradient_along(state, along)
        return gradient


def make_samples(smooth, model):
    """Return samples of increasing size, the largest last; none if rows are few.

    Parameters
    ----------
    smooth : SmoothProblem
        On all rows.
    model : fitted estimator or None
        The baseline one, if it is known.

    Returns
    -------
    samples : list of Sample
    """
    n_seen = smooth.n_seen
    if n_seen < MANY_ROWS:
        return []
    sizes = [MANY_ROWS // 2]  # on which starting points race
    larger = min(int(SAMPLE_SHARE * n_seen), LARGEST_SAMPLE)
    if larger >= MANY_ROWS:
        sizes.append(larger)
    starts, samples = baseline_starts(smooth, model), []
    for size in sizes:
        samples.append(Sample(smooth, size, tol=SAMPLE_INNER_TOL, starts=starts))
        starts = samples[-1].baseline
    return samples


def baseline_starts(smooth, model):
    """Return the fitted baseline estimator as states, or None if it is not known."""
    if model is None:
        return None
    return [smooth.state_of(model, i) for i in range(len(smooth.levels))]


def solve_baseline(smooth, samples, model, *, tol):
    """Return the baseline solution on all rows, from the fitted estimator or the largest sample.

    Parameters
    ----------
    smooth : SmoothProblem
    samples : list of Sample
    model : fitted estimator or None
    tol : float

    Returns
    -------
    states : list of LinearState
    """
    starts = baseline_starts(smooth, model)
    if starts is None and samples:
        starts = samples[-1].lifted(samples[-1].baseline)
    return smooth.solve(smooth.problem.shares, starts, tol=tol)
