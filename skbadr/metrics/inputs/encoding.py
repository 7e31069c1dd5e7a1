"""What users pass to a metric, checked and encoded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from skbadr._typing import Array, ArrayLike, Features, Task
from skbadr.metrics.evaluation_set import EvaluationSet
from skbadr.metrics.inputs.responses import JointResponse
from skbadr.partition import (
    cross_with_control,
    encode_labels,
    is_missing,
    label_array,
    make_groups,
    sort_labels,
)

if TYPE_CHECKING:
    from skbadr.metrics.base import FairnessMetric


def encode(
    metric: FairnessMetric,
    y_true: Any,
    y_pred: Any,
    sensitive_features: Features,
    sample_weight: ArrayLike | None = None,
    *,
    control_features: Features | None = None,
    task: Task | None = None,
    classes: Array | None = None,
) -> tuple[EvaluationSet, Array]:
    """Encode what a user passes to a metric; see `FairnessMetric.__call__`.

    Parameters
    ----------
    metric : FairnessMetric
    y_true, y_pred, sensitive_features, sample_weight
        As passed to the metric; `y_pred` is a dict of outputs by response method where the metric
        takes several.
    control_features : array-like of shape (n,) or (n, m) or None, default=None
        Stratum of each sample, crossed with the groups.
    task : {"classification", "regression"} or None, default=None
        None: the metric's own; for a metric of both, fractions are taken for real targets.
    classes : ndarray of shape (C,) or None, default=None
        Classes that the estimator knows, where there is one.

    Returns
    -------
    evaluation_set : EvaluationSet
    response : ndarray
        Predicted class codes, real predictions, or scores of shape (n,) or (n, C); probabilities
        always of shape (n, C).
    """
    if len(metric.response_methods) > 1:
        return _encode_several(
            metric,
            y_true,
            y_pred,
            sensitive_features,
            sample_weight,
            control_features=control_features,
            task=task,
            classes=classes,
        )
    y_true, y_pred = _column("y_true", y_true), _column("y_pred", y_pred)
    if y_true.ndim != 1:
        raise ValueError(f"y_true must be 1-dimensional, got shape {y_true.shape}.")
    groups = make_groups(sensitive_features)
    if control_features is not None:
        groups = cross_with_control(groups, control_features, "control_features")
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
    for name, values in (("y_pred", y_pred), ("sensitive_features", groups.codes),
                         ("sample_weight", weight)):  # fmt: skip
        if values is not None and len(values) != len(y_true):
            raise ValueError(
                f"{name} has {len(values)} rows but y_true has {len(y_true)}: give one per sample."
            )
    if len(y_true) == 0:
        raise ValueError("y_true is empty: give at least one sample.")
    if weight is not None:
        _check_weight(weight)
    if task is None:
        real = _has_fractions(y_true) or (_is_numeric(y_true) and _has_fractions(y_pred))
        task = "regression" if real else "classification"
        task = task if task in metric.tasks else metric.tasks[0]
    if task == "regression":
        y, response, classes = _real("y_true", y_true), _real("y_pred", y_pred), None
    elif metric.response_method == "predict":
        y, response, classes = _encode_predictions(y_true, y_pred, metric, classes)
    else:
        y, response, classes = _encode_scores(y_true, y_pred, metric, classes)
    return EvaluationSet(y, groups, classes, weight, sensitive_features), response


def _encode_several(metric, y_true, y_pred, sensitive_features, sample_weight, **known):
    """Encode the outputs of several response methods, given by name."""
    methods = metric.response_methods
    if not isinstance(y_pred, Mapping) or not set(methods) <= set(y_pred):
        raise ValueError(
            f"{metric.name} takes the outputs of {' and '.join(methods)}: pass y_pred as a dict of "
            "these, or score a fitted model by fairness_scorer."
        )
    outputs = {}
    for method in methods:
        part = next(p for p in metric.parts if method in p.response_methods)
        evaluation_set, outputs[method] = encode(
            part, y_true, y_pred[method], sensitive_features, sample_weight, **known
        )
    return evaluation_set, JointResponse(outputs)


def _column(name, values):
    """Return an array, or a pandas column as it is, without a second axis of length one."""
    given = values
    if not hasattr(given, "factorize"):
        values = np.asarray(given)
    if isinstance(given, (list, tuple)) and values.dtype.kind in "US":
        values = np.array(given, dtype=object)  # ["a", nan] is not ["a", "nan"]
    if values.ndim == 2 and values.shape[1] == 1:
        values = values.ravel()
    if values.ndim == 0:
        raise ValueError(f"{name} must hold one value per sample, got {values}.")
    return values


def _is_numeric(values):
    return values.dtype.kind in "biuf"


def _has_fractions(values):
    return values.dtype.kind == "f" and not np.array_equal(values, np.rint(values))


def _check_weight(weight):
    if weight.ndim != 1:
        raise ValueError(f"sample_weight must be 1-dimensional, got shape {weight.shape}.")
    if not weight.min() >= 0:  # NaN is not, either
        raise ValueError("sample_weight has negative or missing values: weights must be >= 0.")
    if not weight.any():
        raise ValueError("sample_weight must not be zero for every sample.")


def _real(name, values):
    values = np.asarray(values, dtype=float)
    if values.ndim != 1:
        raise ValueError(f"{name} must be 1-dimensional, got shape {values.shape}.")
    if np.isnan(values).any():
        raise ValueError(f"{name} has missing values: drop these samples.")
    return values


def _encode_predictions(y_true, y_pred, metric, classes):
    if y_pred.ndim != 1:
        raise ValueError(
            f"{metric.name} takes predicted labels of shape (n,), got shape {y_pred.shape}: pass "
            "the output of predict."
        )
    true_codes, true_labels = _encode_column("y_true", y_true)
    pred_codes, pred_labels = _encode_column("y_pred", y_pred)
    seen = set(true_labels)
    extra = [label for label in pred_labels if label not in seen]
    if any(isinstance(label, float) and not label.is_integer() for label in extra):
        raise ValueError(
            f"{metric.name} takes predicted labels, but y_pred holds fractions, probably "
            "probabilities or scores: pass the output of predict."
        )
    if _all_text(true_labels) != _all_text(pred_labels):
        raise ValueError(
            f"y_true ({y_true.dtype}) and y_pred ({y_pred.dtype}) hold labels of different types: "
            "pass predictions in the labels of y_true."
        )
    labels = _known_labels(true_labels + extra, metric.pos_label, classes)
    return (
        _recode(true_codes, true_labels, labels),
        _recode(pred_codes, pred_labels, labels),
        label_array(labels),
    )


def _encode_scores(y_true, y_pred, metric, classes):
    y_pred, method = np.asarray(y_pred), metric.response_method
    if not _is_numeric(y_pred) or y_pred.ndim > 2:
        raise ValueError(
            f"{metric.name} takes scores of shape (n,) for two classes or (n, C), got "
            f"{y_pred.dtype} of shape {y_pred.shape}: pass the output of {method}."
        )
    codes, found = _encode_column("y_true", y_true)
    labels = _known_labels(found, metric.pos_label, classes)
    n_scored = 2 if y_pred.ndim == 1 else y_pred.shape[1]
    if len(labels) != n_scored:
        raise ValueError(
            f"y_pred has scores of {n_scored} classes, but y_true holds {len(labels)}: "
            f"{labels[:12]}."
        )
    if method == "predict_proba" and y_pred.ndim == 1:
        y_pred = np.column_stack([1 - y_pred, y_pred])
    return _recode(codes, found, labels), y_pred.astype(float, copy=False), label_array(labels)


def _encode_column(name, values):
    try:
        codes, labels = encode_labels(values)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if any(map(is_missing, labels)):
        raise ValueError(f"{name} has missing values: drop these samples.")
    return codes, labels


def _all_text(labels):
    return all(isinstance(label, (str, bytes)) for label in labels)


def _recode(codes, labels, known):
    """Return codes as positions in the known labels."""
    if labels == known:
        return codes
    position = {label: code for code, label in enumerate(known)}
    return np.array([position[label] for label in labels], dtype=np.intp)[codes]


def _known_labels(found, pos_label, classes):
    """Return all labels in order, with the class that did not occur where one of two did."""
    if classes is not None:
        classes = np.asarray(classes).tolist()
        unknown = set(found).difference(classes)
        return sort_labels([*classes, *unknown]) if unknown else classes
    if len(found) > 1:
        return sort_labels(found)
    for usual in ([0, 1], [-1, 1]):
        if found[0] in usual:
            return usual
    if pos_label is None:
        raise ValueError(
            f"y_true and y_pred hold the single label {found[0]!r}: give pos_label to say "
            "whether it is the positive class."
        )
    return [None, pos_label] if found[0] == pos_label else [found[0], pos_label]
