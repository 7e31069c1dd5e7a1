"""What a fitted estimator visited, and the bounds of a front."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skbadr._typing import ArrayLike, Features, FloatArray, Numbers
from skbadr.estimators.base import BaseBADR
from skbadr.result import Evaluation

if TYPE_CHECKING:
    from skbadr.estimators.fit.setup import Setup


def visited_by(
    model: BaseBADR,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sensitive_features: Features | None = None,
    control_features: Features | None = None,
    sample_weight: ArrayLike | None = None,
    bounds: Numbers | None = None,
    **fit_params: Any,
) -> tuple[Setup, list[Evaluation], FloatArray]:
    """Return what a fitted BADR estimator visited, its setup, and bounds from loose to tight.

    See `ParetoPath.from_estimator`.
    """
    if not isinstance(model, BaseBADR):
        raise TypeError(
            f"model must be a fitted BADRClassifier or BADRRegressor, got {type(model).__name__}: "
            "pareto_path searches for any other estimator."
        )
    check_is_fitted(model)
    badr = clone(model).set_params(partition=model.partition_)
    setup = badr._set_up(
        X, y, sensitive_features, sample_weight, fit_params, control_features=control_features
    )
    labels = setup.cells.labels
    if labels != model.cells_.tolist():
        raise ValueError(
            f"these data have the cells {labels}, but the model was fitted on "
            f"{model.cells_.tolist()}."
        )
    visited = _evaluations(model.results_)
    if bounds is None:
        optimal, bounded = model.results_["pareto_optimal"], "metric"
        if "metric_upper" in model.results_:
            bounded = "metric_upper"
        bounds = np.unique(model.results_[bounded][optimal])
    return setup, visited, in_order(setup.metric, check_bounds(bounds, None))


def check_bounds(bounds, n_points):
    """Return the bounds as floats, or None."""
    if bounds is None:
        if (
            isinstance(n_points, bool)
            or not isinstance(n_points, (int, np.integer))
            or n_points < 1
        ):
            raise ValueError(f"n_points must be an integer >= 1, got {n_points!r}.")
        return None
    values = np.asarray(bounds, dtype=float)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"bounds must be a sequence of finite numbers, got {bounds!r}.")
    return np.unique(values)


def in_order(metric, bounds):
    """Return ascending bounds from loose to tight."""
    return bounds if metric.greater_is_better else bounds[::-1]


def _evaluations(results):
    """Return evaluations as `results_` lists them."""
    known = inspect.signature(Evaluation).parameters
    evaluations = []
    for i in range(len(results["metric"])):
        fields = {name: values[i] for name, values in results.items() if name in known}
        if "metric_upper" in results:
            fields |= {"metric": results["metric_upper"][i], "value": results["metric"][i]}
        evaluation = Evaluation(**fields)
        if results["failed"][i]:
            evaluation.error = RuntimeError("the refit failed during the search.")
        evaluations.append(evaluation)
    return evaluations
