"""Pipelines, searches and metadata routing: around the estimators, and inside them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from data import classifier, make_people, stable_id
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skbadr import BADRClassifier
from skbadr.metrics import fairness_scorer

X, Y, GROUP = make_people()
WEIGHT = np.random.default_rng(1).integers(1, 4, len(Y)).astype(float)
PEOPLE = pd.DataFrame(X, columns=["skill", "luck", "noise", "proxy"]).assign(sex=GROUP)
NUMBERS = ["skill", "luck", "noise", "proxy"]


@pytest.fixture(params=[False, True], ids=["no routing", "routing"])
def routing(request):
    with config_context(enable_metadata_routing=request.param):
        yield request.param


def prefixed(routing, **params):
    """Name fit parameters for the last step of a pipeline."""
    if routing:
        return params
    return {f"badrclassifier__{name}": value for name, value in params.items()}


def check_same(first, second, X=X):
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_pipeline_around(routing):
    pipeline = make_pipeline(StandardScaler(), classifier())
    pipeline.fit(X, Y, **prefixed(routing, sensitive_features=GROUP))
    scaled = StandardScaler().fit_transform(X)
    expected = classifier().fit(scaled, Y, sensitive_features=GROUP)
    check_same(pipeline[-1], expected, scaled)
    assert pipeline.score(X, Y) == expected.score(scaled, Y)


def test_pipelines_around_and_inside_each_other(routing):
    inside = make_pipeline(make_pipeline(StandardScaler(), StandardScaler()), LogisticRegression())
    inside = make_pipeline(StandardScaler(), inside)
    pipeline = make_pipeline(StandardScaler(), classifier(inside))
    pipeline.fit(X, Y, **prefixed(routing, sensitive_features=GROUP))
    fitted = pipeline[-1].estimator_
    assert [len(fitted), len(fitted[1]), len(fitted[1][0])] == [2, 2, 2]
    weight = pipeline[-1].compute_sample_weight(X, Y, sensitive_features=GROUP)
    scaled = StandardScaler().fit_transform(X)
    with config_context(enable_metadata_routing=False):
        again = clone(inside)
        again.fit(scaled, Y, pipeline__logisticregression__sample_weight=weight)
    check_same(fitted, again, scaled)


def test_search_with_a_fairness_scorer(routing):
    search = GridSearchCV(
        classifier(),
        {"partition": ["group", "group_target"]},
        scoring={"fair": fairness_scorer(sensitive_columns=lambda X: X[:, 3] > 0.5),
                 "accuracy": "accuracy"},
        refit="fair",
        cv=3,
    ).fit(X, Y, sensitive_features=GROUP)  # fmt: skip
    fair = search.cv_results_["mean_test_fair"]
    assert (fair < 0).all() and fair[0] != fair[1]
    assert search.best_index_ == np.argmax(fair)
    assert search.best_estimator_.metric_value_ < search.best_estimator_.baseline_metric_value_


def test_search_with_routed_groups_for_the_scorer():
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            classifier(),
            {"bound": [0.9, 0.95]},
            scoring=fairness_scorer(),
            cv=3,
            error_score="raise",
        ).fit(X, Y, sensitive_features=GROUP)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_cross_validation(routing):
    scores = cross_validate(
        classifier(LogisticRegression()), X, Y, cv=3, params={"sensitive_features": GROUP},
        scoring={"fair": fairness_scorer(sensitive_columns=lambda X: X[:, 3] > 0.5)},
        error_score="raise",
    )  # fmt: skip
    assert (scores["test_fair"] <= 0).all()
    model = classifier(sensitive_columns=3, metric="accuracy_parity")
    rounded = np.column_stack([X[:, :3], X[:, 3] > 0.5])
    assert cross_val_score(model, rounded, Y, cv=3, params={}, error_score="raise").min() > 0.6


def test_search_inside():
    search = GridSearchCV(LogisticRegression(), {"C": [0.5, 1.0]}, cv=3)
    model = classifier(search, partition="group_target").fit(X, Y, sensitive_features=GROUP)
    assert model.estimator_.best_params_["C"] in (0.5, 1.0)
    assert model.metric_value_ < model.baseline_metric_value_
    assert model.score(X, Y) == model.estimator_.score(X, Y)


@pytest.mark.parametrize("columns", ["sex", ["sex"], 4, -1, ["sex", "older"]], ids=str)
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_columns_that_define_groups(frame, columns, routing):
    people = PEOPLE.assign(older=X[:, 2] > 0)
    encoder = make_column_transformer(
        (OneHotEncoder(), ["sex", "older"]), (StandardScaler(), NUMBERS)
    )
    model = classifier(make_pipeline(encoder, LogisticRegression()), sensitive_columns=columns)
    if columns == -1:
        columns = "older"
    people = frame(people.to_dict("list"))
    model.fit(people, Y)
    crossed = ["sex", "older"] if isinstance(columns, list) and len(columns) > 1 else columns
    names = {4: "sex"}.get(crossed, crossed) if not isinstance(crossed, list) else crossed
    given = people[names] if not isinstance(names, list) else people[names]
    expected = clone(model).set_params(sensitive_columns=None)
    expected.fit(people, Y, sensitive_features=given)
    assert model.cells_.tolist() == expected.cells_.tolist()
    check_same(model, expected, people)
    assert model.predict(people).shape == Y.shape


def test_columns_inside_a_pipeline(routing):
    encoder = make_column_transformer((OneHotEncoder(sparse_output=False), ["sex"]),
                                      remainder="passthrough")  # fmt: skip
    encoder.set_output(transform="pandas")
    model = classifier(sensitive_columns="onehotencoder__sex_b")
    pipeline = make_pipeline(encoder, model).fit(PEOPLE, Y)
    expected = classifier().fit(encoder.fit_transform(PEOPLE), Y, sensitive_features=GROUP)
    check_same(pipeline[-1], expected, encoder.transform(PEOPLE))
    assert pipeline[-1].cells_.tolist() == [0.0, 1.0]


class Noting(TransformerMixin, BaseEstimator):
    """Remembers the fit parameter `season` it was given."""

    __metadata_request__fit = {"season": True}

    def fit(self, X, y=None, season=None):
        self.season_ = season
        return self

    def transform(self, X):
        return X

    def __sklearn_is_fitted__(self):
        return True


class Seasoned(LogisticRegression):
    """Remembers the fit parameter `mood` it was given, row by row."""

    __metadata_request__fit = {"mood": True}

    def fit(self, X, y, sample_weight=None, mood=None):
        self.mood_ = mood
        assert mood is None or len(mood) == len(y)
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("cv", [None, 3])
def test_fit_parameters_of_inner_steps(routing, cv):
    inside = make_pipeline(Noting(), make_pipeline(StandardScaler(), Seasoned()))
    mood = np.arange(len(Y))
    names = ("season", "mood") if routing else ("noting__season", "pipeline__seasoned__mood")
    params = dict(zip(names, ("winter", mood), strict=True))
    model = classifier(inside, cv=cv).fit(X, Y, sensitive_features=GROUP, **params)
    assert model.estimator_[0].season_ == "winter"
    np.testing.assert_array_equal(model.estimator_[-1][-1].mood_, mood)
    model = classifier(Seasoned(), cv=cv).fit(X, Y, sensitive_features=GROUP, mood=mood)
    np.testing.assert_array_equal(model.estimator_.mood_, mood)


def test_fit_parameters_that_a_pipeline_transforms():
    # As HistGradientBoosting takes validation data.
    with config_context(enable_metadata_routing=True):
        inside = Pipeline([("scale", StandardScaler()), ("model", Seasoned())],
                          transform_input=["mood"])  # fmt: skip
        model = classifier(inside).fit(X, Y, sensitive_features=GROUP, mood=X)
    np.testing.assert_array_equal(model.estimator_[-1].mood_, StandardScaler().fit_transform(X))


def test_fit_parameters_that_reach_nobody(routing):
    model = classifier(make_pipeline(StandardScaler(), LogisticRegression()))
    error, words = (
        (TypeError, "unexpected argument") if routing else (ValueError, "reaches no step")
    )
    with pytest.raises(error, match=words):
        model.fit(X, Y, sensitive_features=GROUP, mood=Y)


def test_weights_of_the_last_step_are_not_for_the_user_to_set():
    model = classifier(make_pipeline(StandardScaler(), LogisticRegression()))
    with pytest.raises(ValueError, match="pass base weights to fit as sample_weight"):
        model.fit(X, Y, sensitive_features=GROUP, logisticregression__sample_weight=WEIGHT)


def test_weights_are_routed_from_outside():
    expected = classifier().fit(X, Y, sensitive_features=GROUP, sample_weight=WEIGHT)
    with config_context(enable_metadata_routing=True):
        pipeline = Pipeline([("model", classifier().set_fit_request(sample_weight=True))])
        pipeline.fit(X, Y, sensitive_features=GROUP, sample_weight=WEIGHT)
        check_same(pipeline[-1], expected)
        with pytest.raises(TypeError, match="sample_weight.*not routed to any object"):
            Pipeline([("model", classifier().set_fit_request(sample_weight=False))]).fit(
                X, Y, sensitive_features=GROUP, sample_weight=WEIGHT
            )
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            Pipeline([("model", classifier())]).fit(
                X, Y, sensitive_features=GROUP, sample_weight=WEIGHT
            )
        # Whatever the wrapped estimator requests, it gets the searched weights.
        for request in (True, False):
            inner = LogisticRegression().set_fit_request(sample_weight=request)
            model = classifier(inner).fit(X, Y, sensitive_features=GROUP, sample_weight=WEIGHT)
            check_same(model, expected)


def test_users_weights_reach_transformers_that_request_them():
    scaler = StandardScaler()
    with config_context(enable_metadata_routing=True):
        inside = make_pipeline(scaler.set_fit_request(sample_weight=True), LogisticRegression())
        for cv in (None, 3):
            model = classifier(inside, cv=cv)
            model.fit(X, Y, sensitive_features=GROUP, sample_weight=WEIGHT)
            means = model.estimator_[0].mean_
            np.testing.assert_allclose(means, np.average(X, axis=0, weights=WEIGHT))
    baseline = classifier(make_pipeline(StandardScaler(), LogisticRegression()))
    baseline.fit(X, Y, sensitive_features=GROUP, sample_weight=WEIGHT)
    np.testing.assert_allclose(baseline.estimator_[0].mean_, X.mean(axis=0))


def test_cached_transformers(tmp_path, routing):
    inside = Pipeline([("first", StandardScaler()), ("second", StandardScaler()),
                       ("model", LogisticRegression())], memory=str(tmp_path))  # fmt: skip
    expected = classifier(Pipeline(inside.steps)).fit(X, Y, sensitive_features=GROUP)
    for _ in range(2):
        model = classifier(inside).fit(X, Y, sensitive_features=GROUP)
        check_same(model, expected)
        assert model.estimator_.memory == str(tmp_path)
    pipeline = make_pipeline(StandardScaler(), classifier(), memory=str(tmp_path))
    pipeline.fit(X, Y, **prefixed(routing, sensitive_features=GROUP))


def test_steps_left_out():
    inside = Pipeline([("first", "passthrough"), ("second", None), ("model", LogisticRegression())])
    model = classifier(inside).fit(X, Y, sensitive_features=GROUP)
    check_same(model, classifier().fit(X, Y, sensitive_features=GROUP))
    alone = Pipeline([("model", DecisionTreeClassifier(max_depth=2))])
    assert len(classifier(alone).fit(X, Y, sensitive_features=GROUP).estimator_) == 1


class Halving(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X[::2]

    def __sklearn_is_fitted__(self):
        return True


def test_transformers_must_keep_the_rows():
    with pytest.raises(ValueError, match="turned 240 samples into 120"):
        classifier(make_pipeline(Halving(), LogisticRegression())).fit(
            X, Y, sensitive_features=GROUP
        )


def test_requests_of_the_estimator():
    with config_context(enable_metadata_routing=True):
        requests = BADRClassifier().get_metadata_routing()
        assert requests.consumes("fit", ["sensitive_features", "season"]) == {"sensitive_features"}


IDS = np.random.default_rng(5).integers(0, 6, len(Y))
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)


class Halves:
    """A splitter of one's own, which keeps groups together."""

    def split(self, X, y=None, groups=None):
        even = np.asarray(groups) % 2 == 0
        yield np.flatnonzero(even), np.flatnonzero(~even)
        yield np.flatnonzero(~even), np.flatnonzero(even)

    def get_n_splits(self, X=None, y=None, groups=None):
        return 2


