"""Whether a fitted model keeps a bound on new rows, as far as rows it has not seen can tell."""

from __future__ import annotations

import inspect
import warnings
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
from scipy.special import ndtri
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils.multiclass import type_of_target

from skbadr._typing import ArrayLike, Features, FittedModel, Float, MetricLike
from skbadr.metrics import FairnessMetric, get_metric
from skbadr.metrics.composite.combined import CombinedMetric
from skbadr.metrics.composite.sliced import SlicedMetric, sliced
from skbadr.metrics.confidence.estimates import group_estimates
from skbadr.metrics.confidence.intervals import effective_rows
from skbadr.metrics.confidence.limits import limits
from skbadr.metrics.confidence.sample_size import rows_needed
from skbadr.metrics.inputs.baseline_losses import add_baseline_losses, baseline_of
from skbadr.metrics.inputs.encoding import encode
from skbadr.metrics.inputs.responses import get_response
from skbadr.metrics.losses.own_loss import with_own_loss
from skbadr.pareto.audit_result import AuditResult
from skbadr.partition import check_sizes, make_groups


def audit(
    model: FittedModel,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sensitive_features: Features,
    control_features: Features | None = None,
    intersectional: bool = True,
    metric: MetricLike = "demographic_parity",
    bound: Float | None = None,
    confidence: Float = 0.95,
    sample_weight: ArrayLike | None = None,
    baseline: FittedModel | None = None,
) -> AuditResult:
    """Tell whether a fitted model keeps a bound on new rows, with confidence limits.

    The rows must be new to the model: on training rows the limits are too hopeful.

    Parameters
    ----------
    model : fitted estimator
        Anything with ``predict``: a model of this package, of scikit-learn (also a Pipeline), of
        fairlearn, or your own class. It gets ``sensitive_features`` if its ``predict`` takes
        them.
    X, y : data of shape (n, d) and (n,)
        Rows that the model was not trained on, drawn from the population of interest.
    sensitive_features : array-like of shape (n,) or (n, m)
        Group of each row; several columns are crossed.
    control_features : array-like of shape (n,) or (n, m), default=None
        Stratum of each row: groups are compared within each stratum, and the worst one counts.
    intersectional : bool, default=True
        False: each of several sensitive columns is compared by itself, and the worst counts.
    metric : str, callable, FairnessMetric or mapping, default="demographic_parity"
        As in `BADRClassifier`. A mapping of metrics to bounds asks whether all bounds hold. Losses
        of groups use the loss that the model trains on.
    bound : float, default=None
        Largest value allowed (ratios and floors: smallest). None: no verdict.
    confidence : float, default=0.95
        Probability with which the two limits contain the population's value. Each limit errs with
        at most half of the remaining probability.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows, which then count by Kish's effective number,
        ``sum(w)^2 / sum(w^2)``.
    baseline : fitted estimator, default=None
        What "group_harm" compares the model with. None: the baseline model of a BADR model that
        was fitted with that metric.

    Returns
    -------
    result : AuditResult
        Value, limits, verdict and the groups' rates. It prints as a short report.

    Raises
    ------
    TypeError
        If the model cannot predict.
    ValueError
        If an argument is out of range, lengths differ, there are fewer than two groups, or
        many tiny ones, as a continuous column makes.

    Warns
    -----
    UndefinedMetricWarning
        If a group leaves the metric undefined, naming it.

    Notes
    -----
    Limits of rates are Jeffreys' limits (Cai 2005). Limits of gaps and ratios follow
    from the limits of the groups' rates (Donner and Zou 2012), and hold for the largest of all
    gaps. The upper limit needs no correction for the number of gaps, because the largest gap is one
    of the gaps. The lower limit is corrected by simulation. Means have Hall's correction for
    skewness (1992). Any other metric is resampled.

    References
    ----------
    Cai (2005), "One-sided confidence intervals in discrete distributions", Journal of Statistical
    Planning and Inference 131; Donner and Zou (2012), "Closed-form confidence intervals for
    functions of the normal mean and standard deviation", Statistical Methods in Medical Research
    21; Hall (1992), "On the removal of skewness by transformation", Journal of the Royal
    Statistical Society B 54.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbadr import audit
    >>> rng = np.random.default_rng(0)
    >>> group = rng.choice(["a", "b"], size=4000)
    >>> X = rng.normal(size=(4000, 3)) + 0.2 * (group == "a")[:, None]
    >>> y = (X[:, 0] + rng.normal(size=4000) > 0).astype(int)
    >>> model = LogisticRegression().fit(X[:2000], y[:2000])
    >>> audit(model, X[2000:], y[2000:], sensitive_features=group[2000:], bound=0.25).verdict
    'holds'
    """
    _check_options(model, bound, confidence)
    task = _task_of(model, y)
    metric = with_own_loss(get_metric(metric, task), model, np.asarray(y), task)
    if metric.own_bound is not None:
        if bound is not None:
            raise ValueError(
                f"bound={bound} and the bounds of metric={metric.name!r} exclude each other: leave "
                "bound at None."
            )
        bound = metric.own_bound
    compared = _baseline_outputs(metric, model, baseline, X, task)
    # All pairs of groups are compared: those of a continuous column would take all memory.
    check_sizes(np.bincount(make_groups(sensitive_features).codes), "sensitive_features")
    outputs = {
        name: _respond(model, X, sensitive_features, name, task) for name in metric.response_methods
    }
    response = outputs if len(outputs) > 1 else outputs[metric.response_method]
    classes = getattr(model, "classes_", None) if task == "classification" else None
    data, response = encode(
        metric,
        y,
        response,
        sensitive_features,
        sample_weight,
        control_features=control_features,
        task=task,
        classes=classes,
    )
    if compared is not None:
        add_baseline_losses(metric, data, compared, y, sensitive_features)
    metric = sliced(metric, data.groups, intersectional=intersectional)
    if data.present.sum() < 2:
        raise ValueError(
            f"sensitive_features has the single group {data.groups.labels[0]!r} in these rows: "
            "an audit compares at least two."
        )
    for sentence in metric.undefined(data) + metric.undefined_value(data, response):
        warnings.warn(sentence, UndefinedMetricWarning, stacklevel=2)
    return _judge(metric, data, response, bound, float(confidence))


