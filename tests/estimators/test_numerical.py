"""Data that are hard on arithmetic: finite results, or one sentence that says what is wrong."""

import time
import warnings

import numpy as np
import pytest
from hypothesis import settings
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skbadr import BADRClassifier, BADRRegressor
from skbadr.metrics import EvaluationSet, get_metric
from skbadr.partition import make_cells, make_groups
from skbadr.solvers import SOLVERS

N = 120


def base(seed=0):
    """Return X, class codes, groups and no weights."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, N)
    group[:6], y = [0, 0, 1, 1, 2, 2], np.zeros(N, dtype=int)
    X = rng.normal(size=(N, 4)) + group[:, None] * [0.0, 0.0, 0.5, 1.0]
    y[:] = X.sum(axis=1) + rng.normal(size=N) > 1.5
    y[:6] = [0, 1, 0, 1, 0, 1]
    return X, y, group, None


def constant_columns(X, y, group, weight):
    return np.column_stack([X, np.zeros(N), np.full(N, 7.0), np.full(N, 1e9)]), y, group, weight


def duplicate_columns(X, y, group, weight):
    return np.column_stack([X, X, -2.0 * X, X[:, :1] + 1e-14]), y, group, weight


def separable(X, y, group, weight):
    return np.column_stack([X, 10.0 * (2 * y - 1)]), y, group, weight


def groups_are_targets(X, y, group, weight):
    return X, y, np.where(y == 1, "a", np.where(group == 0, "b", "c")), weight


def scales(X, y, group, weight):
    return X * np.array([1e-12, 1e-6, 1e6, 1e12]), y, group, weight


def large_scale(X, y, group, weight):
    return X * 1e12, y, group, weight


def small_scale(X, y, group, weight):
    return X * 1e-12, y, group, weight


def offset(X, y, group, weight):
    return X + 1e8, y, group, weight


def more_columns_than_rows(X, y, group, weight):
    return np.random.default_rng(1).normal(size=(N, 300)) + X[:, :1], y, group, weight


def single_precision(X, y, group, weight):
    return X.astype(np.float32), y, group, weight


def single_precision_scales(X, y, group, weight):
    return (X * np.array([1e-12, 1.0, 1.0, 1e12])).astype(np.float32), y, group, weight


def huge_weights(X, y, group, weight):
    return X, y, group, np.random.default_rng(2).uniform(1e12, 2e12, N)


def tiny_weights(X, y, group, weight):
    return X, y, group, np.random.default_rng(2).uniform(1e-12, 2e-12, N)


def mixed_weights(X, y, group, weight):
    return X, y, group, 10.0 ** np.random.default_rng(2).uniform(-12, 12, N)


def light_cell(X, y, group, weight):
    return X, y, group, np.where(group == 2, 1e-12, 1.0)


def single_rows(X, y, group, weight):
    group = np.array(group)
    group[10:] = np.minimum(group[10:], 1)
    group[:2] = [3, 4]
    group[(group == 2)] = 0
    return X, y, group, weight


def every_row_a_group(X, y, group, weight):
    return X, y, np.arange(N), weight


TROUBLES = (
    constant_columns, duplicate_columns, separable, groups_are_targets, scales, large_scale,
    small_scale, offset, more_columns_than_rows, single_precision, single_precision_scales,
    huge_weights, tiny_weights, mixed_weights, light_cell, single_rows, every_row_a_group,
)  # fmt: skip
CLASSIFIERS = {
    "logistic": LogisticRegression(),
    "unpenalised": LogisticRegression(C=1e6, max_iter=1000),
    "scaled": make_pipeline(StandardScaler(), LogisticRegression()),
    "bayes": GaussianNB(),
    "tree": DecisionTreeClassifier(max_depth=3, random_state=0),
    "boosting": HistGradientBoostingClassifier(max_iter=3, random_state=0),
}
REGRESSORS = {
    "ridge": Ridge(),
    "unpenalised": LinearRegression(),
    "boosting": HistGradientBoostingRegressor(max_iter=3, random_state=0),
}
SMOOTH = ("logistic", "unpenalised", "scaled", "ridge")
# The long profile of the property tests runs every estimator on everything, others take turns.
EVERYTHING = settings().max_examples > 100


def combinations(estimators):
    """Return (trouble, solver, name of an estimator that it takes, which goals to try)."""
    chosen = []
    for i, trouble in enumerate(TROUBLES):
        for j, solver in enumerate(SOLVERS):
            names = [n for n in estimators if solver == "alternating" or n in SMOOTH]
            names = names if EVERYTHING else [names[(i + j) % len(names)]]
            goals = (0, 1) if EVERYTHING else ((i + j // 2) % 2,)
            chosen += [
                pytest.param(trouble, solver, name, goals, id=f"{trouble.__name__}-{solver}-{name}")
                for name in names
            ]
    return chosen


def outcome_of(model, X, y, group, weight):
    """Return the fitted model, or None after one sentence, and the warnings of skbadr's own."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(X, y, sensitive_features=group, sample_weight=weight)
        except ValueError as error:
            sentence = str(error)
            assert 20 < len(sentence) < 400 and "\n" not in sentence, sentence
            model = None
    return model, {str(w.message) for w in caught if w.category is RuntimeWarning}


