"""Fairness as a scikit-learn scorer."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils.metadata_routing import MetadataRequest

from skbadr._guard import guarded
from skbadr._sklearn import rows_being_scored
from skbadr._typing import ArrayLike, Columns, Features, MetricLike, Task
from skbadr.metrics.base import evaluate
from skbadr.metrics.composite.sliced import within_strata
from skbadr.metrics.inputs.baseline_losses import baseline_of
from skbadr.metrics.inputs.encoding import encode
from skbadr.metrics.inputs.responses import response_to
from skbadr.metrics.losses.own_loss import with_own_loss
from skbadr.metrics.registry import get_metric
from skbadr.partition import select_columns


class FairnessScorer:
    """Scorer of a fairness metric; see `fairness_scorer`."""

    def __init__(
        self,
        metric: MetricLike,
        sensitive_columns: Columns | None = None,
        metric_options: dict[str, Any] | None = None,
        *,
        control_columns: Columns | None = None,
        intersectional: bool = True,
    ) -> None:
        self.metric = metric
        self.sensitive_columns = sensitive_columns
        self.metric_options = metric_options or {}
        self.control_columns, self.intersectional = control_columns, intersectional
        self._request: dict[str, bool | str | None] = {
            # With columns of its own, it has no use for groups that are routed to a fit.
            "sensitive_features": sensitive_columns is None,
            "control_features": None,
            "sample_weight": None,
        }

    def __call__(
        self,
        estimator: Any,
        X: ArrayLike,
        y_true: ArrayLike,
        *,
        sensitive_features: Features | None = None,
        control_features: Features | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return the score of a fitted estimator, greater always being better.

        Parameters
        ----------
        estimator : fitted estimator
        X : array-like of shape (n, d)
        y_true : array-like of shape (n,)
        sensitive_features : array-like or None, default=None
            Needed where the scorer has no `sensitive_columns`.
        control_features : array-like or None, default=None
            Stratum of each sample; not needed where the scorer has `control_columns`.
        sample_weight : array-like of shape (n,) or None, default=None

        Returns
        -------
        score : float
            The metric, or its negative where lower is better.

        Raises
        ------
        ValueError
            If nothing says what the groups are.
        """
        task: Task = "regression" if is_regressor(estimator) else "classification"
        metric = get_metric(
            self.metric, task, intersectional=self.intersectional, **self.metric_options
        )
        metric = with_own_loss(metric, estimator, np.asarray(y_true), task)
        y_pred = response_to(metric, estimator, X, task)
        control = control_features
        if control is None:
            control = self._control_of(estimator, X)
        if control is not None:
            metric = within_strata(metric)
        value = evaluate(
            metric,
            y_true,
            y_pred,
            self._groups_of(estimator, X, sensitive_features),
            sample_weight,
            control_features=control,
            task=task,
            classes=_classes_of(estimator, task),
            baseline=baseline_of(estimator, X, task) if metric.references else None,
        )
        return value if metric.greater_is_better else -value

    def _control_of(self, estimator, X):
        if self.control_columns is None or X is None:
            return None
        names = getattr(estimator, "feature_names_in_", None)
        return select_columns(
            X, guarded(self.control_columns), feature_names=names, argument="control_columns"
        )

    def _groups_of(self, estimator, X, sensitive_features):
        if sensitive_features is not None:
            return sensitive_features
        if self.sensitive_columns is None or X is None:
            raise ValueError(
                "the fairness scorer has no groups: give sensitive_columns to "
                "fairness_scorer, or pass sensitive_features (with metadata routing on)."
            )
        names = getattr(estimator, "feature_names_in_", None)
        return select_columns(X, guarded(self.sensitive_columns), feature_names=names)

    # The rest is what TunedThresholdClassifierCV takes of a scorer: the function within, its sign
    # and its options, of which it makes a scorer of many thresholds.

    @property
    def _sign(self):
        metric = self._thresholded()
        return 1 if metric.greater_is_better else -1

    @property
    def _kwargs(self):
        label = self.metric_options.get("pos_label")
        return {} if label is None else {"pos_label": label}

    def _score_func(
        self, y_true, y_pred, *, sensitive_features=None, sample_weight=None, pos_label=None
    ):
        metric = self._thresholded()
        estimator, X = rows_being_scored()
        groups = self._groups_of(estimator, X, sensitive_features)
        control = self._control_of(estimator, X)
        if control is not None:
            metric = within_strata(metric)
        data, predicted = encode(
            metric,
            y_true,
            y_pred,
            groups,
            sample_weight,
            control_features=control,
            task="classification",
            classes=_classes_of(estimator, "classification"),
        )
        value = float(metric.value(data, predicted))
        # Undefined at a threshold, as a ratio where nobody is selected, is not best but worst.
        return 0.0 if np.isnan(value) and metric.greater_is_better else value

    def _thresholded(self):
        metric = get_metric(
            self.metric,
            "classification",
            intersectional=self.intersectional,
            **self.metric_options,
        )
        own = [p for p in getattr(metric, "parts", [metric]) if getattr(p, "own", False)]
        if own:
            raise ValueError(
                f"{own[0].name} is of the loss that is trained on, which no threshold changes: "
                "choose a metric of predictions, such as worst_group_error, to tune thresholds by."
            )
        if metric.response_methods != ("predict",):
            raise ValueError(
                f"{metric.name} is a metric of {' and '.join(metric.response_methods)}, which no "
                "threshold "
                "changes: choose a metric of predictions to tune thresholds by."
            )
        return metric

    def set_score_request(self, **requests: bool | str | None) -> Self:
        """Say which metadata (`sensitive_features`, `sample_weight`) the scorer takes.

        Returns
        -------
        self : FairnessScorer
        """
        unknown = set(requests) - set(self._request)
        if unknown:
            raise TypeError(f"unknown metadata {sorted(unknown)}; known: {sorted(self._request)}.")
        self._request.update(requests)
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Return what the scorer requests, for scikit-learn's metadata routing."""
        request = MetadataRequest(owner=self)
        for name, value in self._request.items():
            request.score.add_request(param=name, alias=value)
        return request

    def _get_metadata_request(self):
        return self.get_metadata_routing()

    def __repr__(self) -> str:
        groups = "" if self.sensitive_columns is None else f", {self.sensitive_columns!r}"
        return f"fairness_scorer({self.metric!r}{groups})"