def _judge(metric, data, response, bound, confidence):
    """Return the result of a metric, and of each that it is the worst of."""
    one_sided = (1.0 + confidence) / 2.0
    lower, upper = limits(metric, data, confidence=one_sided, response=response)
    holds, needed = None, None
    if bound is not None:
        holds = _holds(metric, lower, upper, bound)
        if holds is None:
            needed = rows_needed(metric, data, bound, confidence=one_sided, response=response)
    return AuditResult(
        metric_name=metric.name,
        greater_is_better=metric.greater_is_better,
        value=float(metric.value(data, response)),
        lower=lower,
        upper=upper,
        confidence=confidence,
        bound=None if bound is None else float(bound),
        holds=holds,
        n_rows=int(data.rows_by_group.sum()),
        n_rows_needed=None if needed is None else needed.total,
        group_needed=_group_needed(data, needed),
        by_group=_by_group(metric, data, response, one_sided),
        parts={
            name: _judge(piece.metric, piece.data, piece.response, own, confidence)
            for name, own, piece in _pieces(metric, data, response, bound)
            if piece.data.present.sum() > 1
        },
    )


def _pieces(metric, data, response, bound):
    """Return name, bound and `Piece` of each that a metric is the worst of."""
    pieces = metric.pieces(data, response=response) or []
    if isinstance(metric, CombinedMetric):
        return list(zip(metric.labels, metric.bounds.tolist(), pieces, strict=True))
    if isinstance(metric, SlicedMetric):
        views = metric.views(data)
        return [(view.text, bound, own) for view, own in zip(views, pieces, strict=True)]
    return []


