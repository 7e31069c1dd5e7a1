"""Sensitive features of any container and dtype, encoded as groups."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from skbadr.partition import cross_with_control, make_groups
from skbadr.partition.groups import _encode_few_strings, check_sizes, is_missing, label_array

VALUES = ["b", "a", "b", "c"]
SHUFFLED = [7, 7, -1, 0]  # an index, with a repeated label, that must not matter
ONE_COLUMN = {
    "list": VALUES,
    "tuple": tuple(VALUES),
    "list of rows": [[value] for value in VALUES],
    "array": np.array(VALUES),
    "array of objects": np.array(VALUES, dtype=object),
    "array of one column": np.array(VALUES)[:, None],
    "reversed view": np.array(VALUES[::-1])[::-1],
    "Series": pd.Series(VALUES, index=SHUFFLED),
    "Series of objects": pd.Series(VALUES, index=SHUFFLED, dtype=object),
    "Series of strings": pd.Series(VALUES, index=SHUFFLED, dtype="string"),
    "Series of categories": pd.Series(
        pd.Categorical(VALUES, categories=["c", "unused", "b", "a"]), index=SHUFFLED
    ),
    "Index": pd.Index(VALUES),
    "DataFrame": pd.DataFrame({"sex": VALUES}, index=SHUFFLED),
    "dict": {"sex": VALUES},
    "Polars Series": pl.Series("sex", VALUES),
    "Polars Categorical": pl.Series("sex", VALUES, dtype=pl.Categorical),
    "Polars Enum": pl.Series("sex", VALUES, dtype=pl.Enum(["c", "b", "a"])),
    "Polars DataFrame": pl.DataFrame({"sex": VALUES}),
}


@pytest.mark.parametrize("features", ONE_COLUMN.values(), ids=ONE_COLUMN)
def test_one_column_in_any_container(features):
    groups = make_groups(features)
    assert groups.labels == ["a", "b", "c"]
    assert [type(label) for label in groups.labels] == [str] * 3
    assert groups.codes.tolist() == [1, 0, 1, 2]
    assert groups.codes.dtype == np.intp
    assert len(groups) == 4


@pytest.mark.parametrize("features", [ONE_COLUMN["DataFrame"], ONE_COLUMN["Polars Series"]])
def test_names_of_columns_are_kept(features):
    assert make_groups(features).names == ("sex",)


def test_unnamed_column_is_named_after_the_argument():
    for values in (VALUES, np.array(VALUES)[:, None]):
        assert make_groups(values, argument="sensitive_columns").names == ("sensitive_columns",)


DATES = [dt.datetime(2021, 5, 1), dt.datetime(2019, 5, 1), dt.datetime(2021, 5, 1)]
DTYPES = {
    "bool": (np.array([True, False, True]), [False, True]),
    "only true": (np.array([True, True]), [True]),
    "int8": (np.array([127, -128, 5], dtype=np.int8), [-128, 5, 127]),
    "int": (np.array([30, 10, 30]), [10, 30]),
    "far apart": (np.array([-(2**63), 2**63 - 1, 0]), [-(2**63), 0, 2**63 - 1]),
    "near the end": (np.array([2**63 - 1, 2**63 - 3]), [2**63 - 3, 2**63 - 1]),
    "uint64": (np.array([2**64 - 1, 2**63 + 1], dtype=np.uint64), [2**63 + 1, 2**64 - 1]),
    "beyond int64": (np.array([2**63 + 3, 2**63 + 1], dtype=np.uint64), [2**63 + 1, 2**63 + 3]),
    "beyond 64 bits": ([2**70, 1, 2**70], [1, 2**70]),
    "whole floats": (np.array([2.0, -1.0, 2.0]), [-1.0, 2.0]),
    "floats": (np.array([0.5, -np.inf, 1e300]), [-np.inf, 0.5, 1e300]),
    "float32": (np.array([0.5, 0.25], dtype=np.float32), [0.25, 0.5]),
    "bytes": (np.array([b"b", b"a"]), [b"a", b"b"]),
    "text of 40 kinds": ([f"k{i:02}" for i in range(40)], [f"k{i:02}" for i in range(40)]),
    "array of 40 kinds": (np.arange(10, 50).astype(str), [str(i) for i in range(10, 50)]),
    "text beside numbers": (["b", 2, "a", 1, 2], [1, 2, "a", "b"]),
    "days": (np.array(DATES, dtype="M8[D]"), [dt.date(2019, 5, 1), dt.date(2021, 5, 1)]),
    "microseconds": (np.array(DATES, dtype="M8[us]"), DATES[1::-1]),
    "nanoseconds": (np.array(DATES, dtype="M8[ns]"), DATES[1::-1]),
    "below microseconds": (np.array([7, 6], dtype="M8[ns]"), list(np.array([6, 7], "M8[ns]"))),
    "some below microseconds": (
        np.array([7, 6000], dtype="M8[ns]"), list(np.array([7, 6000], "M8[ns]"))
    ),
    "timedelta": (pd.Series(pd.to_timedelta([2, 1], unit="D")), [dt.timedelta(1), dt.timedelta(2)]),
    "pandas dates": (pd.Series(DATES), DATES[1::-1]),
    "pandas Int64": (pd.Series([3, 1, 3], dtype="Int64"), [1, 3]),
    "pandas boolean": (pd.Series([True, False], dtype="boolean"), [False, True]),
    "pandas Float64": (pd.Series([0.5, 0.25], dtype="Float64"), [0.25, 0.5]),
    "pandas intervals": (
        pd.Series(pd.interval_range(0, 2)).iloc[::-1],
        list(pd.interval_range(0, 2)),
    ),
    "pandas categories of numbers": (pd.Series([3, 1, 3], dtype="category"), [1, 3]),
    "Polars ints": (pl.Series([3, 1, 3]), [1, 3]),
    "Polars bools": (pl.Series([True, False]), [False, True]),
    "Polars dates": (pl.Series(DATES).cast(pl.Date), [dt.date(2019, 5, 1), dt.date(2021, 5, 1)]),
}  # fmt: skip


@pytest.mark.parametrize(("values", "labels"), DTYPES.values(), ids=DTYPES)
def test_dtypes(values, labels):
    groups = make_groups(values)
    assert groups.labels == labels
    for code, value in zip(groups.codes, values, strict=True):
        label = labels[code]
        assert (np.datetime64(label) if isinstance(value, np.datetime64) else label) == value


def test_dates_with_time_zone():
    values = pd.Series(DATES).dt.tz_localize("Europe/Paris")
    groups = make_groups(values)
    assert groups.labels == [values[1], values[0]]
    assert groups.codes.tolist() == [1, 0, 1]


COLUMNS = {"sex": ["f", "m", "f", "f"], "age": [30, 20, 20, 30]}
CROSSED = {
    "DataFrame": pd.DataFrame(COLUMNS, index=SHUFFLED),
    "DataFrame of categories": pd.DataFrame(COLUMNS).astype("category"),
    "Polars DataFrame": pl.DataFrame(COLUMNS),
    "dict": COLUMNS,
    "dict of arrays": {name: np.array(column) for name, column in COLUMNS.items()},
    "list of rows": list(map(list, zip(*COLUMNS.values(), strict=True))),
    "list of tuples": list(zip(*COLUMNS.values(), strict=True)),
    "array of objects": pd.DataFrame(COLUMNS).to_numpy(dtype=object),
}


@pytest.mark.parametrize("features", CROSSED.values(), ids=CROSSED)
def test_columns_are_crossed(features):
    groups = make_groups(features)
    # Only what occurs: there is no (m, 30).
    assert groups.labels == [("f", 20), ("f", 30), ("m", 20)]
    assert groups.codes.tolist() == [1, 2, 0, 1]
    named = hasattr(features, "columns") or isinstance(features, dict)
    assert groups.names == (("sex", "age") if named else ("0", "1"))


def test_columns_of_the_same_name():
    features = pd.DataFrame([["a", "x"], ["a", "y"]], columns=["same", "same"])
    assert make_groups(features).labels == [("a", "x"), ("a", "y")]


def test_array_of_numbers_is_crossed():
    groups = make_groups(np.array([[1, 0], [0, 1], [1, 0]]))
    assert groups.labels == [(0, 1), (1, 0)]
    assert groups.codes.tolist() == [1, 0, 1]


def test_all_combinations_are_told_apart():
    pairs = [(i, j) for i in range(9) for j in "abcdefghijkl"]
    groups = make_groups(pairs[::-1])
    assert groups.labels == pairs
    assert groups.codes.tolist() == list(range(len(pairs)))[::-1]


@given(
    hnp.arrays(
        np.int64,
        st.tuples(st.integers(1, 30), st.integers(2, 45)),
        elements=st.integers(0, 11),
    )
)
def test_crossing_many_columns(table):
    """The product of the columns' sizes would not fit in 64 bits."""
    groups = make_groups(table)
    rows, codes = np.unique(table, axis=0, return_inverse=True)
    assert groups.labels == list(map(tuple, rows.tolist()))
    assert groups.codes.tolist() == codes.ravel().tolist()


