"""A user's script in which mypy --strict and pyright must find nothing; it also runs."""

from __future__ import annotations

import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, assert_type

import numpy as np
import pandas as pd
import polars as pl
from fairlearn.metrics import demographic_parity_difference, make_derived_metric, selection_rate
from joblib import Memory
from numpy.typing import NDArray
from scipy import sparse
from sklearn import config_context
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbadr import (
    AuditResult,
    BADRClassifier,
    BADRRegressor,
    ParetoPath,
    Report,
    audit,
    pareto_certificate,
    pareto_path,
)
from skbadr.bargaining import agreement, nash_direction, nash_weights
from skbadr.comparison import (
    compare,
    compare_splits,
    format_group_table,
    format_headline,
    format_table,
)
from skbadr.datasets import load_adult, make_applicants
from skbadr.losses import Loss, get_loss
from skbadr.lower_level import LinearFamily, known_estimators, register_family
from skbadr.metrics import (
    EvaluationSet,
    FairnessMetric,
    annealed_surrogate,
    fairness_scorer,
    get_metric,
    get_metric_names,
    make_fairness_metric,
)
from skbadr.problem import BilevelProblem
from skbadr.result import Archive
from skbadr.solvers import AlternatingSolver, GDSolver, ImplicitSolver, SGDSolver, UpperSolver

rng = np.random.default_rng(0)
group = np.repeat(["a", "b"], 150)
X = rng.normal(size=(300, 3)) + (group == "b")[:, None]
score = X[:, 0] + rng.normal(size=300)
y = (score > 0.5).astype(int)
table = pd.DataFrame(X, columns=["age", "income", "visits"])


# The estimators, and what they know after a fit.
model = BADRClassifier(LogisticRegression(), bound=0.1, partition="group_target", random_state=0)
model.fit(X, y, sensitive_features=group)
assert_type(model.metric_value_, float)
assert_type(model.baseline_metric_value_, float)
assert_type(model.metric_standard_error_, float)
assert_type(model.scoring_value_, float)
assert_type(model.pareto_residual_, float)
assert_type(model.cell_weights_, NDArray[np.float64])
assert_type(model.cell_losses_, NDArray[np.float64])
assert_type(model.cells_, NDArray[Any])
assert_type(model.classes_, NDArray[Any])
assert_type(model.loss_name_, str)
assert_type(model.converged_, bool)
print(model.partition_)
assert_type(model.n_refits_, int)
assert_type(model.results_, dict[str, NDArray[Any]])
assert_type(model.small_groups_, dict[Any, int])
assert_type(model.summary(), str)
assert_type(model.score(X, y), float)
assert_type(model.predict_proba(X), NDArray[np.float64])
weights: NDArray[np.float64] = model.compute_sample_weight(X, y, sensitive_features=group)
right: float = float(np.mean(model.predict(X) == y))
if model.evaluated_on_ == "training data" and right < 0.5:
    print(model.summary())

# Whatever holds the data.
for data in (X, X.tolist(), table, pl.DataFrame(X), sparse.csr_matrix(X)):
    BADRClassifier(max_iter=2).fit(data, y.tolist(), sensitive_features=list(group))
columns = {"sex": group, "region": ["north", "south", "east"] * 100}
BADRClassifier(max_iter=2).fit(table, pd.Series(y), sensitive_features=columns)
BADRClassifier(max_iter=2).fit(
    X, y, sensitive_features=pd.DataFrame(columns), sample_weight=[1] * 300
)
BADRClassifier(max_iter=2, intersectional=False).fit(X, y, sensitive_features=columns)
within = BADRClassifier(metric={"demographic_parity": 0.2, "f1_score_group_min": 0.1}, max_iter=2)
within.fit(X, y, sensitive_features=group, control_features=y.tolist())
assert_type(within.metric_values_, dict[str, float])
BADRClassifier(metric={get_metric("group_harm"): 0, demographic_parity_difference: np.float64(0.1)})
fairness_scorer({"demographic_parity": 0.1}, "sex", control_columns=["region"])
old = table.assign(old=table["age"] > 1)
BADRClassifier(max_iter=2, sensitive_columns="old").fit(old, y)
BADRClassifier(max_iter=2, sensitive_columns=lambda X: X[:, 0] > 1).fit(X, y)
BADRClassifier(max_iter=2, sensitive_columns=["old"]).fit(old, y)

