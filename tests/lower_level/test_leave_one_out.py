"""Scores without the row itself, beside refits without each row."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import HuberRegressor, LinearRegression, LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from skbadr.lower_level import LinearLowerLevel, find_family
from skbadr.lower_level.leave_one_out import left_out_scores
from skbadr.partition import make_cells, make_groups

CASES = [
    (LogisticRegression(tol=1e-10, max_iter=10_000), 2, 0.1),
    (LogisticRegression(C=0.1, fit_intercept=False, tol=1e-10), 2, 0.1),
    (LogisticRegression(solver="liblinear", intercept_scaling=3.0, tol=1e-10), 2, 0.1),
    (LogisticRegression(tol=1e-10, max_iter=10_000), 3, 0.1),
    (LinearSVC(tol=1e-10, max_iter=100_000), 2, 0.1),
    (Ridge(alpha=2.0), None, 1e-9),
    (LinearRegression(), None, 1e-9),
    (HuberRegressor(tol=1e-10, max_iter=10_000), None, 0.15),
]


@pytest.mark.parametrize(("estimator", "n_classes", "tolerance"), CASES, ids=str)
def test_that_one_step_is_nearly_a_refit(estimator, n_classes, tolerance):
    rng = np.random.default_rng(0)
    n = 150
    X = rng.normal(size=(n, 4))
    score = X @ [1.0, -1.0, 0.5, 0.0] + rng.normal(size=n)
    classes = None if n_classes is None else np.arange(n_classes)
    y = score if classes is None else np.digitize(score, np.linspace(-1, 1, n_classes + 1)[1:-1])
    groups = make_groups(rng.integers(2, size=n))
    weight = rng.integers(1, 4, size=n).astype(float)
    weight[5] = 0.0
    cells = make_cells("group", y, groups, weight, classes=classes)
    lam = np.array([0.7, 0.3])
    model = clone(estimator).fit(X, y, sample_weight=cells.sample_weight(lam))
    family = find_family(estimator, classes)
    level = LinearLowerLevel(family, X, y, cells)
    state = level.state_at(lam, family.parameters(model))
    scores = left_out_scores(level, state)
    one_by_one = np.empty_like(scores)
    for i in range(n):
        kept = cells.sample_weight(lam)
        kept[i] = 0.0
        other = clone(estimator).fit(X, y, sample_weight=kept)
        one_by_one[i] = level.forward(family.parameters(other), X[i : i + 1])[0]
    moved = one_by_one - state.scores
    np.testing.assert_allclose(scores[5], state.scores[5])
    error = np.sqrt(np.square(scores - one_by_one).mean() / np.square(moved).mean())
    assert error <= tolerance
