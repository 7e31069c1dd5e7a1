"""Fairness as a scorer, wherever scikit-learn takes one."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import clone, is_regressor
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, check_scoring
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from skbadr import BADRClassifier
from skbadr.metrics import FairnessMetric, fairness_scorer, get_metric, make_fairness_metric


def make_data(n=240, seed=0):
    rng = np.random.default_rng(seed)
    sex = np.where(rng.random(n) < 0.4, "f", "m")
    X = pd.DataFrame({"sex": sex, "a": rng.normal(size=n) + (sex == "f"), "b": rng.normal(size=n)})
    score = X["a"] + X["b"] + rng.normal(size=n)
    return X, np.where(score > 0.5, "good", "bad"), score.to_numpy()


X, Y, REAL = make_data()
GROUPS = X["sex"]
NUMBERS = X[["a", "b"]]
parity, odds = get_metric("demographic_parity"), get_metric("equalized_odds")


def encoded(model):
    return make_pipeline(
        make_column_transformer((OneHotEncoder(), ["sex"]), remainder=StandardScaler()), model
    )


def scores_by_hand(metric, model, data, y, cv=4, **options):
    """Return the metric on each test fold."""
    values = []
    for train, test in KFold(cv).split(data):
        fitted = clone(model).fit(data.iloc[train], y[train])
        values.append(
            metric(y[test], fitted.predict(data.iloc[test]), sensitive_features=GROUPS.iloc[test])
        )
    return np.array(values)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        lambda model: make_pipeline(StandardScaler(), model),
        lambda model: GridSearchCV(make_pipeline(model), {}),
        lambda model: BADRClassifier(model, sensitive_columns=lambda X: X["a"] > 0, max_iter=2),
    ],
    ids=["alone", "pipeline", "search", "badr"],
)
def test_losses_of_groups_are_of_the_loss_that_is_trained_on(wrap):
    scorer = fairness_scorer("worst_group_loss", sensitive_columns=lambda X: X["a"] > 0)
    model = wrap(LogisticRegression()).fit(NUMBERS, Y)
    metric = get_metric("worst_group_loss", loss="log_loss")
    value = metric(Y, model.predict_proba(NUMBERS), sensitive_features=NUMBERS["a"] > 0)
    assert scorer(model, NUMBERS, Y) == -value
    if not isinstance(model, BADRClassifier):
        model = wrap(LinearSVC()).fit(NUMBERS, Y)
        metric = get_metric("worst_group_loss", loss="squared_hinge")
        value = metric(Y, model.decision_function(NUMBERS), sensitive_features=NUMBERS["a"] > 0)
        assert scorer(model, NUMBERS, Y) == -value


def test_value_and_sign():
    model = LogisticRegression().fit(NUMBERS, Y)
    predicted = model.predict(NUMBERS)
    for name, sign in (("demographic_parity", -1), ("demographic_parity_ratio", 1)):
        value = get_metric(name)(Y, predicted, sensitive_features=GROUPS)
        scorer = fairness_scorer(name)
        assert scorer(model, NUMBERS, Y, sensitive_features=GROUPS) == sign * value
    weight = np.arange(len(Y)) % 3
    value = parity(Y, predicted, sensitive_features=GROUPS, sample_weight=weight)
    assert -value == fairness_scorer()(
        model, NUMBERS, Y, sensitive_features=GROUPS, sample_weight=weight
    )


@pytest.mark.parametrize("columns", ["sex", ["sex"], 0, -3, lambda given: given["sex"]])
def test_groups_from_columns(columns):
    model = encoded(LogisticRegression()).fit(X, Y)
    score = fairness_scorer("equalized_odds", columns)(model, X, Y)
    assert score == -odds(Y, model.predict(X), sensitive_features=GROUPS)


def test_groups_from_columns_of_an_array():
    """Names seen in fit serve where X has none."""
    data = NUMBERS.assign(old=(NUMBERS["b"] > 0).astype(float))
    model = LogisticRegression().fit(data, Y)
    expected = -parity(Y, model.predict(data), sensitive_features=data["old"])
    for columns in ("old", -1):
        scorer = fairness_scorer(sensitive_columns=columns)
        assert scorer(model, data, Y) == expected
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            assert scorer(model, data.to_numpy(), Y) == expected


def test_groups_from_columns_of_polars():
    data = pl.DataFrame({"sex": GROUPS.tolist(), "a": X["a"].to_numpy()})
    model = make_pipeline(make_column_transformer(("passthrough", ["a"])), LogisticRegression())
    model.fit(data, Y)
    expected = -parity(Y, model.predict(data), sensitive_features=GROUPS)
    assert fairness_scorer(sensitive_columns="sex")(model, data, Y) == expected


def test_options_and_callables():
    model = LogisticRegression().fit(NUMBERS, Y)
    mean = get_metric("equalized_odds", agg="mean")
    scorer = fairness_scorer("equalized_odds", agg="mean")
    expected = -mean(Y, model.predict(NUMBERS), sensitive_features=GROUPS)
    assert scorer(model, NUMBERS, Y, sensitive_features=GROUPS) == expected

    def brier_gap(y_true, y_pred, *, sensitive_features):
        error = (y_pred - (y_true == "good")) ** 2
        return np.ptp([error[sensitive_features == group].mean() for group in ("f", "m")])

    metric = make_fairness_metric(brier_gap, response_method="predict_proba")
    proba = model.predict_proba(NUMBERS)[:, 1]
    expected = -brier_gap(Y, proba, sensitive_features=GROUPS)
    score = fairness_scorer(metric)(model, NUMBERS, Y, sensitive_features=GROUPS)
    assert score == pytest.approx(expected)


def test_regressors_take_the_metric_of_that_name():
    model = Ridge().fit(NUMBERS, REAL)
    predicted = model.predict(NUMBERS)
    expected = -abs(predicted[GROUPS == "f"].mean() - predicted[GROUPS == "m"].mean())
    score = fairness_scorer("demographic_parity")(model, NUMBERS, REAL, sensitive_features=GROUPS)
    assert score == pytest.approx(expected)
    with pytest.raises(ValueError, match="'equalized_odds' is for classification"):
        fairness_scorer("equalized_odds")(model, NUMBERS, REAL, sensitive_features=GROUPS)


def test_integers_are_real_targets_for_a_regressor():
    class Task(FairnessMetric):
        def value(self, evaluation_set, response):
            self.task = evaluation_set.task
            return 0.0

    metric, whole = Task("task"), np.rint(REAL).astype(int)
    for model in (DummyRegressor(strategy="constant", constant=1), DummyClassifier()):
        model.fit(NUMBERS, whole)
        fairness_scorer(metric)(model, NUMBERS, whole, sensitive_features=GROUPS)
        assert metric.task == ("regression" if is_regressor(model) else "classification")


def test_parts_of_the_data_may_lack_classes():
    """The estimator's classes count: of three, two remain no binary problem."""
    y = np.array(["a", "b", "c"])[np.digitize(REAL, [0.0, 1.0])]
    model = LogisticRegression().fit(NUMBERS, y)
    rows = np.flatnonzero((y != "b") & (model.predict(NUMBERS) != "b"))
    predicted = model.predict(NUMBERS)[rows]
    groups = GROUPS.iloc[rows]
    score = fairness_scorer()(model, NUMBERS.iloc[rows], y[rows], sensitive_features=groups)
    shares = [[(predicted[groups == g] == c).mean() for g in ("f", "m")] for c in "abc"]
    assert score == pytest.approx(-np.ptp(shares, axis=1).max())
    # A single label is no riddle, either.
    rows = np.flatnonzero((y == "a") & (model.predict(NUMBERS) == "a"))
    arguments = NUMBERS.iloc[rows], y[rows]
    assert fairness_scorer()(model, *arguments, sensitive_features=GROUPS.iloc[rows]) == 0.0