labels = st.one_of(
    st.lists(st.text(max_size=3)),
    st.lists(st.integers()),
    st.lists(st.integers(-5, 5)),
    st.lists(st.floats(allow_nan=False)),
    st.lists(st.one_of(st.text(max_size=2), st.integers(2, 9))),
)


@given(labels, st.sampled_from([list, np.array, pd.Series]))
def test_encoding_is_reversible(values, container):
    values = container(values)
    listed = values if isinstance(values, list) else values.tolist()
    groups = make_groups(values)
    distinct = groups.labels
    assert [distinct[code] for code in groups.codes] == listed
    assert len(distinct) == len(set(distinct)) == len(set(listed))
    if len({type(value) for value in listed}) == 1:
        assert distinct == sorted(set(listed))


NAN = float("nan")
MISSING = {
    "None in a list": (["a", None, "b"], 1),
    "NaN in a list of strings": (["a", NAN, "b", float("nan")], 2),
    "NaN among ints in a list": ([1, NAN, 2], 1),
    "NaN array": (np.array([1.0, NAN, NAN]), 2),
    "only NaN": (np.array([NAN, NAN]), 2),
    "NaT array": (np.array(["2020-01-01", "NaT"], dtype="M8[ns]"), 1),
    "masked array": (np.ma.array([1, 2, 3], mask=[False, True, False]), 1),
    "None and NaN": (np.array(["a", None, NAN], dtype=object), 2),
    "pd.NA": (["a", pd.NA, pd.NaT], 2),
    "Series": (pd.Series(["a", None, "b"]), 1),
    "Series of objects": (pd.Series(["a", None, NAN], dtype=object), 2),
    "Series of strings": (pd.Series(["a", None, "b"], dtype="string"), 1),
    "Series of categories": (pd.Series(["a", None, "b"], dtype="category"), 1),
    "Series of Int64": (pd.Series([1, None, 2], dtype="Int64"), 1),
    "Series of boolean": (pd.Series([True, None], dtype="boolean"), 1),
    "Series of dates": (pd.Series([pd.NaT, DATES[0]]), 1),
    "Polars strings": (pl.Series(["a", None, "b"]), 1),
    "Polars categories": (pl.Series(["a", None, "b"], dtype=pl.Categorical), 1),
    "Polars ints": (pl.Series([1, None, 2]), 1),
    "Polars bools": (pl.Series([True, None]), 1),
    "Polars NaN": (pl.Series([1.0, NAN]), 1),
    "Polars dates": (pl.Series([DATES[0], None]), 1),
}


