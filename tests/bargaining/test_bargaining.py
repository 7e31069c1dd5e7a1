"""The first stage: who gains, where it ends, and what the second stage may do with it."""

import itertools

import numpy as np
import pytest
from data import (
    Capture,
    CountingClassifier,
    bilevel_problem,
    make_people,
    make_wages,
    scripted,
)
from scipy import sparse
from scipy.optimize import nnls
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning, UndefinedMetricWarning
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skbadr import BADRClassifier, BADRRegressor
from skbadr.bargaining import bargain_first
from skbadr.bargaining.stage_one import GroupLosses
from skbadr.metrics import get_metric
from skbadr.problem import SmoothProblem, UpperObjective
from skbadr.result import Evaluation

TIGHT = {"tol": 1e-10, "max_iter": 10_000}


def sampled_weights(n_cells, n=40, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(n_cells, 0.7), size=n)


# Worked examples: quadratics of a small estimator.


class Slopes(RegressorMixin, BaseEstimator):
    """Least squares through the origin, which skbadr knows by its fit alone."""

    def fit(self, X, y, sample_weight=None):
        v = np.ones(len(y)) if sample_weight is None else sample_weight
        self.coef_ = np.linalg.solve(X.T @ (v[:, None] * X), X.T @ (v * y))
        return self

    def predict(self, X):
        return X @ self.coef_


def test_nash_product_of_two_quadratics():
    # F_1 = (w - 1)^2 and F_2 = (2 w + 2)^2; the worst each can be given is d = (4, 16).
    X, y, group = np.array([[1.0], [2.0]]), np.array([1.0, -2.0]), ["one", "two"]
    model = BADRRegressor(Slopes(), "worst_group_loss", init="nash", tol=1e-12, max_iter=1)
    with pytest.warns(UserWarning, match="no weights are better for every group.*set cv"):
        model.fit(X, y, sensitive_features=group)
    bargain = model.bargaining_
    assert bargain.method == "nash_product" and bargain.reason == "no_gain"
    np.testing.assert_allclose(bargain.cell_weights, [0.8, 0.2], atol=1e-5)
    np.testing.assert_allclose(bargain.losses, [1.0, 4.0], atol=1e-4)
    assert np.log([4, 16] - bargain.losses).sum() == pytest.approx(np.log(36), abs=1e-5)
    np.testing.assert_allclose(bargain.baseline_losses, [(-0.6 - 1) ** 2, 4 * 0.4**2])


def corners(points, hopes):
    """Return data on which group k trains for the point c_k and is judged by h_k.

    With each group's rows ``x = e_j, y = c_kj`` the model is ``w = sum_k lam_k c_k`` and the
    held-out loss of group k is the mean square of ``w - h_k``.
    """
    points, hopes = np.asarray(points, float), np.asarray(hopes, float)
    n, d = points.shape
    X = np.tile(np.eye(d), (2 * n, 1))
    y = np.r_[points.ravel(), hopes.ravel()]
    group = np.tile(np.repeat(np.arange(n), d), 2)
    half = np.arange(n * d)
    return X, y, group, [(half, half + n * d)]


@pytest.mark.parametrize("estimator", [LinearRegression(fit_intercept=False), Slopes()])
def test_held_out_quadratics_agree_where_both_gain(estimator):
    # w = lam_1 - lam_2 is 0 at first; one hopes for .6, the other for .2.
    X, y, group, cv = corners([[1.0], [-1.0]], [[0.6], [0.2]])
    model = BADRRegressor(estimator, "worst_group_loss", init="nash", cv=cv, max_iter=6)
    model.fit(X, y, sensitive_features=group)
    bargain = model.bargaining_
    w = bargain.cell_weights @ [1, -1]
    np.testing.assert_allclose(bargain.baseline_losses, [0.36, 0.04])
    np.testing.assert_allclose(bargain.losses, [(w - 0.6) ** 2, (w - 0.2) ** 2], atol=1e-9)
    assert (bargain.losses < bargain.baseline_losses).all()
    if bargain.method == "gradients":
        assert bargain.reason == "stationary"
        assert 0.2 - 1e-6 <= w <= 0.6
        assert bargain.pareto_distance < 1e-3
    else:
        assert isinstance(estimator, Slopes) and w > 0


