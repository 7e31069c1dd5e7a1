"""What the upper level minimises and where: metric, bound, trade_off, scoring, cv, init."""

import functools

import fairlearn.metrics as flm
import numpy as np
import pytest
from data import classifier, make_people, make_wages, regressor, stable_id
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, get_scorer
from sklearn.model_selection import (
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder
from sklearn.tree import DecisionTreeClassifier

from skbadr.metrics import get_metric, make_fairness_metric
from skbadr.solvers import AlternatingSolver

X, Y, GROUP = make_people()


def searched(**params):
    return classifier(**({"partition": "group_target", "max_iter": 12} | params))


def fitted(model, y=Y):
    return model.fit(X, y, sensitive_features=GROUP)


def test_bound_is_met_at_the_best_score():
    model = fitted(searched(bound=0.1))
    assert model.metric_value_ <= 0.1 < model.baseline_metric_value_
    results = model.results_
    assert model.scoring_value_ == results["score"][results["metric"] <= 0.1].max()
    # Met by the baseline model already: nothing better than its score is needed.
    loose = fitted(searched(bound=0.9))
    assert loose.scoring_value_ >= loose.baseline_scoring_value_


def test_bound_of_a_ratio_is_from_below():
    model = fitted(searched(metric="demographic_parity_ratio", bound=0.8))
    assert model.metric_value_ >= 0.8 > model.baseline_metric_value_


@pytest.mark.parametrize(
    ("partition", "advised"), [("group", True), ("group_target", False), (lambda y, g: g, False)]
)
def test_bound_that_is_missed(partition, advised):
    model = searched(partition=partition, bound=0.0, max_iter=3)
    with pytest.warns(ConvergenceWarning) as caught:
        fitted(model)
    (warning,) = caught
    values = [f"{value:.4g}" for value in (model.metric_value_, model.baseline_metric_value_)]
    assert "demographic_parity <= 0:" in str(warning.message)
    assert all(value in str(warning.message) for value in values)
    assert ("group_target" in str(warning.message)) == advised
    assert warning.filename == fitted.__code__.co_filename
    assert model.metric_value_ == model.results_["metric"].min()


def test_warning_points_at_the_users_line_below_pipelines_too():
    model = make_pipeline(StandardScaler(), searched(bound=0.0, max_iter=2))
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, Y, badrclassifier__sensitive_features=GROUP)
    assert caught[0].filename == __file__
    with open(__file__, encoding="utf-8") as lines:
        assert "model.fit(" in lines.readlines()[caught[0].lineno - 1]


def test_trade_off_orders_models():
    fair, accurate = fitted(searched(trade_off=0.1)), fitted(searched(trade_off=1000.0))
    assert fair.metric_value_ < accurate.metric_value_ <= accurate.baseline_metric_value_
    assert fair.scoring_value_ < accurate.scoring_value_ >= accurate.baseline_scoring_value_
    for model in (fair, accurate):
        objective = model.results_["metric"] - model.trade_off * model.results_["score"]
        assert model.metric_value_ - model.trade_off * model.scoring_value_ == objective.min()


def balanced(estimator, X, y):
    return balanced_accuracy_score(y, estimator.predict(X))


@pytest.mark.parametrize(
    "scoring", ["balanced_accuracy", get_scorer("balanced_accuracy"), balanced], ids=stable_id
)
def test_scoring(scoring):
    rare = (X[:, 0] > 1).astype(int)
    model = fitted(searched(scoring=scoring, trade_off=1.0, max_iter=4), rare)
    assert model.scoring_value_ == balanced_accuracy_score(rare, model.predict(X))
    baseline = LogisticRegression().fit(X, rare).predict(X)
    assert model.baseline_scoring_value_ == balanced_accuracy_score(rare, baseline)


def test_scorer_gets_the_weights_it_takes():
    weight = np.linspace(0.1, 2, len(Y))
    for scoring in ("balanced_accuracy", "accuracy"):
        model = classifier(scoring=scoring, trade_off=1.0)
        model.fit(X, Y, sensitive_features=GROUP, sample_weight=weight)
        func = balanced_accuracy_score if scoring == "balanced_accuracy" else accuracy_score
        expected = func(Y, model.predict(X), sample_weight=weight)
        assert model.scoring_value_ == pytest.approx(expected)