# Whatever an argument may be.
BADRClassifier(make_pipeline(StandardScaler(), LogisticRegression()), max_iter=2).fit(
    X, y, sensitive_features=group
)
BADRClassifier(HistGradientBoostingClassifier(max_iter=5), "equalized_odds", max_iter=2, cv=2)
BADRClassifier(cv=StratifiedKFold(3), scoring="balanced_accuracy", n_jobs=2, verbose=1)
BADRClassifier(cv=0.3, scoring=make_scorer(accuracy_score), init="nash", stage2_tolerance=0.1)
BADRClassifier(cv=[(np.arange(150), np.arange(150, 300))], init=[0.5, 0.5], warm_start=True)
BADRClassifier(bound=np.quantile([0.1, 0.2], 0.5), init=np.full(2, 0.5), max_iter=np.int64(9))
BADRClassifier(trade_off=1, tol=1e-3, min_weight=1e-5, random_state=np.random.RandomState(0))
with TemporaryDirectory() as folder:
    for memory in (folder, Path(folder), Memory(folder, verbose=0)):
        BADRClassifier(memory=memory, max_iter=2)
for name in ["auto", "implicit", "alternating", "gd", "sgd"]:
    BADRClassifier(solver=name)
task = "classification" if len(np.unique(y)) < 10 else "regression"
assert_type(get_metric("demographic_parity", task), FairnessMetric)
for solver in (
    ImplicitSolver(n_starts=2),
    AlternatingSolver(),
    GDSolver(9),
    SGDSolver(batch_size=20),
):
    BADRClassifier(solver=solver)


def cells(y: NDArray[Any], groups: NDArray[Any]) -> NDArray[Any]:
    return np.char.add(np.asarray(groups, dtype=str), (y > 0).astype(str))


BADRClassifier(partition=cells)
for partition in ["auto", "group", "group_target"]:
    BADRClassifier(partition=partition)
regressor = BADRRegressor(Ridge(), partition="group_target", n_target_bins=3, max_iter=5)
assert_type(regressor.fit(X, score, sensitive_features=group).metric_value_, float)
assert_type(regressor.score(X, score), float)
search = GridSearchCV(
    BADRClassifier(LogisticRegression(), max_iter=3),
    {"estimator__C": [0.1, 1.0]},
    scoring=fairness_scorer("demographic_parity", lambda X: X[:, 0] > 1),
    cv=2,
)
search.fit(X, y, sensitive_features=group)
cross_validate(BADRClassifier(max_iter=2, sensitive_columns=0), (X > 0) * 1.0, y, cv=2)
with config_context(enable_metadata_routing=True):
    assert_type(copy.deepcopy(model).set_fit_request(sample_weight=True), BADRClassifier)


# Metrics of one's own.
def rate_spread(y_true: NDArray[Any], y_pred: NDArray[Any], *, sensitive_features: Any) -> float:
    """Standard deviation of the groups' rates of the positive class."""
    rates = [y_pred[sensitive_features == g].mean() for g in np.unique(sensitive_features)]
    return float(np.std(rates))


class RateSpread(FairnessMetric):
    """The same, faster."""

    additive = True

    def __init__(self) -> None:
        super().__init__("rate_spread", tasks=("classification",))

    def statistics(self, evaluation_set: EvaluationSet, response: NDArray[Any]) -> NDArray[Any]:
        return evaluation_set.group_means((response == 1).astype(float))

    def from_statistics(self, evaluation_set: EvaluationSet, statistics: NDArray[Any]) -> float:
        return float(np.std(statistics[evaluation_set.present]))