def own_trouble(estimator, X, y, weight):
    """Return the warnings of arithmetic that the estimator itself has on these data."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        step = "logisticregression__" if hasattr(estimator, "steps") else ""
        for factor in (None, 1.0, 1.0 + np.arange(len(y))):
            base = np.ones(len(y)) if weight is None else weight
            fit_weight = {} if factor is None else {f"{step}sample_weight": base * factor}
            estimator.fit(X, y, **fit_weight)
    return {str(w.message) for w in caught}


def check_outcome(model, X):
    results = model.results_
    assert np.isfinite(results["cell_weights"]).all()
    np.testing.assert_allclose(results["cell_weights"].sum(axis=1), 1.0, rtol=1e-6)
    assert np.isfinite(
        [model.metric_value_, model.baseline_metric_value_, model.scoring_value_]
    ).all()
    assert np.isfinite(results["score"][~results["failed"]]).all()
    assert np.isfinite(model.cell_losses_).all()
    assert model.metric_value_ <= model.baseline_metric_value_ * (1 + 1e-9) + 1e-12
    assert len(model.predict(X)) == len(X)


@pytest.mark.parametrize(("trouble", "solver", "name", "goals"), combinations(CLASSIFIERS))
def test_classifiers(trouble, solver, name, goals):
    X, y, group, weight = trouble(*base())
    estimator = CLASSIFIERS[name]
    rates = "covariance" if trouble in (groups_are_targets, every_row_a_group) else "equalized_odds"
    known = (("group_loss_variance", "group"), (rates, "group_target"))
    for metric, partition in (known[goal] for goal in goals):
        model = BADRClassifier(
            estimator, metric, solver=solver, partition=partition, max_iter=3, random_state=0
        )
        model, trouble_with = outcome_of(model, X, y, group, weight)
        if model is not None:
            check_outcome(model, X)
        if trouble_with:
            assert trouble_with <= own_trouble(estimator, X, y, weight)


@pytest.mark.parametrize(("trouble", "solver", "name", "goals"), combinations(REGRESSORS))
def test_regressors(trouble, solver, name, goals):
    X, y, group, weight = trouble(*base())
    y = y + np.asarray(X, dtype=float)[:, 0] / np.abs(X[:, 0]).max()
    known = (("group_loss_gap", "group"), ("demographic_parity", "group_target"))
    for metric, partition in (known[goal] for goal in goals):
        model = BADRRegressor(
            REGRESSORS[name], metric, solver=solver, partition=partition, max_iter=3
        )
        model, trouble_with = outcome_of(model, X, y, group, weight)
        if model is not None:
            check_outcome(model, X)
        if trouble_with:
            assert trouble_with <= own_trouble(REGRESSORS[name], X, y, weight)


def test_baseline_model_is_not_fitted_again_for_what_rounding_gains():
    for seed in range(12):
        X, y, group, _ = base(seed)
        y = X.sum(axis=1) + y
        model = BADRRegressor(LinearRegression(), "group_loss_variance", solver="implicit", bound=9)
        model.fit(X, y, sensitive_features=group)  # least squares is the best that there is
        assert "final" not in model.results_["origin"]
        assert model.n_refits_ == 1


@pytest.mark.parametrize("solver", ["implicit", "gd", "alternating"])
def test_five_hundred_groups(solver):
    rng = np.random.default_rng(0)
    group = np.append(np.repeat(np.arange(500), 2), rng.integers(0, 500, 1500))
    X = rng.normal(size=(2500, 3)) + rng.normal(size=500)[group, None]
    y = (X.sum(axis=1) + rng.normal(size=2500) > 0).astype(int)
    estimator = GaussianNB() if solver == "alternating" else LogisticRegression()
    max_iter = 12 if EVERYTHING else 2
    model = BADRClassifier(estimator, "group_loss_variance", solver=solver, max_iter=max_iter)
    model, _ = outcome_of(model, X, y, group, None)
    check_outcome(model, X)
    assert model.cell_weights_.shape == (500,)
    assert (model.cell_weights_ >= model.min_weight * (1 - 1e-9)).all()


def test_min_weight_that_many_groups_exclude_is_refused():
    with pytest.raises(ValueError, match="min_weight=0.01 is too large for 120 cells"):
        X, y, group, _ = every_row_a_group(*base())
        BADRClassifier(min_weight=0.01).fit(X, y, sensitive_features=group)


def lopsided(n):
    """Return X, y and groups: n rows of one group, then ten of another."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n + 10, 1)).astype(np.float32)
    group = np.zeros(n + 10, dtype=np.int8)
    group[-10:] = 1
    y = X[:, 0] + rng.normal(size=n + 10).astype(np.float32) > 0.5 * group
    y[-10:] = np.arange(10) % 2
    return X, y, group