def _classes_of(estimator, task):
    """Return the classes that an estimator was trained on, all of which a fold may lack."""
    return getattr(estimator, "classes_", None) if task == "classification" else None


def fairness_scorer(
    metric: MetricLike = "demographic_parity",
    sensitive_columns: Columns | None = None,
    *,
    control_columns: Columns | None = None,
    intersectional: bool = True,
    **options: Any,
) -> FairnessScorer:
    """Make a scikit-learn scorer from a fairness metric.

    Parameters
    ----------
    metric : str, callable, FairnessMetric or mapping, default="demographic_parity"
        As in `get_metric`. Several bounds give the largest value / bound. A name stands for the
        regression metric of that name if the scored estimator is a regressor. Losses of groups use
        the loss that the scored estimator trains on.
    sensitive_columns : str, int, list, callable or None, default=None
        Column(s) of X that define the groups; no metadata then needs routing. None: groups come as
        routed metadata ``sensitive_features``.
    control_columns : str, int, list, callable or None, default=None
        Column(s) of X that make strata, within which groups are compared. None: strata come as
        routed metadata ``control_features``, if they are requested.
    intersectional : bool, default=True
        False: each of several sensitive columns is compared by itself, and the worst counts.
    **options
        The named metric's own options, for instance ``agg="mean"``.

    Returns
    -------
    scorer : callable ``scorer(estimator, X, y)``
        Greater is better: a difference is returned with its sign changed.

    Raises
    ------
    ValueError, TypeError
        As `get_metric`, when no task has such a metric.

    Notes
    -----
    ``TunedThresholdClassifierCV(scoring=...)`` also takes a scorer of a metric of predictions.

    Examples
    --------
    >>> from skbadr.metrics import fairness_scorer
    >>> fairness_scorer("equalized_odds", sensitive_columns="sex")
    fairness_scorer('equalized_odds', 'sex')
    """
    for task in ("classification", "regression"):
        try:
            get_metric(metric, task, **options)
            break
        except ValueError:
            if task == "regression":
                raise
    return FairnessScorer(
        metric,
        sensitive_columns,
        options,
        control_columns=control_columns,
        intersectional=intersectional,
    )
