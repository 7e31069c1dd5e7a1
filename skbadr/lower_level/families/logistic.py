"""Logistic regression: binary, multinomial, and trained by stochastic gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit, log_softmax, softmax
from sklearn.linear_model import LogisticRegression, SGDClassifier

from skbadr._typing import Array
from skbadr.losses import softplus
from skbadr.lower_level.families.base import LinearFamily


class BinaryLogistic(LinearFamily):
    """``log(1 + exp(z)) - y z`` with y in {0, 1}."""

    exact_solvers = ("newton-cholesky",)

    def loss(self, target: Array, z: Array) -> Array:  # noqa: D102
        z = z[:, 0]
        return softplus(z) - target[:, 0] * z

    def gradient(self, target: Array, z: Array) -> Array:  # noqa: D102
        return _sigmoid(z) - target

    def curvature(self, target: Array, z: Array) -> Array:  # noqa: D102
        proba = _sigmoid(z)
        return proba * (1.0 - proba)

    def predict_proba(self, z: Array) -> Array:  # noqa: D102
        proba = expit(z[:, 0])
        return np.column_stack([1.0 - proba, proba])


def _sigmoid(z):
    """Return the logistic function."""
    if z.dtype != np.float32:
        return expit(z)
    # NumPy's exp of single precision takes half the time.
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-z))


class Multinomial(LinearFamily):
    """``-log softmax(z)[y]``, one output per class."""

    exact_solvers = ("newton-cholesky",)
    shift_invariant = True

    def __init__(self, estimator: Any, classes: Array) -> None:
        super().__init__(estimator, classes)
        self.n_outputs = len(classes)

    def encode(self, y: Array) -> Array:  # noqa: D102
        return np.eye(self.n_outputs)[y]

    def loss(self, target: Array, z: Array) -> Array:  # noqa: D102
        return -(target * log_softmax(z, axis=1)).sum(axis=1)

    def gradient(self, target: Array, z: Array) -> Array:  # noqa: D102
        return softmax(z, axis=1) - target

    def curvature(self, target: Array, z: Array) -> Array:  # noqa: D102
        proba = softmax(z, axis=1)
        return np.einsum("na,ab->nab", proba, np.eye(z.shape[1])) - np.einsum(
            "na,nb->nab", proba, proba
        )

    def curvature_diagonal(self, target: Array, z: Array) -> Array:  # noqa: D102
        proba = softmax(z, axis=1)
        return proba * (1.0 - proba)

    def curvature_operator(self, target: Array, z: Array) -> Callable[[Array], Array]:  # noqa: D102
        proba = softmax(z, axis=1)
        return lambda direction: (
            proba * (direction - (proba * direction).sum(axis=1, keepdims=True))
        )

    def predict_proba(self, z: Array) -> Array:  # noqa: D102
        return softmax(z, axis=1)


def logistic_regression(estimator: Any, classes: Array) -> LinearFamily | str:
    """Return the family of a LogisticRegression, or the reason why there is none."""
    penalty = getattr(estimator, "penalty", "l2")
    l1_ratio = getattr(estimator, "l1_ratio", None) or 0.0
    if penalty in ("l1", "elasticnet") and not (penalty == "elasticnet" and l1_ratio == 0):
        return f"penalty={penalty!r} is not smooth"
    if penalty not in ("l1", "elasticnet", None) and l1_ratio > 0:
        return f"l1_ratio={l1_ratio} is not smooth"
    if getattr(estimator, "multi_class", "deprecated") not in ("deprecated", "auto"):
        return f"multi_class={estimator.multi_class!r} is not supported"
    if estimator.class_weight is not None and not isinstance(estimator.class_weight, dict):
        return f"class_weight={estimator.class_weight!r} depends on the weights"
    if len(classes) > 2 and estimator.solver == "liblinear":
        return "solver='liblinear' with more than two classes is not one problem"
    kind = BinaryLogistic if len(classes) == 2 else Multinomial
    family = kind(estimator, classes)
    strength = np.inf if penalty is None else estimator.C
    family.l2 = 0.0 if np.isinf(strength) else 1.0 / strength
    if estimator.solver == "liblinear" and estimator.fit_intercept:
        family.penalise_intercept = True
        family.intercept_scaling = float(estimator.intercept_scaling)
    return family


def sgd_classifier(estimator: Any, classes: Array) -> LinearFamily | str:
    """Return the family of an SGDClassifier, or the reason why there is none."""
    if estimator.loss != "log_loss":
        return f"loss={estimator.loss!r} is not 'log_loss'"
    if estimator.penalty not in ("l2", None):
        return f"penalty={estimator.penalty!r} is not smooth"
    if estimator.class_weight is not None and not isinstance(estimator.class_weight, dict):
        return f"class_weight={estimator.class_weight!r} depends on the weights"
    if len(classes) > 2:
        return "more than two classes are trained one against the rest"
    family = BinaryLogistic(estimator, classes)
    family.l2 = estimator.alpha if estimator.penalty == "l2" else 0.0
    family.scale = lambda n, total_weight: 1.0 / n  # type: ignore[method-assign]
    return family


FAMILIES = {LogisticRegression: logistic_regression, SGDClassifier: sgd_classifier}
