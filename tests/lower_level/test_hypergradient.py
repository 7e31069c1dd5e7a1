"""Lower levels against scikit-learn's own fits, hypergradients against differences of refits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import (
    GammaRegressor,
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.svm import LinearSVC, LinearSVR

from skbadr.lower_level import (
    LinearFamily,
    LinearLowerLevel,
    NotSmooth,
    families,
    find_family,
    register_family,
)
from skbadr.metrics import EvaluationSet, get_metric
from skbadr.partition import make_cells, make_groups

TIGHT = {"tol": 1e-10, "max_iter": 10_000}
BINARY = [
    LogisticRegression(**TIGHT),
    LogisticRegression(C=1e6, fit_intercept=False, **TIGHT),
    LogisticRegression(class_weight={0: 2.0, 1: 0.5}, **TIGHT),
    LogisticRegression(solver="liblinear", intercept_scaling=2.0, C=0.5, **TIGHT),
    RidgeClassifier(alpha=2.0, tol=1e-12),
    LinearSVC(dual=False, tol=1e-12, max_iter=100_000),
    SGDClassifier("log_loss", alpha=0.01),
]
MULTICLASS = [
    LogisticRegression(**TIGHT),
    LogisticRegression(class_weight={0: 2.0, 2: 0.5}, **TIGHT),
    RidgeClassifier(tol=1e-12),
    LinearSVC(dual=False, tol=1e-12, max_iter=100_000),
]
REGRESSION = [
    Ridge(alpha=3.0, tol=1e-12),
    Ridge(fit_intercept=False, tol=1e-12),
    LinearRegression(),
    LinearSVR(loss="squared_epsilon_insensitive", epsilon=0.3, C=0.1, tol=1e-12, max_iter=100_000),
    HuberRegressor(alpha=0.1, tol=1e-9, max_iter=5000),
    HuberRegressor(fit_intercept=False, tol=1e-9, max_iter=5000),
    PoissonRegressor(alpha=0.1, **TIGHT),
    GammaRegressor(**TIGHT),
    TweedieRegressor(power=1.5, **TIGHT),
    TweedieRegressor(power=0, **TIGHT),
    SGDRegressor(alpha=0.01),
]
CASES = (
    [(estimator, 2) for estimator in BINARY]
    + [(estimator, 3) for estimator in MULTICLASS]
    + [(estimator, 0) for estimator in REGRESSION]
)
STOCHASTIC = (SGDClassifier, SGDRegressor)


def test_every_family_is_checked_here():
    known = {
        kind for kind in families._FACTORIES if kind.__module__.startswith(("sklearn.", "skbadr."))
    }
    assert known - {type(estimator) for estimator, _ in CASES} == set()


def make_problem(estimator, n_classes, partition, layout, seed=0, n=150):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    groups = make_groups(rng.integers(0, 3, n))
    classes = None
    if n_classes:
        signal = X[:, 0] + rng.normal(size=n)
        y = np.searchsorted(np.quantile(signal, np.arange(1, n_classes) / n_classes), signal)
        classes = np.arange(n_classes)
    else:
        y = rng.gamma(2.0, np.exp(0.3 * X[:, 0]))
    weight = rng.uniform(0.2, 2.0, n)
    cells = make_cells(partition, y, groups, weight, classes=classes)
    family = find_family(estimator, classes)
    assert isinstance(family, LinearFamily), family
    X = sparse.csr_matrix(X) if layout == "sparse" else X
    lam = rng.uniform(0.1, 1.0, cells.n_cells)
    data = EvaluationSet(y, groups, classes, weight)
    return LinearLowerLevel(family, X, y, cells), lam / lam.sum(), data


def name(case):
    estimator, n_classes = case
    return f"{type(estimator).__name__}-{n_classes}"


@pytest.mark.parametrize("layout", ["dense", "sparse"])
@pytest.mark.parametrize("case", CASES, ids=name)
def test_lower_level_is_the_estimators_own(case, layout):
    estimator, n_classes = case
    if isinstance(estimator, STOCHASTIC):
        pytest.skip("its own fit is an approximation of the same objective")
    level, lam, data = make_problem(estimator, n_classes, "group", layout)
    state = level.solve(lam, tol=1e-12)
    weight = level.cells.sample_weight(lam)
    model = clone(estimator).fit(level.X.matrix, data.y, sample_weight=weight)
    predict = model.decision_function if n_classes else model.predict
    expected = predict(level.X.matrix).reshape(len(data.y), -1)
    scores = state.scores if n_classes else level.family.predict(state.scores)[:, None]
    np.testing.assert_allclose(scores, expected, atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize("layout", ["dense", "sparse"])
@pytest.mark.parametrize("partition", ["group", "group_target"])
@pytest.mark.parametrize("case", CASES, ids=name)
def test_hypergradient_equals_differences_of_refits(case, partition, layout):
    estimator, n_classes = case
    level, lam, data = make_problem(estimator, n_classes, partition, layout)
    rng = np.random.default_rng(1)
    factor = rng.normal(size=(level.n, level.m))
    state = level.solve(lam, tol=1e-13)

    def phi(weights):
        return np.tanh(factor * level.solve(weights, state, tol=1e-14).scores).sum()

    slope = factor * (1 - np.tanh(factor * state.scores) ** 2)
    gradient = level.hypergradient(state, level.pull_back(slope), tol=1e-13)
    steps = 1e-5 * np.eye(len(lam))
    differences = np.array([phi(lam + step) - phi(lam - step) for step in steps]) / 2e-5
    error = np.abs(gradient - differences).max()
    assert error < 1e-5 * np.abs(differences).max()


SMOOTH = [
    ("individual", {}),
    ("covariance", {}),
    ("hsic", {}),
    ("group_loss_variance", {"loss": "log_loss"}),
    ("worst_group_loss", {"loss": "log_loss"}),
    ("group_loss_gap", {"loss": "log_loss"}),
    ("group_loss_ratio", {"loss": "log_loss"}),
    ("worst_group_loss", {"loss": "squared_hinge", "ball": "kl"}),
    ("equalized_odds", {"smooth": "logsumexp"}),
]
SMOOTH_REGRESSION = [
    ("individual", {}),
    ("covariance", {}),
    ("hsic", {}),
    ("demographic_parity", {}),
    ("group_loss_variance", {}),
    ("worst_group_loss", {}),
    ("group_loss_gap", {}),
    ("group_loss_ratio", {}),
    ("worst_group_loss", {"loss": "huber", "ball": "chi2"}),
    ("kolmogorov_smirnov", {"smooth": "logsumexp", "rho": 5.0}),
]


@pytest.mark.parametrize("metric", SMOOTH + SMOOTH_REGRESSION, ids=str)
@pytest.mark.parametrize("n_classes", [0, 2, 3])
@given(seed=st.integers(0, 10_000), n=st.integers(6, 40), n_groups=st.integers(2, 5))
@settings(max_examples=15, deadline=None)
def test_metric_gradients_equal_differences(metric, n_classes, seed, n, n_groups):
    metric_name, options = metric
    if bool(n_classes) != (metric in SMOOTH):
        return
    task = "classification" if n_classes else "regression"
    metric = get_metric(metric_name, task, **options)
    rng = np.random.default_rng(seed)
    codes = np.r_[np.arange(n_groups), rng.integers(0, n_groups, n - n_groups)] % n_groups
    y = rng.integers(0, n_classes, n) if n_classes else rng.normal(size=n)
    classes = np.arange(n_classes) if n_classes else None
    weight = rng.uniform(0.1, 2.0, n) if seed % 2 else None
    data = EvaluationSet(y, make_groups(codes), classes, weight)
    scores = rng.normal(size=(n, 3 if n_classes == 3 else 1))
    value, gradient = metric.value_and_gradient(data, scores)
    direction = rng.normal(size=scores.shape)
    step = 1e-6
    up, down = (metric.value_and_gradient(data, scores + s * direction)[0] for s in (step, -step))
    expected = (up - down) / (2 * step)
    assert (gradient * direction).sum() == pytest.approx(
        expected, rel=2e-6, abs=2e-7 + 1e-6 * abs(value)
    )


@pytest.mark.parametrize("n_classes", [0, 2, 3])
@given(seed=st.integers(0, 10_000), n=st.integers(2, 500))
@settings(max_examples=10, deadline=None)
def test_individual_fairness_equals_its_definition_by_pairs(n_classes, seed, n):
    rng = np.random.default_rng(seed)
    codes = np.r_[0, 1, rng.integers(0, 3, n - 2)]
    y = rng.integers(0, n_classes, n) if n_classes else rng.normal(scale=10.0 ** (seed % 4), size=n)
    weight = rng.uniform(0.0, 2.0, n) + 0.01
    scores = rng.normal(size=(n, 1))
    classes = np.arange(n_classes) if n_classes else None
    data = EvaluationSet(y, make_groups(codes), classes, weight)
    kernel = np.exp(-1.0 * (y[:, None] != y) if n_classes else -np.abs(y[:, None] - y))
    pairs = weight[:, None] * weight * (codes[:, None] != codes)
    expected = (pairs * kernel * (scores - scores.T) ** 2).sum() / pairs.sum()
    metric = get_metric("individual", "classification" if n_classes else "regression")
    assert metric.value(data, scores) == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_hsic_equals_its_definition_by_matrices():
    rng = np.random.default_rng(0)
    codes, scores = rng.integers(0, 3, 60), rng.normal(size=(60, 1))
    data = EvaluationSet(rng.integers(0, 2, 60), make_groups(codes), np.arange(2))
    center = np.eye(60) - 1 / 60
    indicator = np.eye(3)[codes]
    gram = scores @ scores.T @ center @ indicator @ indicator.T @ center
    expected = np.trace(gram) / 60**2
    assert get_metric("hsic").value(data, scores) == pytest.approx(expected, rel=1e-12)


CLASSIFIERS = [case for case in CASES if case[1]]
REGRESSORS = [case for case in CASES if not case[1]]


@pytest.mark.parametrize("layout", ["dense", "sparse"])
@pytest.mark.parametrize("partition", ["group", "group_target"])
@pytest.mark.parametrize(
    "case, metric",
    [(case, metric) for case in CLASSIFIERS for metric in SMOOTH]
    + [(case, metric) for case in REGRESSORS for metric in SMOOTH_REGRESSION],
    ids=lambda value: name(value) if isinstance(value[1], int) else value[0],
)
def test_hypergradients_of_metrics(case, metric, partition, layout):
    estimator, n_classes = case
    level, lam, data = make_problem(estimator, n_classes, partition, layout, n=80)
    metric = get_metric(metric[0], "classification" if n_classes else "regression", **metric[1])
    state = level.solve(lam, tol=1e-13)

    def metric_scores(state):
        return state.scores if n_classes else level.family.predict(state.scores)[:, None]

    def phi(weights):
        refit = level.solve(weights, state, tol=1e-14)
        return metric.value_and_gradient(data, metric_scores(refit))[0]

    slope = np.zeros_like(state.scores)
    value, by_score = metric.value_and_gradient(data, metric_scores(state))
    if n_classes:
        slope[:] = by_score
    else:
        slope[:, 0] = by_score[:, 0] * level.family.predict_gradient(state.scores)
    gradient = level.hypergradient(state, level.pull_back(slope), tol=1e-13)
    steps = 1e-5 * np.eye(len(lam))
    differences = np.array([phi(lam + step) - phi(lam - step) for step in steps]) / 2e-5
    assert np.abs(gradient - differences).max() < 1e-5 * np.abs(differences).max() + 1e-9 * value


def test_sensitivities_equal_differences_of_refits():
    level, _, _ = make_problem(LogisticRegression(), 2, "group_target", "dense")
    shares = level.cells.shares
    state = level.solve(shares, tol=1e-13)
    moved = level.sensitivities(state)
    step = 1e-5
    for k in range(level.cells.n_cells):
        refits = []
        for sign in (1, -1):
            weights = shares * np.exp(sign * step * (np.arange(len(shares)) == k))
            refits.append(level.solve(weights / weights.sum(), state, tol=1e-14).coef)
        differences = (refits[0] - refits[1]) / (2 * step)
        np.testing.assert_allclose(moved[..., k], differences, atol=1e-6 * np.abs(moved).max())


def test_a_hypergradient_costs_two_passes_and_one_solve_whatever_the_number_of_cells():
    passes = []
    for n_cells in (2, 16, 64):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(640, 3)), rng.integers(0, 2, 640)
        cells = make_cells(
            "group", y, make_groups(np.arange(640) % n_cells), np.ones(640), classes=np.arange(2)
        )
        family = find_family(LogisticRegression(), np.arange(2))
        level = LinearLowerLevel(family, X, y, cells)
        state = level.solve(cells.shares)
        before = level.n_passes
        level.hypergradient(state, level.pull_back(np.ones((640, 1))))
        passes.append(level.n_passes - before)
    assert passes == [3, 3, 3]  # the slope back, the Hessian, the adjoint forward


class LogCosh(LinearFamily):
    def __init__(self, estimator, classes=None):
        super().__init__(estimator, classes)
        self.l2 = 2.0 * estimator.alpha

    def loss(self, target, z):
        return np.logaddexp(z - target, target - z)[:, 0]

    def gradient(self, target, z):
        return np.tanh(z - target)

    def curvature(self, target, z):
        return 1 - np.tanh(z - target) ** 2


def test_a_family_of_ones_own_takes_twenty_lines():
    class LogCoshRegressor(Ridge):
        pass

    register_family(LogCoshRegressor, LogCosh)
    level, lam, _ = make_problem(LogCoshRegressor(), 0, "group", "dense")
    state = level.solve(lam, tol=1e-13)

    def phi(weights):
        return (level.solve(weights, state, tol=1e-14).scores ** 2).sum()

    gradient = level.hypergradient(state, level.pull_back(2 * state.scores))
    steps = 1e-5 * np.eye(len(lam))
    differences = np.array([phi(lam + step) - phi(lam - step) for step in steps]) / 2e-5
    np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "estimator, reason",
    [
        (LogisticRegression(l1_ratio=0.5, solver="saga", penalty="elasticnet"), "not smooth"),
        (LogisticRegression(class_weight="balanced"), "depends on the weights"),
        (LinearSVC(loss="hinge"), "'squared_hinge'"),
        (SGDClassifier(), "'log_loss'"),
        (RidgeClassifier(positive=True), "constraint"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_estimators_without_a_smooth_objective_say_why(estimator, reason):
    assert reason in find_family(estimator, np.arange(2))


def test_sure_mistakes_on_a_rare_value_take_few_steps():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 4))
    y = (X[:, 0] + rng.normal(size=2000) > 0).astype(int)
    rare = np.arange(6)
    X[:, 3] = 0.0
    X[rare, 3], y[rare] = 40.0, [1, 1, 1, 1, 0, 0]
    groups = make_groups(rng.integers(0, 2, 2000))
    cells = make_cells("group", y, groups, np.ones(2000), classes=np.arange(2))
    family = find_family(LogisticRegression(), np.arange(2))
    level = LinearLowerLevel(family, X, y, cells)
    coef = family.start(level.target, cells.sample_weight(cells.shares), level.p)
    coef[3] = -0.3  # where the rare rows' curvature is next to nothing
    state = level.solve(cells.shares, level.state_at(cells.shares, coef))
    assert state.n_iter <= 12
    reference = level.solve(cells.shares)
    np.testing.assert_allclose(state.coef, reference.coef, atol=1e-7)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_derivatives_that_are_not_finite_are_refused(value):
    level, lam, _ = make_problem(Ridge(), 0, "group", "dense")
    state = level.solve(lam)
    rhs = np.full((level.p, level.m), value)
    with pytest.raises(NotSmooth, match="not finite"):
        level.hessian_solve(state, rhs)