def hull_distance(point, hopes):
    heavy = 1e4
    system = np.vstack([hopes.T, np.full(len(hopes), heavy)])
    return nnls(system, np.r_[point, heavy])[1]


@pytest.mark.parametrize("seed", range(6))
def test_three_groups_end_within_their_hopes(seed):
    # Pareto-efficient for the held-out losses are the points of the hull of the hopes.
    rng = np.random.default_rng(seed)
    points = 3 * np.array([[1.0, 0.0], [-0.5, 0.9], [-0.5, -0.9]])
    hopes = rng.normal([0.8, 0.3], 0.2, size=(3, 2))
    X, y, group, cv = corners(points, hopes)
    estimator = LinearRegression(fit_intercept=False)
    model = BADRRegressor(estimator, "worst_group_loss", init="nash", cv=cv, max_iter=2)
    bargain = model.fit(X, y, sensitive_features=group).bargaining_
    assert (bargain.losses < bargain.baseline_losses).all()
    assert hull_distance(bargain.cell_weights @ points, hopes) < 1e-2
    assert bargain.reason in ("stationary", "no_gain")


@pytest.mark.parametrize("minimum", [1e-6, 0.05])
def test_weights_stop_at_their_floor_and_slide_along_it(minimum):
    # All hope for points beyond the edge between the first two corners.
    points = np.array([[1.0, -1.0], [1.0, 1.0], [-1.0, 0.0]])
    hopes = np.array([[2.0, 0.55], [2.5, 0.6], [2.0, 0.65]])
    X, y, group, cv = corners(points, hopes)
    model = BADRRegressor(
        LinearRegression(fit_intercept=False), "worst_group_loss", init="nash", cv=cv,
        min_weight=minimum, max_iter=10,
    )  # fmt: skip
    bargain = model.fit(X, y, sensitive_features=group).bargaining_
    assert bargain.cell_weights[2] == pytest.approx(minimum, rel=1e-6)
    assert bargain.reason in ("stationary", "no_gain")
    weights = minimum + (1 - 3 * minimum) * sampled_weights(3, 3000)
    losses = np.square((weights @ points)[:, None] - hopes).mean(axis=2)
    gains = (bargain.losses - losses).min(axis=1).max()
    assert gains < 1e-3 * bargain.losses.max()


def test_opposed_groups_stay_where_they_are():
    X, y, group, cv = corners([[1.0], [-1.0]], [[0.5], [-0.5]])
    for estimator in (LinearRegression(fit_intercept=False), Slopes()):
        model = BADRRegressor(estimator, "worst_group_loss", init="nash", cv=cv, max_iter=2)
        bargain = model.fit(X, y, sensitive_features=group).bargaining_
        assert bargain.reason == "no_agreement"
        np.testing.assert_array_equal(bargain.losses, bargain.baseline_losses)
        np.testing.assert_array_equal(bargain.cell_weights, [0.5, 0.5])


def test_group_that_is_at_its_optimum_blocks_without_nan():
    X, y, group, cv = corners([[1.0], [-1.0]], [[0.0], [0.5]])
    model = BADRRegressor(LinearRegression(fit_intercept=False), "worst_group_loss", init="nash",
                          cv=cv, max_iter=2)  # fmt: skip
    bargain = model.fit(X, y, sensitive_features=group).bargaining_
    assert bargain.reason == "no_agreement" and bargain.pareto_distance < 1e-3
    assert np.isfinite(model.metric_value_)


# Derivatives.

CASES = {
    "logistic": (LogisticRegression(**TIGHT), 2, {}),
    "pipeline": (make_pipeline(StandardScaler(), LogisticRegression(**TIGHT)), 2, {}),
    "multinomial": (LogisticRegression(**TIGHT), 3, {"partition": "group_target"}),
    "ridge": (Ridge(), 0, {"partition": "group_target"}),
    "poisson": (PoissonRegressor(**TIGHT), -1, {}),
    "sparse": (LogisticRegression(**TIGHT), 2, {"partition": "group_target"}),
}