@pytest.mark.parametrize("routing", [False, True])
def test_cross_validate_by_columns(routing):
    model = encoded(LogisticRegression())
    scorer = fairness_scorer("equalized_odds", "sex")
    with config_context(enable_metadata_routing=routing):
        scores = cross_val_score(model, X, Y, cv=KFold(4), scoring=scorer, params={})
    np.testing.assert_allclose(scores, -scores_by_hand(odds, model, X, Y))


def test_cross_validate_by_routing():
    model = LogisticRegression()
    with config_context(enable_metadata_routing=True):
        result = cross_validate(
            model,
            NUMBERS,
            Y,
            cv=KFold(4),
            scoring=fairness_scorer("demographic_parity"),
            params={"sensitive_features": GROUPS},
        )
    np.testing.assert_allclose(result["test_score"], -scores_by_hand(parity, model, NUMBERS, Y))


@pytest.mark.parametrize("routing", [False, True])
def test_multimetric_search_by_columns(routing):
    with config_context(enable_metadata_routing=routing):
        search = GridSearchCV(
            encoded(LogisticRegression()),
            {"logisticregression__C": [1e-3, 1.0]},
            scoring={"accuracy": "accuracy", "fairness": fairness_scorer("equalized_odds", "sex")},
            refit="fairness",
            cv=KFold(4),
        ).fit(X, Y)
    results = search.cv_results_
    for i, C in enumerate((1e-3, 1.0)):
        model = encoded(LogisticRegression(C=C))
        expected = scores_by_hand(odds, model, X, Y)
        np.testing.assert_allclose(results["mean_test_fairness"][i], -expected.mean())
    assert results["mean_test_accuracy"][1] > 0.6
    assert search.best_index_ == np.argmax(results["mean_test_fairness"])


