"""Estimators that write into everything they are given: what we keep, and the user's, stays."""

import copy
import functools

import numpy as np
import pandas as pd
import polars as pl
import pytest
from data import classifier, make_people, make_wages, regressor, stable_id
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import PCA, FactorAnalysis, IncrementalPCA
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from skbadr._guard import Guard
from skbadr.metrics import get_metric

X, Y, GROUP = make_people(160)
X = X * [3.0, 1.0, 0.5, 2.0] + [5.0, 0.5, 1.0, -2.0]
WAGES = make_wages(160)[1]
WEIGHT = np.random.default_rng(3).integers(1, 4, 160).astype(float)
NAMES = list("abcd")
FRAME = pd.DataFrame(X, columns=NAMES)


def scribble(data):
    """Write into whatever holds the data: the first two columns change."""
    if isinstance(data, pd.DataFrame):
        data["a"] = data["a"] * 0.5
        data.iloc[:, 1] -= 1.0
    elif isinstance(data, pl.DataFrame):
        data.replace_column(0, data.to_series(0) * 0.5)
    elif sparse.issparse(data):
        data.data *= 0.5
    elif isinstance(data, list):
        for row in data:
            row[0] *= 0.5
    else:
        data[:, 0] *= 0.5
        data[:, 1] -= 1.0


def numbers(data):
    return data.toarray() if sparse.issparse(data) else np.asarray(data)[:, :4].astype(float)


class Scribbler(ClassifierMixin, BaseEstimator):
    """Writes into all arguments of a fit, before and after it learns, and of predictions.

    From the n-th call on, if it is told so, and only then.
    """

    n_calls = 0

    def __init__(self, first=0, unlocks=False, only_X=False):
        self.first = first
        self.unlocks = unlocks
        self.only_X = only_X

    def _scribble(self, data):
        type(self).n_calls += 1
        if self.n_calls >= self.first:
            if self.unlocks and isinstance(data, np.ndarray):
                data.flags.writeable = True
            scribble(data)
            return data
        other = copy.deepcopy(data)
        scribble(other)
        return other

    def fit(self, X, y, sample_weight=None):
        data = self._scribble(X)
        self.classes_ = np.unique(y)
        self.model_ = LogisticRegression().fit(numbers(data), y, sample_weight)
        if self.n_calls >= self.first:
            if not self.only_X:
                y[:] = self.classes_[0]
            if sample_weight is not None and not self.only_X:
                sample_weight *= 0.0
            scribble(X)
        return self

    def predict(self, X):
        return self.model_.predict(numbers(self._scribble(X)))

    def predict_proba(self, X):
        return self.model_.predict_proba(numbers(self._scribble(X)))


class ScribblingTransformer(TransformerMixin, BaseEstimator):
    def fit(self, X, y):
        scribble(X)
        return self

    def transform(self, X):
        scribble(X)
        return X


def frame_of_mixed_types():
    return FRAME.assign(job=np.where(X[:, 0] > 5, "x", "y"), older=X[:, 1] > 0)


CONTAINERS = {
    "array": lambda: X.copy(),
    "float32": lambda: X.astype(np.float32),
    "fortran": lambda: np.asfortranarray(X),
    "strided": lambda: np.repeat(X, 2, axis=1)[:, ::2],
    "list": lambda: X.tolist(),
    "frame": lambda: FRAME.copy(),
    "mixed frame": frame_of_mixed_types,
    "polars": lambda: pl.DataFrame(X, schema=NAMES),
    "csr": lambda: sparse.csr_array(X),
    "csc": lambda: sparse.csc_matrix(X),
}
PLACES = {
    "alone": lambda model: model,
    "last step": lambda model: make_pipeline(FunctionTransformer(), model),
    "first step": lambda model: make_pipeline(
        ScribblingTransformer(), FunctionTransformer(numbers), DecisionTreeClassifier(max_depth=2)
    ),
    "voting": lambda model: VotingClassifier([("one", model), ("two", clone(model))]),
    "stacking": lambda model: StackingClassifier([("one", model)], cv=2),
    "search": lambda model: GridSearchCV(model, {"unlocks": [False]}, cv=2),
}


