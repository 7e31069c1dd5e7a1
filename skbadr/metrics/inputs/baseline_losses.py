"""The losses of a baseline model, for metrics that compare other models with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from skbadr._typing import ArrayLike, Features, ResponseMethod, Task
from skbadr.metrics.inputs.encoding import encode
from skbadr.metrics.inputs.responses import get_response

if TYPE_CHECKING:
    from skbadr.metrics.base import FairnessMetric
    from skbadr.metrics.evaluation_set import EvaluationSet


def add_baseline_losses(
    metric: FairnessMetric,
    data: EvaluationSet,
    respond: Callable[[ResponseMethod], Any],
    y_true: ArrayLike,
    sensitive_features: Features,
) -> None:
    """Make the losses of a baseline model part of the data, where a metric compares with them.

    Parameters
    ----------
    metric : FairnessMetric
    data : EvaluationSet
        Of the same rows; modified.
    respond : callable ``(response_method) -> output``
        The baseline model's.
    y_true, sensitive_features
        As of `encode`.
    """
    for loss in metric.references:
        method: Any = loss.response_method
        taken: Any = SimpleNamespace(
            name=metric.name,
            response_method=method,
            response_methods=(method,),
            tasks=metric.tasks,
            pos_label=metric.pos_label,
        )
        own, response = encode(
            taken, y_true, respond(method), sensitive_features, task=data.task, classes=data.classes
        )
        data.reference[loss] = loss.function(own.y, response)


def baseline_of(model: Any, X: Any, task: Task) -> Callable[[ResponseMethod], Any] | None:
    """Return what gives outputs of the baseline model that a fitted model knows, or None."""
    baseline = vars(model).get("baseline_estimator_") if hasattr(model, "__dict__") else None
    if baseline is None:
        return None
    return partial(get_response, baseline, X, task=task)
