"""A Gaussian process on what refits returned, to choose the next ones."""

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    ConstantKernel,
    DotProduct,
    Matern,
    WhiteKernel,
)

from skbadr._warnings import record_warnings


def log_coordinates(weights, shares):
    """Return log(weights / shares) without its mean: the plain estimator is the origin."""
    logs = np.log(np.maximum(weights, 1e-300) / shares)
    return logs - logs.mean(axis=-1, keepdims=True)


def from_log_coordinates(t, shares):
    """Return the weights on the simplex that `log_coordinates` maps to `t`."""
    weights = shares * np.exp(t - t.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


class Surrogate:
    """Predict the metric's statistics and the score from visited points.

    The metric itself has kinks (a largest gap); the group rates or losses below it are smooth
    in the weights, so these are modelled and the metric is computed from their prediction.
    Where there is a guide, what is learnt is by how much reality differs from it.

    Parameters
    ----------
    objective : UpperObjective
    evaluation_set : EvaluationSet
    shares : ndarray of shape (K,)
    guide : ScoreShiftGuide or None, default=None
    """

    def __init__(self, objective, evaluation_set, shares, guide=None):
        self.objective, self.evaluation_set, self.shares = objective, evaluation_set, shares
        self.guide = guide
        self._processes = []

    def fit(self, evaluations):
        """Learn from evaluations, of which failed and undefined ones are left out."""
        usable = [
            e for e in evaluations
            if not e.failed and np.isfinite(e.score) and np.isfinite(e.statistics).all()
        ]  # fmt: skip
        self.ready = len(usable) >= (1 if self.guide is not None else 3)
        if not self.ready:
            return self
        self._nonnegative = all((e.statistics >= 0).all() for e in usable)
        weights = np.array([e.cell_weights for e in usable])
        outputs = np.array([[*e.statistics, e.score] for e in usable])
        outputs = outputs - self._guided(weights, outputs.shape[1])
        self._center, spread = outputs.mean(axis=0), outputs.std(axis=0)
        self._varying = spread > 1e-12 * (1.0 + np.abs(self._center))
        self._scale = np.where(self._varying, spread, 1.0)
        targets = (outputs - self._center) / self._scale
        if not self._varying.any() or len(usable) < 3:
            return self
        inputs = log_coordinates(weights, self.shares)
        # A linear part extrapolates beyond the visited region, where Matern alone would return
        # to the mean and the search would stay. The score is a bowl around the plain model.
        linear = ConstantKernel(1.0, (1e-3, 1e2)) * DotProduct(0.1, (1e-3, 10.0))
        bowl = ConstantKernel(0.3, (1e-3, 1e2)) * DotProduct(0.1, (1e-3, 10.0)) ** 2
        is_score = np.arange(len(self._varying)) == len(self._varying) - 1
        for columns, trend in (
            (self._varying & ~is_score, linear),
            (self._varying & is_score, bowl),
        ):
            if columns.any():
                self._processes.append((columns, _process(trend).fit(inputs, targets[:, columns])))
        return self

    def predict(self, weights):
        """Return predicted metric and score of each row of `weights`."""
        outputs = self._guided(weights, len(self._center)) + self._center
        inputs = log_coordinates(weights, self.shares)
        for columns, process in self._processes:
            predicted = process.predict(inputs).reshape(len(weights), -1)
            outputs[:, columns] += predicted * self._scale[columns]
        statistics, score = outputs[:, :-1], outputs[:, -1]
        if self._nonnegative:
            statistics = np.maximum(statistics, 0.0)
        metric = self.objective.metric
        return metric.from_many_statistics(self.evaluation_set, statistics), score

    def _guided(self, weights, n_outputs):
        if self.guide is None:
            return np.zeros((len(weights), n_outputs))
        statistics, score = self.guide.predict(weights)
        return np.column_stack([statistics, score])


class _QuietProcess(GaussianProcessRegressor):
    """A Gaussian process whose hyperparameters may end at a bound: that is fine here."""

    def fit(self, X, y):
        with record_warnings():
            return super().fit(X, y)


def _process(trend):
    kernel = ConstantKernel(1.0, (1e-3, 1e2)) * Matern(1.0, (0.2, 10.0), nu=2.5)
    kernel += trend + WhiteKernel(1e-3, (1e-6, 0.3))
    return _QuietProcess(kernel, random_state=0)
