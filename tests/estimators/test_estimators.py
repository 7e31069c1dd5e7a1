"""The estimators: what a fit returns, and that it is the wrapped estimator's own fit."""

import pickle

import numpy as np
import pytest
from data import classifier, make_people, make_wages, regressor
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import (
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skbadr import BADRClassifier, BADRRegressor
from skbadr.metrics import get_metric

X, Y, GROUP = make_people()
XR, YR, GROUP_R = make_wages()

CLASSIFIERS = {
    "logistic": LogisticRegression(),
    "ridge": RidgeClassifier(),
    "sgd": SGDClassifier(random_state=0),
    "svm": SVC(),
    "bayes": GaussianNB(),
    "tree": DecisionTreeClassifier(max_depth=3, random_state=0),
    "forest": RandomForestClassifier(n_estimators=10, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=10, random_state=0),
    "hist": HistGradientBoostingClassifier(max_iter=10, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "nested": make_pipeline(make_pipeline(StandardScaler(), MinMaxScaler()), GaussianNB()),
    "search": GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3),
}
REGRESSORS = {
    "ridge": Ridge(),
    "tree": DecisionTreeRegressor(max_depth=3, random_state=0),
    "hist": HistGradientBoostingRegressor(max_iter=10),
    "pipeline": make_pipeline(StandardScaler(), Ridge()),
}


def predictions(model, X):
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    return getattr(model, method)(X)


CASES = [pytest.param(classifier(e), X, Y, GROUP, id=name) for name, e in CLASSIFIERS.items()]
CASES += [pytest.param(regressor(e), XR, YR, GROUP_R, id=f"{name} (regression)")
          for name, e in REGRESSORS.items()]  # fmt: skip


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("model", "X", "y", "group"), CASES)
def test_estimator_is_the_wrapped_one_fitted_with_the_weights(model, X, y, group, weighted):
    rng = np.random.default_rng(5)
    weight = rng.random(len(y)) if weighted else None
    model = clone(model).fit(X, y, sensitive_features=group, sample_weight=weight)
    found = model.compute_sample_weight(X, y, sensitive_features=group, sample_weight=weight)
    assert found.sum() == pytest.approx(len(y) if weight is None else weight.sum())
    last = model.estimator
    prefix = ""
    while hasattr(last, "steps"):
        prefix += f"{last.steps[-1][0]}__"
        last = last.steps[-1][1]
    again = clone(model.estimator).fit(X, y, **{f"{prefix}sample_weight": found})
    np.testing.assert_array_equal(predictions(model, X), predictions(again, X))
    np.testing.assert_array_equal(predictions(model, X), predictions(model.estimator_, X))


@pytest.mark.parametrize("partition", ["group", "group_target"])
@pytest.mark.parametrize(("model", "X", "y", "group"), CASES)
def test_weights_equal_to_the_shares_give_the_baseline_estimator(model, X, y, group, partition):
    model = clone(model).set_params(max_iter=1, partition=partition)
    model.fit(X, y, sensitive_features=group)
    baseline = clone(model.estimator).fit(X, y)
    np.testing.assert_array_equal(predictions(model, X), predictions(baseline, X))
    assert model.metric_value_ == model.baseline_metric_value_
    assert model.n_refits_ == 1


@pytest.mark.parametrize(("model", "X", "y", "group"), CASES)
def test_never_worse_than_the_baseline_model(model, X, y, group):
    model = clone(model).set_params(partition="group_target").fit(X, y, sensitive_features=group)
    assert model.metric_value_ <= model.baseline_metric_value_
    baseline = clone(model.estimator).fit(X, y).predict(X)
    metric = get_metric("demographic_parity", model._task)
    assert model.baseline_metric_value_ == metric(y, baseline, sensitive_features=group)
    assert model.metric_value_ == metric(y, model.predict(X), sensitive_features=group)


def test_more_refits_are_never_worse():
    values = []
    for budget in (1, 3, 8, 14):
        model = classifier(partition="group_target", trade_off=0.3, max_iter=budget)
        model.fit(X, Y, sensitive_features=GROUP)
        assert model.n_refits_ <= budget
        values.append(model.metric_value_ - 0.3 * model.scoring_value_)
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0] - 0.05