@pytest.mark.parametrize(("features", "count"), MISSING.values(), ids=MISSING)
def test_missing_values_are_counted(features, count):
    with pytest.raises(ValueError, match=f"^sensitive_features has {count} missing value"):
        make_groups(features)


@pytest.mark.parametrize(
    "features",
    [
        pd.DataFrame({"sex": ["f", "m"], "race": ["x", None]}),
        pl.DataFrame({"sex": ["f", "m"], "race": ["x", None]}),
        {"sex": ["f", "m"], "race": ["x", None]},
    ],
    ids=["pandas", "polars", "dict"],
)
def test_missing_values_name_their_column(features):
    with pytest.raises(
        ValueError, match="column 'race' of sensitive_features has 1 missing value:"
    ):
        make_groups(features)


def test_missing_value_in_rows_names_the_position():
    with pytest.raises(ValueError, match="column '1' of groups has 1 missing value:"):
        make_groups([["f", "x"], ["m", None]], argument="groups")


REFUSED = {
    "None": (None, "one value .* per sample, got None"),
    "a string": ("female", "one value .* per sample, got 'female'"),
    "a number": (3, "one value .* per sample, got 3"),
    "three dimensions": (np.zeros((2, 2, 2)), "1- or 2-dimensional"),
    "sparse": (sparse.csr_matrix(np.eye(2)), "must be dense"),
    "no column": (pd.DataFrame(index=[0, 1]), "no column"),
    "empty dict": ({}, "no column"),
    "ragged rows": ([("f", "x"), ("m",)], "rows .* same length"),
    "a row beside numbers": ([3, ("m", "x")], "rows .* same length"),
    "values beside rows": (["f", ("m", "x")], "rows .* same length"),
    "unhashable": ([{"sex": "f"}, {"sex": "m"}], "hashable"),
    "unhashable in pandas": (pd.Series([{"sex": "f"}, {"sex": "m"}]), "hashable"),
    "columns of columns": ({"sex": np.zeros((2, 2))}, "'sex' .* 1-dimensional"),
    "different lengths": ({"sex": ["f", "m"], "age": [1, 2, 3]}, "column 'age' has 3 values"),
}  # fmt: skip


