"""Several bounds at once, as one metric."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from skbadr._typing import Array, Float, FloatArray
from skbadr.metrics.aggregate import largest
from skbadr.metrics.base import FairnessMetric, Piece
from skbadr.metrics.inputs.responses import methods_of, part_of
from skbadr.metrics.smooth.soft_tables import SoftPredictions, TableSurrogate
from skbadr.metrics.smooth.stand_in import StandIn

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet

# Unit of a metric whose bound is 0.
UNIT_OF_ZERO = 0.01
# The smallest number above 1: what a bound that is missed by less than rounding counts as.
ABOVE_ONE = float(np.nextafter(1.0, 2.0))


class CombinedMetric(FairnessMetric):
    """The largest of several metrics, each in units of its bound: 1 is the edge, less is inside.

    A metric that is better when smaller counts as ``value / bound``. A metric that is better when
    greater (a ratio, a floor) counts as ``2 - value / bound``. Both are 1 if the bound is just met,
    and 2 if it is missed by its own size. With a bound of 0 a metric counts as ``1 + 100 * value``.
    The value is at most 1 if and only if every bound is met.

    Parameters
    ----------
    parts : sequence of FairnessMetric
        Metrics that are bounded at once.
    bounds : sequence of float
        The largest value of each metric; for ratios and floors the smallest.
    labels : sequence of str or None, default=None
        Labels of the parts in `part_values`; None: the names of the metrics.

    Notes
    -----
    Parts share equal statistics (confusion matrices, mean losses), also in surrogates and their
    gradients. Several bounds therefore cost about as much as one.

    Examples
    --------
    >>> from skbadr.metrics import get_metric
    >>> both = get_metric({"demographic_parity": 0.25, "equalized_odds": 0.5})
    >>> both([0, 1, 0, 1], [0, 1, 1, 1], sensitive_features=["a", "a", "b", "b"])
    2.0
    """

    def __init__(
        self,
        parts: Sequence[FairnessMetric],
        bounds: Sequence[Float],
        labels: Sequence[str] | None = None,
    ) -> None:
        self.parts, self.bounds = tuple(parts), np.array(bounds, dtype=float)
        self.labels = tuple(part.name for part in self.parts) if labels is None else tuple(labels)
        self._signs = np.array([-1.0 if part.greater_is_better else 1.0 for part in self.parts])
        # How much of a part's value one unit of the combination is.
        self._units = np.where(self.bounds == 0, UNIT_OF_ZERO, np.abs(self.bounds))
        self._sizes: dict[tuple[int, int], list[int]] = {}
        super().__init__(
            ", ".join(
                f"{label} / {bound:g}" if bound else label
                for label, bound in zip(self.labels, self.bounds, strict=True)
            ),
            response_method=self.parts[0].response_method,
            tasks=[
                task
                for task in self.parts[0].tasks
                if all(task in part.tasks for part in self.parts)
            ],
        )
        known = [part.pos_label for part in self.parts if part.pos_label is not None]
        self.pos_label = known[0] if known else None

    def with_parts(self, parts: Sequence[FairnessMetric]) -> CombinedMetric:
        """Return the same bounds on other metrics, in the same order."""
        return CombinedMetric(parts, self.bounds.tolist(), self.labels)

    @property
    def response_methods(self) -> Any:  # noqa: D102
        return methods_of(self.parts)

    @property
    def uses_confusion(self) -> bool:  # type: ignore[override]  # noqa: D102
        return all(part.uses_confusion for part in self.parts)

    @property
    def additive(self) -> bool:  # type: ignore[override]  # noqa: D102
        return all(part.additive for part in self.parts) and len(self.response_methods) == 1

    @property
    def slow(self) -> bool:  # type: ignore[override]  # noqa: D102
        return any(part.slow for part in self.parts)

    @property
    def differentiable(self) -> bool:  # type: ignore[override]  # noqa: D102
        return all(part.differentiable for part in self.parts)

    kinked = True

    @property
    def references(self) -> Any:  # noqa: D102
        return tuple(dict.fromkeys(loss for part in self.parts for loss in part.references))

    @property
    def own_bound(self) -> float | None:  # noqa: D102
        return 1.0

    @property
    def ideal(self) -> float | None:  # noqa: D102
        ideals = [part.ideal for part in self.parts]
        if any(ideal is None for ideal in ideals):
            return None
        return float(self.in_bounds(np.array(ideals, dtype=float)).max())

    @property
    def points(self) -> float | None:  # noqa: D102
        points = [part.points for part in self.parts]
        if any(point is None for point in points):
            return None
        return float((np.array(points, dtype=float) * self._units).max())

    @property
    def prices(self) -> FloatArray | None:  # noqa: D102
        # A tenth of a floor is many points of a rate, a tenth of a small gap few.
        if self.points is None:
            return None
        worth = np.array([part.points for part in self.parts], dtype=float) * self._units
        return worth / worth.max()

    def search_values(self, evaluation_set: EvaluationSet, statistics: FloatArray) -> FloatArray:  # noqa: D102
        if self.points is None:
            return super().search_values(evaluation_set, statistics)
        return self.in_bounds(self.part_values(evaluation_set, statistics))

    def bound_text(self, bound: Float) -> str:  # noqa: D102
        if bound != 1.0:
            return super().bound_text(bound)
        return " and ".join(
            part.bound_text(own).replace(part.name, label, 1)
            for part, own, label in zip(self.parts, self.bounds, self.labels, strict=True)
        )

    def value_text(  # noqa: D102
        self,
        value: Float,
        evaluation_set: EvaluationSet | None = None,
        statistics: FloatArray | None = None,
    ) -> str:
        if evaluation_set is None or statistics is None:
            return super().value_text(value)
        values = self.values_by_label(evaluation_set, statistics)
        return " and ".join(f"{label} {own:.4g}" for label, own in values.items())

    def values_by_label(
        self, evaluation_set: EvaluationSet, statistics: FloatArray
    ) -> dict[str, float]:
        """Return each part's own value for the statistics of one model."""
        values = self.part_values(evaluation_set, statistics)[0]
        return dict(zip(self.labels, map(float, values), strict=True))

    def in_bounds(self, values: Array) -> FloatArray:
        """Return the parts' values, of shape (..., n_parts), in units of their bounds."""
        cost, bounds = self._signs * values, self._signs * self.bounds
        ratio = np.where(
            (self._signs > 0) & (self.bounds > 0),
            values / self._units,
            1.0 + (cost - bounds) / self._units,
        )
        # Rounding must not decide whether a bound is met.
        ratio = np.where(cost > bounds, np.maximum(ratio, ABOVE_ONE), ratio)
        return np.where(cost <= bounds, np.minimum(ratio, 1.0), ratio)

    def _blocks(self):
        """Return the parts that have each kind of statistics, by key."""
        blocks = {}
        for number, part in enumerate(self.parts):
            blocks.setdefault((part.statistics_key, part.response_methods), []).append(number)
        return list(blocks.values())

    def statistics(self, evaluation_set: EvaluationSet, response: Array) -> FloatArray:  # noqa: D102
        found = []
        for block in self._blocks():
            part = self.parts[block[0]]
            found.append(np.ravel(part.statistics(evaluation_set, part_of(part, response))))
        self._sizes[_shape(evaluation_set)] = [len(own) for own in found]
        return np.concatenate(found)

    def part_statistics(
        self, evaluation_set: EvaluationSet, statistics: FloatArray
    ) -> list[FloatArray]:
        """Return the statistics of each part, of shape (T, n_own) for `statistics` of T models."""
        blocks = self._blocks()
        sizes = self._sizes.get(_shape(evaluation_set), [statistics.shape[-1]])
        pieces = np.split(statistics, np.cumsum(sizes)[:-1], axis=-1)
        of_part = {
            number: own for own, block in zip(pieces, blocks, strict=True) for number in block
        }
        return [of_part[number] for number in range(len(self.parts))]

    def part_values(self, evaluation_set: EvaluationSet, statistics: FloatArray) -> FloatArray:
        """Return each part's own value, of shape (T, n_parts), for `statistics` of T models."""
        pieces = self.part_statistics(evaluation_set, np.atleast_2d(statistics))
        return np.stack(
            [
                part.from_many_statistics(evaluation_set, own)
                for part, own in zip(self.parts, pieces, strict=True)
            ],
            axis=-1,
        )

    def worst_of(self, values: Array) -> FloatArray:
        """Return the largest of the parts' values along the last axis, in units of their bounds."""
        return self.in_bounds(values).max(axis=-1)

    def pieces(  # noqa: D102
        self,
        evaluation_set: EvaluationSet,
        statistics: FloatArray | None = None,
        response: Any = None,
    ) -> list[Piece]:
        own: list[Any] = [None] * len(self.parts)
        if statistics is not None:
            own = self.part_statistics(evaluation_set, np.atleast_2d(statistics))
        return [
            Piece(
                part,
                evaluation_set,
                statistics,
                None if response is None else part_of(part, response),
            )
            for part, statistics in zip(self.parts, own, strict=True)
        ]

    def from_statistics(self, evaluation_set: EvaluationSet, statistics: FloatArray) -> float:  # noqa: D102
        return float(self.from_many_statistics(evaluation_set, np.atleast_2d(statistics))[0])

    def from_many_statistics(  # noqa: D102
        self, evaluation_set: EvaluationSet, statistics: FloatArray
    ) -> FloatArray:
        # A bound on what is undefined is not met: NaN stays.
        return self.worst_of(self.part_values(evaluation_set, statistics))

    def surrogate(  # noqa: D102
        self, temperature: Float = 1.0, *, rho: Float | None = None
    ) -> FairnessMetric | None:
        parts = []
        for part, unit in zip(self.parts, self._units, strict=True):
            smooth = part.surrogate(temperature, rho=None if rho is None else rho / unit)
            if smooth is None:
                return None
            parts.append(smooth)
        return CombinedSurrogate(self, parts, rho)

    def value_and_gradient(  # noqa: D102
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        smooth = self.surrogate()
        if smooth is None:
            return super().value_and_gradient(evaluation_set, scores)
        return smooth.value_and_gradient(evaluation_set, scores)

    def undefined(self, evaluation_set: EvaluationSet) -> list[str]:  # noqa: D102
        return [text for part in self.parts for text in part.undefined(evaluation_set)]

    def undefined_value(self, evaluation_set: EvaluationSet, response: Array) -> list[str]:  # noqa: D102
        return [
            text
            for part in self.parts
            for text in part.undefined_value(evaluation_set, part_of(part, response))
        ]


class CombinedSurrogate(StandIn):
    """The largest of several surrogates, each in units of its bound, with its gradient.

    Parameters
    ----------
    exact : CombinedMetric
    parts : sequence of FairnessMetric
        Differentiable stand-ins of its parts.
    rho : float or None
        Softens the largest by log-sum-exp, in units of 1 over the combination's; None: it is exact.
    """

    def __init__(
        self, exact: CombinedMetric, parts: Sequence[FairnessMetric], rho: Float | None
    ) -> None:
        self.parts = tuple(parts)
        super().__init__(exact, rho)

    @property
    def kinked(self) -> bool:  # type: ignore[override]  # noqa: D102
        return self.rho is None or any(part.kinked for part in self.parts)

    def value_and_gradient(  # noqa: D102
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        soft: dict[Float, tuple[SoftPredictions, Array]] = {}
        found: list[tuple[float, Array]] = []
        for part in self.parts:
            if not isinstance(part, TableSurrogate):
                found.append(part.value_and_gradient(evaluation_set, scores))
                continue
            if part.temperature not in soft:
                own = SoftPredictions(scores, part.temperature)
                soft[part.temperature] = own, own.tables(evaluation_set)
            tables = soft[part.temperature][1]
            found.append(part.value_of_tables(evaluation_set, tables))
        values = self.exact.in_bounds(np.array([value for value, _ in found]))
        value, share = largest(values, self.rho)
        share = share * self.exact._signs / self.exact._units
        gradient = np.zeros(np.shape(scores))
        by_table: dict[Float, Any] = dict.fromkeys(soft, 0.0)
        for part, own, (_, slope) in zip(self.parts, share, found, strict=True):
            if own and isinstance(part, TableSurrogate):
                by_table[part.temperature] = by_table[part.temperature] + own * slope
            elif own:
                gradient += own * slope
        for temperature, slope in by_table.items():
            if np.ndim(slope):
                moved = soft[temperature][0].gradient(evaluation_set, slope)
                gradient += moved.reshape(gradient.shape)
        return float(value), gradient


def _shape(evaluation_set):
    n_classes = 0 if evaluation_set.classes is None else evaluation_set.n_classes
    return evaluation_set.n_groups, n_classes


def check_bounds(bounds: Any) -> None:
    """Refuse a mapping of metrics that holds no bounds.

    Raises
    ------
    ValueError
        Naming the metric that has none.
    """
    if not bounds:
        raise ValueError("metric is an empty mapping: give at least one metric and its bound.")
    for metric, bound in bounds.items():
        name = metric if isinstance(metric, str) else getattr(metric, "name", metric)
        if isinstance(bound, (bool, np.bool_)) or not isinstance(bound, Real):
            raise ValueError(
                f"metric[{name!r}] must be a number, the bound on that metric, got {bound!r}."
            )
        if not np.isfinite(float(bound)):
            raise ValueError(f"metric[{name!r}] must be a finite number, got {bound!r}.")
