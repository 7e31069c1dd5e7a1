"""The estimators on every kind of data: labels, containers, weights, groups, text."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from data import classifier, make_people, make_wages, regressor, stable_id
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import DataConversionWarning
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer, make_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from skbadr.metrics import get_metric

X, Y, GROUP = make_people()
N = len(Y)
NAMES = ["age", "skill", "hours", "years"]


def fitted(model=None, data=X, y=Y, group=GROUP, **fit_params):
    model = classifier(partition="group_target") if model is None else model
    return model.fit(data, y, sensitive_features=group, **fit_params)


REFERENCE = fitted()


@pytest.mark.parametrize(
    "labels",
    [["no", "yes"], [False, True], [-1, 1], [1, 2], [0.0, 1.0], ["b", "a"]],
    ids=stable_id,
)
def test_labels_of_any_type(labels):
    y = np.array(labels)[Y]
    model = fitted(y=y)
    assert model.classes_.tolist() == sorted(labels)
    assert model.classes_.dtype == model.predict(X).dtype == y.dtype
    if sorted(labels) == labels:
        assert model.metric_value_ == REFERENCE.metric_value_
        np.testing.assert_array_equal(model.cell_weights_, REFERENCE.cell_weights_)
    assert model.cells_.tolist() == [(g, c) for g in "ab" for c in sorted(labels)]


@pytest.mark.parametrize(
    "y",
    [
        Y.tolist(),
        pd.Series(Y, index=np.arange(N)[::-1]),
        pd.Series(Y).astype("Int64"),
        pd.Series(Y).astype("category"),
        pd.Series(Y == 1).astype("boolean"),
        pd.Series(np.where(Y, "yes", "no")).astype("string"),
        pl.Series(Y),
        pl.Series(np.where(Y, "yes", "no")),
        np.where(Y, "yes", "no").astype(object),
    ],
    ids=lambda y: f"{type(y).__module__.partition('.')[0]} {getattr(y, 'dtype', '')}",
)
def test_targets_in_any_container(y):
    model = fitted(y=y)
    np.testing.assert_array_equal(model.cell_weights_, REFERENCE.cell_weights_)
    assert (model.predict(X) == model.classes_[REFERENCE.predict(X)]).all()


def test_column_of_targets_is_flattened_with_a_warning():
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = fitted(y=Y[:, None])
    np.testing.assert_array_equal(model.predict(X), REFERENCE.predict(X))


@pytest.mark.parametrize("n_classes", [3, 4])
def test_multiclass(n_classes):
    _, y, group = make_people(n_classes=n_classes)
    labels = np.array(["low", "mid", "top", "best"])[:n_classes]
    estimator = LogisticRegression(max_iter=1000)
    model = fitted(classifier(estimator, partition="group_target", max_iter=8), y=labels[y])
    assert model.cells_.shape == (2 * n_classes,)
    assert model.metric_value_ < model.baseline_metric_value_
    assert set(model.predict(X)) <= set(labels)
    assert model.predict_proba(X).shape == (N, n_classes)


CONTAINERS = {
    "list": X.tolist(),
    "pandas": pd.DataFrame(X, columns=NAMES, index=np.arange(N)[::-1]),
    "polars": pl.DataFrame(X, schema=NAMES),
    "fortran": np.asfortranarray(X),
    "csr": sparse.csr_array(X),
    "csc": sparse.csc_matrix(X),
    "coo": sparse.coo_array(X),
}


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("container", CONTAINERS)
def test_features_in_any_container(container, cv):
    data = CONTAINERS[container]
    # The order of summation differs between dense and sparse data.
    estimator = DecisionTreeClassifier(max_depth=3, random_state=0)
    expected = fitted(classifier(estimator, cv=cv))
    model = fitted(classifier(estimator, cv=cv), data)
    np.testing.assert_array_equal(model.cell_weights_, expected.cell_weights_)
    np.testing.assert_array_equal(model.predict(data), expected.predict(X))
    assert model.n_features_in_ == 4
    if hasattr(data, "columns"):
        assert model.feature_names_in_.tolist() == NAMES
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict(type(data)({name: [1.0] for name in ["old", *NAMES[1:]]}))
    else:
        with pytest.raises(ValueError, match="5 features"):
            model.predict(np.ones((2, 5)))


def test_data_of_mixed_types_reach_the_estimator_whole():
    people = pd.DataFrame({"job": np.where(X[:, 1] > 0, "nurse", "smith"), "skill": X[:, 0]})
    people.loc[::7, "skill"] = np.nan
    encoder = make_column_transformer((OneHotEncoder(), ["job"]), remainder="passthrough")
    model = classifier(make_pipeline(encoder, HistGradientBoostingClassifier(max_iter=5)))
    model.set_params(sensitive_columns="job").fit(people, Y)
    assert model.cells_.tolist() == ["nurse", "smith"]
    assert model.estimator_[-1].n_features_in_ == 3


@pytest.mark.parametrize("cv", [None, 0.4])
def test_missing_values_are_the_estimators_business(cv):
    holed = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    model = fitted(classifier(HistGradientBoostingClassifier(max_iter=5), cv=cv), holed)
    assert model.predict(holed).shape == (N,)
    with pytest.raises(ValueError, match="contains NaN"):
        fitted(classifier(LogisticRegression()), holed)


@pytest.mark.parametrize("make", [list, np.array, pd.Series], ids=lambda make: make.__name__)
def test_text(make):
    words = np.where(X[:, 0] > 0, "good day", "bad night")
    model = classifier(make_pipeline(CountVectorizer(), LogisticRegression()))
    model.fit(make(words), Y, sensitive_features=GROUP)
    assert not hasattr(model, "n_features_in_")
    assert model.predict(make(words)).shape == (N,)
    model.set_params(sensitive_columns=lambda texts: ["good" in text for text in texts])
    assert model.fit(make(words), Y).cells_.tolist() == [False, True]


def test_one_dimensional_numbers_where_the_estimator_takes_them():
    wages = make_wages()[1]
    model = regressor(IsotonicRegression(out_of_bounds="clip"))
    model.fit(X[:, 0], wages, sensitive_features=GROUP)
    assert model.predict(X[:5, 0]).shape == (5,)


def test_integer_weights_are_repetitions():
    weight = np.random.default_rng(0).integers(1, 4, N)
    tight = LogisticRegression(tol=1e-10, max_iter=1000)
    model = classifier(tight, partition="group_target", max_iter=8)
    weighted = fitted(model, sample_weight=weight).predict_proba(X)
    weights = model.cell_weights_
    fitted(model, X.repeat(weight, 0), Y.repeat(weight), GROUP.repeat(weight))
    np.testing.assert_allclose(model.cell_weights_, weights, rtol=1e-6)
    np.testing.assert_allclose(model.predict_proba(X), weighted, rtol=1e-5)


def rate_of_ones(estimator, X, y):
    """A scorer that takes no weights."""
    return float(np.mean(estimator.predict(X) == y))


ZERO_WEIGHT_SETTINGS = [
    {},
    {"partition": "group_target", "max_iter": 8},
    {"cv": 0.4},
    {"cv": 3},
    pytest.param(
        {"cv": 3, "partition": "group_target", "scoring": "neg_log_loss", "trade_off": 1.0},
        marks=pytest.mark.slow,
    ),
    {"scoring": rate_of_ones, "trade_off": 1.0},
    {"scoring": make_scorer(lambda y, p: np.mean(y == p)), "trade_off": 1.0, "cv": 3},
    {"metric": lambda y_true, y_pred, *, sensitive_features: np.mean(y_pred)},
    {"init": "uniform"},
]


@pytest.mark.parametrize("params", ZERO_WEIGHT_SETTINGS, ids=stable_id)
def test_rows_of_weight_zero_influence_nothing(params):
    weight = np.random.default_rng(1).integers(0, 3, N).astype(float)
    kept = weight > 0
    model = classifier(DecisionTreeClassifier(max_depth=3, random_state=0), **params)
    fitted(model, sample_weight=weight)
    every = {name: getattr(model, name) for name in ("cell_weights_", "metric_value_")}
    every |= {"cell_losses_": model.cell_losses_, "scoring_value_": model.scoring_value_}
    proba = model.predict_proba(X)
    fitted(model, X[kept], Y[kept], GROUP[kept], sample_weight=weight[kept])
    for name, value in every.items():
        np.testing.assert_allclose(getattr(model, name), value, rtol=1e-9)
    np.testing.assert_allclose(model.predict_proba(X), proba, rtol=1e-9)


def test_targets_of_weight_zero_do_not_move_bins():
    wages = make_wages()[1]
    weight = np.where(wages > np.quantile(wages, 0.7), 0.0, 1.0)
    kept = weight > 0
    model = regressor(HistGradientBoostingRegressor(max_iter=3), partition="group_target")
    labels = model.fit(X, wages, sensitive_features=GROUP, sample_weight=weight).cells_.tolist()
    model.fit(X[kept], wages[kept], sensitive_features=GROUP[kept])
    assert model.cells_.tolist() == labels


@given(seed=st.integers(0, 10**6), scale=st.floats(1e-3, 1e3))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_sample_weights_in_another_unit_mean_the_same(seed, scale):
    weight = np.random.default_rng(seed).random(N) + 0.1
    # A tree: a ridge would weigh less against more.
    estimator = DecisionTreeClassifier(max_depth=2, random_state=0)
    first = fitted(classifier(estimator), sample_weight=weight)
    second = fitted(classifier(estimator), sample_weight=scale * weight)
    np.testing.assert_allclose(second.cell_weights_, first.cell_weights_, rtol=1e-6)
    assert second.metric_value_ == pytest.approx(first.metric_value_, rel=1e-6)


def spread(y_true, y_pred, *, sensitive_features):
    """A metric of one's own, which gets groups in the container they were given in."""
    return get_metric("demographic_parity")(y_true, y_pred, sensitive_features=sensitive_features)