SPLITTERS = [
    GroupKFold(3), StratifiedGroupKFold(3), GroupShuffleSplit(2, random_state=0),
    LeaveOneGroupOut(), Halves(),
]  # fmt: skip


def held_out(cv, estimator=TREE):
    return classifier(estimator, cv=cv, partition="group_target", max_iter=3)


@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda cv: type(cv).__name__)
@pytest.mark.parametrize("form", [np.asarray, np.ndarray.tolist, pd.Series])
def test_splitters_that_keep_groups_together(splitter, form):
    model = held_out(splitter).fit(X, Y, sensitive_features=GROUP, groups=form(IDS))
    expected = held_out(list(splitter.split(X, Y, IDS))).fit(X, Y, sensitive_features=GROUP)
    np.testing.assert_array_equal(model.results_["metric"], expected.results_["metric"])


def test_groups_for_cv_do_not_keep_a_problem_from_being_smooth():
    model = BADRClassifier(cv=GroupKFold(3), partition="group_target", trade_off=1.0)
    model.fit(X, Y, sensitive_features=GROUP, groups=IDS)
    assert model.n_refits_ < len(model.results_["metric"])


def test_groups_inside_and_around_pipelines(routing):
    inside = make_pipeline(StandardScaler(), TREE)
    pipeline = make_pipeline(StandardScaler(), held_out(GroupKFold(3), inside))
    pipeline.fit(X, Y, **prefixed(routing, sensitive_features=GROUP, groups=IDS))
    scaled = StandardScaler().fit_transform(X)
    expected = held_out(list(GroupKFold(3).split(X, Y, IDS)), inside)
    expected.fit(scaled, Y, sensitive_features=GROUP)
    assert pipeline[-1].metric_value_ == expected.metric_value_


