"""Hundreds of groups: their cells move in blocks, at little more than what two groups cost."""

import numpy as np
import pytest
from data import bilevel_problem
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge

from skbadr import BADRClassifier, BADRRegressor
from skbadr.problem import SmoothProblem
from skbadr.solvers.steps import gauss_newton
from skbadr.solvers.steps.candidate_moves import MANY_PAIRS, _sums_by_pair
from skbadr.solvers.steps.directions import MANY_MOVED, MOST_MOVED, directions_of


def people(n_groups, n_rows=40, seed=0):
    """Return X, labels and groups of equal size, half of which are selected more often."""
    rng = np.random.default_rng(seed)
    n = n_groups * n_rows
    group = rng.permutation(np.arange(n) % n_groups)
    X = rng.normal(size=(n, 5))
    X[:, 0] += 0.7 * (group % 2)
    score = 1.2 * X[:, 0] + X[:, 1] + 0.5 * (group % 2) - 0.8 + rng.logistic(size=n)
    return X, (score > 0).astype(int), group


def smooth_problem(partition, n_groups):
    X, y, group = people(n_groups, n_rows=20)
    smooth = SmoothProblem(
        bilevel_problem(
            LogisticRegression(), X, y, group, metric="demographic_parity", partition=partition
        )
    )
    return smooth, smooth.solve(smooth.problem.shares, tol=1e-6)


@pytest.mark.parametrize("partition", ["group", "group_target"])
def test_blocks_are_of_one_target_and_of_near_scores(partition):
    smooth, states = smooth_problem(partition, 80)
    cells = smooth.evaluator.cells
    blocks = directions_of(smooth, states)
    assert blocks.shape == (cells.n_cells, MOST_MOVED)
    np.testing.assert_array_equal(blocks.sum(axis=1), 1.0)
    assert np.ptp(blocks.sum(axis=0)) <= 1
    level, member = cells.means(smooth.scores(states)[:, 0]), blocks.argmax(axis=1)
    target = cells.target_of_cell
    target = np.zeros(cells.n_cells) if target is None else target
    for value in np.unique(target):
        own = np.flatnonzero(target == value)
        order = own[np.argsort(level[own])]
        assert (np.diff(member[order]) >= 0).all()
        assert not np.isin(member[own], member[target != value]).any()


def test_few_cells_move_one_by_one():
    smooth, states = smooth_problem("group", MANY_MOVED - 1)
    assert directions_of(smooth, states) is None


def test_moves_along_blocks_are_those_of_their_cells():
    smooth, states = smooth_problem("group_target", 40)
    blocks = directions_of(smooth, states)
    every, (parameters,) = smooth.sensitivities(states)
    some, (moved,) = smooth.sensitivities(states, blocks)
    np.testing.assert_allclose(some, every @ blocks, atol=1e-9)
    np.testing.assert_allclose(moved, parameters @ blocks, atol=1e-9)


@given(seed=st.integers(0, 1000), n_pairs=st.sampled_from([4, MANY_PAIRS, MANY_PAIRS + 1, 300]))
def test_sums_by_pair(seed, n_pairs):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 200))
    values, pair = rng.integers(-1, 2, (7, n)).astype(np.float32), rng.integers(0, n_pairs, n)
    for weight in (np.float32(1.0), rng.integers(0, 5, n).astype(np.float32), rng.random(n)):
        expected = [np.bincount(pair, row * weight, n_pairs) for row in values]
        np.testing.assert_allclose(_sums_by_pair(values, pair, weight, n_pairs), expected)


SETTINGS = [
    {"bound": 0.3, "partition": "group_target"},
    {"bound": 0.3, "partition": "group_target", "cv": 0.5},
    {"metric": "equalized_odds", "trade_off": 1.0, "partition": "group_target"},
    {"metric": "worst_group_loss"},
    {"bound": 0.45},
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("params", SETTINGS, ids=str)
def test_hundreds_of_groups_are_served(params):
    X, y, group = people(300)
    params = {"partition": "group", "random_state": 0} | params
    model = BADRClassifier(LogisticRegression(), **params).fit(X, y, sensitive_features=group)
    assert model.metric_value_ <= model.baseline_metric_value_ or model.trade_off
    assert len(model.cells_) == (300 if params["partition"] == "group" else 600)
    assert model.weights_move_


def test_hundreds_of_groups_of_a_regressor():
    X, y, group = people(150)
    model = BADRRegressor(Ridge(), partition="group_target", trade_off=0.1)
    model.fit(X, y + X[:, 0], sensitive_features=group)
    assert model.metric_value_ <= model.baseline_metric_value_


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_moved_scores_are_those_of_a_dense_tensor(cv, n_classes):
    X, y, group = people(6)
    y = np.minimum(y + (X[:, 1] > 0.5) * (n_classes - 2), n_classes - 1)
    problem = bilevel_problem(
        LogisticRegression(), X, y, group, partition="group_target", cv=cv, scoring=None
    )
    smooth = SmoothProblem(problem)
    states = smooth.solve(smooth.problem.shares, tol=1e-8)
    scores = smooth.scores(states)
    _, slope = smooth.metric_gradient(scores)
    parameters = smooth.parameter_moves(states)
    _, _, dense, _ = smooth.linearised(scores, parameters, 10**9)
    _, _, moved, _ = smooth.linearised(scores, parameters, 10**9, many=True)
    step = np.random.default_rng(0).normal(size=problem.n_cells)
    np.testing.assert_allclose(moved @ step, dense @ step, rtol=1e-9, atol=1e-12)
    expected = np.einsum("nm,nmk->k", slope, dense)
    np.testing.assert_allclose(moved.pull_back(slope), expected, rtol=1e-9, atol=1e-12)
    gradient = smooth.gradient_along(parameters, slope)
    np.testing.assert_allclose(gradient, expected, rtol=1e-9, atol=1e-12)


def test_many_cells_end_where_few_would(monkeypatch):
    X, y, group = people(20)
    model = BADRClassifier(LogisticRegression(), "worst_group_loss", partition="group")
    value = model.fit(X, y, sensitive_features=group).metric_value_
    monkeypatch.setattr(gauss_newton, "DENSE_CELLS", 1)
    again = model.fit(X, y, sensitive_features=group).metric_value_
    assert again == pytest.approx(value, rel=1e-4)
    assert model.metric_value_ < model.baseline_metric_value_
