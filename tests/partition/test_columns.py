"""Sensitive columns picked out of X, whatever X is."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from skbadr.partition import make_groups, select_columns

NUMBERS = [[5.0, 0.0, 1.0], [6.0, 1.0, 1.0], [7.0, 0.0, 0.0]]
NAMES = ["income", "sex", "race"]
WITH_NAMES = {
    "pandas": pd.DataFrame(NUMBERS, columns=NAMES, index=[9, 9, 0]),
    "polars": pl.DataFrame(NUMBERS, schema=NAMES, orient="row"),
}
WITHOUT_NAMES = {
    "array": np.array(NUMBERS),
    "Fortran order": np.asfortranarray(NUMBERS),
    "list": NUMBERS,
    "csr matrix": sparse.csr_matrix(NUMBERS),
    "csr array": sparse.csr_array(NUMBERS),
    "csc": sparse.csc_matrix(NUMBERS),
    "coo": sparse.coo_matrix(NUMBERS),
}
ALL = {**WITH_NAMES, **WITHOUT_NAMES}

each = pytest.mark.parametrize("X", ALL.values(), ids=ALL)
each_named = pytest.mark.parametrize("X", WITH_NAMES.values(), ids=WITH_NAMES)
each_unnamed = pytest.mark.parametrize("X", WITHOUT_NAMES.values(), ids=WITHOUT_NAMES)


@each
@pytest.mark.parametrize("position", [1, -2, np.int64(1), [1], (1,), np.array([-2])])
def test_by_position(X, position):
    groups = make_groups(select_columns(X, position))
    assert groups.labels == [0.0, 1.0]
    assert groups.codes.tolist() == [0, 1, 0]


@each
@pytest.mark.parametrize("positions", [[1, 2], [1, -1], (-2, 2), np.array([1, 2])])
def test_several_positions_are_crossed(X, positions):
    groups = make_groups(select_columns(X, positions))
    assert groups.labels == [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
    assert groups.codes.tolist() == [1, 2, 0]


@each_named
@pytest.mark.parametrize("name", ["sex", ["sex"], ("sex",), np.str_("sex")])
def test_by_name(X, name):
    groups = make_groups(select_columns(X, name))
    assert groups.names == ("sex",)
    assert groups.codes.tolist() == [0, 1, 0]


@each_named
def test_names_and_positions_together(X):
    groups = make_groups(select_columns(X, ["race", 1]))
    assert groups.names == ("race", "sex")
    assert groups.labels == [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]


@each_unnamed
def test_by_names_seen_in_fit(X):
    selected = select_columns(X, "sex", feature_names=np.array(NAMES, dtype=object))
    assert make_groups(selected).codes.tolist() == [0, 1, 0]


@each
def test_callable_gets_X_whole(X):
    seen = []
    assert select_columns(X, lambda given: seen.append(given) or ["a", "b", "a"]) == ["a", "b", "a"]
    assert seen[0] is X


def test_a_name_goes_before_a_position():
    X = pd.DataFrame(NUMBERS, columns=[2, 0, 1])
    assert make_groups(select_columns(X, 0)).names == ("0",)
    assert make_groups(select_columns(X, 0)).codes.tolist() == [0, 1, 0]
    assert make_groups(select_columns(X, [2, -1])).names == ("2", "1")


def test_one_name_of_several_levels():
    X = pd.DataFrame(NUMBERS, columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 1), ("b", 2)]))
    assert make_groups(select_columns(X, ("b", 1))).codes.tolist() == [0, 1, 0]
    assert make_groups(select_columns(X, [("b", 1), ("b", 2)])).labels[0] == (0.0, 0.0)


def test_missing_values_of_a_mixed_list_survive():
    X = [["f", 1.0], [float("nan"), 2.0]]
    with pytest.raises(ValueError, match="sensitive_columns has 1 missing value"):
        make_groups(select_columns(X, 0), argument="sensitive_columns")
    assert make_groups(select_columns(X, [1, 1])).labels == [(1.0, 1.0), (2.0, 2.0)]


@each_named
def test_unknown_name_lists_what_is_there(X):
    message = "'age', which is not in X; it has 'income', 'sex', 'race'"
    for columns in ("age", ["sex", "age"]):
        with pytest.raises(ValueError, match=message):
            select_columns(X, columns)


def test_of_many_names_a_few_are_listed():
    X = pd.DataFrame(np.zeros((2, 30)), columns=[f"x{j}" for j in range(30)])
    with pytest.raises(ValueError, match=r"'x10', 'x11', \.\.\.\.$"):
        select_columns(X, "age")


@each_unnamed
def test_name_without_names(X):
    with pytest.raises(ValueError, match="names 'sex', but X has no column names"):
        select_columns(X, "sex")


@each
@pytest.mark.parametrize("position", [3, -4])
def test_position_out_of_range(X, position):
    with pytest.raises(ValueError, match=f"column {position}, but X has 3 columns"):
        select_columns(X, position)


@each_named
@pytest.mark.parametrize("column", [True, 1.5, None])
def test_what_is_neither_name_nor_position(X, column):
    with pytest.raises(ValueError, match=f"names {column}, which is not in X"):
        select_columns(X, [column])


@each
def test_no_column(X):
    with pytest.raises(ValueError, match="sensitive_columns is empty"):
        select_columns(X, [])


def test_one_dimension():
    with pytest.raises(ValueError, match=r"2-dimensional X, got shape \(3,\)"):
        select_columns([1, 2, 3], 0)
