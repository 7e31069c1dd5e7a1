"""Few combinations of many columns against all columns."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    HuberRegressor,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbadr import BADRClassifier, BADRRegressor, pareto_path
from skbadr.lower_level import LinearLowerLevel, find_family
from skbadr.lower_level import column_space as module
from skbadr.lower_level.column_space import ColumnSpace, suits_column_space
from skbadr.metrics import get_metric
from skbadr.partition import make_cells, make_groups
from skbadr.solvers import ImplicitSolver
from skbadr.solvers.fidelities.column_spaces import ColumnSpaces

SOLVERS = [
    (LogisticRegression(C=0.1), 2, False),
    (LogisticRegression(C=0.1), 2, True),
    (LogisticRegression(C=0.1), 3, False),
    (LogisticRegression(C=0.1, fit_intercept=False), 2, False),
    (Ridge(alpha=5.0), None, False),
    (PoissonRegressor(alpha=0.1), None, False),
    (HuberRegressor(alpha=0.1), None, False),
]


def make_wide(n=3000, d=150, n_classes=2, seed=0):
    """Return X of columns of very different scale, a target and three groups."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n)
    X = rng.normal(size=(n, d)) * np.geomspace(1, 0.05, d)
    X[:, :3] += 0.5 * group[:, None]
    signal = X @ rng.normal(size=d) * (1 + 0.3 * (group == 1)) + 0.5 * group
    signal = signal / signal.std() + 0.5 * rng.normal(size=n)
    if n_classes is None:
        return X, np.exp(signal.clip(-2, 2)), group
    return X, np.digitize(signal, np.quantile(signal, np.arange(1, n_classes) / n_classes)), group


def make_level(estimator, n_classes, is_sparse, **options):
    X, y, group = make_wide(n_classes=n_classes, **options)
    classes = None if n_classes is None else np.arange(n_classes)
    cells = make_cells("group", y, make_groups(group), np.ones(len(y)), classes=classes)
    X = sparse.csr_matrix(X) if is_sparse else X
    return LinearLowerLevel(find_family(estimator, classes), X, y, cells)


def grown(level, weights, rounds):
    space = ColumnSpace(level)
    for _ in range(rounds):
        space.grow(space.level.solve(weights, tol=1e-8))
    return space


@pytest.mark.parametrize(("estimator", "n_classes", "is_sparse"), SOLVERS)
def test_solutions_and_how_they_move_are_those_of_all_columns(estimator, n_classes, is_sparse):
    level = make_level(estimator, n_classes, is_sparse)
    assert suits_column_space(level)
    shares = level.cells.shares
    space = grown(level, shares, 8)
    assert space.basis.shape[1] < level.d
    np.testing.assert_allclose(space.basis.T @ space.basis, np.eye(space.basis.shape[1]), atol=1e-9)
    exact, found = level.solve(shares), space.level.solve(shares)
    size = level.score_size(exact.scores - exact.scores.mean(axis=0))
    assert level.score_size(found.scores - exact.scores) <= 0.01 * size
    np.testing.assert_allclose(level.forward(space.lifted(found.coef)), found.scores, atol=1e-8)
    np.testing.assert_allclose(space.coordinates(space.lifted(found.coef)), found.coef, atol=1e-8)
    moved = level.forward(level.sensitivities(exact).reshape(level.p, -1))
    here = space.level.forward(space.level.sensitivities(found).reshape(space.level.p, -1))
    assert np.linalg.norm(here - moved) <= 0.1 * np.linalg.norm(moved)


def test_a_basis_is_complete_after_as_many_growths_as_it_takes():
    level = make_level(LogisticRegression(), 2, False, d=60)
    space = grown(level, level.cells.shares, 40)
    assert space.basis.shape == (60, 60)
    state = space.level.solve(level.cells.shares)
    assert space.grow(state).coef.shape == state.coef.shape


@pytest.mark.parametrize("far", [[0.9, 0.05, 0.05], [0.05, 0.15, 0.8]])
def test_solutions_at_far_weights_are_not_far_off(far):
    level = make_level(LogisticRegression(C=0.1), 2, False)
    far, shares = np.array(far), level.cells.shares
    space = grown(level, shares, 4)
    exact, baseline = level.solve(far).scores, level.solve(shares).scores
    missed = level.score_size(space.level.solve(far).scores - exact)
    assert missed <= 0.15 * level.score_size(exact - baseline)
    space.grow(space.level.solve(far))
    assert level.score_size(space.level.solve(far).scores - exact) <= 0.6 * missed


