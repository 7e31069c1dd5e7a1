"""Losses per sample: what a cell's mean loss F_k averages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit, softmax, xlogy

from skbadr._rows import steps
from skbadr._typing import Array, Float, FloatArray

__all__ = ["Loss", "get_loss"]


@dataclass(frozen=True)
class Loss:
    """A loss per sample, with all that fairness metrics need from it.

    Parameters
    ----------
    name : str
        Name that ``loss=`` takes.
    function : callable ``(y, response) -> ndarray of shape (n,)``
        `response` is the output of `response_method`: class codes, probabilities of shape (n, C),
        decision functions of shape (n,) or (n, m), or real predictions.
    response_method : {"predict", "predict_proba", "decision_function"}
    task : {"classification", "regression"}
    gradient : callable ``(y, scores) -> (loss, gradient)`` or None, default=None
        Gradient in decision functions (or real predictions) of shape (n, m).
    kinked : bool, default=False
        Whether the gradient jumps.
    constant : callable ``(y, weight, n_classes) -> response`` or None, default=None
        Response of the best model that knows nothing of X, of shape () or (C,).
    lowest_target : float, default=-inf
        Targets are at least this.
    excluded : bool, default=False
        Whether targets exceed `lowest_target`.
    """

    name: str
    function: Callable
    response_method: str
    task: str
    gradient: Callable | None = None
    kinked: bool = False
    constant: Callable | None = None
    lowest_target: float = -np.inf
    excluded: bool = False

    def check_targets(self, y: Array) -> None:
        """Raise a ValueError where the loss is not defined for some target."""
        low = np.min(y, initial=np.inf)
        if low < self.lowest_target or (self.excluded and low == self.lowest_target):
            sign = ">" if self.excluded else ">="
            raise ValueError(
                f"loss={self.name!r} needs targets {sign} {self.lowest_target:g}, but y has "
                f"{low:g}: choose another loss."
            )


# Of labels and probabilities.


def zero_one_loss(y: Array, predicted: Array) -> FloatArray:
    """Return 1.0 where the predicted class code differs from the true one."""
    return (y != predicted).astype(float)


def log_loss(y: Array, proba: Array) -> FloatArray:
    """Return ``-log proba[i, y[i]]``, clipped at the resolution of the dtype as scikit-learn does.

    Parameters
    ----------
    y : ndarray of shape (n,), integer class codes
    proba : ndarray of shape (n, C)
    """
    proba = np.asarray(proba)
    losses, eps = np.empty(len(y)), np.finfo(proba.dtype).eps
    flat, n_classes = np.ascontiguousarray(proba).reshape(-1), proba.shape[1]
    for rows in steps(len(y)):
        places = np.arange(rows.start, rows.stop) * n_classes
        picked = flat.take(places + y[rows].astype(np.intp, copy=False))
        losses[rows] = -np.log(np.clip(picked, eps, 1.0 - eps))
    return losses


def softplus(z: Array) -> Array:
    """Return ``log(1 + exp(z))`` without overflow, faster than `numpy.logaddexp`."""
    return np.maximum(z, 0.0) + _log_one_plus(np.exp(-np.abs(z)))


def _log_one_plus(small):
    # In single precision scores are no more exact than this, which takes a quarter of the time.
    return np.log(1.0 + small) if small.dtype == np.float32 else np.log1p(small)


def log_loss_and_gradient(y: Array, scores: Array) -> tuple[Array, Array]:
    """Return the log loss of decision functions, and its gradient in them.

    Parameters
    ----------
    y : ndarray of shape (n,), class codes
    scores : ndarray of shape (n, m)
        Log odds for two classes (m = 1), else one score per class.

    Returns
    -------
    loss : ndarray of shape (n,)
    gradient : ndarray of shape (n, m)
    """
    if scores.shape[1] == 1:
        # log(1 + exp(z)) and its derivative from one exp, without overflow
        small, target = np.exp(-np.abs(scores)), y[:, None].astype(scores.dtype)
        loss = np.maximum(scores, 0.0) + _log_one_plus(small) - target * scores
        # That exp is at most 1, which takes its place where scores are positive.
        top = np.maximum(small, scores >= 0)
        return loss[:, 0], top / (1.0 + small) - target
    rows = np.arange(len(y))
    shifted = scores - scores.max(axis=1, keepdims=True)
    gradient = np.exp(shifted)
    total = gradient.sum(axis=1, keepdims=True)
    gradient /= total
    gradient[rows, y] -= 1.0
    return np.log(total[:, 0]) - shifted[rows, y], gradient


# Of decision functions, with targets -1 and 1, each class against the rest where there are more.


def signed_targets(y: Array, n_outputs: int) -> Array:
    """Return class codes as -1 and 1, of shape (n, m)."""
    if n_outputs == 1:
        return 2.0 * y[:, None] - 1.0
    return 2.0 * np.eye(n_outputs)[y] - 1.0


def squared_hinge_and_gradient(y: Array, scores: Array) -> tuple[Array, Array]:
    """Return ``max(0, 1 - y z)^2``, summed over outputs, and its gradient."""
    target = signed_targets(y, scores.shape[1])
    slack = np.maximum(0.0, 1.0 - target * scores)
    return np.square(slack).sum(axis=1), -2.0 * target * slack


def least_squares_and_gradient(y: Array, scores: Array) -> tuple[Array, Array]:
    """Return ``(z - y)^2``, summed over outputs, and its gradient."""
    residual = scores - signed_targets(y, scores.shape[1])
    return np.square(residual).sum(axis=1), 2.0 * residual


def soft_zero_one_and_gradient(y: Array, scores: Array, temperature: Float) -> tuple[Array, Array]:
    """Return 1 minus the membership in the true class, and its gradient."""
    if scores.shape[1] == 1:
        slope = temperature * (1.0 - 2.0 * y[:, None])
        wrong = expit(slope * scores)
        return wrong[:, 0], slope * wrong * (1.0 - wrong)
    member = softmax(temperature * scores, axis=1)
    own = np.take_along_axis(member, y[:, None], axis=1)
    return 1.0 - own[:, 0], temperature * own * (member - np.eye(scores.shape[1])[y])


# Of real predictions.


def squared_error(y: Array, predicted: Array) -> Array:
    """Return ``(y - predicted) ** 2``."""
    return np.square(np.asarray(y, dtype=float) - predicted)


def squared_error_and_gradient(y: Array, predicted: Array) -> tuple[Array, Array]:
    """Return squared errors of predictions of shape (n, 1), and their gradient."""
    residual = predicted - y[:, None]
    return np.square(residual[:, 0]), 2.0 * residual


def absolute_error(y: Array, predicted: Array) -> Array:
    """Return ``|y - predicted|``."""
    return np.abs(np.asarray(y, dtype=float) - predicted)


def absolute_error_and_gradient(y: Array, predicted: Array) -> tuple[Array, Array]:
    """Return absolute errors of predictions of shape (n, 1), and a subgradient."""
    residual = predicted - y[:, None]
    return np.abs(residual[:, 0]), np.sign(residual)


def huber_and_gradient(y: Array, predicted: Array, delta: float) -> tuple[Array, Array]:
    """Return ``r^2 / 2`` up to delta and ``delta |r| - delta^2 / 2`` beyond, and the gradient."""
    residual = predicted - y[:, None]
    near = np.clip(residual, -delta, delta)
    return (near * (residual - 0.5 * near))[:, 0], near


def squared_epsilon_insensitive_and_gradient(
    y: Array, predicted: Array, epsilon: float
) -> tuple[Array, Array]:
    """Return ``max(0, |r| - epsilon)^2``, and its gradient."""
    residual = predicted - y[:, None]
    excess = np.maximum(0.0, np.abs(residual) - epsilon)
    return np.square(excess[:, 0]), 2.0 * np.sign(residual) * excess


def tweedie_deviance_and_gradient(y: Array, predicted: Array, power: float) -> tuple[Array, Array]:
    """Return the unit deviance that scikit-learn's metrics average, and its gradient.

    Infinite, without gradient, where a prediction is not positive and `power` asks for that.
    """
    y = y[:, None]
    if power == 0:
        return squared_error_and_gradient(y[:, 0], predicted)
    valid = predicted > 0
    mean = np.where(valid, predicted, 1.0)
    if power == 1:
        deviance = 2.0 * (xlogy(y, y / mean) - y + mean)
    elif power == 2:
        deviance = 2.0 * (np.log(mean / y) + y / mean - 1.0)
    else:
        deviance = 2.0 * (
            np.maximum(y, 0.0) ** (2 - power) / ((1 - power) * (2 - power))
            - y * mean ** (1 - power) / (1 - power)
            + mean ** (2 - power) / (2 - power)
        )
    slope = 2.0 * (mean - y) * mean**-power
    return np.where(valid, deviance, np.inf)[:, 0], np.where(valid, slope, 0.0)


# What a model that knows nothing of X responds.


def standard_deviation(values: Array, weight: Array | None = None) -> float:
    """Return the standard deviation of weighted values; None stands for equal weights."""
    if weight is None:
        return float(np.std(values))
    mean = np.average(values, weights=weight)
    return float(np.sqrt(np.average(np.square(values - mean), weights=weight)))


def _weighted_mean(y, weight, n_classes):
    return np.average(y, weights=weight)


def _weighted_median(y, weight, n_classes):
    order = np.argsort(y, kind="stable")
    below = np.cumsum(np.ones(len(y)) if weight is None else weight[order])
    return y[order[np.searchsorted(below, 0.5 * below[-1])]]


def _class_shares(y, weight, n_classes):
    totals = np.bincount(y, weights=weight, minlength=n_classes)
    return totals / totals.sum()


def _majority(y, weight, n_classes):
    return np.argmax(_class_shares(y, weight, n_classes))


def _majority_scores(y, weight, n_classes):
    # Far enough from 0 for memberships of any temperature in use to be 0 or 1.
    scores = 1e6 * (2.0 * np.eye(n_classes)[_majority(y, weight, n_classes)] - 1.0)
    return scores[1:] if n_classes == 2 else scores


def _signed_shares(y, weight, n_classes):
    shares = 2.0 * _class_shares(y, weight, n_classes) - 1.0
    return shares[1:] if n_classes == 2 else shares


def _without_gradient(y, response, *, gradient):
    return gradient(y, np.reshape(response, (len(y), -1)).astype(float, copy=False))[0]


def _of_scores(gradient):
    """Return the function of a loss from its function with gradient; it can be pickled."""
    return partial(_without_gradient, gradient=gradient)


def _margin_loss(name, gradient, constant=_signed_shares):
    function = _of_scores(gradient)
    return Loss(name, function, "decision_function", "classification", gradient, constant=constant)


def _regression_loss(name, gradient, constant=_weighted_mean, function=None, **options):
    function = function or _of_scores(gradient)
    return Loss(name, function, "predict", "regression", gradient, constant=constant, **options)


def _tweedie(name, power):
    # Powers between 0 and 1 have no distribution.
    if isinstance(power, (bool, str)) or not (power == 0 or power >= 1):
        raise ValueError(f"power must be 0 or at least 1, got {power!r}.")
    bounds = {} if power == 0 else {"lowest_target": 0.0, "excluded": power >= 2}
    return _regression_loss(name, partial(tweedie_deviance_and_gradient, power=power), **bounds)


def _huber(delta=1.35):
    if isinstance(delta, (bool, str)) or not delta > 0:
        raise ValueError(f"delta must be a positive number, got {delta!r}.")
    return _regression_loss("huber", partial(huber_and_gradient, delta=delta), _weighted_median)


def _epsilon_insensitive(epsilon=0.0):
    if isinstance(epsilon, (bool, str)) or not epsilon >= 0:
        raise ValueError(f"epsilon must be a number >= 0, got {epsilon!r}.")
    gradient = partial(squared_epsilon_insensitive_and_gradient, epsilon=epsilon)
    return _regression_loss("squared_epsilon_insensitive", gradient)


# name -> maker of the loss, which takes its options
_MAKERS: dict[str, Callable[..., Loss]] = {
    "zero_one": lambda: Loss(
        "zero_one", zero_one_loss, "predict", "classification", constant=_majority
    ),
    "log_loss": lambda: Loss(
        "log_loss", log_loss, "predict_proba", "classification", log_loss_and_gradient,
        constant=_class_shares,
    ),
    "squared_hinge": partial(_margin_loss, "squared_hinge", squared_hinge_and_gradient),
    "least_squares": partial(_margin_loss, "least_squares", least_squares_and_gradient),
    "squared_error": partial(
        _regression_loss, "squared_error", squared_error_and_gradient, function=squared_error
    ),
    "absolute_error": partial(
        _regression_loss, "absolute_error", absolute_error_and_gradient, _weighted_median,
        absolute_error, kinked=True,
    ),
    "huber": _huber,
    "squared_epsilon_insensitive": _epsilon_insensitive,
    "poisson_deviance": partial(_tweedie, "poisson_deviance", power=1),
    "gamma_deviance": partial(_tweedie, "gamma_deviance", power=2),
    "tweedie_deviance": lambda power=1.5: _tweedie("tweedie_deviance", power),
}  # fmt: skip


def get_loss(name: str, **options: Any) -> Loss:
    """Return a loss by name.

    Parameters
    ----------
    name : str
        Losses of labels: "zero_one"; of probabilities: "log_loss"; of decision functions:
        "squared_hinge", "least_squares" (with targets -1 and 1); of real predictions:
        "squared_error", "absolute_error", "huber", "squared_epsilon_insensitive",
        "poisson_deviance", "gamma_deviance", "tweedie_deviance".
    **options
        ``delta=1.35`` of "huber" and ``epsilon=0`` of "squared_epsilon_insensitive", in units of
        the target; ``power=1.5`` of "tweedie_deviance".

    Returns
    -------
    loss : Loss

    Raises
    ------
    ValueError
        If the name is unknown, or an option has no such value.
    TypeError
        If the loss has no such option.
    """
    if name not in _MAKERS:
        raise ValueError(f"loss must be one of {list(_MAKERS)}, got {name!r}.")
    try:
        return _MAKERS[name](**options)
    except TypeError as error:
        raise TypeError(f"loss={name!r} has no such options: {sorted(options)}.") from error


def soft_zero_one(temperature: Float) -> Loss:
    """Return the zero-one loss of classes that are drawn: 1 minus the membership in the true one.

    Parameters
    ----------
    temperature : float
        Memberships are a logistic function (softmax) of this times the scores.

    Returns
    -------
    loss : Loss
    """
    gradient = partial(soft_zero_one_and_gradient, temperature=temperature)
    return _margin_loss("zero_one", gradient, _majority_scores)


# name -> (loss per sample, response method it needs, task), at the default options
LOSSES = {
    name: (loss.function, loss.response_method, loss.task)
    for name, loss in ((name, maker()) for name, maker in _MAKERS.items())
}
