"""A user's script in which both type checkers must report each line that ends in "# wrong"."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge

from skbadr import BADRClassifier, BADRRegressor, audit, pareto_certificate, pareto_path
from skbadr.bargaining import nash_weights
from skbadr.comparison import compare, compare_splits, format_table
from skbadr.losses import get_loss
from skbadr.metrics import (
    EvaluationSet,
    FairnessMetric,
    RateMetric,
    fairness_scorer,
    get_metric,
    get_metric_names,
    make_fairness_metric,
)
from skbadr.solvers import GDSolver, ImplicitSolver, SGDSolver, get_solver

X, y, group = np.zeros((4, 2)), np.array([0, 1, 0, 1]), np.array(["a", "a", "b", "b"])


def no_groups(y_true: NDArray[Any], y_pred: NDArray[Any]) -> float:
    return float(np.mean(y_true == y_pred))


def no_number(y_true: NDArray[Any], y_pred: NDArray[Any], *, sensitive_features: Any) -> str:
    return "fair"


BADRClassifier(3)  # wrong
BADRClassifier("logistic")  # wrong
BADRClassifier(metric=3)  # wrong
BADRClassifier(metric=["demographic_parity"])  # wrong
BADRClassifier(metric=no_groups)  # wrong
BADRClassifier(metric={"demographic_parity": "0.1"})  # wrong
BADRClassifier(intersectional="no")  # wrong
BADRClassifier(metric=no_number)  # wrong
BADRClassifier(bound="a")  # wrong
BADRClassifier(trade_off="much")  # wrong
BADRClassifier(trade_off=None)  # wrong
BADRClassifier(scoring=3)  # wrong
BADRClassifier(partition=5)  # wrong
BADRClassifier(cv="x")  # wrong
BADRClassifier(cv=KeyError)  # wrong
BADRClassifier(solver=3)  # wrong
BADRClassifier(solver=ImplicitSolver)  # wrong
BADRClassifier(sensitive_columns=0.5)  # wrong
BADRClassifier(init=3)  # wrong
BADRClassifier(stage2_tolerance="a")  # wrong
BADRClassifier(max_iter="9")  # wrong
BADRClassifier(max_iter=0.5)  # wrong
BADRClassifier(tol="small")  # wrong
BADRClassifier(min_weight=None)  # wrong
BADRClassifier(warm_start="yes")  # wrong
BADRClassifier(memory=3)  # wrong
BADRClassifier(n_jobs="2")  # wrong
BADRClassifier(random_state="a")  # wrong
BADRClassifier(verbose="much")  # wrong
BADRClassifier(LogisticRegression(), "demographic_parity", "auto")  # wrong
BADRClassifier(LogisticRegression(), constraint="demographic_parity")  # wrong
BADRRegressor(metric=3)  # wrong
BADRRegressor(n_target_bins="2")  # wrong

model = BADRClassifier(LogisticRegression())
model.fit(X)  # wrong
model.fit(3, y, sensitive_features=group)  # wrong
model.fit("table.csv", y, sensitive_features=group)  # wrong
model.fit(X, y, group)  # wrong
model.fit(X, y, sensitive_features="sex")  # wrong
model.fit(X, y, sensitive_features=group, sample_weight="s")  # wrong
model.predict("table.csv")  # wrong
name: str = model.metric_value_  # wrong
weights: dict[str, float] = model.cell_weights_  # wrong
loss: float = model.loss_name_  # wrong
report: int = model.summary()  # wrong

pareto_path("logistic", X, y, sensitive_features=group)  # wrong
pareto_path(Ridge(), X, y, sensitive_features=group, n_points="9")  # wrong
pareto_path(Ridge(), X, y, sensitive_features=group, bounds="a")  # wrong
pareto_path(Ridge(), X, y, sensitive_features=group, solver=3)  # wrong
pareto_certificate(3, X, y, sensitive_features=group)  # wrong
pareto_certificate(LogisticRegression(), X, y)  # wrong
audit(3, X, y, sensitive_features=group)  # wrong
audit(model, X, y, sensitive_features=group, confidence="high")  # wrong
audit(model, X, y, bound=0.1)  # wrong
model.report(X)  # wrong
model.report(X, y, sensitive_features=group, baseline=3)  # wrong
model.report(X, y, sensitive_features=group, others=[model])  # wrong
compare(Ridge(), X, y, sensitive_features=group, peers=3)  # wrong
compare(3, X, y, sensitive_features=group)  # wrong
compare(Ridge(), X, y, sensitive_features=group, partitions="group")  # wrong
compare(Ridge(), X, y, sensitive_features=group, bound="a")  # wrong
compare_splits(Ridge(), X, y, sensitive_features=group, n_splits="5")  # wrong
table: int = format_table(compare(Ridge(), X, y, sensitive_features=group))  # wrong

get_metric(3)  # wrong
get_metric("demographic_parity", smooth="soft")  # wrong
get_metric("demographic_parity", rho="a")  # wrong
get_metric_names(3)  # wrong
get_metric("demographic_parity")(y, y)  # wrong
make_fairness_metric(no_groups)  # wrong
fairness_scorer(3)  # wrong
fairness_scorer("demographic_parity", 0.5)  # wrong
RateMetric("selection_rate", transform="gap")  # wrong
FairnessMetric(3)  # wrong
get_loss(3)  # wrong
ImplicitSolver(n_starts="a")  # wrong
GDSolver("a")  # wrong
SGDSolver(batch_size="a")  # wrong
get_solver(3)  # wrong
nash_weights(gains=3)  # wrong


class Gap(FairnessMetric):
    """A metric whose value is no number."""

    def value(self, evaluation_set: EvaluationSet, response: NDArray[Any]) -> str:  # wrong
        return "fair"
