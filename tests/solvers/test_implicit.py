"""The implicit solver against brute force, and its behaviour on awkward problems."""

import dataclasses
import functools
import itertools
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder
from sklearn.svm import LinearSVC

from skbadr import BADRClassifier, BADRRegressor
from skbadr.lower_level import LinearLowerLevel, find_family
from skbadr.metrics import EvaluationSet, get_metric
from skbadr.partition import make_cells, make_groups
from skbadr.solvers import ImplicitSolver

EXACT = LogisticRegression(tol=1e-9, max_iter=10_000)
SMOOTH = [
    ("individual", {}),
    ("covariance", {}),
    ("group_loss_variance", {"loss": "log_loss"}),
    ("worst_group_loss", {"loss": "log_loss"}),
    ("group_loss_gap", {"loss": "log_loss"}),
]


def people(n=400, n_groups=2, seed=0, n_classes=2):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, n_groups, n)
    X = rng.normal(size=(n, 4)) + 0.4 * group[:, None] * rng.normal(size=4)
    signal = X @ [1.0, -0.5, 0.3, 0.0] + 0.8 * group * X[:, 3] + rng.logistic(size=n)
    edges = np.quantile(signal, np.arange(1, n_classes) / n_classes)
    return X, np.searchsorted(edges, signal), group


@functools.cache
def solved_grid(n_groups, seed):
    """Return the rows of `people`, and the scores of the exact model at each of many weights."""
    X, y, group = people(n_groups=n_groups, seed=seed)
    share, steps = np.linspace(1e-6, 1 - 1e-6, 1001), 30
    grid = np.column_stack([share, 1 - share])
    if n_groups == 3:
        parts = itertools.product(range(steps + 1), repeat=2)
        grid = [[i, j, steps - i - j] for i, j in parts if i + j <= steps]
        grid = np.maximum(grid, 1e-4)
    groups, classes = make_groups(group), np.unique(y)
    cells = make_cells("group", y, groups, np.ones(len(y)), classes=classes)
    level = LinearLowerLevel(find_family(EXACT, classes), X, y, cells)
    state, scores = None, []
    for weights in grid / grid.sum(axis=1, keepdims=True):
        state = level.solve(weights, state, tol=1e-9)
        scores.append(state.scores)
    return EvaluationSet(y, groups, classes), scores


def brute_force(metric, n_groups, seed):
    data, scores = solved_grid(n_groups, seed)
    return min(metric.value_and_gradient(data, own)[0] for own in scores)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("metric", SMOOTH, ids=lambda metric: metric[0])
def test_two_groups_reach_brute_force(metric, seed):
    X, y, group = people(seed=seed)
    metric = get_metric(metric[0], **metric[1])
    model = BADRClassifier(EXACT, metric, solver="implicit").fit(X, y, sensitive_features=group)
    best = brute_force(metric, 2, seed)
    gained = model.baseline_metric_value_ - best
    assert model.metric_value_ <= best + 1e-3 * gained + 1e-9


@pytest.mark.parametrize("metric", SMOOTH, ids=lambda metric: metric[0])
def test_three_groups_reach_brute_force(metric):
    X, y, group = people(n_groups=3, seed=1)
    metric = get_metric(metric[0], **metric[1])
    model = BADRClassifier(EXACT, metric, solver="implicit").fit(X, y, sensitive_features=group)
    best = brute_force(metric, 3, 1)
    assert model.metric_value_ <= best + 1e-3 * (model.baseline_metric_value_ - best) + 1e-9