def test_ten_million_rows_of_one_cell_and_ten_of_another():
    X, y, group = lopsided(10_000_000)
    start = time.process_time()
    groups = make_groups(group)
    cells = make_cells("group", y, groups, np.ones(len(y)), classes=np.array([False, True]))
    weight = cells.sample_weight(np.array([0.5, 0.5]))
    # The few weigh as much as the many, to the last digits of sums in double precision.
    np.testing.assert_allclose([weight[:-10].sum(), weight[-10:].sum()], len(y) / 2, rtol=1e-9)
    assert weight[-1] == pytest.approx(len(y) / 20)
    data = EvaluationSet(y.astype(np.intp), groups, np.array([False, True]))
    predicted = (X[:, 0] > 0).astype(np.intp)
    gap = abs(predicted[:-10].mean() - predicted[-10:].mean())
    metric = get_metric("demographic_parity")
    assert metric.value(data, predicted) == pytest.approx(gap, rel=1e-12)
    loss = get_metric("worst_group_loss", loss="zero_one")
    wrong = np.array([(predicted != y)[:-10].mean(), (predicted != y)[-10:].mean()])
    assert loss.value(data, predicted) == pytest.approx(wrong.max(), rel=1e-12)
    assert time.process_time() - start < 20


@pytest.mark.parametrize("solver", ["implicit", "gd", "sgd"])
def test_fit_on_many_rows_of_one_cell_and_ten_of_another(solver):
    X, y, group = lopsided(50_000)
    model = BADRClassifier(LogisticRegression(), "group_loss_gap", solver=solver, max_iter=5)
    model, _ = outcome_of(model, X, y, group, None)
    check_outcome(model, X)
    assert model.small_groups_ == {1: 5}  # of ten rows, a loss is mostly chance