def check_attributes(model, X, n_cells):
    assert model.cell_weights_.shape == model.cells_.shape == (n_cells,)
    assert model.cell_losses_.shape == (n_cells,)
    assert model.cell_weights_.sum() == pytest.approx(1)
    assert (model.cell_weights_ > 0).all()
    assert model.n_features_in_ == X.shape[1]
    assert model.evaluated_on_ == "training data"
    results = model.results_
    n_visited = len(results["metric"])
    assert model.n_refits_ == n_visited
    assert 1 <= model.n_iter_ <= n_visited
    assert results["cell_weights"].shape == results["cell_losses"].shape == (n_visited, n_cells)
    assert {len(column) for column in results.values()} == {n_visited}
    assert (results["refit_time"] > 0).all()
    assert results["metric"][0] == model.baseline_metric_value_
    chosen = np.flatnonzero((results["cell_weights"] == model.cell_weights_).all(axis=1))
    assert results["metric"][chosen[0]] == model.metric_value_
    assert results["score"][chosen[0]] == model.scoring_value_
    np.testing.assert_array_equal(results["cell_losses"][chosen[0]], model.cell_losses_)
    assert results["pareto_optimal"][chosen[0]]


def test_fitted_attributes_of_a_classifier():
    model = classifier(partition="group_target", max_iter=10).fit(X, Y, sensitive_features=GROUP)
    check_attributes(model, X, 4)
    assert is_classifier(model)
    assert model.cells_.tolist() == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert model.classes_.tolist() == [0, 1]
    assert model.loss_name_ == "log_loss"
    assert model.scoring_value_ == accuracy_score(Y, model.predict(X))
    proba = model.predict_proba(X)[np.arange(len(Y)), Y]
    cells = [(g == GROUP) & (c == Y) for g, c in model.cells_]
    expected = [-np.log(proba[cell]).mean() for cell in cells]
    np.testing.assert_allclose(model.cell_losses_, expected)


def test_fitted_attributes_of_a_regressor():
    model = regressor(partition="group_target", n_target_bins=3).fit(
        XR, YR, sensitive_features=GROUP_R
    )
    check_attributes(model, XR, 6)
    assert is_regressor(model)
    assert not hasattr(model, "classes_")
    assert model.loss_name_ == "squared_error"
    assert model.scoring_value_ == pytest.approx(-np.mean((model.predict(XR) - YR) ** 2))


def test_groups_keep_their_type():
    model = classifier().fit(X, Y, sensitive_features=(GROUP == "a").astype(int))
    assert model.cells_.tolist() == [0, 1]
    assert model.cells_.dtype.kind == "i"
    np.testing.assert_allclose(
        model.results_["cell_weights"][0], [np.mean(GROUP == "b"), np.mean(GROUP == "a")]
    )


@pytest.mark.parametrize("method", ["predict_proba", "predict_log_proba", "decision_function"])
def test_methods_are_those_of_the_wrapped_estimator(method):
    for estimator in (LogisticRegression(), RidgeClassifier(), GaussianNB()):
        model = classifier(estimator)
        assert hasattr(model, method) == hasattr(estimator, method)
        model.fit(X, Y, sensitive_features=GROUP)
        assert hasattr(model, method) == hasattr(estimator, method)
        if hasattr(model, method):
            expected = getattr(model.estimator_, method)(X)
            np.testing.assert_array_equal(getattr(model, method)(X), expected)


def test_score_is_the_wrapped_estimators():
    y = np.exp(YR / 4)
    model = regressor(PoissonRegressor(max_iter=1000)).fit(XR, y, sensitive_features=GROUP_R)
    weight = np.linspace(0, 1, len(y))
    assert model.score(XR, y) == model.estimator_.score(XR, y)  # D^2 of the deviance, not R^2
    assert model.score(XR, y, weight) == model.estimator_.score(XR, y, weight)
    pipeline = classifier(make_pipeline(StandardScaler(), LogisticRegression()))
    pipeline.fit(X, Y, sensitive_features=GROUP)
    expected = accuracy_score(Y, pipeline.predict(X), sample_weight=weight)
    assert pipeline.score(X, Y, sample_weight=weight) == expected


def test_predicting_before_fitting():
    with pytest.raises(NotFittedError):
        classifier().predict(X)