def same(one, other):
    """Whether two containers hold the same, bit for bit."""
    if isinstance(one, (pd.DataFrame, pl.DataFrame)):
        return one.equals(other)
    if sparse.issparse(one):
        return type(one) is type(other) and (one != other).nnz == 0
    return np.array_equal(one, other)


def check(model, data, y, group=GROUP, weight=None, names=()):
    """Fit; nothing of the user's has changed, and the estimator is the plain call."""
    kept = [copy.deepcopy(values) for values in (data, y, group, weight)]
    model.fit(data, y, sensitive_features=group, sample_weight=weight)
    for before, now in zip(kept, (data, y, group, weight), strict=True):
        assert before is None if now is None else same(before, now)
    found = model.compute_sample_weight(data, y, sensitive_features=group, sample_weight=weight)
    name = "__".join([*names, "sample_weight"])
    plain = clone(model.estimator)
    plain.fit(copy.deepcopy(data), copy.copy(y), **{name: found})
    predicted = plain.predict(copy.deepcopy(data))
    np.testing.assert_array_equal(model.predict(copy.deepcopy(data)), predicted)
    if model.evaluated_on_ == "training data":
        metric = get_metric(model.metric, model._task)
        options = {"sensitive_features": group, "sample_weight": weight}
        value = metric(y, predicted, **options)
        assert model.metric_value_ == pytest.approx(value, abs=1e-9)


@given(
    container=st.sampled_from(sorted(CONTAINERS)),
    place=st.sampled_from(sorted(PLACES)),
    first=st.sampled_from([0, 2, 5]),
    unlocks=st.booleans(),
    cv=st.sampled_from([None, 3]),
    weighted=st.booleans(),
    text=st.booleans(),
    scoring=st.sampled_from([None, "balanced_accuracy"]),
)
@settings(max_examples=120, deadline=None)
def test_whatever_writes(container, place, first, unlocks, cv, weighted, text, scoring):
    if place in ("voting", "stacking", "search") and container in ("list", "polars"):
        container = "array"  # where scikit-learn takes rows of them apart
    Scribbler.n_calls = 0
    # An ensemble hands the same y and weights to one part after the other, whoever calls it.
    estimator = PLACES[place](Scribbler(first, unlocks, place in ("voting", "stacking")))
    model = classifier(estimator, partition="group_target", trade_off=0.5, max_iter=3, cv=cv)
    model.set_params(scoring=scoring, random_state=0)
    y = np.where(Y, "yes", "no") if text else Y.copy()
    names = {"last step": ["scribbler"], "first step": ["decisiontreeclassifier"]}.get(place, ())
    if first:
        # A plain call that counts its calls is not the last of a search.
        kept = [copy.deepcopy(CONTAINERS[container]()), y.copy()]
        data = CONTAINERS[container]()
        model.fit(data, y, sensitive_features=GROUP)
        assert same(kept[0], data) and same(kept[1], y)
        return
    weight = WEIGHT.copy() if weighted else None
    check(model, CONTAINERS[container](), y, weight=weight, names=names)


def halved(frame):
    frame["a"] = frame["a"] / 2
    return frame


IN_PLACE = [
    StandardScaler(copy=False),
    MinMaxScaler(copy=False),
    MaxAbsScaler(copy=False),
    Normalizer(copy=False),
    PCA(copy=False),
    SimpleImputer(copy=False),
    make_pipeline(SimpleImputer(copy=False), StandardScaler(copy=False)),
    make_column_transformer((StandardScaler(copy=False), slice(0, 2)), remainder="passthrough"),
]


@pytest.mark.parametrize("kind", ["array", "float32", "fortran", "frame"])
@pytest.mark.parametrize("step", IN_PLACE, ids=stable_id)
def test_transformers_told_to_work_in_place(step, kind):
    model = classifier(make_pipeline(step, LogisticRegression()), partition="group_target")
    check(model, CONTAINERS[kind](), Y.copy(), names=["logisticregression"])


@pytest.mark.parametrize("step", [FactorAnalysis(2, copy=False), IncrementalPCA(2, copy=False)])
def test_what_a_fit_writes_into_X_is_what_it_transforms(step):
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    model = classifier(make_pipeline(step, tree), partition="group_target")
    check(model, X.copy(), Y.copy(), names=["decisiontreeclassifier"])


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize(
    "step", [StandardScaler(with_mean=False, copy=False), MaxAbsScaler(copy=False)]
)
def test_transformers_of_sparse_data_in_place(step, make):
    rng = np.random.default_rng(0)
    data = make(np.where(rng.random(X.shape) < 0.6, 0.0, X))
    model = classifier(make_pipeline(step, LogisticRegression()), trade_off=1.0)
    check(model, data, Y.copy(), names=["logisticregression"])


