"""Fidelities: the problem on samples of the rows, and what their solutions say about all rows."""

from __future__ import annotations

import numpy as np

from skbadr.problem.sampling import Minibatches
from skbadr.problem.smooth.folds import MANY_ROWS


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
    settings : SmoothSettings
    starts : list of LinearState or None, default=None
        States on other rows, near the baseline solution.

    Attributes
    ----------
    smooth : SmoothProblem
        On the sample.
    baseline : list of LinearState
        Its baseline solution.
    """

    def __init__(self, whole, rows, *, tol, settings, starts=None):
        self.whole, self.settings = whole, settings
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
            if error < self.settings.large_error:
                start.factor, start.left = state.factor, error
            starts.append(start)
        return starts

    def error(self, state):
        """Return about the relative error of the Hessian at a state on the sample."""
        if state.factor is None:
            return np.inf
        weight = state.weight.astype(float)
        effective = weight.sum() ** 2 / np.square(weight).sum()
        return self.settings.hessian_error * float(np.sqrt(state.coef.size / effective))

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
            if not self.error(mine) < self.settings.large_error:
                gradient = gradient + level.hypergradient(state, wanted, tol=1e-4)
                continue
            adjoint = smaller.hessian_solve(mine, wanted)
            along = level.forward(adjoint)
            missed = level.adjoint_gradient(state, adjoint, along) - wanted
            along += level.forward(-smaller.hessian_solve(mine, missed))
            gradient = gradient + level.hypergradient_along(state, along)
        return gradient


def make_samples(smooth, model, settings):
    """Return samples of increasing size, the largest last; none if rows are few.

    Parameters
    ----------
    smooth : SmoothProblem
        On all rows.
    model : fitted estimator or None
        The baseline one, if it is known.
    settings : SmoothSettings

    Returns
    -------
    samples : list of Sample
    """
    n_seen = smooth.n_seen
    if n_seen < MANY_ROWS:
        return []
    sizes = [MANY_ROWS // 2]  # on which starting points race
    larger = min(int(settings.sample_share * n_seen), settings.largest_sample)
    if larger >= MANY_ROWS:
        sizes.append(larger)
    starts, samples = baseline_starts(smooth, model), []
    for size in sizes:
        tol = settings.sample_inner_tol
        samples.append(Sample(smooth, size, tol=tol, settings=settings, starts=starts))
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