def data_of(name, n_classes):
    X, y, group = make_people(n_classes=n_classes) if n_classes > 0 else make_wages()
    if n_classes < 0:
        y = np.round(np.exp(0.3 * y))
    group = np.where(X[:, 1] > 0.8, "c", group)
    return (sparse.csr_matrix(X) if name == "sparse" else X), y, group


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("cv", [0.3, 3])
def test_jacobian_is_the_difference_of_refits(name, cv):
    estimator, n_classes, options = CASES[name]
    X, y, group = data_of(name, n_classes)
    if name == "ridge":
        options = options | {"sample_weight": np.linspace(0.1, 2, len(y))}
    problem = bilevel_problem(estimator, X, y, group, cv=cv, random_state=0, **options)
    smooth = SmoothProblem(problem)
    game = GroupLosses(smooth, np.arange(3))
    weights = 0.5 * problem.shares + 0.5 / problem.n_cells
    states = smooth.solve(weights, tol=1e-11)
    baseline = problem.evaluator(weights)
    rtol = 1e-3 if name == "poisson" else 1e-5  # as far as its own solver goes
    np.testing.assert_allclose(game.values(states), baseline.losses_by_group, rtol=rtol)
    jacobian = game.jacobian(states)
    np.testing.assert_allclose(jacobian.sum(axis=1), 0, atol=1e-9)
    step = 1e-4
    for k in range(problem.n_cells):
        toward = np.eye(problem.n_cells)[k] - 1.0 / problem.n_cells
        ends = [game.values(smooth.solve(weights + s * toward, tol=1e-11)) for s in (step, -step)]
        numeric = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(jacobian @ toward, numeric, rtol=2e-4, atol=1e-6)


# Held-out losses of real tables, against brute force over the simplex.


def real_table(name):
    if name == "diabetes":
        X, y = load_diabetes(return_X_y=True)
        return X, y, np.where(X[:, 1] > 0, "a", "b"), X[:, 0], Ridge()
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)[:, :12]
    return X, y, np.where(X[:, 1] > 0, "a", "b"), X[:, 1], LogisticRegression(**TIGHT)


def simplex_grid(n, steps):
    if n == 2:
        first = np.linspace(1e-6, 1 - 1e-6, steps)
        return np.column_stack([first, 1 - first])
    counts = [c for c in itertools.product(range(steps + 1), repeat=n - 1) if sum(c) <= steps]
    grid = np.array([[*c, steps - sum(c)] for c in counts]) / steps
    return np.maximum(grid, 1e-6)


@pytest.mark.parametrize("name", ["diabetes", "breast_cancer"])
@pytest.mark.parametrize("n_groups", [2, 3])
def test_all_groups_gain_where_brute_force_finds_that_they_can(name, n_groups):
    X, y, group, by, estimator = real_table(name)
    if n_groups == 3:
        group = np.digitize(by, np.quantile(by, [1 / 3, 2 / 3]))
    improved = 0
    for seed in range(24):
        if seed >= 8 and improved:
            break
        problem = bilevel_problem(estimator, X, y, group, cv=0.3, random_state=seed)
        bargain = bargain_first(problem, smooth=True, held_out=True)
        gained = bargain.visits.gains(bargain.chosen) / bargain.visits.losses(
            bargain.visits.baseline
        )
        assert bargain.method == "gradients"
        assert (gained >= 0).all()
        smooth = SmoothProblem(problem)
        game = GroupLosses(smooth, np.arange(n_groups))
        states = smooth.solve(problem.shares, tol=1e-9)
        baseline, possible = game.values(states), -np.inf
        for weights in simplex_grid(n_groups, 101 if n_groups == 2 else 16):
            states = smooth.solve(weights, states, tol=1e-8)
            possible = max(possible, ((baseline - game.values(states)) / baseline).min())
        if possible > 1e-4:
            improved += 1
            assert (gained > 0).all(), seed
    assert improved  # otherwise nothing was tested