@pytest.mark.parametrize("cv", [None, 3, GroupKFold(3)], ids=str)
def test_groups_of_a_search_inside(cv, routing):
    tree = clone(TREE)
    if routing:
        tree.set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
    search = GridSearchCV(tree, {"max_depth": [2, 3]}, cv=GroupKFold(3))
    model = held_out(cv, search).fit(X, Y, sensitive_features=GROUP, groups=IDS)
    assert model.metric_value_ <= model.baseline_metric_value_


def test_groups_of_nested_searches():
    with config_context(enable_metadata_routing=True):
        for cv in (GroupKFold(3), 3):
            search = GridSearchCV(
                held_out(GroupKFold(2)), {"trade_off": [0.0, 1.0]}, cv=cv, error_score="raise"
            ).fit(X, Y, sensitive_features=GROUP, groups=IDS)
            assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        params = {"sensitive_features": GROUP, "groups": IDS}
        model = make_pipeline(StandardScaler(), held_out(StratifiedGroupKFold(2)))
        scores = cross_val_score(model, X, Y, cv=GroupKFold(3), params=params, error_score="raise")
        assert scores.min() > 0.5


@pytest.mark.parametrize("splitter", SPLITTERS[:1] + SPLITTERS[3:], ids=stable_id)
def test_splitters_that_miss_their_groups(splitter, routing):
    with pytest.raises(ValueError, match="keeps groups of samples together: pass groups to fit"):
        held_out(splitter).fit(X, Y, sensitive_features=GROUP)


def test_groups_of_another_length():
    with pytest.raises(ValueError, match="groups has 239 rows but X has 240"):
        held_out(GroupKFold(3)).fit(X, Y, sensitive_features=GROUP, groups=IDS[:-1])
