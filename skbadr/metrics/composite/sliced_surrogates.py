"""The smooth forms of metrics of parts of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skbadr._typing import Array, Float
from skbadr.metrics.aggregate import largest, smallest
from skbadr.metrics.base import FairnessMetric
from skbadr.metrics.smooth.soft_tables import TableSurrogate
from skbadr.metrics.smooth.stand_in import StandIn

if TYPE_CHECKING:
    from skbadr.metrics.composite.sliced import SlicedMetric
    from skbadr.metrics.evaluation_set import EvaluationSet


class SlicedSurrogate(StandIn):
    """The worst value of a differentiable metric over parts of the data, with its gradient.

    Parameters
    ----------
    exact : SlicedMetric
    smooth : FairnessMetric
        A differentiable stand-in of its metric.
    rho : float or None
        Softens the worst by log-sum-exp; None: it is exact.
    """

    smooth: FairnessMetric

    def __init__(self, exact: SlicedMetric, smooth: FairnessMetric, rho: Float | None) -> None:
        self.smooth = smooth
        super().__init__(exact, rho)

    @property
    def kinked(self) -> bool:  # type: ignore[override]  # noqa: D102
        return self.rho is None or self.smooth.kinked

    def worst(self, values: list[float]) -> tuple[Array, Array]:
        """Return the worst of the parts' values, and its gradient."""
        return (smallest if self.greater_is_better else largest)(np.array(values), self.rho)

    def value_and_gradient(  # noqa: D102
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        views = self.exact.views(evaluation_set)
        found = [self.smooth.value_and_gradient(view.data, view.of(scores)) for view in views]
        value, share = self.worst([own for own, _ in found])
        gradient = np.zeros(np.shape(scores))
        for view, part, (_, slope) in zip(views, share, found, strict=True):
            if part:
                gradient[slice(None) if view.rows is None else view.rows] += part * slope
        return float(value), gradient


class SlicedTables(TableSurrogate):
    """The same of a function of soft confusion matrices, which all parts share.

    Parameters
    ----------
    exact, smooth, rho
        As of `SlicedSurrogate`; `smooth` is a `TableSurrogate`.
    """

    def __init__(self, exact: SlicedMetric, smooth: TableSurrogate, rho: Float | None) -> None:
        self.parts, self.smooth = SlicedSurrogate(exact, smooth, rho), smooth
        self.temperature = smooth.temperature
        super().__init__(exact, rho)

    @property
    def kinked(self) -> bool:  # type: ignore[override]  # noqa: D102
        return self.parts.kinked

    def value_of_tables(  # noqa: D102
        self, evaluation_set: EvaluationSet, tables: Array
    ) -> tuple[float, Array]:
        views = self.parts.exact.views(evaluation_set)
        found = [
            self.smooth.value_of_tables(view.totals, np.tensordot(view.matrix, tables, axes=1))
            for view in views
        ]
        value, share = self.parts.worst([own for own, _ in found])
        gradient = np.zeros(tables.shape)
        for view, part, (_, slope) in zip(views, share, found, strict=True):
            if part:
                gradient += part * np.tensordot(view.matrix.T, slope, axes=1)
        return float(value), gradient
