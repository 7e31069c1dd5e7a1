"""Metrics that are a user's own function, of all samples or of each group."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skbadr._guard import Guard
from skbadr._sklearn import _safe_indexing
from skbadr._typing import Array, Method, MetricFunction, ResponseMethod, Task, Transform
from skbadr.metrics.aggregate import METHODS, TRANSFORMS, aggregate_groups, check_option
from skbadr.metrics.base import FairnessMetric

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet

RESPONSE_METHODS = ("predict", "predict_proba")


class CallableMetric(FairnessMetric):
    """A function ``f(y_true, y_pred, *, sensitive_features)`` called as it is.

    The function gets the user's own labels instead of codes, or probabilities (for two classes:
    of the positive class). It gets the sensitive features in the container in which they were
    given. If the function takes ``sample_weight``, it gets the weights. If not, it does not see
    samples of weight zero.

    Parameters
    ----------
    func : callable ``f(y_true, y_pred, *, sensitive_features)``
        May also take ``sample_weight``.
    response_method : {"predict", "predict_proba"}, default="predict"
        What `y_pred` is.
    greater_is_better : bool, default=False
        Whether a larger value is fairer.
    name : str or None, default=None
        Name of the metric; None: the function's name.
    """

    def __init__(
        self,
        func: MetricFunction,
        *,
        response_method: ResponseMethod = "predict",
        greater_is_better: bool = False,
        name: str | None = None,
    ) -> None:
        if not callable(func):
            raise TypeError(f"func must be callable, got {type(func).__name__}.")
        check_option("response_method", response_method, RESPONSE_METHODS)
        name = name or name_of(func)
        check_signature(func, name)
        self.func, self._guard = func, Guard(func)
        self.takes_sample_weight = accepts_sample_weight(func)
        super().__init__(
            name,
            greater_is_better=greater_is_better,
            response_method=response_method,
            tasks=("classification",)
            if response_method == "predict_proba"
            else ("classification", "regression"),
        )

    slow = True

    def value(self, evaluation_set: EvaluationSet, response: Array) -> float:  # noqa: D102
        y_true, y_pred = user_labels(evaluation_set, response, self.response_method)
        features = evaluation_set.sensitive_features
        weight = evaluation_set.sample_weight
        options = {}
        if weight is not None and self.takes_sample_weight:
            options["sample_weight"] = weight
        elif weight is not None and not weight.all():
            rows = np.flatnonzero(weight)
            y_true, y_pred, features = y_true[rows], y_pred[rows], take_rows(features, rows)
        try:
            # Features go as they came, in the user's own container.
            func = functools.partial(self.func, sensitive_features=features)
            value: Any = self._guard.call(func, y_true, y_pred, **options)
        except Exception as error:
            error.add_note(called_as(self.name, y_true, y_pred))
            raise
        if np.ndim(value) != 0:
            raise TypeError(
                f"metric {self.name!r} must return one number, got shape {np.shape(value)}."
            )
        return float(value)


class PerGroupMetric(FairnessMetric):
    """A function ``f(y_true, y_pred)`` evaluated on each group, then aggregated.

    This is what fairlearn's derived metrics do, without a data frame in between.

    Parameters
    ----------
    func : callable ``f(y_true, y_pred)``
        Applied to each group.
    transform : {"difference", "ratio", "group_min", "group_max"}
        How the groups' values become one number.
    method : {"between_groups", "to_overall"}, default="between_groups"
        Whether groups are compared with each other or with all samples.
    response_method : {"predict", "predict_proba"}, default="predict"
        What `y_pred` is.
    takes_sample_weight : bool, default=True
        Whether `func` gets the user's weights. If not, it does not see samples of weight zero.
    takes_labels : bool, default=False
        Whether `func` needs ``labels=`` because a group may lack a class (log loss).
    options : dict or None, default=None
        Further keywords of `func`.
    tasks : tuple of str
        Tasks for which it is defined.
    name : str
        Name shown to users.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        *,
        transform: Transform,
        method: Method = "between_groups",
        response_method: ResponseMethod = "predict",
        takes_sample_weight: bool = True,
        takes_labels: bool = False,
        options: dict[str, Any] | None = None,
        tasks: Sequence[Task] = ("classification", "regression"),
        name: str,
    ) -> None:
        check_option("transform", transform, TRANSFORMS)
        check_option("method", method, METHODS)
        self.func, self.transform, self.method = func, transform, method
        self.takes_sample_weight, self.takes_labels = takes_sample_weight, takes_labels
        self.options = options or {}
        super().__init__(
            name,
            greater_is_better=transform in ("ratio", "group_min"),
            response_method=response_method,
            tasks=tasks,
        )

    slow = True
    func: Callable[..., Any]
    transform: Transform
    method: Method
    takes_sample_weight: bool
    takes_labels: bool
    options: dict[str, Any]

    def value(self, evaluation_set: EvaluationSet, response: Array) -> float:  # noqa: D102
        y_true, y_pred = user_labels(evaluation_set, response, self.response_method)
        order = np.argsort(evaluation_set.groups.codes, kind="stable")
        weight = evaluation_set.sample_weight
        if weight is not None and not self.takes_sample_weight:
            order = order[weight[order] > 0]
        counts = np.bincount(evaluation_set.groups.codes[order], minlength=evaluation_set.n_groups)
        by_group = [
            self.of_rows(evaluation_set, y_true, y_pred, rows)
            for rows, present in zip(
                np.split(order, np.cumsum(counts)[:-1]), evaluation_set.present, strict=True
            )
            if present
        ]
        overall = None
        if self.method == "to_overall":
            rows = np.sort(order)
            overall = np.array([self.of_rows(evaluation_set, y_true, y_pred, rows)])
        values = np.array(by_group, dtype=float)[:, None]
        return float(aggregate_groups(values, overall, self.transform)[0])

    def of_rows(
        self, evaluation_set: EvaluationSet, y_true: Any, y_pred: Any, rows: Array
    ) -> float:
        """Return the function's value on some rows."""
        options = dict(self.options)
        if evaluation_set.sample_weight is not None and self.takes_sample_weight:
            options["sample_weight"] = evaluation_set.sample_weight[rows]
        if self.takes_labels:
            options["labels"] = evaluation_set.classes
        try:
            return float(self.func(y_true[rows], y_pred[rows], **options))
        except Exception as error:
            seen = y_true[rows], y_pred[rows]
            error.add_note(called_as(self.name, *seen, "the rows of one group"))
            raise