def test_multimetric_search_by_routing():
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            BADRClassifier(LogisticRegression(), max_iter=3),
            {"trade_off": [0.0, 10.0]},
            scoring={"accuracy": "accuracy", "fairness": fairness_scorer()},
            refit="accuracy",
            cv=KFold(3),
        ).fit(NUMBERS, Y, sensitive_features=GROUPS)
        model = BADRClassifier(LogisticRegression(), max_iter=3)
        train, test = next(KFold(3).split(NUMBERS))
        model.fit(NUMBERS.iloc[train], Y[train], sensitive_features=GROUPS.iloc[train])
    predicted = model.predict(NUMBERS.iloc[test])
    value = parity(Y[test], predicted, sensitive_features=GROUPS.iloc[test])
    assert search.cv_results_["split0_test_fairness"][0] == pytest.approx(-value)
    accuracy = accuracy_score(Y[test], predicted)
    assert search.cv_results_["split0_test_accuracy"][0] == pytest.approx(accuracy)


def test_sample_weight_is_routed_where_requested():
    weight = np.random.default_rng(1).integers(0, 4, len(Y)).astype(float)
    model = LogisticRegression()
    metadata = {"sensitive_features": GROUPS, "sample_weight": weight}
    options = {"cv": KFold(2), "params": metadata}
    with config_context(enable_metadata_routing=True):
        scorer = fairness_scorer().set_score_request(sample_weight=True)
        model.set_fit_request(sample_weight=False)
        scores = cross_validate(model, NUMBERS, Y, scoring=scorer, **options)["test_score"]
        undecided = fairness_scorer()
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            cross_validate(model, NUMBERS, Y, scoring=undecided, **options)
    for score, (train, test) in zip(scores, KFold(2).split(NUMBERS), strict=True):
        predicted = clone(model).fit(NUMBERS.iloc[train], Y[train]).predict(NUMBERS.iloc[test])
        assert score == -parity(
            Y[test], predicted, sensitive_features=GROUPS.iloc[test], sample_weight=weight[test]
        )


def test_without_groups():
    model = LogisticRegression().fit(NUMBERS, Y)
    with pytest.raises(ValueError, match="has no groups: give sensitive_columns"):
        fairness_scorer()(model, NUMBERS, Y)
    with pytest.raises(TypeError, match="unknown metadata"):
        fairness_scorer().set_score_request(groups=True)


@pytest.mark.parametrize("metric", ["equalised_odds", 3])
def test_bad_metrics_are_refused_at_once(metric):
    with pytest.raises((ValueError, TypeError), match="metric"):
        fairness_scorer(metric)


def test_scorer_is_a_scorer():
    scorer = fairness_scorer("equalized_odds", "sex", agg="mean")
    assert check_scoring(LogisticRegression(), scoring=scorer) is scorer
    model = encoded(LogisticRegression()).fit(X, Y)
    copied = clone(GridSearchCV(model, {}, scoring=scorer)).scoring
    for twin in (copied, pickle.loads(pickle.dumps(scorer))):
        assert repr(twin) == "fairness_scorer('equalized_odds', 'sex')"
        assert twin(model, X, Y) == scorer(model, X, Y)


