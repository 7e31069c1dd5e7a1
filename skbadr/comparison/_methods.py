"""The baseline estimator and BADR as lines of the comparison table."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from skbadr._typing import Float, PartitionName
from skbadr.estimators import BADRClassifier, BADRRegressor
from skbadr.metrics.inputs.responses import get_response

from ._problem import Fitted, Method

if TYPE_CHECKING:
    from skbadr.comparison._problem import Problem


class Baseline(Method):
    """The estimator as it is, without weights."""

    key = "baseline"
    label = "baseline estimator"

    def fit(self, problem: Problem) -> Fitted:
        model = clone(problem.estimator).fit(problem.X, problem.y)
        return _fitted(model, 1)


@dataclass
class Badr(Method):
    """BADR over the cells of one partition; `options` are further constructor arguments."""

    partition: PartitionName
    use_bound: bool
    confidence: Float | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:  # type: ignore[override]
        return f"badr_{self.partition}"

    @property
    def label(self) -> str:  # type: ignore[override]
        return {"group": "BADR groups", "group_target": "BADR group x target"}[self.partition]

    @property
    def _options(self):
        if self.confidence is None or not self.use_bound:
            return self.options
        return self.options | {"confidence": self.confidence}

    def fit(self, problem: Problem) -> Fitted:
        badr = BADRClassifier if problem.is_classification else BADRRegressor
        model = badr(
            clone(problem.estimator),
            metric=problem.metric,
            partition=self.partition,
            bound=problem.bound if self.use_bound and problem.fairness.own_bound is None else None,
            random_state=problem.random_state,
            **self._options,
            intersectional=problem.intersectional,
        ).fit(problem.X, problem.y, **problem.given(problem.groups))
        return _fitted(model, int(model.n_refits_), model.results_)


def _fitted(model, n_refits, front=None):
    respond = partial(get_response, model)
    return Fitted(lambda X, groups: model.predict(X), model, n_refits, respond, front)
