"""A sample of the rows whose solutions are near those of all rows, and how near."""

import numpy as np

from skbadr.problem.sampling import Minibatches

# Relative error of a Hessian on a sample, in units of the root of parameters over rows.
ERROR = 3.0
# Error from which on a Hessian on all rows costs less than the steps that it would save.
LARGE = 0.3


class Sample:
    """A smooth problem on a stratified sample, its baseline solution, and what they say of all.

    Solutions on all rows start where those on the sample are, moved by how the baseline ones
    differ, and take steps by the sample's Hessian: what is left after one is a few percent of it.

    Parameters
    ----------
    smooth : SmoothProblem
        Of all rows.
    rows : int
        Size of the sample.

    Attributes
    ----------
    batches : Minibatches
        Which draw such samples.
    smooth : SmoothProblem
        Of the sample.
    baseline : list of LinearState
        Its baseline solution.
    """

    def __init__(self, smooth, rows, *, starts=None, tol):
        self.whole = smooth
        self.batches = Minibatches(smooth, rows, smooth.problem.seed)
        self.smooth = self.batches.draw()
        if starts is not None:
            pairs = zip(starts, self.smooth.levels, strict=True)
            starts = [start.moved_to(level) for start, level in pairs]
        self.baseline = self.smooth.solve(smooth.problem.shares, starts, tol=tol)

    def lifted(self, own, known=None, before=None):
        """Return where to start solutions on all rows at the weights of some on the sample.

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
            Derivative of Phi in the scores on all rows.
        """
        gradient = 0.0
        levels = zip(self.whole.levels, self.smooth.levels, states, own, strict=True)
        for level, smaller, state, mine in levels:
            wanted = level.pull_back(slope)
            if not self.error(mine) < LARGE:
                gradient = gradient + level.hypergradient(state, wanted, tol=1e-4)
                continue
            adjoint = smaller.hessian_solve(mine, wanted)
            along = level.forward(adjoint)
            missed = level.adjoint_gradient(state, adjoint, along) - wanted
            along += level.forward(-smaller.hessian_solve(mine, missed))
            gradient = gradient + level.hypergradient_along(state, along)
        return gradient
