"""Metrics by name: this package's, fairlearn's, and those of the entry points of other packages."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from skbadr._plugins import load_plugin, load_plugins
from skbadr._typing import Float, MetricLike, TaskName
from skbadr.metrics.aggregate import check_option
from skbadr.metrics.base import TASKS, FairnessMetric
from skbadr.metrics.callables import CallableMetric
from skbadr.metrics.composite.combined import CombinedMetric, check_bounds
from skbadr.metrics.composite.sliced import SlicedMetric
from skbadr.metrics.fairlearn_metrics import (
    generated_metric,
    generated_metric_names,
    metric_from_fairlearn,
)
from skbadr.metrics.losses.group_losses import SUMMARIES, GroupLossMetric
from skbadr.metrics.rates.error_harm import ErrorHarmMetric
from skbadr.metrics.rates.rate_metric import RateMetric
from skbadr.metrics.scores.dependence import DisparateMistreatment, LinearHSIC, SquaredCovariance
from skbadr.metrics.scores.individual import IndividualFairness
from skbadr.metrics.scores.predictions import (
    GroupMeanMetric,
    KolmogorovSmirnovMetric,
    prediction,
)
from skbadr.metrics.scores.score_metrics import AUCMetric, CalibrationMetric, ScoreParityMetric

_RATE_NAMES = {
    "demographic_parity": "selection_rate",
    "equal_opportunity": "true_positive_rate",
    "true_positive_rate_parity": "true_positive_rate",
    "false_positive_rate_parity": "false_positive_rate",
    "true_negative_rate_parity": "true_negative_rate",
    "false_negative_rate_parity": "false_negative_rate",
    "accuracy_parity": "accuracy",
    "equalized_odds": ("true_positive_rate", "false_positive_rate"),
}
# Goals of the literature under their own names.
_GOALS = {"ltr": "mean_loss", "forml": "group_loss_gap", "meta_gdro": "worst_group_loss"}
DEFAULT_RHO = 50.0
SMOOTHINGS = ("maximum", "logsumexp")


def _classification_metrics():
    metrics = {}
    for name, rates in _RATE_NAMES.items():
        only_recall = ("true_positive_rate",) if name == "equalized_odds" else None
        for suffix, transform in (("", "difference"), ("_ratio", "ratio")):
            metrics[name + suffix] = partial(
                RateMetric,
                rates,
                transform=transform,
                multiclass_rates=only_recall,
                name=name + suffix,
            )
    for name, transform in (
        ("predictive_parity", "difference"),
        ("predictive_parity_ratio", "ratio"),
    ):
        metrics[name] = partial(RateMetric, "precision", transform=transform, name=name)
    for name, transform in (("calibration", "group_max"), ("calibration_difference", "difference")):
        metrics[name] = partial(CalibrationMetric, transform=transform, name=name)
    for name, transform in (("auc_parity", "difference"), ("auc_parity_ratio", "ratio")):
        metrics[name] = partial(AUCMetric, transform=transform, name=name)
    metrics["cross_auc_parity"] = partial(AUCMetric, across=True)
    metrics["disparate_mistreatment"] = DisparateMistreatment
    metrics["worst_group_error"] = partial(
        RateMetric, "zero_one_loss", transform="group_max", name="worst_group_error"
    )
    # fairlearn's zero_one_loss_difference, _ratio and _group_max are known by these names.
    metrics["zero_one_loss_variance"] = partial(
        GroupLossMetric, "group_loss_variance", loss="zero_one", name="zero_one_loss_variance"
    )
    return metrics | _common_metrics("classification")


def _common_metrics(task):
    """Return the metrics of both tasks."""
    metrics = {summary: partial(GroupLossMetric, summary, task=task) for summary in SUMMARIES}
    for name, goal in _GOALS.items():
        metrics[name] = partial(GroupLossMetric, goal, task=task, name=name)
    metrics["group_harm"] = partial(_group_harm, task=task)
    for name, distance in (("score_parity", "wasserstein"), ("score_parity_ks", "ks")):
        metrics[name] = partial(ScoreParityMetric, distance=distance, task=task, name=name)
    metrics["individual"] = partial(IndividualFairness, task)
    metrics["covariance"] = partial(SquaredCovariance, task)
    metrics["hsic"] = partial(LinearHSIC, task)
    return metrics


def _group_harm(task, loss="own", **options):
    """Return the harm in a loss, which is a matter of confusion matrices where errors count."""
    if loss == "zero_one":
        return ErrorHarmMetric(**options)
    return GroupLossMetric("group_harm", task=task, loss=loss, **options)


def _regression_metrics():
    metrics = {
        "demographic_parity": partial(GroupMeanMetric, prediction, name="demographic_parity"),
        "demographic_parity_ratio": partial(
            GroupMeanMetric, prediction, transform="ratio", name="demographic_parity_ratio"
        ),
        "kolmogorov_smirnov": KolmogorovSmirnovMetric,
    }
    return metrics | _common_metrics("regression")


_METRICS = {"classification": _classification_metrics(), "regression": _regression_metrics()}


def get_metric_names(task: TaskName | None = None) -> list[str]:
    """Return the names that ``metric=`` takes.

    Parameters
    ----------
    task : {"classification", "regression"} or None, default=None
        None: the names of either task.

    Returns
    -------
    names : list of str
        Sorted names. They include fairlearn's ready-made metrics under their own names, and the
        metrics that installed packages offer.

    Raises
    ------
    ValueError
        If `task` is unknown.

    Examples
    --------
    >>> from skbadr.metrics import get_metric_names
    >>> "kolmogorov_smirnov" in get_metric_names("regression")
    True
    """
    check_option("task", task, (*TASKS, None))
    names = set()
    for known in TASKS if task is None else (task,):
        names |= set(_METRICS[known])
        names |= {
            name
            for name in generated_metric_names()
            if known in metric_from_fairlearn(generated_metric(name)).tasks  # type: ignore[union-attr]
        }
        names |= {
            name
            for name, offered in load_plugins("metrics").items()
            if known in _from_plugin(name, offered, known, {}).tasks
        }
    return sorted(names)


def get_metric(
    metric: MetricLike,
    task: TaskName = "classification",
    *,
    smooth: Literal["maximum", "logsumexp"] | None = None,
    rho: Float | None = None,
    temperature: Float | None = None,
    intersectional: bool = True,
    **options: Any,
) -> FairnessMetric:
    """Return the metric object behind a name, a callable or a metric.

    Parameters
    ----------
    metric : str, callable, FairnessMetric or mapping
        A name of `get_metric_names`; a fairness function of fairlearn or any callable
        ``f(y_true, y_pred, *, sensitive_features)``; an object of this module, which is returned as
        it is; a mapping of any of these to bounds, which makes a `CombinedMetric`.
    task : {"classification", "regression"}, default="classification"
    smooth : {"maximum", "logsumexp"} or None, default=None
        None: the exact metric. Otherwise the metric's smooth form, `FairnessMetric.surrogate`,
        which has a gradient in the scores. Predicted classes become memberships. Maxima over groups
        stay ("maximum") or are softened as well ("logsumexp").
    rho : float or None, default=None
        Factor of log-sum-exp; its unit is 1 over the unit of the metric. Log-sum-exp exceeds the
        maximum of m values by at most ``log(m) / rho``. None: 50.
    temperature : float or None, default=None
        Factor of the scores in memberships. None: 1, which gives the probabilities of a logistic
        regression.
    intersectional : bool, default=True
        False: each of several sensitive columns is compared by itself, and the worst counts
        (`SlicedMetric`).
    **options
        Options of a named or fairlearn metric, for example ``method="to_overall"``,
        ``agg="mean"`` or ``pos_label``. Names of this module also take ``class_agg="mean"`` or
        ``loss``.

    Returns
    -------
    metric : FairnessMetric

    Raises
    ------
    ValueError
        If the name or the task is unknown (the message lists the valid ones), if the metric is not
        for this task, or if it has no smooth form.
    TypeError
        If `metric` is none of these, or it has no such option.

    Examples
    --------
    >>> from skbadr.metrics import get_metric
    >>> mean_odds = get_metric("equalized_odds", agg="mean")
    >>> mean_odds([0, 1, 0, 1], [0, 1, 1, 1], sensitive_features=["a", "a", "b", "b"])
    0.5

    The smooth form of the bilevel paper's experiments, a difference of mean probabilities:

    >>> smooth = get_metric("demographic_parity", smooth="logsumexp", rho=100.0)
    >>> smooth.differentiable
    True
    """
    check_option("task", task, TASKS)
    check_option("smooth", smooth, (*SMOOTHINGS, None))
    if rho is not None and smooth != "logsumexp":
        raise ValueError("rho is an option of smooth='logsumexp'.")
    if temperature is not None and smooth is None:
        raise ValueError("temperature is an option of smooth='maximum' or 'logsumexp'.")
    resolved: FairnessMetric
    if isinstance(metric, Mapping):
        if options:
            raise TypeError(
                f"options {sorted(options)} are for names: give each metric of the mapping its "
                "own by get_metric."
            )
        resolved = _combined(metric, task)
    elif isinstance(metric, str):
        resolved = _from_name(metric, task, options)
    elif isinstance(metric, FairnessMetric):
        if options:
            raise TypeError(f"options {sorted(options)} are for names: {metric!r} is made already.")
        resolved = metric
    elif isinstance(metric, type) and issubclass(metric, FairnessMetric):
        raise TypeError(f"metric is the class {metric.__name__}: pass an instance of it.")
    elif callable(metric):
        resolved = _from_callable(metric, options)
    else:
        raise TypeError(
            "metric must be a name, a callable f(y_true, y_pred, *, sensitive_features), an object "
            f"of skbadr.metrics or a mapping of these to bounds, got {type(metric).__name__}."
        )
    if task not in resolved.tasks:
        raise ValueError(
            f"metric {resolved.name!r} is for {' and '.join(resolved.tasks)}, not for {task}; "
            f"for {task} use one of {get_metric_names(task)} or a callable."
        )
    if not intersectional:
        if isinstance(resolved, CombinedMetric):
            apart = [SlicedMetric(part, intersectional=False) for part in resolved.parts]
            resolved = resolved.with_parts(apart)
        else:
            resolved = SlicedMetric(resolved, intersectional=False)
    return resolved if smooth is None else _smoothed(resolved, smooth, rho, temperature)


def _combined(bounds, task):
    check_bounds(bounds)
    parts = [get_metric(metric, task) for metric in bounds]
    for metric, part, bound in zip(bounds, parts, bounds.values(), strict=True):
        if isinstance(part, CombinedMetric):
            raise TypeError("a mapping of bounds cannot hold another one: name single metrics.")
        check_reachable(bound, part, f"metric[{metric!r}]")
    labels = [m if isinstance(m, str) else p.name for m, p in zip(bounds, parts, strict=True)]
    return CombinedMetric(parts, list(bounds.values()), labels)


def check_reachable(bound: Float, metric: FairnessMetric, argument: str = "bound") -> None:
    """Refuse a bound that no model can meet because it lies beyond the metric's range.

    Raises
    ------
    ValueError
        Naming the argument that holds it.
    """
    if metric.ideal is None:
        return
    beyond = bound > metric.ideal if metric.greater_is_better else bound < metric.ideal
    if beyond:
        raise ValueError(
            f"{argument}={bound} cannot be met: {metric.name} is at "
            f"{'most' if metric.greater_is_better else 'least'} {metric.ideal:g}."
        )


def _smoothed(metric, smooth, rho, temperature):
    if smooth == "logsumexp":
        rho = DEFAULT_RHO if rho is None else rho
    softened = metric.surrogate(1.0 if temperature is None else temperature, rho=rho)
    if softened is None:
        raise ValueError(f"metric {metric.name!r} has no smooth form: leave smooth=None.")
    return softened


def _from_name(name, task, options):
    if name in _METRICS[task]:
        return _METRICS[task][name](**options)
    if name in generated_metric_names():
        return _from_callable(generated_metric(name), options)
    other = TASKS[1 - TASKS.index(task)]
    if name in _METRICS[other]:
        return _METRICS[other][name](**options)
    offered = load_plugin("metrics", name)
    if offered is not None:
        return _from_plugin(name, offered, task, options)
    close = difflib.get_close_matches(name, get_metric_names(task), n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise ValueError(
        f"metric={name!r} is not known{hint}; valid names for {task} are "
        f"{get_metric_names(task)}; a callable f(y_true, y_pred, *, sensitive_features) also does."
    )


def _from_plugin(name, offered, task, options):
    """Return a metric of another package: a class is called with the options."""
    if isinstance(offered, type) and issubclass(offered, FairnessMetric):
        return offered(**options)
    if isinstance(offered, FairnessMetric) and not options:
        return offered
    if callable(offered) and not isinstance(offered, type | FairnessMetric):
        return _from_callable(offered, options)
    raise TypeError(
        f"entry point {name!r} of skbadr.metrics must be a subclass or an object of "
        f"skbadr.metrics.FairnessMetric or a function, got {offered!r}."
    )


def _from_callable(func, options):
    metric = metric_from_fairlearn(partial(func, **options) if options else func)
    if metric is None and options:
        raise TypeError(
            f"{getattr(func, '__name__', func)!r} has no such options: {sorted(options)}."
        )
    return metric or CallableMetric(func)