# What every estimator gets.

PEOPLE = make_people(300, seed=1)


def two_stage(estimator, **options):
    # The loss that the groups bargain over.
    loss = "log_loss" if hasattr(estimator, "predict_proba") else "zero_one"
    options = {"init": "nash", "cv": 0.3, "random_state": 0, "max_iter": 5} | options
    return BADRClassifier(estimator, get_metric("worst_group_loss", loss=loss), **options)


@pytest.mark.parametrize("cv", [0.3, 3])
@pytest.mark.parametrize("partition", ["group", "group_target", lambda y, g: y])
@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), DecisionTreeClassifier(max_depth=3), RidgeClassifier()],
    ids=["gradients", "tree", "zero_one"],
)
def test_no_group_is_worse_off(estimator, partition, cv):
    X, y, group = PEOPLE
    model = two_stage(estimator, partition=partition, cv=cv).fit(X, y, sensitive_features=group)
    bargain = model.bargaining_
    assert (bargain.losses <= bargain.baseline_losses).all()
    smooth = isinstance(estimator, LogisticRegression)
    assert bargain.method == ("gradients" if smooth else "nash_product")
    origins = model.results_["origin"]
    assert origins[0] == "baseline" and bargain.n_refits >= 1
    found = model.results_["cell_weights"] == bargain.cell_weights
    assert found.all(axis=1).any()
    assert model.metric_value_ <= bargain.losses.max() + 1e-12


@pytest.mark.parametrize("estimator", [LogisticRegression(), DecisionTreeClassifier(max_depth=3)])
@pytest.mark.parametrize("partition", ["group", "group_target"])
def test_second_stage_keeps_its_distance(estimator, partition):
    X, y, group = PEOPLE
    solver = Capture()
    held = two_stage(estimator, partition=partition, solver=solver)
    held.fit(X, y, sensitive_features=group)
    for metric in ("demographic_parity", "group_loss_gap"):
        free = two_stage(estimator, partition=partition, max_iter=12)
        free.set_params(metric=metric).fit(X, y, sensitive_features=group)
        for tolerance in (0.0, 0.05):
            model = two_stage(estimator, partition=partition, max_iter=12)
            model.set_params(metric=metric, stage2_tolerance=tolerance)
            model.fit(X, y, sensitive_features=group)
            losses = solver.problem.evaluator(model.cell_weights_).losses_by_group
            assert (losses <= model.bargaining_.losses + tolerance + 1e-9).all()
            assert free.metric_value_ <= model.metric_value_ + 1e-9


@pytest.mark.parametrize(
    "goal", ["mean_loss", "group_loss_gap", "worst_group_loss", "nash_welfare"]
)
def test_goals_of_the_second_stage(goal):
    X, y, group = PEOPLE
    for estimator in (LogisticRegression(), DecisionTreeClassifier(max_depth=3)):
        model = two_stage(estimator, max_iter=8).set_params(metric=goal)
        model.fit(X, y, sensitive_features=group)
        assert model.metric_value_ <= model.baseline_metric_value_
        assert (model.bargaining_.losses <= model.bargaining_.baseline_losses).all()


def test_fits_are_counted_and_none_is_repeated():
    X, y, group = PEOPLE
    CountingClassifier.n_fits = 0
    model = two_stage(CountingClassifier(), solver="alternating")
    model.fit(X, y, sensitive_features=group)
    assert model.n_refits_ == CountingClassifier.n_fits
    weights = [row.tobytes() for row in model.results_["cell_weights"]]
    assert model.results_["origin"].tolist().count("baseline") == 1
    assert weights.count(model.bargaining_.cell_weights.tobytes()) == 1


def test_refitting_without_bargaining_forgets_it():
    X, y, group = PEOPLE
    model = two_stage(LogisticRegression()).fit(X, y, sensitive_features=group)
    assert hasattr(model, "bargaining_")
    assert not hasattr(model.set_params(init="baseline").fit(X, y, sensitive_features=group),
                       "bargaining_")  # fmt: skip


