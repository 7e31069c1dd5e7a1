"""Huber regression, whose scale is trained along with the coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import HuberRegressor

from skbadr._typing import Array, BoolArray, FloatArray
from skbadr.lower_level.families.base import LinearFamily


class HuberScale(LinearFamily):
    """``sigma + sigma H((y - z) / sigma)``: the scale is a second, constant output.

    With residual r, an inlier (``|r| <= epsilon sigma``) costs ``sigma + r^2 / sigma``, an outlier
    ``sigma + 2 epsilon |r| - epsilon^2 sigma``.

    References
    ----------
    Owen (2007), "A robust hybrid of lasso and ridge regression", Contemporary Mathematics 443.
    """

    n_outputs = 2

    def __init__(self, estimator: Any, classes: Array | None = None) -> None:
        super().__init__(estimator, classes)
        self.with_intercept = self.fit_intercept
        # The constant column carries the scale also where the model has no intercept.
        self.fit_intercept = True
        self.epsilon = estimator.epsilon
        self.l2 = 2.0 * estimator.alpha

    def free(self, p: int) -> BoolArray:  # noqa: D102
        free = np.ones((p, 2), dtype=bool)
        free[:-1, 1] = False
        free[-1, 0] = self.with_intercept
        return free

    def start(self, target: Array, weight: Array | None, p: int) -> FloatArray:  # noqa: D102
        coef = np.zeros((p, 2))
        center = np.average(target[:, 0], weights=weight) if self.with_intercept else 0.0
        spread = np.sqrt(np.average((target[:, 0] - center) ** 2, weights=weight))
        coef[-1] = center, max(spread, 1e-3)
        return coef

    def parameters(self, model: Any) -> FloatArray:  # noqa: D102
        last = [model.intercept_ if self.with_intercept else 0.0, model.scale_]
        return np.vstack([np.column_stack([model.coef_, np.zeros(len(model.coef_))]), last])

    def admissible(self, coef: FloatArray) -> bool:  # noqa: D102
        return coef[-1, 1] > 0

    def _parts(self, target, z):
        residual, sigma = z[:, 0] - target[:, 0], z[:, 1]
        return residual, sigma, np.abs(residual) > self.epsilon * sigma

    def loss(self, target: Array, z: Array) -> Array:  # noqa: D102
        residual, sigma, outlier = self._parts(target, z)
        far = 2 * self.epsilon * np.abs(residual) - self.epsilon**2 * sigma
        return sigma + np.where(outlier, far, residual**2 / sigma)

    def gradient(self, target: Array, z: Array) -> Array:  # noqa: D102
        residual, sigma, outlier = self._parts(target, z)
        ratio = residual / sigma
        in_score = np.where(outlier, 2 * self.epsilon * np.sign(residual), 2 * ratio)
        in_sigma = 1.0 - np.where(outlier, self.epsilon**2, ratio**2)
        return np.column_stack([in_score, in_sigma])

    def curvature(self, target: Array, z: Array) -> Array:  # noqa: D102
        residual, sigma, outlier = self._parts(target, z)
        ratio, inlier = residual / sigma, ~outlier
        curvature = np.empty((len(z), 2, 2))
        curvature[:, 0, 0] = 2.0 * inlier / sigma
        curvature[:, 0, 1] = curvature[:, 1, 0] = -2.0 * inlier * ratio / sigma
        curvature[:, 1, 1] = 2.0 * inlier * ratio**2 / sigma
        return curvature


FAMILIES = {HuberRegressor: lambda estimator, classes: HuberScale(estimator)}