@pytest.mark.parametrize("metric", ["demographic_parity", "equalized_odds"])
@pytest.mark.parametrize("n_groups", [2, 4])
def test_bound_holds_for_the_estimator_itself(metric, n_groups):
    X, y, group = people(n=1500, n_groups=n_groups, seed=2)
    X = np.column_stack([X, np.eye(n_groups)[group]])
    bound = 0.04 * n_groups  # rates of a few hundred rows are what they are
    model = BADRClassifier(metric=metric, partition="group_target", bound=bound)
    model.fit(X, y, sensitive_features=group)
    value = get_metric(metric)(y, model.predict(X), sensitive_features=group)
    assert value == model.metric_value_ <= bound < model.baseline_metric_value_
    assert "linearised" in model.results_["origin"]  # what "auto" chose
    expected = LogisticRegression().fit(
        X, y, sample_weight=model.compute_sample_weight(X, y, sensitive_features=group)
    )
    np.testing.assert_array_equal(model.estimator_.coef_, expected.coef_)


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_fits_that_miss_a_bound_are_followed_by_safer_ones(seed):
    rng = np.random.default_rng(seed)
    group, X = rng.integers(0, 2, 1000), rng.normal(size=(1000, 4))
    X[:, 0] += 0.8 * group
    signal = X @ [1.0, 0.5, -0.5, 0.2] + 0.6 * group - 0.4 + rng.logistic(size=1000)
    bounds = {"demographic_parity": 0.05, "equalized_odds": 0.05}
    model = BADRClassifier(LogisticRegression(tol=1e-2), bounds, cv=None, solver="implicit")
    model.fit(X, (signal > 0).astype(int), sensitive_features=group)
    assert model.bound_met_  # the solver that stops early moves rates by some points


def test_no_worse_than_alternating_refits():
    X, y, group = people(n=1500, seed=3)
    X = np.column_stack([X, group])
    settings = {"partition": "group_target", "bound": 0.03}
    fits = {
        solver: BADRClassifier(solver=solver, **settings).fit(X, y, sensitive_features=group)
        for solver in ("implicit", "alternating")
    }
    assert all(model.metric_value_ <= 0.03 for model in fits.values())
    assert fits["implicit"].scoring_value_ >= fits["alternating"].scoring_value_ - 0.003


@pytest.mark.parametrize(
    "estimator",
    [RidgeClassifier(), LinearSVC(), make_pipeline(StandardScaler(), LogisticRegression())],
    ids=lambda estimator: type(estimator).__name__,
)
def test_other_classifiers(estimator):
    X, y, group = people(n=1000)
    model = BADRClassifier(estimator, partition="group_target", bound=0.05)
    model.fit(X, y, sensitive_features=group)
    assert model.metric_value_ <= 0.05 < model.baseline_metric_value_
    assert "linearised" in model.results_["origin"]


def test_multiclass():
    X, y, group = people(n=1200, n_classes=3)
    labels = np.array(["low", "middle", "high"])[y]
    model = BADRClassifier(partition="group_target", bound=0.08)
    model.fit(X, labels, sensitive_features=group)
    assert model.metric_value_ <= 0.08 < model.baseline_metric_value_
    assert "linearised" in model.results_["origin"]


@pytest.mark.parametrize("estimator", [Ridge(), PoissonRegressor(max_iter=1000)], ids=repr)
def test_regression(estimator):
    X, _, group = people(n=1000)
    y = np.exp(0.3 * X[:, 0] + 0.3 * group) + np.random.default_rng(0).gamma(1.0, 1.0, 1000)
    with pytest.warns(ConvergenceWarning, match="spent its budget"):
        baseline = BADRRegressor(estimator, max_iter=1).fit(X, y, sensitive_features=group)
    assert not baseline.converged_
    bound = 0.5 * baseline.baseline_metric_value_
    model = BADRRegressor(estimator, partition="group_target", bound=bound)
    model.fit(X, y, sensitive_features=group)
    assert model.metric_value_ <= bound
    assert "linearised" in model.results_["origin"]


@pytest.mark.parametrize("cv", [0.3, 3])
def test_held_out_upper_level(cv):
    X, y, group = people(n=1500)
    model = BADRClassifier(partition="group_target", bound=0.1, cv=cv)
    model.fit(X, y, sensitive_features=group)
    assert model.metric_value_ <= 0.1
    assert model.evaluated_on_ == "held-out data"