AGE = np.where(X[:, 2] > 0, "old", "young")
ONE = [GROUP, GROUP.tolist(), pd.Series(GROUP, index=np.arange(N)[::-1]), pl.Series(GROUP),
       pd.Index(GROUP), pd.Categorical(GROUP), pd.array(GROUP, dtype="string"), GROUP[:, None],
       pd.DataFrame({"sex": GROUP}), {"sex": GROUP}]  # fmt: skip
BOTH = {"sex": GROUP, "age": AGE}
TWO = [np.c_[GROUP, AGE], list(zip(GROUP, AGE, strict=True)), BOTH, pd.DataFrame(BOTH),
       pl.DataFrame(BOTH)]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("containers", [ONE, TWO], ids=["one column", "two columns"])
@pytest.mark.parametrize("cv", [None, 3])
def test_groups_in_any_container(containers, cv):
    values = []
    for group in containers:
        model = fitted(classifier(metric=spread, cv=cv, max_iter=3), group=group)
        values.append((model.baseline_metric_value_, model.metric_value_, *model.cell_weights_))
    assert len(set(values)) == 1


def test_columns_are_crossed():
    expected = [(g, a, y) for g in "ab" for a in ("old", "young") for y in (0, 1)]
    for both in TWO:
        assert fitted(group=both).cells_.tolist() == expected


