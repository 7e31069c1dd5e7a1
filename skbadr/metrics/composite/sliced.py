"""A metric of parts of the groups: of each sensitive column by itself, or within strata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skbadr._typing import Array, ArrayLike, Features, Float, FloatArray
from skbadr.metrics.base import FairnessMetric, Piece, evaluate
from skbadr.metrics.composite.combined import CombinedMetric
from skbadr.metrics.composite.sliced_surrogates import SlicedSurrogate, SlicedTables
from skbadr.metrics.composite.views import View, views_of
from skbadr.metrics.smooth.soft_tables import TableSurrogate

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet
    from skbadr.partition import Groups


class SlicedMetric(FairnessMetric):
    """The worst value of a metric over parts of the data.

    The parts are the single sensitive columns, the strata that control features make, or all pairs
    of a column and a stratum.

    Parameters
    ----------
    metric : FairnessMetric
        Metric that is computed on each part.
    intersectional : bool, default=True
        Whether several sensitive columns are crossed; False: each is compared by itself.

    Notes
    -----
    A stratum is a level of the control features of fairlearn's ``MetricFrame``. The
    groups are those of the stratum, and with ``method="to_overall"`` so are all samples.

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
        return evaluate(
            self,
            y_true,
            y_pred,
            sensitive_features,
            sample_weight,
            control_features=control_features,
        )

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
    def references(self) -> Any:  # noqa: D102
        return self.metric.references

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
            known[self.intersectional] = views_of(evaluation_set, self.intersectional)
        return known[self.intersectional]

    def statistics(self, evaluation_set: EvaluationSet, response: Array) -> FloatArray:  # noqa: D102
        if self._merges:
            return np.ravel(self.metric.statistics(evaluation_set, response))
        found = [
            np.ravel(self.metric.statistics(view.data, view.of(response)))
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
        """Return the worst value along the last axis, without the NaN of parts that tell nothing.

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
                None if response is None else view.of(response),
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
        if isinstance(smooth, TableSurrogate):
            return SlicedTables(self, smooth, rho)
        return SlicedSurrogate(self, smooth, rho)

    def value_and_gradient(  # noqa: D102
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        return SlicedSurrogate(self, self.metric, None).value_and_gradient(evaluation_set, scores)

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
            for text in self.metric.undefined_value(view.data, view.of(response))
        )


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