def test_unsorted_indices_stay_unsorted():
    data = sparse.csr_matrix(X)
    for row in range(len(X)):
        part = slice(data.indptr[row], data.indptr[row + 1])
        data.indices[part], data.data[part] = data.indices[part][::-1], data.data[part][::-1]
    data.has_sorted_indices = False
    before = data.indices.copy()
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    classifier(tree).fit(data, Y, sensitive_features=GROUP)
    np.testing.assert_array_equal(data.indices, before)


@pytest.mark.parametrize("cv", [None, 3])
def test_functions_that_change_a_frame(cv):
    estimator = make_pipeline(FunctionTransformer(halved), LogisticRegression())
    model = classifier(estimator, partition="group_target", cv=cv)
    check(model, FRAME.copy(), Y.copy(), names=["logisticregression"])


@pytest.mark.parametrize("kind", ["array", "float32", "frame", "csc"])
@pytest.mark.parametrize(
    "estimator",
    [
        Ridge(copy_X=False),
        LinearRegression(copy_X=False),
        Lasso(alpha=0.01, copy_X=False),
        TransformedTargetRegressor(
            LinearRegression(copy_X=False), func=np.arcsinh, inverse_func=np.sinh
        ),
        make_pipeline(FunctionTransformer(), LinearRegression(copy_X=False)),
    ],
    ids=stable_id,
)
def test_regressors_told_to_work_in_place(estimator, kind):
    model = regressor(estimator, partition="group_target")
    names = [estimator.steps[-1][0]] if hasattr(estimator, "steps") else []
    data = CONTAINERS[kind]()
    kept = copy.deepcopy(data), WAGES.copy()
    model.fit(data, WAGES, sensitive_features=GROUP)
    assert same(data, kept[0]) and same(WAGES, kept[1])
    weight = model.compute_sample_weight(data, WAGES, sensitive_features=GROUP)
    name = "__".join([*names, "sample_weight"])
    plain = clone(estimator).fit(copy.deepcopy(data), WAGES.copy(), **{name: weight})
    np.testing.assert_allclose(
        model.predict(copy.deepcopy(data)), plain.predict(copy.deepcopy(data)), rtol=1e-5
    )


def test_targets_recoded_by_a_transformer_reach_the_last_step():
    class Swap(TransformerMixin, BaseEstimator):
        def fit(self, X, y):
            y[:] = 1 - y
            return self

        def transform(self, X):
            return X

    estimator = make_pipeline(Swap(), DecisionTreeClassifier(max_depth=3, random_state=0))
    model = classifier(estimator, max_iter=2)
    y = Y.copy()
    model.fit(X, y, sensitive_features=GROUP)
    np.testing.assert_array_equal(y, Y)
    weight = model.compute_sample_weight(X, y, sensitive_features=GROUP)
    plain = clone(estimator).fit(X.copy(), Y.copy(), decisiontreeclassifier__sample_weight=weight)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
@pytest.mark.parametrize("writes", [False, True])
def test_memory_maps(tmp_path, mode, writes):
    X.tofile(tmp_path / "X")
    data = np.memmap(tmp_path / "X", dtype=float, mode=mode, shape=X.shape)
    Scribbler.n_calls = 0
    model = classifier(Scribbler() if writes else LogisticRegression(), max_iter=3)
    model.fit(data, Y, sensitive_features=GROUP)
    np.testing.assert_array_equal(data, X)
    np.testing.assert_array_equal(np.fromfile(tmp_path / "X").reshape(X.shape), X)


class Receiver(DecisionTreeClassifier):
    """Remembers, for each call, whether it got the data themselves."""

    seen = ()
    data = None

    def fit(self, X, y, sample_weight=None):
        self.seen.append(("fit", np.shares_memory(X, self.data), X.flags.writeable))
        return super().fit(X, y, sample_weight)

    def predict(self, X):
        self.seen.append(("predict", np.shares_memory(X, self.data), X.flags.writeable))
        return super().predict(X)