def test_sparse_and_dense_agree():
    X, y, group = people(n=800)
    X = np.where(np.abs(X) < 0.7, 0.0, X)
    settings = {"metric": get_metric("group_loss_variance", loss="log_loss"), "estimator": EXACT}
    dense, csr = (
        BADRClassifier(solver="implicit", **settings).fit(data, y, sensitive_features=group)
        for data in (X, sparse.csr_matrix(X))
    )
    assert csr.metric_value_ == pytest.approx(
        dense.metric_value_, abs=1e-4 * dense.baseline_metric_value_
    )


def test_wide_x_forms_no_dense_hessian():
    rng = np.random.default_rng(0)
    X = sparse.random(300, 20_000, density=0.002, random_state=0, format="csr")
    y = rng.integers(0, 2, 300)
    group = rng.integers(0, 2, 300)
    model = BADRClassifier(partition="group_target", trade_off=1.0, cv=None).fit(
        X, y, sensitive_features=group
    )
    assert model.metric_value_ <= model.baseline_metric_value_


def test_pareto_residual_certifies_the_model():
    X, y, group = people(n=600, n_groups=3)
    model = BADRClassifier(EXACT, partition="group_target", bound=0.1)
    model.fit(X, y, sensitive_features=group)
    assert model.pareto_residual_ < 1e-5
    groups, classes = make_groups(group), np.arange(2)
    cells = make_cells("group_target", y, groups, np.ones(len(y)), classes=classes)
    family = find_family(EXACT, classes)
    level = LinearLowerLevel(family, X, y, cells)
    elsewhere = family.parameters(model.estimator_) + 0.3
    assert level.pareto_residual(elsewhere)[0] > 1e-2


def test_rank_deficient_x_without_penalty():
    X, y, group = people(n=600)
    X = np.column_stack([X, X[:, 0], np.ones(len(X))])
    model = BADRClassifier(LogisticRegression(C=np.inf), partition="group_target", bound=0.05)
    model.fit(X, y, sensitive_features=group)
    assert model.metric_value_ <= 0.05


def test_separable_classes():
    X, _, group = people(n=300)
    y = (X[:, 0] > 0).astype(int)
    model = BADRClassifier(partition="group_target", trade_off=1.0).fit(
        X, y, sensitive_features=group
    )
    assert np.isfinite(model.metric_value_)
    assert model.scoring_value_ > 0.9


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_x_that_the_estimator_refuses(bad):
    X, y, group = people(n=100)
    X[3, 1] = bad
    with pytest.raises(ValueError, match="NaN|infinity"):
        BADRClassifier().fit(X, y, sensitive_features=group)


def test_refusal_names_the_reason_and_the_cure():
    X, y, group = people(n=100)
    model = BADRClassifier(RandomForestClassifier(), solver="implicit")
    with pytest.raises(ValueError, match="RandomForestClassifier is not .*'alternating'"):
        model.fit(X, y, sensitive_features=group)


@pytest.mark.parametrize("metric", ["individual", "covariance", "hsic"])
@pytest.mark.parametrize(
    "model", [BADRClassifier(RandomForestClassifier(5, random_state=0)), BADRRegressor()], ids=repr
)
def test_metrics_of_scores_take_any_estimator(model, metric):
    X, y, group = people(n=200)
    model.set_params(metric=metric, max_iter=4).fit(X, y, sensitive_features=group)
    assert model.metric_value_ <= model.baseline_metric_value_


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge", "ignore:Maximum number of iteration")
@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(max_iter=2),
        SGDClassifier("log_loss", max_iter=2, tol=None, learning_rate="constant", eta0=1.0,
                      random_state=0),
    ],
    ids=repr,
)  # fmt: skip
def test_an_estimator_that_stops_early_is_judged_by_its_own_fits(estimator):
    X, y, group = people(n=400, seed=4)
    X[:, 0] *= 30.0  # slow for first-order methods
    baseline = clone(estimator).fit(X, y)
    true = get_metric("demographic_parity")(y, baseline.predict(X), sensitive_features=group)
    model = BADRClassifier(estimator, partition="group_target", trade_off=1.0)
    model.fit(X, y, sensitive_features=group)
    assert model.baseline_metric_value_ == true
    value = model.metric_value_ - model.scoring_value_
    assert value <= true - baseline.score(X, y)