def scores_by_threshold(metric, y, thresholds):
    """Return a metric at each threshold, its mean over three folds."""
    values = []
    for train, test in StratifiedKFold(3).split(NUMBERS, y):
        model = LogisticRegression().fit(NUMBERS.iloc[train], y[train])
        proba = model.predict_proba(NUMBERS.iloc[test])[:, 1]
        labels = [model.classes_[(proba >= threshold).astype(int)] for threshold in thresholds]
        groups = GROUPS.iloc[test]
        values.append([metric(y[test], label, sensitive_features=groups) for label in labels])
    return np.mean(values, axis=0)


class OnNumbers(LogisticRegression):
    """A logistic regression that leaves the groups out."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X[["a", "b"]], y, sample_weight)

    def predict_proba(self, X):
        return super().predict_proba(X[["a", "b"]])


THRESHOLDS = np.linspace(0.3, 0.7, 5)


@pytest.mark.parametrize("y", [Y, (Y == "good").astype(int)], ids=["text", "numbers"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("equalized_odds", {"agg": "mean"}),
        ("demographic_parity_ratio", {}),
        ("accuracy_parity", {}),
    ],
)
@pytest.mark.parametrize("routing", [False, True])
def test_tuned_thresholds(y, name, options, routing):
    metric = get_metric(name, **options)
    sign = 1.0 if metric.greater_is_better else -1.0
    expected = sign * scores_by_threshold(metric, y, THRESHOLDS)
    tuned = TunedThresholdClassifierCV(
        LogisticRegression() if routing else OnNumbers(),
        scoring=fairness_scorer(name, None if routing else "sex", **options),
        thresholds=THRESHOLDS,
        cv=3,
        store_cv_results=True,
    )
    with config_context(enable_metadata_routing=routing):
        if routing:
            tuned.fit(NUMBERS, y, sensitive_features=GROUPS)
        else:
            tuned.fit(X, y)
    np.testing.assert_allclose(tuned.cv_results_["scores"], expected)
    assert tuned.best_score_ == pytest.approx(expected.max())
    assert tuned.best_threshold_ == THRESHOLDS[np.argmax(expected)]


def test_a_ratio_of_nobody_is_not_best():
    scorer = fairness_scorer("demographic_parity_ratio", "sex")
    tuned = TunedThresholdClassifierCV(OnNumbers(), scoring=scorer, thresholds=[0.5, 1.1], cv=2)
    assert tuned.fit(X, Y).best_threshold_ == 0.5


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize(
    "columns", ["sex", 0, lambda data: np.asarray(data)[:, 0] == "f"], ids=["name", "place", "call"]
)
def test_tuned_thresholds_of_a_fair_classifier(columns, n_jobs):
    if n_jobs is not None and callable(columns):
        pytest.skip("a lambda does not reach another process")
    model = BADRClassifier(encoded(LogisticRegression()), sensitive_columns="sex", max_iter=4)
    scorer = fairness_scorer("equalized_odds", columns)
    tuned = TunedThresholdClassifierCV(model, scoring=scorer, cv=2, thresholds=5, n_jobs=n_jobs)
    assert -1.0 <= tuned.fit(X, Y).best_score_ <= 0.0


@pytest.mark.parametrize("cv", ["prefit", 0.5])
def test_thresholds_of_one_split(cv):
    model = OnNumbers().fit(X, Y) if cv == "prefit" else OnNumbers()
    tuned = TunedThresholdClassifierCV(
        model, scoring=fairness_scorer(sensitive_columns="sex"), cv=cv, refit=False, thresholds=7
    )
    assert tuned.fit(X, Y).best_score_ <= 0.0


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        (fairness_scorer("covariance", "sex"), "covariance is a metric of .*which no threshold"),
        (fairness_scorer(), "the fairness scorer has no groups"),
    ],
)
def test_thresholds_that_cannot_be_tuned(scorer, message):
    with pytest.raises(ValueError, match=message):
        TunedThresholdClassifierCV(OnNumbers(), scoring=scorer, cv=2).fit(X, Y)