def test_scorers_of_regression():
    X, y, group = make_wages()
    model = regressor(scoring="r2", trade_off=1.0).fit(X, y, sensitive_features=group)
    assert model.scoring_value_ == pytest.approx(model.score(X, y))
    model = regressor(scoring="neg_mean_squared_error").fit(X, y, sensitive_features=group)
    assert model.scoring_value_ == pytest.approx(-np.mean((y - model.predict(X)) ** 2))


FOLDS = {
    "splitter": KFold(3, shuffle=True, random_state=0),
    "stratified": StratifiedKFold(3),
    "iterable": list(KFold(3, shuffle=True, random_state=0).split(X)),
    "masks": [(np.arange(len(Y)) % 2 == 0, np.arange(len(Y)) % 2 == 1)],
    "predefined": PredefinedSplit(np.arange(len(Y)) % 3 - 1),
    "repeated": ShuffleSplit(2, random_state=0),
}


@pytest.mark.parametrize("cv", [0.3, 2, 3, *FOLDS.values()], ids=["float", "2", "3", *FOLDS])
def test_held_out_upper_level(cv):
    model = fitted(searched(cv=cv, max_iter=4))
    assert model.evaluated_on_ == "held-out data"
    assert model.metric_value_ <= model.baseline_metric_value_
    n_folds = {0.3: 1, 2: 2, 3: 3}.get(cv) if isinstance(cv, (int, float)) else None
    n_folds = n_folds or (cv.get_n_splits() if hasattr(cv, "split") else len(cv))
    assert model.n_refits_ == n_folds * len(model.results_["metric"]) + 1
    weight = model.compute_sample_weight(X, Y, sensitive_features=GROUP)
    expected = LogisticRegression().fit(X, Y, weight)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_held_out_values_are_those_of_cross_val_predict():
    splitter = FOLDS["splitter"]
    estimator = DecisionTreeClassifier(max_depth=4, random_state=0)
    model = fitted(searched(estimator=estimator, cv=splitter))
    metric = get_metric("demographic_parity")
    # The folds of the upper level come one after the other, which no sum minds.
    baseline = cross_val_predict(estimator, X, Y, cv=splitter)
    value = metric(Y, baseline, sensitive_features=GROUP)
    assert model.baseline_metric_value_ == pytest.approx(value)
    assert model.baseline_scoring_value_ == pytest.approx(accuracy_score(Y, baseline))
    weight = model.compute_sample_weight(X, Y, sensitive_features=GROUP)
    weighted = cross_val_predict(estimator, X, Y, cv=splitter, params={"sample_weight": weight})
    value = metric(Y, weighted, sensitive_features=GROUP)
    assert model.metric_value_ == pytest.approx(value)


def test_held_out_regression():
    X, y, group = make_wages()
    model = regressor(cv=3, partition="group_target").fit(X, y, sensitive_features=group)
    assert model.metric_value_ <= model.baseline_metric_value_


def test_folds_are_stratified_by_cell_and_class():
    class Recording(LogisticRegression):
        seen = []

        def fit(self, X, y, sample_weight=None):
            Recording.seen.append((len(y), np.mean(y)))
            return super().fit(X, y, sample_weight)

    fitted(classifier(Recording(), cv=4, max_iter=1, random_state=0))
    sizes, rates = zip(*Recording.seen, strict=True)
    assert sizes == (180, 180, 180, 180, 240)
    assert np.ptp(rates) < 0.02


def test_small_cells_do_not_stop_a_split():
    # More cells than the held-out rows can have one of, and a cell of one row.
    group = np.arange(len(Y)) // 8
    group[0] = 99
    for cv in (0.5, 5):
        with pytest.warns(UndefinedMetricWarning, match="cell .*99"):
            model = classifier(cv=cv, max_iter=2).fit(X, Y, sensitive_features=group)
        assert model.cell_weights_.shape == (31,)


@functools.cache
def _shares():
    return fitted(searched(max_iter=1)).cell_weights_


@pytest.mark.parametrize(
    "init", ["baseline", "uniform", [0.4, 0.3, 0.2, 0.1], (4, 3, 2, 1)], ids=stable_id
)
def test_init(init):
    model = fitted(searched(init=init, max_iter=3))
    second = model.results_["cell_weights"][1]
    if isinstance(init, str) and init == "baseline":
        assert "init" not in model.results_["origin"]
    else:
        expected = [0.25] * 4 if isinstance(init, str) else [0.4, 0.3, 0.2, 0.1]
        assert model.results_["origin"][1] == "init"
        np.testing.assert_allclose(second, expected)
    np.testing.assert_array_equal(model.results_["cell_weights"][0], _shares())