def _check_options(model, bound, confidence):
    if not hasattr(model, "predict"):
        raise TypeError(f"model must be fitted and have predict, got {type(model).__name__}.")
    if isinstance(confidence, bool) or not (
        isinstance(confidence, Real) and 0.5 <= confidence < 1.0
    ):
        raise ValueError(f"confidence must be at least .5 and below 1, got {confidence!r}.")
    real = isinstance(bound, Real) and not isinstance(bound, bool) and np.isfinite(bound)
    if not (bound is None or real):
        raise ValueError(f"bound must be a finite number or None, got {bound!r}.")


def _task_of(model, y):
    for known, task in ((is_regressor, "regression"), (is_classifier, "classification")):
        try:
            if known(model):
                return task
        except (AttributeError, TypeError):  # of an object that is no scikit-learn estimator
            pass
    continuous = type_of_target(y).startswith("continuous")
    return "regression" if continuous else "classification"


def _baseline_outputs(metric, model, baseline, X, task):
    """Return what gives the outputs of the model that a metric compares with, or None."""
    if baseline is not None:
        if not hasattr(baseline, "predict"):
            raise TypeError(
                f"baseline must be fitted and have predict, got {type(baseline).__name__}."
            )
        if not metric.references:
            raise ValueError(
                f"baseline is of no use here: metric={metric.name!r} compares with no other model, "
                "so leave it at None."
            )
        return partial(get_response, baseline, X, task=task)
    known = baseline_of(model, X, task) if metric.references else None
    if metric.references and known is None:
        raise ValueError(
            f"metric={metric.name!r} compares with a baseline model, which only a BADR model "
            "fitted with that metric knows: pass the fitted one as baseline=, or give each "
            "group's loss to compare with by get_metric(..., reference=...)."
        )
    return known


def _respond(model, X, sensitive_features, response_method, task):
    """Return what the metric takes of the model, and give it what its `predict` asks for."""
    name = response_method if hasattr(model, response_method) else "predict"
    options = options_of(getattr(model, name), sensitive_features)
    if not options:
        return get_response(model, X, response_method, task)
    return np.asarray(getattr(model, name)(X, **options))


def options_of(predict: Any, sensitive_features: Any) -> dict[str, Any]:
    """Return what a method of a model takes beside X: models may ask for groups, or draw."""
    taken = inspect.signature(predict).parameters
    options = {"sensitive_features": sensitive_features, "random_state": 0}
    return {name: value for name, value in options.items() if name in taken}


def _holds(metric, lower, upper, bound):
    fair, unfair = (lower >= bound, upper < bound) if metric.greater_is_better else (
        upper <= bound, lower > bound
    )  # fmt: skip
    return True if fair else False if unfair else None


def _group_needed(data, needed):
    if needed is None or needed.group is None:
        return None
    return data.groups.labels[needed.group], needed.group_total


def _by_group(metric: FairnessMetric, data, response, confidence):
    """Return the groups' rows and rates as columns."""
    present = np.flatnonzero(data.present)
    labels = np.empty(len(present), dtype=object)
    labels[:] = [data.groups.labels[group] for group in present]
    columns = {"group": labels, "rows": data.rows_by_group[present]}
    if data.sample_weight is not None:
        columns["effective_rows"] = effective_rows(data.group_totals, data.squared_totals)[present]
    z = float(ndtri(confidence))
    for name, estimates, n_rows in group_estimates(metric, data, response):
        columns[name] = np.ravel(estimates.center)
        columns[f"{name}_lower"] = np.ravel(estimates.lower(z))
        columns[f"{name}_upper"] = np.ravel(estimates.upper(z))
        if n_rows is not None:
            columns[f"{name}_rows"] = n_rows
    return columns
