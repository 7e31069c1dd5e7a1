"""A Gaussian process for a handful of refits."""

from itertools import product

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular

LENGTH = 1.5


class Process:
    """A Gaussian process of mean zero with a linear part, several outputs at a time.

    Parameters
    ----------
    inputs : ndarray of shape (n, K)
    targets : ndarray of shape (n, q)
    slope, departure, noise : float
        Prior standard deviations.
    extra : ndarray of shape (q,)
        Variance of the noise beyond that, of each output.
    """

    def __init__(self, inputs, targets, slope, departure, noise, extra):
        self.inputs, self.targets = inputs, targets
        self.slope, self.departure, self.noise = slope, departure, noise
        self.extra = extra
        self._solve()

    def add(self, inputs, targets):
        """Learn from further points."""
        self.inputs = np.vstack([self.inputs, inputs])
        self.targets = np.vstack([self.targets, targets])
        self._solve()

    def _solve(self):
        kernel = self._kernel(self.inputs, self.inputs)
        self._factors, self._dual = [], np.empty_like(self.targets)
        levels, self._level_of = _levels(self.extra)
        for level, extra in enumerate(levels):
            columns = self._level_of == level
            covariance = kernel + (self.noise**2 + extra) * np.eye(len(kernel))
            self._factors.append(cho_factor(covariance, lower=True))
            self._dual[:, columns] = cho_solve(self._factors[-1], self.targets[:, columns])

    def _kernel(self, one, other):
        departure, slope = _unit_kernels(one, other)
        return self.departure**2 * departure + self.slope**2 * slope

    def predict(self, inputs):
        """Return mean and standard deviation, of shape (m, q), of refits."""
        cross = self._kernel(inputs, self.inputs)
        squares = (inputs**2).sum(axis=1)
        prior = self.departure**2 + self.slope**2 * squares
        variance = np.empty((len(inputs), len(self._factors)))
        for level, factor in enumerate(self._factors):
            half = solve_triangular(factor[0], cross.T, lower=True)
            variance[:, level] = prior - (half**2).sum(axis=0)
        variance = np.maximum(variance, 0.0)[:, self._level_of] + self.noise**2 + self.extra
        return cross @ self._dual, np.sqrt(variance)


def _unit_kernels(one, other):
    """Return the kernels of departures (Matern, 5/2) and of slopes, with unit priors."""
    dot = one @ other.T
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * dot
    scaled = np.sqrt(5 * np.maximum(squares, 0.0)) / LENGTH
    return (1 + scaled + scaled**2 / 3) * np.exp(-scaled), dot


def _levels(extra):
    """Return the distinct levels of noise, and that of each output."""
    return np.unique(np.round(extra, 4), return_inverse=True)


def likeliest_process(inputs, targets, extra, *priors):
    """Return the process with the likeliest of some priors, and how likely the targets are.

    Parameters
    ----------
    inputs, targets, extra : as of `Process`
    *priors : sequences of float
        Slopes, departures and noises to combine; of each, the middle one is a little likelier.

    Returns
    -------
    process : Process
    log_likelihood : float
    """
    values = np.array(list(product(*priors)))
    places = np.array(list(product(*(range(len(some)) for some in priors))))
    likelihood = log_likelihoods(inputs, targets, extra, values)
    likelihood -= 0.5 * np.square(places - 1).sum(axis=1)
    best = int(np.argmax(likelihood))
    return Process(inputs, targets, *values[best], extra), float(likelihood[best])


def log_likelihoods(inputs, targets, extra, priors):
    """Return the log likelihood, up to a constant, of targets under each of some priors.

    All covariances are factorised in one call, which takes less time than as many calls.

    Parameters
    ----------
    inputs, targets, extra : as of `Process`
    priors : ndarray of shape (P, 3)
        Slope, departure, noise.

    Returns
    -------
    log_likelihood : ndarray of shape (P,)
    """
    slope, departure, noise = priors.T[..., None, None, None]
    levels, level_of = _levels(extra)
    smooth, linear = _unit_kernels(inputs, inputs)
    diagonal = noise**2 + levels[:, None, None]
    covariances = departure**2 * smooth + slope**2 * linear + diagonal * np.eye(len(inputs))
    factors = np.linalg.cholesky(covariances)
    squares = np.square(np.linalg.solve(factors, targets[None, None])).sum(axis=2)
    fit = squares[:, level_of, np.arange(len(level_of))].sum(axis=1)
    width = np.log(np.diagonal(factors, axis1=2, axis2=3)).sum(axis=2)[:, level_of].sum(axis=1)
    return -0.5 * fit - width
