"""The loss that an estimator trains on, as a name with options."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from skbadr._typing import Task
from skbadr._warnings import warn_user
from skbadr.losses import Loss, get_loss
from skbadr.metrics.base import FairnessMetric
from skbadr.metrics.composite.combined import CombinedMetric
from skbadr.metrics.composite.sliced import SlicedMetric
from skbadr.metrics.inputs.responses import has_method
from skbadr.metrics.losses.group_losses import GroupLossMetric

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

# Where searches and other wrappers keep the one estimator that they have trained.
_FITTED = ("best_estimator_", "estimator_")


def own_loss(estimator: Any, y: np.ndarray, task: Task) -> Loss:
    """Return the loss that an estimator trains on, as far as it is known.

    Parameters
    ----------
    estimator : estimator
        The user's; the last step of a Pipeline counts, and what a fitted search or BADR estimator
        has trained.
    y : ndarray of shape (n,)
        Real targets, of which "huber" needs the scale.
    task : {"classification", "regression"}

    Returns
    -------
    loss : skbadr.losses.Loss
        Where it is not known, the log loss of a classifier with probabilities, else the zero-one
        loss; the squared error of a regressor.
    """
    final = _trained(estimator)
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
        if loss.task == task and _can(estimator, loss.response_method):
            return loss
    if task == "regression":
        return get_loss("squared_error")
    return get_loss("log_loss" if has_method(estimator, "predict_proba") else "zero_one")


def _trained(estimator):
    """Return the estimator that is trained with weights inside pipelines and fitted wrappers."""
    while True:
        if isinstance(estimator, Pipeline):
            inner = estimator.steps[-1][1]
        else:
            # Not by bool(): an ensemble that is not fitted has no length.
            known = getattr(estimator, "__dict__", {})
            inner = next((known[name] for name in _FITTED if name in known), None)
        if not hasattr(inner, "fit"):
            return estimator
        estimator = inner


def _can(estimator, response_method):
    """Whether an estimator has a response method, or what stands in for it."""
    methods = {response_method}
    if response_method == "decision_function":
        methods.add("predict_proba")
    return any(has_method(estimator, method) for method in methods)


def with_own_loss(
    metric: FairnessMetric, estimator: Any, y: np.ndarray, task: Task
) -> FairnessMetric:
    """Return a metric, its loss filled in where it is the estimator's own.

    Parameters
    ----------
    metric : FairnessMetric
    estimator, y, task
        See `own_loss`.

    Returns
    -------
    metric : FairnessMetric

    Warns
    -----
    UserWarning
        If the zero-one loss stands in for a loss that is not known.
    """
    if isinstance(metric, CombinedMetric):
        return metric.with_parts([with_own_loss(p, estimator, y, task) for p in metric.parts])
    if isinstance(metric, SlicedMetric):
        inner = with_own_loss(metric.metric, estimator, y, task)
        return SlicedMetric(inner, intersectional=metric.intersectional)
    if not isinstance(metric, GroupLossMetric) or not metric.own:
        return metric
    loss = own_loss(estimator, y, task)
    if loss.name == "zero_one":
        named = _trained(estimator) if isinstance(estimator, Pipeline) else estimator
        warn_user(
            f"the loss that {type(named).__name__} trains on is not known, so that "
            f"{metric.name} is of the zero-one loss: name a loss by get_metric(..., loss=...), or "
            "take worst_group_error or zero_one_loss_* by name."
        )
    return metric.with_loss(loss)