@pytest.mark.parametrize(("features", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals(features, message):
    with pytest.raises(ValueError, match=message):
        make_groups(features)


def test_a_name_for_values_is_answered_with_where_names_go():
    with pytest.raises(ValueError, match="'sex': name a column of X by sensitive_columns"):
        make_groups("sex")
    for features, argument in (("sex", "control_features"), (3, "sensitive_features")):
        with pytest.raises(ValueError, match=f"got {features!r}\\.$"):
            make_groups(features, argument=argument)


def test_one_row_of_several_columns():
    assert make_groups([["f", 30]]).labels == [("f", 30)]


def test_few_kinds_of_strings_are_compared():
    """Many are hashed, which takes ten times as long of few."""
    codes, labels = _encode_few_strings(np.array(["b", "a", "b"]))
    assert codes.tolist() == [1, 0, 1]
    assert labels == ["a", "b"]
    kinds = np.array([f"k{i:02}" for i in range(17)])
    assert _encode_few_strings(kinds[:16])[0].tolist() == list(range(16))
    assert _encode_few_strings(kinds) == (None, None)


class Incomparable:
    def __ne__(self, other):
        raise TypeError("not comparable")

    __hash__ = object.__hash__


@pytest.mark.parametrize("label", ["", 0, (1, 2), np.inf, np.arange(2), Incomparable()])
def test_what_is_not_missing(label):
    assert is_missing(label) is False


def test_empty():
    assert make_groups([]).labels == []
    assert make_groups(np.zeros(0, dtype=bool)).labels == []
    assert len(make_groups(np.zeros((0, 2), dtype=int))) == 0


def test_input_is_not_changed():
    values = np.array([5, 6, 5])
    groups = make_groups(values)
    assert values.tolist() == [5, 6, 5]
    assert groups.codes.tolist() == [0, 1, 0]


@pytest.mark.parametrize("counts", [[4] * 20, [4] * 11 + [5] * 11, [5] * 30])
def test_few_parts_or_parts_of_some_rows_are_groups(counts):
    check_sizes(np.array(counts), "sex")


@pytest.mark.parametrize("counts", [[4] * 21, [4] * 12 + [5] * 11])
def test_many_tiny_parts_are_no_groups(counts):
    rows = f"income makes {len(counts)} groups of {sum(counts)} rows"
    with pytest.raises(ValueError, match=rows):
        check_sizes(np.array(counts), "income")


def test_labels_as_an_array():
    assert label_array(["a", "b"]).dtype.kind == "U"
    assert label_array([1, 2]).dtype.kind == "i"
    mixed = label_array([1, "a"])
    assert mixed.dtype == object
    assert mixed.tolist() == [1, "a"]
    assert label_array([("a", 1), "b"]).tolist() == [("a", 1), "b"]
    crossed = label_array([("a", 1), ("b", 2)])
    assert crossed.shape == (2,)
    assert crossed.tolist() == [("a", 1), ("b", 2)]


@pytest.mark.parametrize("features", [["f", "m", "m", "f"], COLUMNS])
@pytest.mark.parametrize(
    "control", [[3, 1, 2, 3], {"age": [2, 1, 1, 2], "job": ["x", "y", "x", "x"]}]
)
def test_groups_within_strata(features, control):
    """The groups of all columns together, of which the last are known to be control features."""
    groups = make_groups(features)
    crossed = cross_with_control(groups, control, "control_features")
    columns = [*(features.values() if isinstance(features, dict) else [features])]
    others = [*(control.values() if isinstance(control, dict) else [control])]
    rows = list(zip(*columns, *others, strict=True))
    assert crossed.labels == sorted(set(rows))
    assert [crossed.labels[code] for code in crossed.codes] == rows
    assert crossed.n_control == len(others)
    assert crossed.names == (
        *groups.names,
        *(control if isinstance(control, dict) else ["control_features"]),
    )
    part = crossed.take(np.array([2, 0]))
    assert [crossed.labels[code] for code in part.codes] == [rows[2], rows[0]]
    assert part.n_control == len(others)


def test_strata_are_one_per_sample():
    with pytest.raises(ValueError, match="control_features has 3 rows but there are 4 samples"):
        cross_with_control(make_groups(VALUES), [1, 2, 3], "control_features")