def user_labels(
    evaluation_set: EvaluationSet, response: Array, response_method: ResponseMethod
) -> tuple[Array, Array]:
    """Return targets and predictions as the user knows them."""
    if evaluation_set.classes is None:
        return evaluation_set.y, response
    y_true = evaluation_set.classes[evaluation_set.y]
    if response_method == "predict":
        return y_true, evaluation_set.classes[response]
    return y_true, response[:, 1] if response.shape[1] == 2 else response


def name_of(func: Callable[..., Any]) -> str:
    """Return what users call a function, also one inside ``functools.partial``."""
    while isinstance(func, functools.partial):
        func = func.func
    return getattr(func, "__name__", type(func).__name__)


def called_as(name: str, y_true: Any, y_pred: Any, rows: str = "all rows evaluated") -> str:
    """Say what a user's function had before it when it raised."""
    seen = [
        f"{what} of {values.dtype}, shape {values.shape}, the first {values[0]!r}"
        for what, values in (("y_true", y_true), ("y_pred", y_pred))
    ]
    return f"Raised by the metric {name!r}, called for {rows}: {'; '.join(seen)}."


def check_signature(func: Callable[..., Any], name: str) -> None:
    """Refuse a function that cannot be called as a metric is, before any fit.

    Raises
    ------
    TypeError
        If it does not take ``(y_true, y_pred, sensitive_features=...)``.
    """
    try:
        signature = inspect.signature(func)
    except (TypeError, ValueError):  # of compiled code
        return
    try:
        signature.bind(None, None, sensitive_features=None)
    except TypeError:
        cure = ""
        try:
            signature.bind(None, None)
        except TypeError:
            pass
        else:
            cure = (
                "; a function of y_true and y_pred alone becomes a metric by "
                "fairlearn.metrics.make_derived_metric(metric=..., transform='difference')"
            )
        raise TypeError(
            f"metric {name!r} must take (y_true, y_pred, *, sensitive_features), it takes "
            f"{signature}{cure}."
        ) from None


def accepts_sample_weight(func: Callable[..., Any]) -> bool:
    """Whether a callable has a parameter `sample_weight`."""
    try:
        return "sample_weight" in inspect.signature(func).parameters
    except (TypeError, ValueError):
        return False


def take_rows(container: Any, rows: Array) -> Any:
    """Return rows of a list, dict of columns, array, Index, Series or DataFrame."""
    if isinstance(container, dict):
        return {name: take_rows(column, rows) for name, column in container.items()}
    if hasattr(container, "take") and not hasattr(container, "iloc"):
        container = np.asarray(container)  # an array of pandas, or an Index
    return _safe_indexing(container, rows)


def make_fairness_metric(
    func: MetricFunction,
    *,
    response_method: ResponseMethod = "predict",
    greater_is_better: bool = False,
) -> CallableMetric:
    """Make a fairness metric from a function, the fairness twin of ``make_scorer``.

    Parameters
    ----------
    func : callable ``f(y_true, y_pred, *, sensitive_features)``
        May also take ``sample_weight``.
    response_method : {"predict", "predict_proba"}, default="predict"
        What `y_pred` is: labels, or probabilities of shape (n,) for two classes and (n, C) for
        more.
    greater_is_better : bool, default=False
        Whether a larger value is fairer.

    Returns
    -------
    metric : CallableMetric
        Metric for ``BADRClassifier(metric=...)``. It can also be called.

    Raises
    ------
    TypeError
        If `func` is not callable, or does not take these arguments.
    ValueError
        If `response_method` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from skbadr.metrics import make_fairness_metric
    >>> def calibration_gap(y_true, y_pred, *, sensitive_features):
    ...     groups = np.asarray(sensitive_features)
    ...     error = y_pred - y_true
    ...     return np.ptp([error[groups == g].mean() for g in np.unique(groups)])
    >>> metric = make_fairness_metric(calibration_gap, response_method="predict_proba")
    """
    return CallableMetric(
        func, response_method=response_method, greater_is_better=greater_is_better
    )
