"""What differentiable stand-ins of metrics share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skbadr._typing import Array, Float
from skbadr.metrics.base import FairnessMetric

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet


class StandIn(FairnessMetric):
    """A differentiable function of decision values, in place of another metric.

    A subclass implements `value_and_gradient`.

    Parameters
    ----------
    exact : FairnessMetric
        What it stands for.
    rho : float or None
        Softens maxima and minima by log-sum-exp; None: they are exact.
    """

    differentiable = True
    exact: Any
    rho: Float | None

    def __init__(self, exact: FairnessMetric, rho: Float | None) -> None:
        self.exact, self.rho = exact, rho
        super().__init__(
            exact.name,
            greater_is_better=exact.greater_is_better,
            response_method="decision_function",
            tasks=exact.tasks,
        )
        self.pos_label = exact.pos_label

    @property
    def kinked(self) -> bool:  # type: ignore[override]  # noqa: D102
        return self.rho is None

    def surrogate(  # noqa: D102
        self, temperature: Float = 1.0, *, rho: Float | None = None
    ) -> FairnessMetric | None:
        return self.exact.surrogate(temperature, rho=rho)

    def undefined(self, evaluation_set: EvaluationSet) -> list[str]:  # noqa: D102
        return self.exact.undefined(evaluation_set)

    def value(self, evaluation_set: EvaluationSet, response: Array) -> float:  # noqa: D102
        scores = np.reshape(response, (len(evaluation_set.y), -1))
        return self.value_and_gradient(evaluation_set, scores)[0]
