"""An estimator with a smooth objective, and its family."""

import numpy as np
from sklearn.linear_model import Ridge

from skbadr.lower_level import LinearFamily


class HalfRidge(Ridge):
    """Minimise sum_i v_i (z_i - y_i)^2 / 2 + alpha ||w||^2, so that alpha counts twice."""

    def fit(self, X, y, sample_weight=None):
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        return super().fit(X, y, sample_weight=weight / 2)


class HalfSquares(LinearFamily):
    """Its loss, with both derivatives."""

    exact_solvers = ("auto",)

    def __init__(self, estimator, classes=None):
        super().__init__(estimator, classes)
        self.l2 = 2 * estimator.alpha

    def loss(self, target, z):
        return np.square(z - target)[:, 0] / 2

    def gradient(self, target, z):
        return z - target

    def curvature(self, target, z):
        return np.ones_like(z)


FAMILIES = {HalfRidge: HalfSquares}
