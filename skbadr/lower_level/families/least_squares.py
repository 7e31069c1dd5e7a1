"""Least squares: Ridge, RidgeClassifier, LinearRegression, SGDRegressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression, Ridge, RidgeClassifier, SGDRegressor

from skbadr._typing import Array
from skbadr.lower_level.families.base import LinearFamily, SignedTargets


class LeastSquares(LinearFamily):
    """``(z - y)^2`` for each output."""

    exact_solvers = ("auto", "cholesky", "svd")

    def loss(self, target: Array, z: Array) -> Array:  # noqa: D102
        return np.square(z - target).sum(axis=1)

    def gradient(self, target: Array, z: Array) -> Array:  # noqa: D102
        return 2.0 * (z - target)

    def curvature(self, target: Array, z: Array) -> Array:  # noqa: D102
        return np.full_like(z, 2.0)


class SignedLeastSquares(SignedTargets, LeastSquares):
    """Least squares on targets -1 and 1."""


def ridge(estimator: Any, classes: Array | None) -> LinearFamily | str:
    """Return the family of a Ridge, or the reason why there is none."""
    if np.ndim(estimator.alpha) > 0:
        return "alpha is an array"
    if getattr(estimator, "positive", False):
        return "positive=True is a constraint"
    family = LeastSquares(estimator)
    family.l2 = 2.0 * estimator.alpha
    return family


def ridge_classifier(estimator: Any, classes: Array) -> LinearFamily | str:
    """Return the family of a RidgeClassifier, or the reason why there is none."""
    if estimator.class_weight is not None and not isinstance(estimator.class_weight, dict):
        return f"class_weight={estimator.class_weight!r} depends on the weights"
    if getattr(estimator, "positive", False):
        return "positive=True is a constraint"
    family = SignedLeastSquares(estimator, classes)
    family.l2 = 2.0 * estimator.alpha
    return family


def linear_regression(estimator: Any, classes: Array | None) -> LinearFamily | str:
    """Return the family of a LinearRegression, or the reason why there is none."""
    if estimator.positive:
        return "positive=True is a constraint"
    return LeastSquares(estimator)


def sgd_regressor(estimator: Any, classes: Array | None) -> LinearFamily | str:
    """Return the family of an SGDRegressor, or the reason why there is none."""
    if estimator.loss != "squared_error":
        return f"loss={estimator.loss!r} is not 'squared_error'"
    if estimator.penalty not in ("l2", None):
        return f"penalty={estimator.penalty!r} is not smooth"
    family = LeastSquares(estimator)
    family.l2 = estimator.alpha if estimator.penalty == "l2" else 0.0
    family.scale = lambda n, total_weight: 0.5 / n  # type: ignore[method-assign]
    return family


FAMILIES = {
    Ridge: ridge,
    RidgeClassifier: ridge_classifier,
    LinearRegression: linear_regression,
    SGDRegressor: sgd_regressor,
}
