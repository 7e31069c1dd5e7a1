"""Metrics of real predictions: parity of their means or of their whole distributions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from skbadr._rows import rounded_sums
from skbadr._typing import Array, Float, FloatArray, Method, Transform
from skbadr.losses import absolute_error, squared_error
from skbadr.metrics.aggregate import (
    METHODS,
    TRANSFORMS,
    aggregate_groups,
    aggregate_with_gradient,
    check_option,
    check_positive,
)
from skbadr.metrics.base import FairnessMetric
from skbadr.metrics.scores.distribution_surrogate import KolmogorovSmirnovSurrogate

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet


def prediction(y: Array, predicted: Array) -> Array:
    """Return the prediction itself."""
    return np.asarray(predicted, dtype=float)


# quantity -> (its derivative in the prediction, whether that jumps)
_SLOPES: dict[Callable[..., Array], tuple[Callable[[Array, Array], Array], bool]] = {
    prediction: (lambda y, predicted: np.ones(len(y)), False),
    squared_error: (lambda y, predicted: 2.0 * (predicted - y), False),
    absolute_error: (lambda y, predicted: np.sign(predicted - y), True),
}


class GroupMeanMetric(FairnessMetric):
    """Compare the groups' means of a quantity of each prediction.

    Parameters
    ----------
    quantity : callable ``(y, prediction) -> ndarray of shape (n,)``
        Quantity that is averaged over each group, for example the prediction itself (demographic
        parity of a regressor) or its absolute error.
    transform : {"difference", "ratio", "group_min", "group_max"}, default="difference"
        How the groups' means become one number.
    method : {"between_groups", "to_overall"}, default="between_groups"
        Whether groups are compared with each other or with all samples.
    rho : float or None, default=None
        Softens maxima and minima over groups by log-sum-exp. Its unit is 1 over the unit of the
        quantity. For a ratio it softens those of the logarithms, if all means are positive.
    name : str
        Name shown to users.
    """

    quantity: Callable[[Array, Array], Array]
    transform: Transform
    method: Method
    rho: Float | None

    def __init__(
        self,
        quantity: Callable[[Array, Array], Array],
        *,
        transform: Transform = "difference",
        method: Method = "between_groups",
        rho: Float | None = None,
        name: str,
    ) -> None:
        check_option("transform", transform, TRANSFORMS)
        check_option("method", method, METHODS)
        check_positive("rho", rho, optional=True)
        self.quantity, self.transform, self.method = quantity, transform, method
        self.rho = rho
        super().__init__(
            name, greater_is_better=transform in ("ratio", "group_min"), tasks=("regression",)
        )

    additive = True

    @property
    def differentiable(self) -> bool:  # type: ignore[override]  # noqa: D102
        return self.quantity in _SLOPES

    @property
    def kinked(self) -> bool:  # type: ignore[override]  # noqa: D102
        return self.rho is None or _SLOPES[self.quantity][1]

    def surrogate(  # noqa: D102
        self, temperature: Float = 1.0, *, rho: Float | None = None
    ) -> FairnessMetric | None:
        if rho is None or not self.differentiable:
            return super().surrogate(temperature)
        return GroupMeanMetric(
            self.quantity, transform=self.transform, method=self.method, rho=rho, name=self.name
        )

    @property
    def ideal(self) -> float | None:  # noqa: D102
        return {"difference": 0.0, "ratio": 1.0}.get(self.transform)

    def statistics(self, evaluation_set: EvaluationSet, response: Array) -> FloatArray:  # noqa: D102
        return evaluation_set.group_means(self.quantity(evaluation_set.y, response))

    def from_statistics(self, evaluation_set: EvaluationSet, statistics: FloatArray) -> float:  # noqa: D102
        means = statistics[evaluation_set.present]
        if self.rho is not None:
            return float(self._softened(evaluation_set, means)[0])
        overall = self._overall(evaluation_set, means)
        return float(aggregate_groups(means[:, None], overall, self.transform)[0])

    def undefined_value(self, evaluation_set: EvaluationSet, response: Array) -> list[str]:  # noqa: D102
        if self.transform != "ratio":
            return []
        means, labels = self.statistics(evaluation_set, response), evaluation_set.groups.labels
        return [
            f"{self.name}: group {labels[g]!r} has the mean {means[g]:g}; ratios of means that are "
            "not positive mean nothing."
            for g in np.flatnonzero(means <= 0)
        ]

    def _overall(self, evaluation_set, means):
        if self.method != "to_overall":
            return None
        totals = evaluation_set.group_totals[evaluation_set.present]
        return np.atleast_1d(means @ totals / totals.sum())

    def _softened(self, evaluation_set, means):
        """Return the value and its gradient in the present groups' means."""
        if self.rho is not None and self.transform == "ratio" and not (means > 0).all():
            return np.nan, np.zeros(len(means))
        value, by_group, by_overall = aggregate_with_gradient(
            means[:, None], self._overall(evaluation_set, means), self.transform, self.rho
        )
        totals = evaluation_set.group_totals[evaluation_set.present]
        return value[0], by_group[:, 0] + by_overall[0] * totals / totals.sum()

    def value_and_gradient(  # noqa: D102
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        y, predicted, present = evaluation_set.y, scores[:, 0], evaluation_set.present
        means = evaluation_set.group_means(self.quantity(y, predicted))
        value, by_mean = self._softened(evaluation_set, means[present])
        factor = np.zeros(len(means))
        factor[present] = by_mean / evaluation_set.group_totals[present]
        gradient = factor[evaluation_set.groups.codes] * _SLOPES[self.quantity][0](y, predicted)
        if evaluation_set.sample_weight is not None:
            gradient = gradient * evaluation_set.sample_weight
        return float(value), gradient[:, None]


class KolmogorovSmirnovMetric(FairnessMetric):
    """Statistical parity of a regressor: distance between distributions of predictions.

    It is the largest difference, over all thresholds, between two groups' shares of predictions at
    or below the threshold, or between a group's share and that of all samples. It costs one sort.

    Parameters
    ----------
    method : {"between_groups", "to_overall"}, default="between_groups"
        Whether groups are compared with each other or with all samples.

    References
    ----------
    Agarwal, Dudik and Wu (2019), "Fair regression: quantitative definitions and reduction-based
    algorithms", ICML, section 2 (statistical parity; there to all samples).
    """

    def __init__(self, *, method: Method = "between_groups") -> None:
        check_option("method", method, METHODS)
        self.method = method
        super().__init__("kolmogorov_smirnov", tasks=("regression",))

    def surrogate(  # noqa: D102
        self, temperature: Float = 1.0, *, rho: Float | None = None
    ) -> FairnessMetric | None:
        return KolmogorovSmirnovSurrogate(self, temperature, rho)

    def value(self, evaluation_set: EvaluationSet, response: Array) -> float:  # noqa: D102
        order = np.argsort(response, kind="stable")
        sorted_response = np.asarray(response)[order]
        # Distribution functions jump after the last of equal predictions.
        last = np.append(np.flatnonzero(np.diff(sorted_response)), len(order) - 1)
        codes = evaluation_set.groups.codes[order]
        weight = evaluation_set.sample_weight
        weight = np.ones(len(order)) if weight is None else weight[order]
        overall = np.cumsum(weight)[last] / weight.sum()
        lowest, highest = np.full(len(last), np.inf), np.full(len(last), -np.inf)
        farthest = 0.0
        for group in np.flatnonzero(evaluation_set.present):
            share = np.cumsum(np.where(codes == group, weight, 0.0))[last]
            share /= evaluation_set.group_totals[group]
            np.minimum(lowest, share, out=lowest)
            np.maximum(highest, share, out=highest)
            farthest = max(farthest, float(np.abs(share - overall).max()))
        value = farthest if self.method == "to_overall" else (highest - lowest).max()
        return float(value if evaluation_set.sample_weight is None else rounded_sums(value, 1.0))