def test_default_estimators():
    assert isinstance(BADRClassifier().fit(X, Y, sensitive_features=GROUP).estimator_,
                      LogisticRegression)  # fmt: skip
    assert isinstance(BADRRegressor().fit(XR, YR, sensitive_features=GROUP_R).estimator_, Ridge)


def test_wrapped_estimator_is_left_alone():
    estimator = make_pipeline(StandardScaler(), LogisticRegression())
    classifier(estimator).fit(X, Y, sensitive_features=GROUP)
    assert not hasattr(estimator[0], "mean_")
    assert not hasattr(estimator[-1], "coef_")


def test_pickles_to_little_more_than_the_model():
    rng = np.random.default_rng(0)
    many = rng.normal(size=(5000, 20))
    y = (many[:, 0] > 0).astype(int)
    group = rng.choice(["a", "b"], 5000)
    model = classifier(max_iter=12, random_state=0).fit(many, y, sensitive_features=group)
    stored = pickle.dumps(model)
    assert len(stored) < len(pickle.dumps(model.estimator_)) + 50_000
    loaded = pickle.loads(stored)
    np.testing.assert_array_equal(loaded.predict_proba(many), model.predict_proba(many))
    assert loaded.get_params().keys() == model.get_params().keys()


def test_clone_and_parameters():
    model = classifier(LogisticRegression(C=3), metric="equalized_odds", bound=0.9, cv=0.3)
    copied = clone(model.fit(X, Y, sensitive_features=GROUP))
    assert not hasattr(copied, "estimator_")
    assert copied.get_params()["estimator__C"] == 3
    copied.set_params(estimator__C=5, bound=0.2)
    assert (copied.estimator.C, copied.bound, model.estimator.C) == (5, 0.2, 3)
    with pytest.raises(ValueError, match="Invalid parameter"):
        copied.set_params(max_refits=3)


def test_representations():
    model = BADRClassifier(make_pipeline(StandardScaler(), LogisticRegression(C=3)), bound=0.9)
    assert "bound=0.9" in repr(model)
    assert "LogisticRegression(C=3)" in repr(model)
    for shown in (model, model.fit(X, Y, sensitive_features=GROUP)):
        page = shown._repr_html_()
        assert "StandardScaler" in page and "BADRClassifier" in page


def test_random_state_decides_everything():
    estimator = RandomForestClassifier(n_estimators=5)
    first, second, other = (
        classifier(estimator, random_state=seed, cv=0.4, max_iter=6)
        .fit(X, Y, sensitive_features=GROUP)
        .predict_proba(X)
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_random_state_seeds_what_is_unseeded_within():
    pipeline = make_pipeline(MinMaxScaler(), RandomForestClassifier(5))
    model = classifier(pipeline, random_state=0).fit(X, Y, sensitive_features=GROUP)
    assert isinstance(model.estimator_[-1].random_state, int)
    assert pipeline[-1].random_state is None
    seeded = classifier(RandomForestClassifier(5, random_state=9), random_state=0)
    assert seeded.fit(X, Y, sensitive_features=GROUP).estimator_.random_state == 9


def test_verbose(capsys):
    classifier().fit(X, Y, sensitive_features=GROUP)
    assert capsys.readouterr().out == ""
    classifier(verbose=1, partition="group_target", max_iter=8).fit(X, Y, sensitive_features=GROUP)
    improved = capsys.readouterr().out.splitlines()
    assert all(line.endswith("best so far") for line in improved)
    model = classifier(verbose=2, partition="group_target", max_iter=8)
    model.fit(X, Y, sensitive_features=GROUP)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_refits_ > len(improved) >= 2
    assert lines[0].startswith("[BADRClassifier] refit 1/8 (baseline)  metric ")


@pytest.mark.parametrize("trade_off", [0.0, 0.5])
# Without a price of the score the fairest model may be a single prediction.
@pytest.mark.filterwarnings("ignore:the chosen model predicts a single value")
def test_iris_has_three_classes(trade_off):
    X, y = load_iris(return_X_y=True)
    group = X[:, 0] > np.median(X[:, 0])
    estimator = LogisticRegression(max_iter=1000)
    model = classifier(estimator, partition="group_target", trade_off=trade_off)
    model.fit(X, y, sensitive_features=group)
    assert model.predict_proba(X).shape == (150, 3)
    assert model.metric_value_ <= model.baseline_metric_value_
    assert not trade_off or len(np.unique(model.predict(X))) > 1
