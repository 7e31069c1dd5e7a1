"""What a smooth linear estimator is to the lower level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from skbadr._typing import Array, BoolArray, FloatArray
from skbadr.losses import standard_deviation


class LinearFamily:
    r"""Training objective ``scale * sum_i v_i l(y_i, z_i) + sum_j penalty_j coef_j^2 / 2``.

    Scores are ``z = X coef (+ intercept)``, of shape (n, m) for m outputs. A subclass states the
    loss per sample with its first and second derivatives in the scores. The lower level does the
    rest. Register the subclass with `register_family`, so that the solver finds it.

    Parameters
    ----------
    estimator : estimator
        The user's estimator, with its parameters.
    classes : ndarray of shape (C,) or None
        Class labels; None for regression.

    Examples
    --------
    An estimator of your own that minimises ``sum_i v_i log cosh(z_i - y_i) + alpha ||w||^2``:

    >>> import numpy as np
    >>> from skbadr.lower_level import LinearFamily
    >>> class LogCosh(LinearFamily):
    ...     def __init__(self, estimator, classes):
    ...         super().__init__(estimator, classes)
    ...         self.l2 = 2 * estimator.alpha
    ...
    ...     def loss(self, target, z):
    ...         return np.logaddexp(z - target, target - z)[:, 0] - np.log(2)
    ...
    ...     def gradient(self, target, z):
    ...         return np.tanh(z - target)
    ...
    ...     def curvature(self, target, z):
    ...         return 1 - np.tanh(z - target) ** 2
    """

    estimator: Any
    classes: Array | None
    fit_intercept: bool
    l2: float
    class_weight: dict[Any, float] | None
    n_outputs: int = 1
    intercept_scaling: float = 1.0
    penalise_intercept: bool = False
    # Whether adding a constant to all scores of a sample leaves its loss unchanged.
    shift_invariant: bool = False
    # Whether the objective divides by the sum of the weights.
    averages: bool = False
    # Solvers of the estimator that find the solution itself, whatever their tolerance says.
    exact_solvers: tuple[str, ...] = ()

    def __init__(self, estimator: Any, classes: Array | None = None) -> None:
        self.estimator, self.classes = estimator, classes
        self.fit_intercept = bool(getattr(estimator, "fit_intercept", True))
        self.l2 = 0.0
        self.class_weight = getattr(estimator, "class_weight", None)

    # The loss.

    def loss(self, target: Array, z: Array) -> Array:
        """Return the loss of each sample, of shape (n,)."""
        raise NotImplementedError

    def gradient(self, target: Array, z: Array) -> Array:
        """Return its derivative in the scores, of shape (n, m)."""
        raise NotImplementedError

    def curvature(self, target: Array, z: Array) -> Array:
        """Return its second derivative: (n, m) where outputs separate, else (n, m, m)."""
        raise NotImplementedError

    def curvature_diagonal(self, target: Array, z: Array) -> Array:
        """Return the diagonal of the second derivative, of shape (n, m)."""
        curvature = self.curvature(target, z)
        return curvature if curvature.ndim == 2 else np.einsum("naa->na", curvature)

    def curvature_operator(self, target: Array, z: Array) -> Callable[[Array], Array]:
        """Return the second derivative as a function of directions, both of shape (n, m)."""
        curvature = self.curvature(target, z)
        if curvature.ndim == 2:
            return lambda direction: curvature * direction
        return lambda direction: np.einsum("nab,nb->na", curvature, direction)

    # The estimator's conventions.

    def encode(self, y: Array) -> Array:
        """Return the training targets, of shape (n, m), from class codes or real targets."""
        return np.asarray(y, dtype=float)[:, None]

    def scale(self, n: int, total_weight: float) -> float:
        """Return the factor of the weighted sum of losses."""
        return 1.0

    def penalty(self, p: int) -> FloatArray:
        """Return the quadratic penalty of each of p parameters."""
        penalty = np.full(p, float(self.l2))
        if self.fit_intercept and not self.penalise_intercept:
            penalty[-1] = 0.0
        return penalty

    def free(self, p: int) -> BoolArray:
        """Return the mask, of shape (p, m), of the parameters that are trained."""
        return np.ones((p, self.n_outputs), dtype=bool)

    def loss_weight(self, y: Array) -> FloatArray | None:
        """Return the estimator's own factor of each sample's loss, or None."""
        if self.class_weight is None:
            return None
        by_class = [self.class_weight.get(label, 1.0) for label in self.classes.tolist()]  # type: ignore[union-attr]
        return np.array(by_class, dtype=float)[y]

    def score_scale(self, target: Array, weight: Array | None) -> float:
        """Return the size of scores that matters: 1 for classifiers, else the targets' spread."""
        return 1.0 if self.classes is not None else standard_deviation(target[:, 0], weight) or 1.0

    def start(self, target: Array, weight: Array | None, p: int) -> FloatArray:
        """Return starting parameters, of shape (p, m)."""
        return np.zeros((p, self.n_outputs))

    def admissible(self, coef: FloatArray) -> bool:
        """Whether parameters lie in the domain of the objective."""
        return True

    # Fitted models.

    @property
    def resolution(self) -> float:
        """Weight of a cell below which the estimator's own solver may not see its gradient.

        Ten times its tolerance, where that bounds the gradient per unit of sample weight.
        """
        if getattr(self.estimator, "solver", None) in self.exact_solvers:
            return 0.0
        tol = getattr(self.estimator, "tol", None)
        return 10.0 * tol if isinstance(tol, float) else 0.0

    def parameters(self, model: Any) -> FloatArray:
        """Return the parameters, of shape (p, m), of a fitted estimator of the user's class."""
        coef = np.atleast_2d(model.coef_).T.astype(float)
        if not self.fit_intercept:
            return coef
        intercept = np.atleast_1d(model.intercept_) / self.intercept_scaling
        return np.vstack([coef, intercept])

    # Predictions.

    def predict(self, z: Array) -> Array:
        """Return class codes, or predicted values of a regressor, of shape (n,)."""
        if self.classes is None:
            return z[:, 0]
        if z.shape[1] == 1:
            return (z[:, 0] > 0).astype(np.intp)
        return np.argmax(z, axis=1)

    def predict_gradient(self, z: Array) -> Array:
        """Return the derivative of a regressor's prediction in its score, of shape (n,)."""
        return np.ones(len(z))


class SignedTargets(LinearFamily):
    """Targets -1 and 1: one output for two classes, else one for each class against the rest."""

    def __init__(self, estimator: Any, classes: Array) -> None:
        super().__init__(estimator, classes)
        self.n_outputs = 1 if len(classes) == 2 else len(classes)

    def encode(self, y: Array) -> Array:  # noqa: D102
        if self.n_outputs == 1:
            return 2.0 * y[:, None] - 1.0
        return 2.0 * np.eye(self.n_outputs)[y] - 1.0