for metric in (
    "demographic_parity_ratio",
    demographic_parity_difference,
    make_derived_metric(metric=selection_rate, transform="difference"),
    rate_spread,
    make_fairness_metric(rate_spread, response_method="predict_proba"),
    RateSpread(),
    get_metric("equalized_odds", agg="mean"),
    lambda y_true, y_pred, *, sensitive_features: 0.0,
):
    BADRClassifier(metric=metric)
assert_type(get_metric_names("regression"), list[str])
value = get_metric("demographic_parity")(y, model.predict(X), sensitive_features=group)
assert_type(value, float)
assert_type(annealed_surrogate(get_metric("demographic_parity"), score), FairnessMetric | None)
assert_type(get_loss("huber", delta=2.0), Loss)


# Solvers and families of one's own.
class OnePoint(UpperSolver):
    """Fit at the baseline's weights and at equal ones."""

    def budget(self, problem: BilevelProblem) -> int | None:
        return 2

    def solve(self, problem: BilevelProblem) -> Archive:
        archive = Archive(problem.objective)
        equal = problem.project(np.full(problem.n_cells, 1.0 / problem.n_cells))
        candidates = [(problem.shares, "baseline"), (equal, "equal")]
        for evaluation in problem.evaluate(candidates, iteration=1):
            archive.add(evaluation)
        archive.converged = True
        return archive


class LogCosh(LinearFamily):
    """``log cosh(z - y)``."""

    def loss(self, target: NDArray[Any], z: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.logaddexp(z - target, target - z)[:, 0] - np.log(2))

    def gradient(self, target: NDArray[Any], z: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.tanh(z - target))


class MyRidge(Ridge):  # type: ignore[misc]
    """An estimator that is not known."""


register_family(MyRidge, lambda estimator, classes: LogCosh(estimator))
print("MyRidge" in known_estimators())
BADRClassifier(solver=OnePoint()).fit(X, y, sensitive_features=group)

# Fronts, certificates, bargains and comparisons.
path = pareto_path(LogisticRegression(), X, y, sensitive_features=group, n_points=3)
assert_type(path, ParetoPath)
assert_type(path.bounds, NDArray[np.float64])
assert_type(path.metric, NDArray[np.float64])
assert_type(path.at([0.05, 0.1]), ParetoPath)
assert_type(path.label(0), str)
assert_type(path.predictions(X), dict[str, NDArray[Any]])
path.model(1).predict(X)
ParetoPath.from_estimator(model, X, y, sensitive_features=group, bounds=[0.05])
certificate = pareto_certificate(
    LogisticRegression().fit(X, y), X, y, sensitive_features=group, partition="group"
)
print(certificate.dominated, certificate.residual)
found = audit(model, X, y, sensitive_features=group, bound=0.2, confidence=0.9)
assert_type(found, AuditResult)
assert_type(found.upper, float)
assert_type(found.holds, bool | None)
assert_type(found.verdict, str | None)
plain = LogisticRegression().fit(X, y)
page = model.report(X, y, sensitive_features=group, baseline=plain, others={"the same": plain})
assert_type(page, Report)
assert_type(page.html, str)
adult, applicants = load_adult(as_frame=False), make_applicants(100)
print(len(adult.target), len(applicants[0]))
gains = np.array([[4.0, 0.0], [-0.5, 0.9]])
assert_type(nash_weights(gains), NDArray[np.float64] | None)
assert_type(agreement(gains, [[0.0, 1.0]])[0], float)
assert_type(nash_direction(gains)[1], NDArray[np.float64] | None)
result = compare(Ridge(), X, score, sensitive_features=group, partitions=["group"], max_iter=3)
assert_type(format_table(result), str)
print(format_group_table(result))
assert_type(format_headline(result), str)
compare_splits(Ridge(), X, score, sensitive_features=group, n_splits=2, partitions=["group"])