def test_many_cells_take_turns():
    X, y, _ = make_wide(n=3000, d=100)
    cells = make_cells("group", y, make_groups(np.arange(3000) % 30), np.ones(3000), classes=[0, 1])
    level = LinearLowerLevel(find_family(LogisticRegression(), np.arange(2)), X, y, cells)
    space = grown(level, cells.shares, 2)
    assert space.basis.shape[1] <= 3 * (module.MOST_CELLS + 1)
    exact = level.solve(cells.shares).scores
    assert level.score_size(space.level.solve(cells.shares).scores - exact) <= 0.1


def test_columns_that_are_penalised_unlike_are_left_alone():
    level = make_level(LogisticRegression(), 2, False)
    level.family.penalty = lambda p: np.arange(p, dtype=float)
    assert not suits_column_space(level)


def test_memory_maps_are_left_where_they_are(tmp_path):
    X, y, group = make_wide(n=300)
    X.tofile(tmp_path / "X")
    file = np.memmap(tmp_path / "X", dtype=float, mode="r", shape=X.shape)
    cells = make_cells("group", y, make_groups(group), np.ones(300), classes=[0, 1])
    family = find_family(LogisticRegression(), np.arange(2))
    assert suits_column_space(LinearLowerLevel(family, X, y, cells))
    assert not suits_column_space(LinearLowerLevel(family, file, y, cells))


@pytest.mark.parametrize("metric", ["group_loss_variance", "worst_group_loss"])
@pytest.mark.parametrize("n_classes", [2, None])
def test_the_optimum_is_that_of_all_columns(metric, n_classes, monkeypatch):
    X, y, group = make_wide(n=1500, d=80, n_classes=n_classes)
    if n_classes is None:
        model = BADRRegressor(Ridge(), metric, partition="group", cv=None)
    else:
        exact = LogisticRegression(solver="newton-cholesky", tol=1e-8)
        model = BADRClassifier(exact, metric, partition="group", cv=None)
    found = model.fit(X, y, sensitive_features=group)
    gained = found.baseline_metric_value_ - found.metric_value_
    monkeypatch.setattr(module, "MANY_COLUMNS", np.inf)
    wanted = model.fit(X, y, sensitive_features=group)
    assert gained >= 0.97 * (wanted.baseline_metric_value_ - wanted.metric_value_)


def test_an_interruption_keeps_what_the_search_before_has_found(monkeypatch):
    X, y, group = make_wide(n=2000)
    calls, visit = [], ImplicitSolver.visit

    def interrupted(self, *args):
        calls.append(args)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return visit(self, *args)

    monkeypatch.setattr(ImplicitSolver, "visit", interrupted)
    monkeypatch.setattr(ColumnSpaces, "grow", _grown_always(ColumnSpaces.grow))
    model = BADRClassifier(LogisticRegression(), "group_loss_variance", partition="group", cv=None)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        model.fit(X, y, sensitive_features=group)
    assert len(calls) == 2
    assert model.metric_value_ < 0.5 * model.baseline_metric_value_


def _grown_always(grow):
    return lambda self, weights: grow(self, weights) or True


@pytest.mark.parametrize("cv", [None, 3])
def test_a_bound_is_met_on_wide_data(cv):
    X, y, group = make_wide(n=2000, d=120)
    model = BADRClassifier(
        make_pipeline(StandardScaler(), LogisticRegression()), bound=0.05, cv=cv
    ).fit(X, y, sensitive_features=group)
    assert model.baseline_metric_value_ > 0.15
    assert model.metric_value_ <= 0.05
    assert model.n_refits_ <= (3 if cv is None else 12)


def test_left_out_rows_are_judged_by_the_leverage_of_all_columns():
    X, y, group = make_wide(n=1500, d=100)
    model = BADRClassifier(LogisticRegression(), bound=0.15, confidence=0.8)
    model.fit(X, y, sensitive_features=group)
    new, labels, groups = make_wide(n=20_000, d=100, seed=0)
    assert model.metric_upper_ <= 0.15
    # Scores of training rows by their own model would promise far more than new rows keep.
    metric = get_metric("demographic_parity")
    own = metric(y, model.predict(X), sensitive_features=group)
    assert model.metric_value_ >= own - 0.02
    assert metric(labels, model.predict(new), sensitive_features=groups) <= 0.2


def test_a_front_of_wide_data_runs_from_the_baseline_to_the_bound():
    X, y, group = make_wide(n=3000, d=120)
    front = pareto_path(LogisticRegression(), X, y, sensitive_features=group, n_points=5)
    assert front.met.all()
    assert front.metric[-1] < 0.3 * front.baseline_metric
    function = get_metric("demographic_parity")
    for i, bound in enumerate(front.bounds):
        predicted = front.model(i).predict(X)
        assert front.metric[i] == function(y, predicted, sensitive_features=group)
        assert front.metric[i] <= bound
