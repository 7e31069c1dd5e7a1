"""A metric of parts of the groups: of each sensitive column by itself, or within strata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from skbadr._typing import Array, ArrayLike, Features, Float, FloatArray, IntArray
from skbadr.metrics.aggregate import largest, smallest
from skbadr.metrics.base import FairnessMetric, evaluate
from skbadr.metrics.callables import take_rows
from skbadr.metrics.combined import CombinedMetric
from skbadr.metrics.pieces import Piece
from skbadr.metrics.surrogates import TableSurrogate
from skbadr.partition import Groups, label_array

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet


@dataclass
class View:
    """Some of the rows, and the groups that are compared there.

    Attributes
    ----------
    whole : EvaluationSet
        Of all rows, whose groups are the crossed ones.
    place : ndarray of shape (n_crossed,)
        Group here of each crossed group; -1: not of this stratum.
    labels : list
    names : tuple of str
        Of the columns that are compared.
    stratum : tuple or None
        Values of the control columns; None: all rows.
    whole_columns : bool
        Whether all sensitive columns are compared, so that users' functions see what users gave.
    """

    whole: EvaluationSet
    place: IntArray
    labels: list[Any]
    names: tuple[str, ...]
    stratum: tuple[Any, ...] | None
    whole_columns: bool

    @cached_property
    def matrix(self) -> FloatArray:
        """What sums the crossed groups of each group here, of shape (n_here, n_crossed)."""
        return (np.arange(len(self.labels))[:, None] == self.place).astype(float)

    @cached_property
    def totals(self) -> EvaluationSet:
        """A set of no rows that has the totals of the groups here: for what is counted."""
        return self.whole.merged(self.place, self.labels, self.names)

    @cached_property
    def rows(self) -> IntArray | None:
        """Which of all rows these are; None: all of them."""
        if (self.place >= 0).all():
            return None
        return np.flatnonzero(self.place[self.whole.groups.codes] >= 0)

    @cached_property
    def data(self) -> EvaluationSet:
        """The rows here, with the groups that are compared."""
        rows = slice(None) if self.rows is None else self.rows
        data = self.whole.take(rows)
        codes = self.place[data.groups.codes]
        groups = Groups(codes, self.labels, self.names)
        features = self.whole.sensitive_features
        if not self.whole_columns:
            features = label_array(self.labels)[codes]
        elif features is not None and self.rows is not None:
            features = take_rows(features, self.rows)
        return replace(data, groups=groups, sensitive_features=features)


class SlicedMetric(FairnessMetric):
    """The worst value of a metric over parts of the data.

    The parts are the sensitive columns, each by itself, the strata that control features make, or
    all pairs of a column and a stratum.

    Parameters
    ----------
    metric : FairnessMetric
    intersectional : bool, default=True
        Whether several sensitive columns are crossed; False: each is compared by itself.

    Notes
    -----
    A stratum is what fairlearn's ``MetricFrame`` calls a level of the control features: groups, and
    with ``method="to_overall"`` all samples, are those of the stratum.

    Examples
    --------
    >>> from skbadr.metrics import SlicedMetric, get_metric
    >>> within = SlicedMetric(get_metric("demographic_parity"))
    >>> y, sex, school = [0, 1, 0, 1], ["f", "m", "f", "m"], ["a", "a", "b", "b"]
    >>> within(y, [1, 1, 0, 1], sensitive_features=sex, control_features=school)
    1.0
    """

    def __init__(self, metric: FairnessMetric, *, intersectional: bool = True) -> None:
        self.metric, self.intersectional = metric, intersectional
        self._sizes: dict[tuple[int, int], list[int]] = {}
        super().__init__(
            metric.name,
            greater_is_better=metric.greater_is_better,
            response_method=metric.response_method,
            tasks=metric.tasks,
        )
        self.pos_label = metric.pos_label

    def __call__(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        sensitive_features: Features,
        sample_weight: ArrayLike | None = None,
        control_features: Features | None = None,
    ) -> float:
        """Return the metric's worst value over the parts.

        Parameters
        ----------
        y_true, y_pred, sensitive_features, sample_weight
            As of any metric.
        control_features : array-like of shape (n,) or (n, m) or None, default=None
            Stratum of each sample; several columns are crossed.

        Returns
        -------
        value : float
        """
        known = {"control_features": control_features}
        return evaluate(self, y_true, y_pred, sensitive_features, sample_weight, **known)

    def __repr__(self) -> str:
        return f"<SlicedMetric of {self.metric!r}>"

    @property
    def ideal(self) -> float | None:  # noqa: D102
        return self.metric.ideal

    @property
    def points(self) -> float | None:  # noqa: D102
        return self.metric.points

    @property
    def response_methods(self) -> Any:  # noqa: D102
        return self.metric.response_methods

    @property
    def uses_confusion(self) -> bool:  # type: ignore[override]  # noqa: D102
        return self.metric.uses_confusion

    @property
    def slow(self) -> bool:  # type: ignore[override]  # noqa: D102
        return self.metric.slow

    @property
    def differentiable(self) -> bool:  # type: ignore[override]  # noqa: D102
        return self.metric.differentiable

    kinked = True

    @property
    def statistics_key(self) -> Any:  # noqa: D102
        key = self.metric.statistics_key
        return key if self._merges else (key, self.intersectional)

    @property
    def _merges(self):
        """Whether statistics of the crossed groups tell those of all parts."""
        key = self.metric.statistics_key
        return key == "confusion" or (isinstance(key, tuple) and key[0] == "group means")

    def views(self, evaluation_set: EvaluationSet) -> list[View]:
        """Return the parts of some data."""
        known = evaluation_set.cache.setdefault("views", {})
        if self.intersectional not in known:
            known[self.intersectional] = _views(evaluation_set, self.intersectional)
        return known[self.intersectional]

    def statistics(self, evaluation_set: EvaluationSet, response: Array) -> FloatArray:  # noqa: D102
        if self._merges:
            return np.ravel(self.metric.statistics(evaluation_set, response))
        found = [
            np.ravel(self.metric.statistics(view.data, _rows_of(response, view)))
            for view in self.views(evaluation_set)
        ]
        self._sizes[_shape(evaluation_set)] = [len(own) for own in found]
        return np.concatenate(found)

    def _merged(self, evaluation_set, statistics):
        """Return the data and the statistics, of shape (T, n_own), of each part."""
        views = self.views(evaluation_set)
        if not self._merges:
            sizes = self._sizes.get(_shape(evaluation_set), [statistics.shape[-1]])
            pieces = np.split(statistics, np.cumsum(sizes)[:-1], axis=-1)
            return [(view.data, own) for view, own in zip(views, pieces, strict=True)]
        if self.metric.statistics_key == "confusion":
            tables = statistics.reshape(len(statistics), evaluation_set.n_groups, -1)
            return [
                (view.totals, (view.matrix @ tables).reshape(len(tables), -1)) for view in views
            ]
        totals = evaluation_set.group_totals
        sums = np.where(totals > 0, statistics * totals, 0.0)
        found = []
        for view in views:
            own = view.matrix @ totals
            means = np.full((len(sums), len(own)), np.nan)
            np.divide(sums @ view.matrix.T, own, out=means, where=own > 0)
            found.append((view.totals, means))
        return found

    def worst_of(self, values: Array) -> Array:
        """Return the worst value along the last axis; NaN entries, of parts that tell nothing, not.

        Parameters
        ----------
        values : ndarray of shape (..., n_parts)
        """
        return (np.fmin if self.greater_is_better else np.fmax).reduce(values, axis=-1)

    def pieces(  # noqa: D102
        self,
        evaluation_set: EvaluationSet,
        statistics: FloatArray | None = None,
        response: Any = None,
    ) -> list[Piece]:
        views = self.views(evaluation_set)
        own = [None] * len(views)
        if statistics is not None:
            own = [part for _, part in self._merged(evaluation_set, np.atleast_2d(statistics))]
        return [
            Piece(
                self.metric,
                view.totals if response is None and self._merges else view.data,
                part,
                None if response is None else _rows_of(response, view),
            )
            for view, part in zip(views, own, strict=True)
        ]

    def from_statistics(self, evaluation_set: EvaluationSet, statistics: FloatArray) -> float:  # noqa: D102
        return float(self.from_many_statistics(evaluation_set, np.atleast_2d(statistics))[0])

    def from_many_statistics(  # noqa: D102
        self, evaluation_set: EvaluationSet, statistics: FloatArray
    ) -> FloatArray:
        merged = self._merged(evaluation_set, statistics)
        values = [self.metric.from_many_statistics(data, own) for data, own in merged]
        return self.worst_of(np.stack(values, axis=-1))

    def surrogate(  # noqa: D102
        self, temperature: Float = 1.0, *, rho: Float | None = None
    ) -> FairnessMetric | None:
        smooth = self.metric.surrogate(temperature, rho=rho)
        if smooth is None:
            return None
        kind = _SlicedTables if isinstance(smooth, TableSurrogate) else _SlicedSurrogate
        return kind(self, smooth, rho)

    def value_and_gradient(  # noqa: D102
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        return _SlicedSurrogate(self, self.metric, None).value_and_gradient(evaluation_set, scores)

    def undefined(self, evaluation_set: EvaluationSet) -> list[str]:  # noqa: D102
        return _each_once(
            _in_stratum(text, view)
            for view in self.views(evaluation_set)
            for text in self.metric.undefined(view.data)
        )

    def undefined_value(self, evaluation_set: EvaluationSet, response: Array) -> list[str]:  # noqa: D102
        return _each_once(
            _in_stratum(text, view)
            for view in self.views(evaluation_set)
            for text in self.metric.undefined_value(view.data, _rows_of(response, view))
        )


class _SlicedSurrogate(FairnessMetric):
    """The worst value of a differentiable metric over parts of the data, with its gradient."""

    differentiable = True

    def __init__(self, exact, smooth, rho):
        self.exact, self.smooth, self.rho = exact, smooth, rho
        super().__init__(
            exact.name,
            greater_is_better=exact.greater_is_better,
            response_method="decision_function",
            tasks=exact.tasks,
        )
        self.pos_label = exact.pos_label

    @property
    def kinked(self):  # noqa: D102
        return self.rho is None or self.smooth.kinked

    def surrogate(self, temperature=1.0, *, rho=None):  # noqa: D102
        return self.exact.surrogate(temperature, rho=rho)

    def undefined(self, evaluation_set):  # noqa: D102
        return self.exact.undefined(evaluation_set)

    def value(self, evaluation_set, response):  # noqa: D102
        scores = np.reshape(response, (len(evaluation_set.y), -1))
        return self.value_and_gradient(evaluation_set, scores)[0]

    def _worst(self, values):
        return (smallest if self.greater_is_better else largest)(np.array(values), self.rho)

    def value_and_gradient(self, evaluation_set, scores):  # noqa: D102
        views = self.exact.views(evaluation_set)
        found = [
            self.smooth.value_and_gradient(
                view.data, scores if view.rows is None else scores[view.rows]
            )
            for view in views
        ]
        value, share = self._worst([own for own, _ in found])
        gradient = np.zeros(np.shape(scores))
        for view, part, (_, slope) in zip(views, share, found, strict=True):
            if part:
                gradient[slice(None) if view.rows is None else view.rows] += part * slope
        return float(value), gradient


class _SlicedTables(_SlicedSurrogate, TableSurrogate):
    """The same of a function of soft confusion matrices, which parts share."""

    @property
    def temperature(self):  # noqa: D102
        return self.smooth.temperature

    statistics = TableSurrogate.statistics
    from_statistics = TableSurrogate.from_statistics
    value_and_gradient = TableSurrogate.value_and_gradient

    def value(self, evaluation_set, response):  # noqa: D102
        return FairnessMetric.value(self, evaluation_set, response)

    def value_of_tables(self, evaluation_set, tables):  # noqa: D102
        views = self.exact.views(evaluation_set)
        found = [
            self.smooth.value_of_tables(view.totals, np.tensordot(view.matrix, tables, axes=1))
            for view in views
        ]
        value, share = self._worst([own for own, _ in found])
        gradient = np.zeros(tables.shape)
        for view, part, (_, slope) in zip(views, share, found, strict=True):
            if part:
                gradient += part * np.tensordot(view.matrix.T, slope, axes=1)
        return float(value), gradient


def sliced(metric: FairnessMetric, groups: Groups, *, intersectional: bool) -> FairnessMetric:
    """Return the metric that compares what is to be compared of crossed groups.

    Parameters
    ----------
    metric : FairnessMetric
    groups : Groups
        Of the sensitive columns, crossed with the control columns.
    intersectional : bool
        Whether the sensitive columns are compared crossed; False: each by itself.

    Returns
    -------
    metric : FairnessMetric
        The same where all groups are compared with each other; of a combination, its parts are
        sliced.
    """
    apart = not intersectional and len(groups.names) - groups.n_control > 1
    if not (apart or groups.n_control):
        return metric
    if isinstance(metric, CombinedMetric):
        return metric.with_parts(
            [sliced(part, groups, intersectional=intersectional) for part in metric.parts]
        )
    if isinstance(metric, SlicedMetric):
        metric = metric.metric
    return SlicedMetric(metric, intersectional=not apart)


def within_strata(metric: FairnessMetric) -> FairnessMetric:
    """Return the metric within strata, where it is not already one of parts of the data."""
    if isinstance(metric, CombinedMetric):
        return metric.with_parts([within_strata(part) for part in metric.parts])
    return metric if isinstance(metric, SlicedMetric) else SlicedMetric(metric)


def _views(evaluation_set, intersectional):
    groups = evaluation_set.groups
    n_control = groups.n_control
    rows = [label if len(groups.names) > 1 else (label,) for label in groups.labels]
    n_sensitive = len(groups.names) - n_control
    strata: Sequence[Any] = [None]
    if n_control:
        strata = list(dict.fromkeys(row[n_sensitive:] for row in rows))
    columns = [tuple(range(n_sensitive))]
    if not intersectional:
        columns = [(j,) for j in range(n_sensitive)]
    views = []
    for stratum in strata:
        inside = [stratum is None or row[n_sensitive:] == stratum for row in rows]
        for own in columns:
            keys = [tuple(row[j] for j in own) for row in rows]
            found = list(dict.fromkeys(k for k, here in zip(keys, inside, strict=True) if here))
            number = {key: n for n, key in enumerate(found)}
            place = np.array(
                [number[k] if here else -1 for k, here in zip(keys, inside, strict=True)]
            )
            labels = [key[0] if len(own) == 1 else key for key in found]
            names = tuple(groups.names[j] for j in own)
            whole = len(own) == n_sensitive
            views.append(View(evaluation_set, place, labels, names, stratum, whole))
    return views


def _rows_of(response, view):
    return response if view.rows is None else response[view.rows]


def _in_stratum(text, view):
    if view.stratum is None:
        return text
    stratum = view.stratum[0] if len(view.stratum) == 1 else view.stratum
    return f"in stratum {stratum!r}, {text}"


def _each_once(texts):
    return list(dict.fromkeys(texts))


def _shape(evaluation_set):
    n_classes = 0 if evaluation_set.classes is None else evaluation_set.n_classes
    return evaluation_set.n_groups, n_classes
