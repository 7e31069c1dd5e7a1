"""What every method of the comparison is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skbadr._guard import Guard
from skbadr._typing import Array, Features, Float, RandomState, ResponseMethod, Task
from skbadr.metrics.base import evaluate
from skbadr.metrics.composite.sliced import sliced
from skbadr.metrics.losses.own_loss import with_own_loss
from skbadr.partition import cross_with_control, make_groups

from ._groups import labelled, stratified_split

if TYPE_CHECKING:
    from skbadr.metrics import FairnessMetric


@dataclass(frozen=True)
class Problem:
    """Training data and settings of one comparison.

    `metric` is what the user named it by, `fairness` the object that computes it. `bound` is the
    upper bound on the metric (a lower one if it is better when greater) that the methods with a
    bound respect; None if there is none. `baseline_mse` is the mean squared
    error of the baseline regressor on the training data.
    """

    estimator: Any
    X: Any
    y: Array
    groups: Array
    task: Task
    metric: Any
    metric_name: str
    fairness: FairnessMetric
    bound: Float | None = None
    baseline_mse: float | None = None
    random_state: Any = None
    # Where not all groups are compared with each other: the values that labels of groups stand for,
    # how many of these are of control columns, and whether the others are crossed.
    labels: dict[str, tuple[Any, ...]] | None = None
    n_control: int = 0
    intersectional: bool = True
    # The baseline model once it is trained, for metrics that compare with it.
    baseline: Fitted | None = None

    def given(self, groups: Array) -> dict[str, Any]:
        """Return the sensitive and control features that labels of groups stand for."""
        if self.labels is None:
            return {"sensitive_features": groups}
        rows = np.empty((len(groups), len(next(iter(self.labels.values())))), dtype=object)
        for column in range(rows.shape[1]):
            rows[:, column] = [self.labels[group][column] for group in groups]
        n_sensitive = rows.shape[1] - self.n_control
        control = rows[:, n_sensitive:] if self.n_control else None
        return {"sensitive_features": rows[:, :n_sensitive], "control_features": control}

    def measure(self, X: Any, y: Array, response: Any, groups: Array) -> float:
        """Return the metric."""
        baseline = None
        if self.fairness.references and self.baseline is not None:
            baseline = partial(self.outputs, self.baseline, X, groups)
        return evaluate(self.fairness, y, response, **self.given(groups), baseline=baseline)

    def outputs(self, fitted: Fitted, X: Any, groups: Array, method: ResponseMethod) -> Any:
        """Return what a trained method responds to rows; it must have that response method."""
        if method == "predict":
            return self.lend(fitted.predict, X, groups)
        assert fitted.respond is not None
        return self.lend(fitted.respond, X, method, self.task)

    @property
    def is_classification(self) -> bool:
        return self.task == "classification"

    def lend(self, function: Callable[..., Any], X: Any, *others: Any) -> Any:
        """Return ``function(X, *others)``, which runs the estimator: X stays as it is."""
        return Guard(self.estimator).call(function, X, *others)

    def encode(self) -> tuple[Any, Any, Any]:
        """Return the fitted transformers (or None), the encoded rows and the last step.

        Weights reach the last step directly, for algorithms that cannot pass them to a Pipeline.
        """
        if not isinstance(self.estimator, Pipeline):
            return None, self.X, clone(self.estimator)
        transformers = clone(self.estimator[:-1])
        encoded = transformers.fit_transform(self.X, self.y)
        return transformers, encoded, clone(self.estimator[-1])


def split_problem(
    estimator: Any,
    X: Any,
    y: Array,
    task: Task,
    metric: Any,
    named: FairnessMetric,
    *,
    sensitive_features: Features,
    control_features: Features | None,
    intersectional: bool,
    test_size: Float,
    random_state: RandomState | None,
) -> tuple[Problem, dict[str, tuple[Any, Array, Array]]]:
    """Return the problem on the training rows, and the rows (X, y, groups) of both parts.

    `named` is the metric object that the user's `metric` stands for.
    """
    crossed = make_groups(sensitive_features)
    if control_features is not None:
        crossed = cross_with_control(crossed, control_features, "control_features")
    groups, labels = labelled(crossed)
    X_train, X_test, y_train, y_test, groups_train, groups_test = stratified_split(
        X,
        y,
        groups,
        test_size=test_size,
        random_state=random_state,
        stratify_by_class=task == "classification",
    )
    own = with_own_loss(named, estimator, y_train, task)
    fairness = sliced(own, crossed, intersectional=intersectional)
    problem = Problem(
        estimator,
        X_train,
        y_train,
        groups_train,
        task,
        metric,
        metric if isinstance(metric, str) else fairness.name,
        fairness,
        random_state=random_state,
        labels=labels if fairness is not own else None,
        n_control=crossed.n_control,
        intersectional=intersectional,
    )
    parts = {"train": (X_train, y_train, groups_train), "test": (X_test, y_test, groups_test)}
    return problem, parts


@dataclass(frozen=True)
class Fitted:
    """A trained method: ``predict(X, groups)``, the model itself and how it came about.

    ``respond(X, response_method, task)`` gives probabilities or scores; None where the method only
    predicts.
    """

    predict: Callable[..., Any]
    model: Any
    n_refits: int
    respond: Callable[..., Any] | None = None
    front: dict[str, Array] | None = None


class Method:
    """One line of the comparison table."""

    key: str
    label: str
    deterministic = True

    def refusal(self, problem: Problem) -> str | None:
        """Return why the method cannot do `problem`, or None if it can."""
        return None

    def remark(self, problem: Problem) -> str | None:
        """Return what a reader should know about its line of the table, or None."""
        return None

    def fit(self, problem: Problem) -> Fitted:
        """Train on `problem` and return a `Fitted`."""
        raise NotImplementedError
