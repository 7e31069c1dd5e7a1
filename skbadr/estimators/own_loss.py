"""The loss that a wrapped estimator trains on, as a name with options."""

import numpy as np

from skbadr.losses import get_loss
from skbadr.lower_level import PeeledEstimator

# Estimator's class -> loss, or how its parameters give it. Subclasses count.
_BY_CLASS = {
    "LogisticRegression": "log_loss",
    "LogisticRegressionCV": "log_loss",
    "RidgeClassifier": "least_squares",
    "RidgeClassifierCV": "least_squares",
    "MLPClassifier": "log_loss",
    "PoissonRegressor": "poisson_deviance",
    "GammaRegressor": "gamma_deviance",
}
# What estimators call their ``loss`` or ``criterion`` -> what it is called here.
_BY_PARAMETER = {
    "log_loss": "log_loss",
    "deviance": "log_loss",
    "entropy": "log_loss",
    "squared_hinge": "squared_hinge",
    "squared_error": "squared_error",
    "absolute_error": "absolute_error",
    "poisson": "poisson_deviance",
    "gamma": "gamma_deviance",
}


def own_loss(estimator, y, task):
    """Return the loss that an estimator trains on, as far as it is known.

    Parameters
    ----------
    estimator : estimator
        The user's; the last step of a Pipeline counts.
    y : ndarray of shape (n,)
        Real targets, of which "huber" needs the scale.
    task : {"classification", "regression"}

    Returns
    -------
    loss : skbadr.losses.Loss
        Where it is not known, the log loss of a classifier with probabilities, else the zero-one
        loss; the squared error of a regressor.
    """
    final = PeeledEstimator(estimator).final
    classes = [kind.__name__ for kind in type(final).__mro__]
    if "TweedieRegressor" in classes and (final.power == 0 or final.power >= 1):
        return get_loss("tweedie_deviance", power=final.power)
    if "LinearSVR" in classes and final.loss == "squared_epsilon_insensitive":
        return get_loss(final.loss, epsilon=final.epsilon)
    if "HuberRegressor" in classes:
        # Its own scale is trained along; that of the targets stands in for it.
        spread = np.median(np.abs(y - np.median(y))) / 0.6745
        return get_loss("huber", delta=final.epsilon * (spread if spread > 0 else 1.0))
    name = next((_BY_CLASS[kind] for kind in classes if kind in _BY_CLASS), None)
    for parameter in ("loss", "criterion"):
        value = getattr(final, parameter, None)
        if name is None and isinstance(value, str):
            name = _BY_PARAMETER.get(value)
    if name is not None:
        loss = get_loss(name)
        if loss.task == task and _can(final, loss.response_method):
            return loss
    if task == "regression":
        return get_loss("squared_error")
    return get_loss("log_loss" if hasattr(final, "predict_proba") else "zero_one")


def _can(estimator, response_method):
    """Whether an estimator has a response method, or what stands in for it."""
    methods = {response_method}
    if response_method == "decision_function":
        methods.add("predict_proba")
    return any(hasattr(estimator, method) for method in methods)


def with_own_loss(metric, estimator, y, task):
    """Return a metric, its loss filled in where it is the wrapped estimator's own."""
    if not getattr(metric, "own", False):
        return metric
    return metric.with_loss(own_loss(estimator, y, task))
