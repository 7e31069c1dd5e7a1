"""What a metric takes of a fitted estimator: the output of one response method, or of several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline

from skbadr._typing import Array, ResponseMethod, Task

if TYPE_CHECKING:
    from skbadr.metrics.base import FairnessMetric

# Whose `predict` is the class with the largest `predict_proba`, the first one in a tie.
LIKELIEST = {"HistGradientBoostingClassifier", "ForestClassifier", "MLPClassifier"}


def get_response(estimator: Any, X: Any, response_method: ResponseMethod, task: Task) -> Array:
    """Return an estimator's output for a metric's response method.

    Parameters
    ----------
    estimator : fitted estimator
    X : array-like of shape (n, d)
    response_method : {"predict", "predict_proba", "decision_function"}
        "decision_function" stands for log odds (log probabilities for more than two classes)
        where a classifier has probabilities alone.
    task : {"classification", "regression"}
        Regressors only predict.

    Returns
    -------
    response : ndarray of shape (n,) or (n, C)
    """
    if task == "regression":
        return np.asarray(estimator.predict(X))
    if response_method != "decision_function" or hasattr(estimator, "decision_function"):
        return np.asarray(getattr(estimator, response_method)(X))
    return log_odds(estimator.predict_proba(X))


def response_to(metric: FairnessMetric, estimator: Any, X: Any, task: Task) -> Any:
    """Return what `encode` takes of a fitted estimator for a metric: an output, or a dict of them.

    Parameters
    ----------
    metric : FairnessMetric
    estimator, X, task
        As of `get_response`.
    """
    outputs = {name: get_response(estimator, X, name, task) for name in metric.response_methods}
    return outputs if len(outputs) > 1 else next(iter(outputs.values()))


def log_odds(proba: Array) -> Array:
    """Return log odds of two classes, or log probabilities of more, of shape (n,) or (n, C)."""
    logs = np.log(np.clip(proba, 1e-12, 1.0))
    return logs[:, 1] - logs[:, 0] if logs.shape[1] == 2 else logs


def has_method(estimator: Any, name: str) -> bool:
    """Whether an estimator has a method, or will have it when it is fitted.

    A stack has the methods of its last estimator, of which None stands for a linear one.
    """
    if hasattr(estimator, name):
        return True
    if isinstance(estimator, Pipeline):
        return has_method(estimator.steps[-1][1], name)
    if not hasattr(type(estimator), name) or not hasattr(estimator, "get_params"):
        return False
    params = estimator.get_params(deep=False)
    if "final_estimator" in params and params["final_estimator"] is None:
        return hasattr(LogisticRegression if is_classifier(estimator) else Ridge, name)
    wrapped = params.get("final_estimator", params.get("estimator"))
    return wrapped is not None and has_method(wrapped, name)


def predicts_likeliest(estimator: Any) -> bool:
    """Return whether predictions are known to be the classes with the largest probability.

    Asked of the class that defines the method, which a subclass may override.
    """
    methods = [getattr(type(estimator), name, None) for name in ("predict", "predict_proba")]
    owners = {getattr(method, "__qualname__", "").partition(".")[0] for method in methods}
    modules = {getattr(method, "__module__", "").partition(".")[0] for method in methods}
    return modules == {"sklearn"} and owners <= LIKELIEST


class JointResponse:
    """Outputs by response method; rows are taken of all of them at once, as of an array.

    Parameters
    ----------
    outputs : dict of str to ndarray
    """

    def __init__(self, outputs: Mapping[str, Any]) -> None:
        self.outputs = dict(outputs)

    def __len__(self) -> int:
        return len(next(iter(self.outputs.values())))

    def __getitem__(self, rows: Any) -> JointResponse:
        return JointResponse({name: output[rows] for name, output in self.outputs.items()})


def methods_of(metrics: Iterable[FairnessMetric]) -> tuple[str, ...]:
    """Return the response methods that some metrics take, each once, in order."""
    return tuple(dict.fromkeys(name for metric in metrics for name in metric.response_methods))


def pick(metric: FairnessMetric, outputs: Mapping[str, Any]) -> Any:
    """Return what a metric takes of a model's outputs by response method."""
    names = metric.response_methods
    if len(names) == 1:
        return outputs[names[0]]
    return JointResponse({name: outputs[name] for name in names})


def part_of(metric: FairnessMetric, response: Any) -> Array:
    """Return what one of several metrics takes of the response to all of them."""
    return pick(metric, response.outputs) if isinstance(response, JointResponse) else response
