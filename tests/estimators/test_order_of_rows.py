"""Rows in another order, groups with other names, rows of weight zero: as good a result."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from skbadr import BADRClassifier, BADRRegressor
from skbadr.metrics import get_metric
from skbadr.partition import make_cells, make_groups
from skbadr.problem.sampling import StratifiedSampler

LOGISTIC = LogisticRegression(tol=1e-8, max_iter=500)
RATE = {"metric": "demographic_parity", "partition": "group_target"}
SMOOTH = {"metric": "group_loss_variance"}
BOUND = 0.05


def table(n, seed=2):
    """Return numbers, groups and scores of a table of three groups."""
    rng = np.random.default_rng(seed)
    groups = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    X = rng.normal(size=(n, 4))
    X[:, 0] += 0.5 * groups
    score = X @ [1.5, -1.0, 0.7, 0.4] + 0.6 * groups * X[:, 1] - 0.3 * groups
    return X, groups, score + rng.logistic(size=n)


def other_order(X, y, groups):
    rows = np.random.default_rng(3).permutation(len(y))
    return X[rows], y[rows], groups[rows]


def sorted_rows(X, y, groups):
    rows = np.lexsort((X[:, 0], y, groups))
    return X[rows], y[rows], groups[rows]


def other_names(X, y, groups):
    return X, y, np.array(["c", "a", "b"])[groups]


def gain(model):
    """Return what a search gained: of the score within a bound, else as a share of the metric."""
    scored = model.scoring_value_ - model.baseline_scoring_value_
    if model.bound is not None:
        # What the estimator's own fit may miss a bound by is no gain.
        return scored - 10.0 * max(0.0, model.metric_value_ - model.bound)
    won = model.baseline_metric_value_ - model.metric_value_ + model.trade_off * scored
    return won / model.baseline_metric_value_


def gains(model, X, y, groups, changes):
    """Return the gain on rows as they come, and after each change."""
    tables = [(X, y, groups), *(change(X, y, groups) for change in changes)]
    return np.array([gain(model.fit(X, y, sensitive_features=group)) for X, y, group in tables])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("solver", "goal", "dtype", "tolerance"),
    [
        ("implicit", SMOOTH, np.float64, 0.005),
        ("implicit", SMOOTH, np.float32, 0.005),
        ("implicit", RATE, np.float64, 0.001),
        ("implicit", {**RATE, "bound": BOUND}, np.float64, 0.01),
        ("gd", SMOOTH, np.float64, 0.005),
        ("gd", SMOOTH, np.float32, 0.005),
        ("gd", RATE, np.float64, 0.001),
        ("gd", {**RATE, "bound": BOUND}, np.float64, 0.01),
        ("sgd", SMOOTH, np.float64, 0.005),
        ("sgd", SMOOTH, np.float32, 0.005),
        ("sgd", RATE, np.float64, 0.02),
    ],
)
def test_searches_on_samples_gain_as_much(solver, goal, dtype, tolerance):
    """Where some of the rows are searched first, other rows are these in another order."""
    X, groups, score = table(12_000)
    model = BADRClassifier(LOGISTIC, solver=solver, cv=None, random_state=0, **goal)
    changes = [other_order, sorted_rows, other_names]
    found = gains(model, X.astype(dtype), score > 0, groups, changes)
    np.testing.assert_allclose(found, found[0], rtol=0.0, atol=tolerance)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", [GaussianNB(), DecisionTreeClassifier(max_depth=4)])
@pytest.mark.parametrize("goal", [SMOOTH, {**RATE, "trade_off": 0.5}, {**RATE, "bound": BOUND}])
def test_searches_of_refits_gain_as_much(estimator, goal):
    """In any order of rows on each table; whatever groups are called, on the mean of several."""
    model = BADRClassifier(
        estimator, solver="alternating", max_iter=8, cv=None, random_state=0, **goal
    )
    found = []
    for seed in range(6):
        X, groups, score = table(1500, seed)
        found.append(gains(model, X, score > 0, groups, [other_order, sorted_rows, other_names]))
    found = np.array(found)
    np.testing.assert_allclose(found[:, 1:3], found[:, [0, 0]], rtol=0.0, atol=1e-3)
    assert found[:, 3].mean() == pytest.approx(found[:, 0].mean(), abs=0.05)


def cells_of(groups, weight):
    return make_cells("group", None, make_groups(groups), weight)


def test_rows_by_cell_are_those_of_positive_weight():
    rng = np.random.default_rng(0)
    groups, weight = rng.integers(0, 3, 1000), np.where(rng.random(1000) < 0.1, 0.0, 1.0)
    cells = cells_of(groups, weight)
    np.testing.assert_array_equal(np.sort(cells.by_cell), np.flatnonzero(weight))
    assert (np.diff(groups[cells.by_cell]) >= 0).all()
    np.testing.assert_array_equal(cells.by_cell, cells_of(groups, weight).by_cell)


@pytest.mark.parametrize("step", [2, 3, 7])
def test_every_so_many_rows_by_cell_are_a_sample(step):
    """Each cell has its share, also of rows that repeat themselves as often."""
    groups, season = np.arange(4200) % 2, np.arange(4200) % 14 // 2
    some = cells_of(groups, np.ones(4200)).by_cell[::step]
    counts = np.bincount(groups[some])
    assert abs(counts[0] - counts[1]) <= 1
    assert np.bincount(season[some]).min() > 0.8 * len(some) / 7


def test_rows_of_weight_zero_are_no_part_of_samples():
    rng = np.random.default_rng(1)
    groups, wide = rng.integers(0, 3, 5000), np.sort(rng.permutation(5500)[:5000])
    weight, codes = np.zeros(5500), rng.integers(0, 3, 5500)
    weight[wide], codes[wide] = 1.0, groups
    one = StratifiedSampler(cells_of(groups, np.ones(5000))).draw(700, np.random.default_rng(0))
    other = StratifiedSampler(cells_of(codes, weight)).draw(700, np.random.default_rng(0))
    np.testing.assert_array_equal(wide[one], other)


@pytest.mark.filterwarnings("ignore")
def test_huge_values_in_rows_of_weight_zero_change_nothing():
    X, groups, score = table(110_000)
    weight = np.r_[np.zeros(1000), np.ones(109_000)]
    wide = np.array(X)
    wide[:1000, 2] = 1e39
    model = BADRClassifier(LOGISTIC, "group_loss_variance", solver="gd", max_iter=5)
    weights = [
        model.fit(data, score > 0, sensitive_features=groups, sample_weight=weight).cell_weights_
        for data in (X, wide)
    ]
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-6)


def test_users_see_the_order_of_labels():
    """Weights given by `init` and those that come back belong to `cells_`, sorted."""
    rng = np.random.default_rng(3)
    group = np.repeat(["small", "large", "middle"], [20, 200, 80])
    X = rng.normal(size=(300, 2)) + (group == "large")[:, None]
    y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)
    init = np.array([0.2, 0.3, 0.5])
    model = BADRClassifier(init=init, cv=None, max_iter=3, solver="alternating")
    model.fit(X, y, sensitive_features=group)
    assert model.cells_.tolist() == ["large", "middle", "small"]
    np.testing.assert_allclose(model.results_["cell_weights"][0], [200 / 300, 80 / 300, 20 / 300])
    origin = model.results_["origin"].tolist()
    np.testing.assert_allclose(model.results_["cell_weights"][origin.index("init")], init)


def test_disagreement_is_given_in_the_order_of_labels():
    rng = np.random.default_rng(4)
    group = np.repeat(["a", "b"], [20, 100])
    X = rng.normal(size=(120, 2))
    y = X[:, 0] + (group == "a") * rng.normal(size=120)
    metric = get_metric("nash_welfare", "regression", disagreement=[50.0, 5.0])
    model = BADRRegressor(metric=metric, max_iter=3).fit(X, y, sensitive_features=group)
    expected = metric(y, model.predict(X), sensitive_features=group)
    np.testing.assert_allclose(model.metric_value_, expected, rtol=1e-10)