def test_partition_of_ones_own():
    def by_group_and_skill(y, groups):
        assert set(y) == {"no", "yes"}
        return [f"{g}{'+' if skilled else '-'}" for g, skilled in zip(groups, X[:, 1] > 0,
                                                                     strict=True)]  # fmt: skip

    model = fitted(classifier(partition=by_group_and_skill), y=np.where(Y, "yes", "no"))
    assert model.cells_.tolist() == ["a+", "a-", "b+", "b-"]
    assert model.metric_value_ <= model.baseline_metric_value_


class ThresholdRule(ClassifierMixin, BaseEstimator):
    """A user's own class: no probabilities, predictions in a column."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.edge_ = np.average(X[:, 0], weights=sample_weight)
        return self

    def predict(self, X):
        return self.classes_[(X[:, 0] > self.edge_).astype(int)][:, None]


def test_users_own_class():
    model = fitted(classifier(ThresholdRule(), scoring=get_scorer("accuracy")))
    assert model.loss_name_ == "zero_one"
    assert not hasattr(model, "predict_proba")
    assert model.scoring_value_ == np.mean(model.predict(X)[:, 0] == Y)


def test_regression_targets_of_any_number_type():
    rounded = np.rint(make_wages()[1]).astype(int)
    expected = regressor(Ridge()).fit(X, rounded.astype(float), sensitive_features=GROUP)
    for y in (rounded, rounded.tolist(), pd.Series(rounded, dtype="Int64"), pl.Series(rounded)):
        model = regressor(Ridge()).fit(X, y, sensitive_features=GROUP)
        np.testing.assert_allclose(model.predict(X), expected.predict(X))
