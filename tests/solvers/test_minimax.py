"""Minimax models by the dual of the lower level, against grids of exact solutions."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from skbadr import BADRClassifier
from skbadr.metrics import get_metric
from skbadr.problem import SmoothProblem
from skbadr.solvers.settings import DEFAULTS
from skbadr.solvers.starts.minimax import is_dual, lower_largest_loss, minimax_weights
from tests.data import bilevel_problem


def make_groups(n_groups, n=1_500):
    """Return X, y and groups, of which the last needs another model than the others."""
    rng = np.random.default_rng(0)
    group, X = rng.integers(0, n_groups, n), rng.normal(size=(n, 4))
    signal = X[:, 0] + 1.5 * (group == n_groups - 1) * X[:, 1] + 0.3 * group
    return X, (signal + rng.logistic(size=n) > 0.5).astype(int), group


def make_smooth(metric, n_groups=2, *, estimator=None, real=False, **options):
    """Return the smooth problem of a fit, and its baseline solution."""
    X, y, group = make_groups(n_groups)
    y = X[:, 0] + group * X[:, 1] + y if real else y
    estimator = LogisticRegression() if estimator is None else estimator
    options = {"cv": None, "partition": "group"} | options
    smooth = SmoothProblem(bilevel_problem(estimator, X, y, group, metric=metric, **options))
    return smooth, smooth.solve(smooth.problem.shares, tol=1e-8)


def value_at(smooth, weights):
    states = smooth.solve(weights, tol=1e-8)
    return smooth.evaluate(weights, states, "test", 1, 0.0).metric


def grid_of(n_groups):
    if n_groups == 2:
        return [np.array([share, 1.0 - share]) for share in np.linspace(0.001, 0.999, 201)]
    rng = np.random.default_rng(0)
    return [0.997 * w + 0.001 for w in rng.dirichlet(np.full(n_groups, 0.7), size=400)]


@pytest.mark.parametrize("n_groups", [2, 3])
@pytest.mark.parametrize("strength", [1.0, 1e-3])
def test_no_weights_of_a_grid_have_a_smaller_largest_loss(n_groups, strength):
    metric = get_metric("worst_group_loss", loss="log_loss")
    estimator = LogisticRegression(C=strength, tol=1e-8, max_iter=1_000)
    smooth, states = make_smooth(metric, n_groups, estimator=estimator)
    assert is_dual(smooth, states)
    found = minimax_weights(smooth, smooth.problem.shares, states, states, DEFAULTS)
    weights, _ = lower_largest_loss(smooth, *found, states, DEFAULTS)
    baseline = value_at(smooth, smooth.problem.shares)
    least = min(value_at(smooth, weights) for weights in grid_of(n_groups))
    assert value_at(smooth, weights) <= least + 1e-3 * (baseline - least)


@pytest.mark.parametrize(("ball", "radius"), [("kl", 0.05), ("chi2", 0.1), ("kl", 10.0)])
def test_no_shares_of_a_ball_have_a_larger_value(ball, radius):
    metric = get_metric("worst_group_loss", loss="log_loss", ball=ball, radius=radius)
    smooth, states = make_smooth(metric)
    weights, _ = minimax_weights(smooth, smooth.problem.shares, states, states, DEFAULTS)
    least = min(value_at(smooth, other) for other in grid_of(2))
    # But for the penalty, the model of the worst shares has the smallest worst loss.
    assert value_at(smooth, weights) <= least * (1 + 1e-4)


def test_regression_takes_the_dual_of_the_squared_error():
    smooth, states = make_smooth("worst_group_loss", estimator=Ridge(), real=True)
    assert is_dual(smooth, states)
    weights, _ = minimax_weights(smooth, smooth.problem.shares, states, states, DEFAULTS)
    assert value_at(smooth, weights) <= min(value_at(smooth, w) for w in grid_of(2)) * (1 + 1e-4)


@pytest.mark.parametrize(
    ("metric", "options"),
    [
        (get_metric("worst_group_loss", loss="squared_hinge"), {}),
        (get_metric("group_loss_gap", loss="log_loss"), {}),
        (get_metric("worst_group_loss", loss="log_loss"), {"partition": "group_target"}),
        (get_metric("worst_group_loss", loss="log_loss"), {"cv": 3}),
        (get_metric("worst_group_loss", loss="log_loss"), {"bound": 0.6}),
        (get_metric("worst_group_loss", loss="log_loss"), {"trade_off": 0.5}),
    ],
    ids=["loss", "summary", "cells", "folds", "bound", "trade-off"],
)
def test_other_problems_are_none_of_the_dual(metric, options):
    assert not is_dual(*make_smooth(metric, **options))


def test_a_fit_leaves_no_duality_gap():
    X, y, group = make_groups(3)
    metric = get_metric("worst_group_loss", loss="log_loss")
    model = BADRClassifier(LogisticRegression(tol=1e-8), metric, cv=None)
    model.fit(X, y, sensitive_features=group)
    losses = -np.log(model.predict_proba(X)[np.arange(len(y)), y])
    means = np.array([losses[group == g].mean() for g in range(3)])
    # The gap between the largest loss and the value of its dual.
    assert means.max() - model.cell_weights_ @ means < 1e-4
    assert model.metric_value_ < model.baseline_metric_value_
