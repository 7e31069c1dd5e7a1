"""Columns rounded to bins: what histogram boosting sees of them, and when."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from skbadr import BADRClassifier
from skbadr.lower_level import rounding as module
from skbadr.lower_level.rounding import rounded


@pytest.fixture(autouse=True)
def weights_decide_bins(monkeypatch):
    """Round with every version of scikit-learn."""
    monkeypatch.setattr(module, "_BINS_BY_WEIGHT", True)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(
        st.floats(allow_nan=True, width=32) | st.sampled_from([0.0, 1.0, 2.5]), max_size=200
    ),
    n_bins=st.integers(2, 10),
)
def test_each_value_becomes_one_of_its_bin(values, n_bins):
    column = np.array(values, dtype=float)
    before = column.copy()
    found = module._round(column, n_bins)
    np.testing.assert_array_equal(column, before)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(column))
    known = ~np.isnan(column)
    assert set(found[known]) <= set(column[known])
    if len(set(column[known])) <= module.VALUES_PER_BIN * n_bins:
        np.testing.assert_array_equal(found, column)
    else:
        assert len(set(found[known])) <= n_bins
    # Equal values stay equal, and no two change places.
    order = np.argsort(column[known], kind="stable")
    ordered = found[known][order]
    assert (ordered[1:] >= ordered[:-1]).all()
    for value in set(column[known]):
        assert len(set(found[known][column[known] == value])) == 1


def test_bins_hold_about_as_many_rows_each():
    column = np.random.default_rng(0).normal(size=10_000)
    _, counts = np.unique(module._round(column, 100), return_counts=True)
    assert len(counts) == 100
    assert counts.min() == counts.max() == 100


def test_only_numbers_of_histogram_boosting_are_rounded():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "real": rng.normal(size=1000),
            "told": rng.integers(0, 200, 1000).astype(float),
            "whole": rng.integers(0, 900, 1000),
            "kind": pd.Categorical(rng.choice(["a", "b"], 1000)),
        }
    )
    X.loc[3, "real"] = np.nan
    before = X.copy(deep=True)
    for told in (["told"], [1], [False, True, False, False]):
        boosting = HistGradientBoostingClassifier(max_bins=20, categorical_features=told)
        found = rounded(boosting, X)
        pd.testing.assert_frame_equal(X, before)
        pd.testing.assert_frame_equal(found.drop(columns="real"), X.drop(columns="real"))
        assert found["real"].nunique() == 20
        assert np.isnan(found["real"][3])
    assert rounded(RandomForestClassifier(), X) is X
    array = X[["real", "told"]].to_numpy()
    found = rounded(HistGradientBoostingClassifier(max_bins=20, categorical_features=[-1]), array)
    np.testing.assert_array_equal(found[:, 1], array[:, 1])
    lists = array.tolist()
    assert rounded(HistGradientBoostingClassifier(), lists) is lists


def test_older_versions_take_the_columns_as_they_are(monkeypatch):
    monkeypatch.setattr(module, "_BINS_BY_WEIGHT", False)
    X = np.random.default_rng(0).normal(size=(400, 2))
    assert rounded(HistGradientBoostingClassifier(), X) is X


def test_a_model_of_rounded_columns_is_nearly_that_of_the_columns():
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(2, 4000, 3))
    y = X[:, 0] + X[:, 1] * X[:, 2] + 0.5 * rng.normal(size=4000) > 0
    boosting = HistGradientBoostingClassifier(max_iter=30)
    plain = boosting.fit(X, y).predict_proba(new)[:, 1]
    other = boosting.fit(rounded(boosting, X), y).predict_proba(new)[:, 1]
    assert np.abs(plain - other).mean() < 0.03
    assert np.corrcoef(plain, other)[0, 1] > 0.99


@pytest.mark.parametrize("cv", [None, 3])
def test_the_fitted_model_is_the_plain_one(cv):
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, 4500)
    X = rng.normal(size=(4500, 3)) + 0.5 * group[:, None]
    y = (X.sum(axis=1) + rng.logistic(size=4500) > 1).astype(int)
    boosting = HistGradientBoostingClassifier(max_iter=10)
    model = BADRClassifier(boosting, bound=0.15, cv=cv).fit(X, y, sensitive_features=group)
    weight = model.compute_sample_weight(X, y, sensitive_features=group)
    own = boosting.fit(X, y, sample_weight=weight).predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X), own)