def test_groups_without_held_out_rows_have_no_voice():
    X, y, group = PEOPLE
    group = group.astype(object)
    group[0] = "single"
    folds = [(np.r_[0, 100:300], np.arange(1, 100))]
    for estimator in (LogisticRegression(), DecisionTreeClassifier(max_depth=3)):
        model = two_stage(estimator, cv=folds)
        with pytest.warns(UndefinedMetricWarning, match="evaluated in no fold"):
            model.fit(X, y, sensitive_features=group)
        bargain = model.bargaining_
        assert np.isnan(bargain.losses).tolist() == [False, False, True]
        assert (bargain.losses[:2] <= bargain.baseline_losses[:2]).all()


def test_failed_refits_of_the_first_stage_are_skipped():
    X, y, group = PEOPLE
    model = two_stage(scripted({2: ValueError("no"), 5: ValueError("no")}), solver="alternating")
    with pytest.warns(FitFailedWarning, match="failed and is skipped"):
        model.fit(X, y, sensitive_features=group)
    assert (model.bargaining_.losses <= model.bargaining_.baseline_losses).all()
    assert model.results_["failed"].sum() == 2


def test_interruption_of_the_first_stage_leaves_the_baseline_model():
    X, y, group = PEOPLE
    model = two_stage(scripted({3: KeyboardInterrupt()}), cv=None)
    with pytest.warns() as caught:
        model.fit(X, y, sensitive_features=group)
    assert [w.category for w in caught] == [UserWarning, ConvergenceWarning]
    assert model.bargaining_.reason == "interrupted"
    assert len(model.results_["metric"]) == 2
    assert np.isfinite(model.metric_value_)
    with pytest.raises(KeyboardInterrupt):
        two_stage(scripted({1: KeyboardInterrupt()})).fit(X, y, sensitive_features=group)


def test_monitor_can_stop_the_first_stage():
    X, y, group = PEOPLE
    problem = bilevel_problem(DecisionTreeClassifier(max_depth=3), X, y, group, cv=0.3)
    problem.monitor = lambda evaluation, archive: len(archive.evaluations) == 3
    bargain = bargain_first(problem, smooth=False, held_out=True)
    assert bargain.reason == "stopped" and bargain.is_final
    archive = bargain.archive()
    bargain.merge(archive)
    assert [e.origin for e in archive.evaluations] == ["baseline", "nash", "nash"]
    assert any(archive.best is evaluation for evaluation in archive.evaluations)


def test_training_losses_leave_a_compromise():
    X, y, group = PEOPLE
    model = two_stage(LogisticRegression(**TIGHT), cv=None)
    with pytest.warns(UserWarning, match="on the training data"):
        model.fit(X, y, sensitive_features=group)
    bargain = model.bargaining_
    assert bargain.method == "nash_product"
    change = bargain.losses - bargain.baseline_losses
    assert change.min() < 0 < change.max()
    assert np.isfinite(model.predict_proba(X)).all()


def test_ceilings_come_before_everything_else():
    objective = UpperObjective(get_metric("demographic_parity"))
    point = [
        Evaluation(np.ones(2) / 2, metric=m, score=0.5, losses_by_group=np.array(losses))
        for m, losses in ((0.0, [0.3, 0.9]), (0.2, [0.4, 0.5]), (0.1, [0.4, np.nan]))
    ]
    assert min(point, key=objective.key) is point[0] and objective.is_ideal(point[0])
    objective.ceilings = np.array([0.4, 0.5])
    assert min(point, key=objective.key) is point[2] and not objective.is_ideal(point[0])
    assert objective.overrun(point[0]) == pytest.approx(0.4)
    failed = Evaluation(np.ones(2) / 2, error=ValueError())
    assert max([*point, failed], key=objective.key) is failed
    assert objective.gain(point[0], point[1]) == pytest.approx(0.4)
