"""From a fitted model and rows it has not seen to what the page shows."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skbadr._guard import guarded
from skbadr._typing import ArrayLike, Features, FittedModel, Float
from skbadr.comparison._groups import labelled
from skbadr.estimators.reporting import Report
from skbadr.metrics import get_metric
from skbadr.pareto import audit
from skbadr.pareto.audit import options_of
from skbadr.partition import cross_with_control, make_groups
from skbadr.partition.columns import select_columns

from ._comparison import report_comparison
from ._page import import_figure, import_jinja2
from ._words import without_addresses


def report_model(
    model: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sensitive_features: Features | None = None,
    control_features: Features | None = None,
    baseline: FittedModel | None = None,
    others: Mapping[str, FittedModel] | None = None,
    confidence: Float = 0.95,
    title: str | None = None,
) -> Report:
    """Return the page of a fitted BADR model; see its method `report`."""
    import_jinja2()
    import_figure()
    if sensitive_features is None:
        if model.sensitive_columns is None:
            raise ValueError(
                "sensitive_features is needed: pass the group of each row of X, or set "
                "sensitive_columns before fit."
            )
        names = getattr(model, "feature_names_in_", None)
        sensitive_features = select_columns(X, model.sensitive_columns, feature_names=names)
    given = {
        "sensitive_features": sensitive_features,
        "control_features": _control(model, X, control_features),
    }
    models = _by_key(model, baseline, others)
    result = _measure(model, models, X, np.asarray(y), given, confidence)
    classes = getattr(model, "classes_", None)
    return report_comparison(
        result,
        title=title,
        data="a fitted model on rows it was not trained on",
        positive=classes[1] if classes is not None and len(classes) == 2 else None,
        notes=[f"{label}: {without_addresses(each)}" for label, each in models.values()],
    )


def _control(model, X, control_features):
    """Return the stratum of each row, or None of a model whose groups are all compared."""
    if control_features is not None:
        return control_features
    if model.control_columns is None:
        if vars(model).get("_has_strata"):
            raise ValueError(
                "control_features is needed: the model was fitted within strata, so pass the "
                "stratum of each row of X."
            )
        return None
    names = getattr(model, "feature_names_in_", None)
    return select_columns(
        X, guarded(model.control_columns), feature_names=names, argument="control_columns"
    )


def _by_key(model, baseline, others):
    """Return label and model by the keys that give them their colours."""
    models: dict[str, Any] = {}
    if baseline is not None:
        models["baseline"] = ("baseline model", baseline)
    models["badr_group_target"] = (type(model).__name__, model)
    for name, other in (others or {}).items():
        models[f"other {name}"] = (str(name), other)
    return models


def _measure(model, models, X, y, given, confidence):
    """Return what `compare` would, of test rows alone."""
    task = model._task
    metric = get_metric(model.metric, task)
    sensitive_features = given["sensitive_features"]
    crossed = make_groups(sensitive_features)
    if len(crossed.codes) != len(y):
        raise ValueError(
            f"sensitive_features has {len(crossed.codes)} rows and y {len(y)}: pass one group per "
            "row."
        )
    if given["control_features"] is not None:
        crossed = cross_with_control(crossed, given["control_features"], "control_features")
    groups = labelled(crossed)[0]
    compared = None
    if metric.references:
        # By its own name: an ensemble may be false.
        compared = models["baseline"][1] if "baseline" in models else None
        compared = vars(model).get("baseline_estimator_") if compared is None else compared
    labels, codes = np.unique(groups, return_inverse=True)
    result = Bunch(rows=[], models={}, fronts={}, audits={}, notes=[])
    result.test = {"y": y, "groups": groups, "predictions": {}}
    for key, (label, each) in models.items():
        found = audit(each, X, y, **given, metric=metric, intersectional=model.intersectional,
                      bound=model.bound, confidence=confidence, baseline=compared)  # fmt: skip
        y_pred = _predict(each, X, sensitive_features)
        losses = (y != y_pred) * 1.0 if task == "classification" else (y - y_pred) ** 2
        by_group = np.bincount(codes, weights=losses) / np.bincount(codes)
        if task == "regression":
            by_group = np.sqrt(by_group)
        row = {
            "key": key,
            "method": label,
            "metric_test": found.value,
            "worst_group_error_test": by_group.max(),
            "group_errors_test": dict(zip(map(str, labels), by_group.tolist(), strict=True)),
            "deterministic": _is_deterministic(each),
        }
        row |= (
            {"accuracy_test": 1 - losses.mean()}
            if task == "classification"
            else {"rmse_test": math.sqrt(losses.mean())}
        )
        if each is model:
            row["refits"] = model.n_refits_
            row |= _as_searched(model, model.metric_value_, model.scoring_value_)
        elif key == "baseline":
            row |= _as_searched(model, model.baseline_metric_value_, model.baseline_scoring_value_)
        result.rows.append(row)
        result.audits[key], result.models[key] = found, each
        result.test["predictions"][key] = y_pred
    bound = model.bound if metric.own_bound is None else metric.own_bound
    result.fronts["badr_group_target"] = model.results_
    result.settings = {
        "task": task,
        "metric": model.metric_name_,
        "greater_is_better": bool(metric.greater_is_better),
        "bound": bound,
        # Of several bounds, each.
        "condition": None if metric.own_bound is None else metric.bound_text(bound),
        "held_out": model.evaluated_on_ != "training data",
        "groups": {str(label): {"test": int((codes == i).sum())} for i, label in enumerate(labels)},
    }
    return result


def _as_searched(model, metric, score):
    """Return values on the rows that the search judged by, where their score is known by name."""
    if model.scoring is not None:
        return {}
    known = {"metric_train": metric}
    if model._task == "classification":
        return known | {"accuracy_train": score}
    return known | {"rmse_train": math.sqrt(max(-score, 0.0))}


def _predict(model, X, sensitive_features):
    """Return predictions; models of fairlearn may ask for groups, or draw at random."""
    return np.asarray(model.predict(X, **options_of(model.predict, sensitive_features)))


def _is_deterministic(model):
    return "random_state" not in inspect.signature(model.predict).parameters