def test_weights_stay_above_the_floor():
    model = fitted(searched(min_weight=0.1, init=[1, 0, 0, 1], max_iter=10))
    visited = model.results_["cell_weights"]
    baseline = (visited == _shares()).all(axis=1)
    assert (visited[~baseline] >= 0.1 - 1e-12).all()
    np.testing.assert_allclose(visited.sum(axis=1), 1)


def gap(y_true, y_pred, *, sensitive_features):
    rates = [y_pred[sensitive_features == g].mean() for g in np.unique(sensitive_features)]
    return max(rates) - min(rates)


@pytest.mark.parametrize(
    "metric",
    [gap, flm.demographic_parity_difference, "demographic_parity_difference",
     flm.make_derived_metric(metric=flm.selection_rate, transform="difference"),
     functools.partial(flm.demographic_parity_difference, method="between_groups")],
    ids=stable_id,
)  # fmt: skip
def test_metric_given_in_any_way(metric):
    model = fitted(searched(metric=metric))
    expected = gap(Y, model.predict(X), sensitive_features=GROUP)
    assert model.metric_value_ == pytest.approx(expected)
    assert model.metric_value_ < 0.5 * model.baseline_metric_value_


def test_metric_of_probabilities():
    metric = make_fairness_metric(gap, response_method="predict_proba")
    model = fitted(searched(metric=metric, max_iter=8))
    assert model.metric_value_ == gap(Y, model.predict_proba(X)[:, 1], sensitive_features=GROUP)
    assert model.metric_value_ < model.baseline_metric_value_


def test_greater_is_better():
    metric = make_fairness_metric(flm.demographic_parity_ratio, greater_is_better=True)
    model = fitted(searched(metric=metric, max_iter=8))
    assert model.metric_value_ > model.baseline_metric_value_


@pytest.mark.parametrize("make", [classifier, regressor])
def test_metric_that_is_never_defined_leaves_the_baseline_model(make):
    model = make(metric=lambda y, p, *, sensitive_features: np.nan, max_iter=12)
    X, y, group = make_people() if make is classifier else make_wages()
    model.fit(X, y, sensitive_features=group)
    assert np.isnan(model.metric_value_)
    baseline = clone(model._default_estimator()).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), baseline.predict(X))


@pytest.mark.filterwarnings("ignore:the chosen model predicts a single value")
def test_metric_is_that_of_the_returned_pipeline():
    # The encoder maps its own training rows in another way than new ones.
    jobs = np.digitize(X, [-0.5, 0.5]).astype(float)
    pipeline = make_pipeline(TargetEncoder(cv=2), LogisticRegression())
    model = searched(estimator=pipeline, max_iter=4).fit(jobs, Y, sensitive_features=GROUP)
    predicted = model.estimator_.predict(jobs)
    assert model.metric_value_ == gap(Y, predicted, sensitive_features=GROUP)


def test_solver_object_sets_its_own_options():
    model = fitted(searched(solver=AlternatingSolver(5, min_gain=0.01), max_iter=None))
    assert model.n_refits_ <= 5
    assert fitted(searched(solver=AlternatingSolver(5), max_iter=2)).n_refits_ == 2
    copied = clone(model)
    assert vars(copied.solver) == vars(model.solver)
    assert "min_gain=0.01" in repr(model)


@pytest.mark.parametrize("metric", ["individual", "demographic_parity"])
def test_a_class_that_a_fold_lacks_is_never_predicted_there(metric):
    rng = np.random.default_rng(0)
    rare = np.where(np.arange(240) < 3, 2, rng.integers(0, 2, 240))
    folds = [(np.arange(3, 240), np.arange(0, 120)), (np.arange(0, 120), np.arange(120, 240))]
    model = classifier(metric=metric, cv=folds, max_iter=3)
    with pytest.warns(UndefinedMetricWarning, match="class 2 has no training sample in some fold"):
        fitted(model, rare)
    assert np.isfinite(model.metric_value_)
    assert model.predict_proba(X).shape == (240, 3)