@pytest.mark.parametrize("kind", ["array", "fortran", "memory map"])
def test_little_is_copied_for_code_that_writes_nothing(kind, tmp_path):
    data = CONTAINERS.get(kind, lambda: None)()
    if data is None:
        X.tofile(tmp_path / "X")
        data = np.memmap(tmp_path / "X", dtype=float, mode="r", shape=X.shape)
    Receiver.seen, Receiver.data = [], data
    classifier(
        Receiver(max_depth=2, random_state=0),
        metric="equalized_odds",
        partition="group_target",
        max_iter=6,
    ).fit(data, Y, sensitive_features=GROUP)
    for name, most in (("fit", 2), ("predict", 1)):
        calls = [call[1:] for call in Receiver.seen if call[0] == name]
        # Copies for the first call of its kind, then the data, locked.
        assert len(calls) > 3
        copied = 0 if kind == "memory map" else most
        assert calls[copied:] == [(True, False)] * (len(calls) - copied)


def test_nothing_is_copied_for_estimators_of_scikit_learn(monkeypatch):
    shared, fit = [], DecisionTreeClassifier.fit

    @functools.wraps(fit)
    def noted(self, data, y, sample_weight=None):
        shared.append(np.shares_memory(data, X) and not data.flags.writeable)
        return fit(self, data, y, sample_weight)

    monkeypatch.setattr(DecisionTreeClassifier, "fit", noted)
    monkeypatch.setattr(noted, "__module__", "sklearn.tree")
    classifier(DecisionTreeClassifier(max_depth=2)).fit(X, Y, sensitive_features=GROUP)
    assert len(shared) > 2 and all(shared)


def test_functions_of_the_user():
    def groups_of(data):
        data["a"] = 0.0
        return data.pop("d") > 0

    def cells_of(y, groups):
        y[:] = 0.0
        return [str(group) for group in groups]

    def spread(y_true, y_pred, *, sensitive_features):
        y_true *= 0.0
        y_pred -= y_pred.mean()
        return float(np.abs(y_pred).mean())

    model = regressor(Ridge(), metric=spread, sensitive_columns=groups_of, partition=cells_of)
    data, y = FRAME.copy(), WAGES.copy()
    expected = np.abs(Ridge().fit(FRAME, WAGES).predict(FRAME) - WAGES.mean()).mean()
    model.fit(data, y)
    assert data.equals(FRAME)
    np.testing.assert_array_equal(y, WAGES)
    assert model.baseline_metric_value_ == pytest.approx(expected)
    assert model.baseline_scoring_value_ < -0.1


def test_fit_parameters_stay_as_they_are():
    class Reading(Scribbler):
        def fit(self, X, y, sample_weight=None, *, extra, notes):
            extra["values"][0] *= 2.0
            notes.append(len(y))
            return super().fit(X, y, sample_weight)

    extra, notes = {"values": [np.ones(3)]}, [1]
    model = classifier(Reading(), max_iter=2)
    model.fit(X, Y, sensitive_features=GROUP, extra=extra, notes=notes)
    np.testing.assert_array_equal(extra["values"][0], 1.0)
    assert notes == [1]


@pytest.mark.parametrize("dtype", ["M8[s]", "O", "U3", "?", "f2", ">f8", "i4", "c8"])
def test_locks_hold_for_any_dtype(dtype):
    data = np.zeros((4, 2), dtype=dtype)

    def write(values):
        values[0] = np.ones(1).astype(dtype)[0]

    kept = data.copy()
    Guard(np.sum).call(write, data)
    np.testing.assert_array_equal(data, kept)


@pytest.mark.parametrize("order", ["C", "F"])
def test_copies_of_frames_keep_the_order_in_memory(order):
    """The rounding of a fit depends on it."""
    frame = pd.DataFrame(np.array(X, order=order))
    frame.attrs["source"] = "census"
    seen = []

    def write(values):
        seen.append((np.asarray(values).flags.c_contiguous, values.attrs))
        values.iloc[0, 0] = 7.0

    kept = frame.copy()
    Guard(write).call(write, frame)
    pd.testing.assert_frame_equal(frame, kept)
    assert seen == [(np.asarray(frame).flags.c_contiguous, frame.attrs)]