@pytest.mark.parametrize("shift, spread", [(0.0, 1.0), (1e7, 1e3), (1.6e9, 1e5), (1.7e18, 1e15)])
def test_columns_with_an_offset(shift, spread):
    X, _, group = people(n=600)
    y = X @ [1.0, 2.0, -1.0, 0.5] + group
    X[:, 0] = shift + spread * X[:, 0]
    baseline = LinearRegression().fit(X, y).predict(X)
    gap = np.ptp([baseline[group == k].mean() for k in (0, 1)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="the chosen model's score of")
        model = BADRRegressor(LinearRegression(), partition="group_target", bound=0.7 * gap)
        model.fit(X, y, sensitive_features=group)
    assert model.baseline_metric_value_ == pytest.approx(gap, rel=1e-6)
    assert model.metric_value_ <= gap


@pytest.mark.parametrize("solver", ["implicit", "alternating"])
def test_an_estimator_that_overwrites_x(solver):
    X, _, group = people(n=300)
    y = X @ [1.0, 2.0, -1.0, 0.5] + group
    model = BADRRegressor(LinearRegression(copy_X=False), solver=solver, partition="group_target")
    kept = X.copy()
    model.fit(X, y, sensitive_features=group)
    np.testing.assert_array_equal(X, kept)
    predicted = model.predict(X)
    gap = np.ptp([predicted[group == k].mean() for k in (0, 1)])
    assert model.metric_value_ == pytest.approx(gap, abs=1e-9)


def test_a_loss_that_is_not_convex_is_left_to_refits():
    X, _, group = people(n=500)
    rng = np.random.default_rng(0)
    y = np.exp(0.3 * X[:, 0] + 1.5 * rng.normal(size=500))
    estimator = TweedieRegressor(power=3, link="log", alpha=0.0, max_iter=10_000)
    model = BADRRegressor(estimator).fit(X, y, sensitive_features=group)
    assert model.metric_value_ <= model.baseline_metric_value_


def test_out_of_fold_encodings_are_judged_as_predictions_see_them():
    X, y, group = people(n=600)
    letters = np.array(list("abcdefgh"))[np.clip(np.floor(2 * X[:, :1] + 4), 0, 7).astype(int)]
    inner = make_pipeline(TargetEncoder(), LogisticRegression())
    np.random.seed(0)  # noqa: NPY002 (the encoder draws its folds from it)
    model = BADRClassifier(inner, partition="group_target", bound=0.03)
    model.fit(letters, y, sensitive_features=group)
    value = get_metric("demographic_parity")(y, model.predict(letters), sensitive_features=group)
    assert model.metric_value_ == value


def test_missed_bound_warns_with_both_values():
    X, y, group = people(n=400)
    model = BADRClassifier(partition="group", bound=0.0, metric="worst_group_loss")
    with pytest.warns(ConvergenceWarning, match="no visited model has worst_group_loss"):
        model.fit(X, y, sensitive_features=group)


@pytest.mark.parametrize("margin", [0.0, 0.03])
def test_a_search_ends_with_and_without_a_margin(margin):
    X, y, group = people(n=500)
    solver = ImplicitSolver()
    solver.settings = dataclasses.replace(solver.settings, margin=margin)
    model = BADRClassifier(EXACT, partition="group_target", bound=0.03, solver=solver)
    model.fit(X, y, sensitive_features=group)
    assert model.bound_met_ and model.metric_value_ <= 0.03


def test_budget_and_determinism():
    X, y, group = people(n=500)
    settings = {"partition": "group_target", "bound": 0.03}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        few = BADRClassifier(max_iter=3, **settings).fit(X, y, sensitive_features=group)
    assert few.n_refits_ <= 2 + 5 + 3  # baseline and final fits, or refits instead
    first, second = (
        BADRClassifier(solver=ImplicitSolver(n_starts=2), **settings).fit(
            X, y, sensitive_features=group
        )
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.cell_weights_, second.cell_weights_)
