"""fairlearn's functions and derived metrics, recognised and computed on the fast path."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import fairlearn.metrics as flm
import sklearn.metrics as skm
from fairlearn.metrics._make_derived_metric import _DerivedMetric

from skbadr._typing import Transform
from skbadr.losses import absolute_error, squared_error
from skbadr.metrics.aggregate import TRANSFORMS
from skbadr.metrics.callables import PerGroupMetric, accepts_sample_weight
from skbadr.metrics.rates.rate_metric import RateMetric
from skbadr.metrics.scores.predictions import GroupMeanMetric, prediction

if TYPE_CHECKING:
    from skbadr.metrics.base import FairnessMetric

# fairlearn's own function -> (rates, transform, rates for more than two classes)
FUNCTIONS: dict[Any, tuple[Any, Transform, Any]] = {
    flm.demographic_parity_difference: ("selection_rate", "difference", None),
    flm.demographic_parity_ratio: ("selection_rate", "ratio", None),
    flm.equal_opportunity_difference: ("true_positive_rate", "difference", None),
    flm.equal_opportunity_ratio: ("true_positive_rate", "ratio", None),
    flm.equalized_odds_difference: (
        ("true_positive_rate", "false_positive_rate"),
        "difference",
        ("true_positive_rate",),
    ),
    flm.equalized_odds_ratio: (
        ("true_positive_rate", "false_positive_rate"),
        "ratio",
        ("true_positive_rate",),
    ),
}

# base function of a derived metric -> rate
BASE_RATES = {
    flm.selection_rate: "selection_rate",
    flm.true_positive_rate: "true_positive_rate",
    flm.true_negative_rate: "true_negative_rate",
    flm.false_positive_rate: "false_positive_rate",
    flm.false_negative_rate: "false_negative_rate",
    skm.accuracy_score: "accuracy",
    skm.zero_one_loss: "zero_one_loss",
    skm.balanced_accuracy_score: "balanced_accuracy",
    skm.precision_score: "precision",
    skm.recall_score: "true_positive_rate",
    skm.f1_score: "f1",
}

BASE_MEANS = {
    flm.mean_prediction: prediction,
    skm.mean_absolute_error: absolute_error,
    skm.mean_squared_error: squared_error,
}

# base function -> how to call it on each group
BASE_FUNCTIONS = {
    skm.r2_score: {"tasks": ("regression",)},
    skm.roc_auc_score: {"response_method": "predict_proba", "tasks": ("classification",)},
    skm.log_loss: {
        "response_method": "predict_proba",
        "tasks": ("classification",),
        "takes_labels": True,
    },
}


@functools.cache
def _generated():
    """Return fairlearn's ready-made metrics, and all that it derives from the same functions."""
    found = {
        f"{base.__name__}_{transform}": flm.make_derived_metric(metric=base, transform=transform)
        for base in (*BASE_RATES, *BASE_MEANS, *BASE_FUNCTIONS)
        for transform in TRANSFORMS
    }
    named = {name: getattr(flm, name) for name in flm.__all__}
    ready = {
        name: item
        for name, item in named.items()
        if isinstance(item, _DerivedMetric) or _is(item, FUNCTIONS)
    }
    return found | ready


def generated_metric_names() -> list[str]:
    """Return the names of fairlearn's metrics, ready-made or derived, all understood here."""
    return sorted(_generated())


def generated_metric(name: str) -> Callable[..., Any]:
    """Return one of fairlearn's metrics by its name."""
    return _generated()[name]


def metric_from_fairlearn(func: Callable[..., Any]) -> FairnessMetric | None:
    """Return the fast twin of a fairlearn metric, or None where `func` is not one.

    Parameters
    ----------
    func : callable
        A fairness function of fairlearn, an object of ``make_derived_metric``, or a
        ``functools.partial`` of one with ``method``, ``agg`` or ``pos_label``.

    Returns
    -------
    metric : FairnessMetric or None
    """
    options: dict[str, Any] = {}
    while isinstance(func, functools.partial) and not func.args:
        options = {**func.keywords, **options}
        func = func.func
    if not set(options) <= {"method", "agg", "pos_label"}:
        return None
    if _is(func, FUNCTIONS):
        rates, transform, multiclass = FUNCTIONS[func]
        return RateMetric(
            rates,
            transform=transform,
            multiclass_rates=multiclass,
            name=func.__name__,
            **options,
        )
    if isinstance(func, _DerivedMetric):
        return _from_derived(func, options)
    return None


def _from_derived(derived, options):
    base, transform = derived._metric_fn, derived._transform
    base_name = getattr(base, "__name__", type(base).__name__)
    name = getattr(derived, "__name__", f"{base_name}_{transform}")
    options = {**options, "transform": transform, "name": name}
    if "agg" in options:
        return None
    if _is(base, BASE_RATES):
        return RateMetric(BASE_RATES[base], **options)
    if "pos_label" in options:
        return None
    if _is(base, BASE_MEANS):
        return GroupMeanMetric(BASE_MEANS[base], **options)
    call = BASE_FUNCTIONS[base] if _is(base, BASE_FUNCTIONS) else {}
    weighted = "sample_weight" in derived._sample_param_names and accepts_sample_weight(base)
    return PerGroupMetric(base, takes_sample_weight=weighted, **call, **options)


def _is(item, table):
    try:
        return item in table
    except TypeError:  # unhashable callables
        return False
