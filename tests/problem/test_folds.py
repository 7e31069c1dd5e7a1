"""Splits for a held-out upper level, on every shape of cells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning

from skbadr.partition import Cells
from skbadr.problem import make_folds

# Random cells may be too small for the folds.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")


def make_random_cells(seed, n, n_cells, zeros):
    rng = np.random.default_rng(seed)
    codes = np.minimum(rng.geometric(0.4, n) - 1, n_cells - 1)
    weight = np.where(rng.random(n) < zeros, 0.0, rng.random(n) + 0.1)
    weight[:4] = 1.0
    totals = np.bincount(codes, weights=weight, minlength=n_cells)
    return Cells(codes, list(range(n_cells)), weight, totals), rng.integers(0, 3, n)


SHAPES = {
    "seed": st.integers(0, 10**6),
    "n": st.integers(4, 80),
    "n_cells": st.integers(1, 20),
    "zeros": st.sampled_from([0.0, 0.5]),
    "classify": st.booleans(),
}


@given(**SHAPES, cv=st.integers(2, 6))
@settings(max_examples=100, deadline=None)
def test_folds_take_turns(seed, n, n_cells, zeros, classify, cv):
    cells, targets = make_random_cells(seed, n, n_cells, zeros)
    counted = np.flatnonzero(cells.base_weight)
    if cv > len(counted):
        with pytest.raises(ValueError, match="cv as a number of folds"):
            make_folds(cv, None, targets, cells, targets, random_state=0)
        return
    folds = make_folds(cv, None, targets, cells, targets if classify else None, random_state=seed)
    assert len(folds) == cv
    assert sorted(np.concatenate([test for _, test in folds])) == counted.tolist()
    for train, test in folds:
        assert sorted([*train, *test]) == counted.tolist()


@given(**SHAPES, cv=st.floats(0.05, 0.95))
@settings(max_examples=100, deadline=None)
def test_fraction_is_held_out(seed, n, n_cells, zeros, classify, cv):
    cells, targets = make_random_cells(seed, n, n_cells, zeros)
    counted = np.flatnonzero(cells.base_weight)
    if min(cv, 1 - cv) * len(counted) < 1:
        return
    ((train, test),) = make_folds(
        cv, None, targets, cells, targets if classify else None, random_state=seed
    )
    assert abs(len(test) - cv * len(counted)) <= 1
    assert sorted([*train, *test]) == counted.tolist()
    again = make_folds(cv, None, targets, cells, targets if classify else None, random_state=seed)
    np.testing.assert_array_equal(again[0][1], test)


def test_large_cells_are_shared_out():
    codes = np.repeat([0, 1, 2], [60, 30, 10])
    cells = Cells(codes, [0, 1, 2], np.ones(100), np.array([60.0, 30, 10]))
    for _, test in make_folds(5, None, None, cells, None, random_state=0):
        assert np.bincount(codes[test]).tolist() == [12, 6, 2]
    ((_, test),) = make_folds(0.5, None, None, cells, None, random_state=0)
    assert np.bincount(codes[test]).tolist() == [30, 15, 5]


def test_real_targets_are_shared_out_in_quarters():
    cells = Cells(np.zeros(80, dtype=int), [0], np.ones(80), np.array([80.0]))
    targets = np.arange(80.0)
    for _, test in make_folds(4, None, targets, cells, targets, random_state=0):
        assert np.histogram(targets[test], bins=4, range=(0, 80))[0].tolist() == [5, 5, 5, 5]


@pytest.mark.filterwarnings("error::sklearn.exceptions.UndefinedMetricWarning")
def test_what_a_fold_lacks_is_named():
    codes, targets = np.repeat([0, 1], [6, 2]), np.array([0, 1, 0, 1, 0, 1, 2, 2])
    cells = Cells(codes, ["a", "b"], np.ones(8), np.array([6.0, 2.0]))
    options = {"classes": np.array(["x", "y", "z"]), "random_state": 0}
    splits = [(np.arange(6), np.arange(4, 8)), (np.arange(2, 8), np.arange(6))]
    with pytest.warns(UndefinedMetricWarning) as caught:
        make_folds(splits, None, targets, cells, targets, **options)
    assert [str(warning.message) for warning in caught] == [
        "cv: cell 'b' has no training sample in some fold, where its weight changes nothing.",
        "cv: class 'z' has no training sample in some fold, where it has probability 0.",
    ]
    with pytest.warns(UndefinedMetricWarning, match="cell 'b' is evaluated in no fold"):
        make_folds([(np.arange(8), np.arange(6))], None, targets, cells, targets, **options)
