"""Linear support vector machines with squared losses (liblinear's penalised intercept)."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.svm import LinearSVC, LinearSVR

from skbadr._typing import Array
from skbadr.lower_level.families.base import LinearFamily, SignedTargets


class _Liblinear(LinearFamily):
    penalise_intercept = True

    def __init__(self, estimator, classes=None):
        super().__init__(estimator, classes)
        self.intercept_scaling = float(estimator.intercept_scaling)
        self.l2 = 1.0 / estimator.C


class SquaredHinge(SignedTargets, _Liblinear):
    """``max(0, 1 - y z)^2`` with y in {-1, 1}, each class against the rest where there are more."""

    def loss(self, target: Array, z: Array) -> Array:  # noqa: D102
        return np.square(np.maximum(0.0, 1.0 - target * z)).sum(axis=1)

    def gradient(self, target: Array, z: Array) -> Array:  # noqa: D102
        return -2.0 * target * np.maximum(0.0, 1.0 - target * z)

    def curvature(self, target: Array, z: Array) -> Array:  # noqa: D102
        return 2.0 * (target * z < 1.0)


class SquaredEpsilonInsensitive(_Liblinear):
    """``max(0, |z - y| - epsilon)^2``."""

    def loss(self, target: Array, z: Array) -> Array:  # noqa: D102
        return np.square(self._excess(target, z))[:, 0]

    def gradient(self, target: Array, z: Array) -> Array:  # noqa: D102
        return 2.0 * np.sign(z - target) * self._excess(target, z)

    def curvature(self, target: Array, z: Array) -> Array:  # noqa: D102
        return 2.0 * (self._excess(target, z) > 0)

    def _excess(self, target, z):
        return np.maximum(0.0, np.abs(z - target) - self.estimator.epsilon)


def linear_svc(estimator: Any, classes: Array) -> LinearFamily | str:
    """Return the family of a LinearSVC, or the reason why there is none."""
    if estimator.loss != "squared_hinge":
        return f"loss={estimator.loss!r} is not 'squared_hinge'"
    if estimator.penalty != "l2":
        return f"penalty={estimator.penalty!r} is not smooth"
    if estimator.multi_class != "ovr" and len(classes) > 2:
        return f"multi_class={estimator.multi_class!r} is not supported"
    if estimator.class_weight is not None and not isinstance(estimator.class_weight, dict):
        return f"class_weight={estimator.class_weight!r} depends on the weights"
    if estimator.class_weight is not None and len(classes) > 2:
        return "class_weight with more than two classes is not one factor per sample"
    return SquaredHinge(estimator, classes)


def linear_svr(estimator: Any, classes: Array | None) -> LinearFamily | str:
    """Return the family of a LinearSVR, or the reason why there is none."""
    if estimator.loss != "squared_epsilon_insensitive":
        return f"loss={estimator.loss!r} is not 'squared_epsilon_insensitive'"
    return SquaredEpsilonInsensitive(estimator)


FAMILIES = {LinearSVC: linear_svc, LinearSVR: linear_svr}
