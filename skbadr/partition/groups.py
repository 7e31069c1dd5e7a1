"""Sensitive features of any container, encoded as one group code per sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from skbadr._typing import Array, Features, IntArray

# More distinct values than this may be those of a quantity, and rows below which a group is too
# small to be one of so many.
MANY_VALUES, HANDFUL = 20, 5


@dataclass(frozen=True)
class Groups:
    """One group per sample.

    Attributes
    ----------
    codes : ndarray of shape (n,), intp
        Group of each sample, in ``0..S-1``.
    labels : list of length S
        Value of each group; a tuple of values if several columns are crossed.
    names : tuple of str
        Names of the columns that were crossed.
    n_control : int
        How many of the last columns are control features instead of sensitive features.
    """

    codes: IntArray
    labels: list[Any]
    names: tuple[str, ...]
    n_control: int = 0

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Array | slice) -> Groups:
        """Return the groups of a subset of the samples; a group may become empty."""
        return replace(self, codes=self.codes[rows])


def make_groups(sensitive_features: Features, *, argument: str = "sensitive_features") -> Groups:
    """Encode sensitive features; several columns are crossed (intersectional groups).

    Parameters
    ----------
    sensitive_features : array-like of shape (n,) or (n, m), or dict of columns
        List, ndarray, Series or DataFrame (pandas, Polars or alike), of any dtype. Rows are
        matched to X by position, never by an index.
    argument : str, default="sensitive_features"
        Name used in error messages.

    Returns
    -------
    groups : Groups
        Only the combinations that occur are groups, in sorted order.

    Raises
    ------
    ValueError
        If a value is missing (None, NaN, NaT, NA), naming the column and the count, or columns
        differ in length.
    """
    encoded = []
    for name, column in _split_columns(sensitive_features, argument):
        where = f"column {name!r} of {argument}" if name else argument
        try:
            codes, labels = encode_labels(column)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        missing = [code for code, label in enumerate(labels) if is_missing(label)]
        if missing:
            count = int(np.isin(codes, missing).sum())
            raise ValueError(
                f"{where} has {count} missing value{'s' * (count != 1)}: drop these rows or "
                "give the missing ones a label of their own."
            )
        encoded.append((name, codes, labels))
    if len(encoded) == 1:
        name, codes, labels = encoded[0]
        return Groups(codes, labels, (name or argument,))
    return _cross(encoded, argument)


def cross_with_control(groups: Groups, control_features: Features, argument: str) -> Groups:
    """Return the groups within each stratum.

    Parameters
    ----------
    groups : Groups
    control_features : array-like of shape (n,) or (n, m), or dict of columns
        As of `make_groups`.
    argument : str
        Name used in error messages.

    Returns
    -------
    crossed : Groups
        Labels are tuples: the values of the sensitive columns, then those of the control columns.

    Raises
    ------
    ValueError
        If values are missing or lengths differ.
    """
    others = make_groups(control_features, argument=argument)
    if len(others) != len(groups):
        raise ValueError(
            f"{argument} has {len(others)} rows but there are {len(groups)} samples: give one per "
            "sample, in the order of X."
        )
    pairs, codes = np.unique(groups.codes * len(others.labels) + others.codes, return_inverse=True)
    labels = []
    for pair in pairs.tolist():
        first, second = divmod(pair, len(others.labels))
        parts = (groups.labels[first], groups.names), (others.labels[second], others.names)
        labels.append(
            tuple(
                value for label, names in parts for value in (label if len(names) > 1 else (label,))
            )
        )
    names = (*groups.names, *others.names)
    codes = codes.ravel().astype(np.intp, copy=False)
    return Groups(codes, labels, names, n_control=len(others.names))


def check_sizes(counts: IntArray, what: str) -> None:
    """Refuse parts of the sample that are many and tiny, as the values of a continuous column are.

    Parameters
    ----------
    counts : ndarray of shape (S,)
        Number of rows of each part.
    what : str
        What makes the parts, for the message.

    Raises
    ------
    ValueError
        If there are many parts and most have no more than a few rows.
    """
    if len(counts) > MANY_VALUES and np.mean(counts < HANDFUL) > 0.5:
        raise ValueError(
            f"{what} makes {len(counts)} groups of {int(np.sum(counts))} rows, most of fewer than "
            f"{HANDFUL} rows, as a continuous column does: cut it into bands (pandas.cut, "
            "numpy.digitize), merge rare values, or cross fewer columns."
        )


def encode_labels(values: Any) -> tuple[IntArray, Any]:
    """Return integer codes and the sorted distinct values of a column.

    Integers are coded by a look-up table and strings by comparison or hashing, because sorting
    them would cost more than every metric computed from them.

    Parameters
    ----------
    values : array-like of shape (n,)

    Returns
    -------
    codes : ndarray of shape (n,), intp
    labels : list
        Distinct values as Python scalars (NumPy's where Python has none as fine), sorted (by
        type name first where types are mixed).

    Raises
    ------
    ValueError
        If `values` is not one-dimensional or holds something that is not hashable.
    """
    if hasattr(values, "factorize") and values.dtype.kind in "OMm":
        return _encode_pandas(values)
    values = np.asarray(values)
    if values.ndim != 1:
        raise ValueError(f"labels must be 1-dimensional, got shape {values.shape}.")
    kind = values.dtype.kind
    if len(values) == 0:
        return np.zeros(0, dtype=np.intp), []
    if kind == "b":
        codes, labels = _encode_integers(values.view(np.uint8))
        return codes, [bool(label) for label in labels]
    if kind in "iu":
        return _encode_integers(values)
    if kind == "f":
        with np.errstate(invalid="ignore"):
            whole = values.astype(np.int64)
        if np.array_equal(whole, values):
            codes, labels = _encode_integers(whole)
            return codes, [float(label) for label in labels]
    if kind in "fmM":
        return _encode_by_sorting(values)
    if kind in "US":
        codes, labels = _encode_few_strings(values)
        if codes is not None:
            return codes, labels
    return _encode_by_hashing(values.tolist())


def _encode_pandas(series):
    """Encode a pandas Series or Index by its own hash table; missing values become None."""
    try:
        codes, distinct = series.factorize()
    except TypeError as error:
        raise ValueError(f"labels must be hashable scalars: {error}.") from error
    position, labels = encode_labels(np.asarray(distinct))
    if (codes < 0).any():
        position, labels = np.append(position, len(labels)), [*labels, None]
    return position[codes], labels


def _encode_integers(values):
    low, high = int(values.min()), int(values.max())
    if high - low > max(4 * len(values), 1 << 16):
        return _encode_by_sorting(values)
    offset = values.astype(np.intp, copy=False)
    if low:  # beyond 64 bits with a sign both wrap, and their difference is right
        offset = offset - values.min().astype(np.intp)
    present = np.flatnonzero(np.bincount(offset))
    if len(present) == present[-1] + 1:  # consecutive integers are codes already
        return offset, [low + step for step in present.tolist()]
    table = np.zeros(high - low + 1, dtype=np.intp)
    table[present] = np.arange(len(present))
    return table[offset], [low + step for step in present.tolist()]


def _encode_by_sorting(values):
    distinct, codes = np.unique(values, return_inverse=True)
    labels = distinct.tolist()
    if distinct.dtype.kind in "mM" and isinstance(labels[0], int):
        # Python's dates have no nanoseconds: keep NumPy's where there are any.
        coarse = distinct.astype(f"{distinct.dtype.kind}8[us]")
        labels = coarse.tolist() if (coarse == distinct).all() else list(distinct)
    return codes.astype(np.intp, copy=False), labels


def _encode_few_strings(values, most=16):
    """Compare with each distinct value; None for codes where there are more than `most`."""
    codes = np.full(len(values), -1, dtype=np.intp)
    distinct = []
    for _ in range(most + 1):
        row = int(codes.argmin())
        if codes[row] >= 0:
            labels = sorted(distinct)
            position = np.array([labels.index(label) for label in distinct], dtype=np.intp)
            return position[codes], labels
        codes[values == values[row]] = len(distinct)
        distinct.append(values[row].item())
    return None, None


def _encode_by_hashing(items):
    try:
        distinct = sort_labels(set(items))
    except TypeError as error:
        raise ValueError(f"labels must be hashable scalars: {error}.") from error
    index = {label: code for code, label in enumerate(distinct)}
    return np.fromiter(map(index.__getitem__, items), dtype=np.intp, count=len(items)), distinct


def label_array(labels: Sequence[Any]) -> Array:
    """Return labels as an array: of their own dtype where they share one, of objects otherwise."""
    if not any(isinstance(label, tuple) for label in labels):
        array = np.asarray(labels)
        if array.tolist() == labels:
            return array
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array


def sort_labels(labels: Iterable[Any]) -> list[Any]:
    """Return labels sorted, by type name first where types are mixed."""
    try:
        return sorted(labels)
    except TypeError:  # mixed types, or None among strings
        return sorted(labels, key=lambda label: (type(label).__name__, str(label)))


def is_missing(label: object) -> bool:
    """Whether a label is None, NaN, NaT or NA."""
    if label is None or type(label).__name__ in ("NAType", "NaTType"):
        return True
    try:
        return bool(label != label)  # NaN and NaT are the values that differ from themselves
    except (TypeError, ValueError):
        return False


def _split_columns(features, argument):
    """Return a list of (name or None, 1-d column), whatever container holds them."""
    if sparse.issparse(features):
        raise ValueError(f"{argument} must be dense: pass {argument}.toarray().")
    if isinstance(features, dict):
        columns = [(str(name), _as_column(column)) for name, column in features.items()]
    elif hasattr(features, "columns"):
        pick = (lambda j: features.iloc[:, j]) if hasattr(features, "iloc") else (
            lambda j: features[features.columns[j]]
        )  # fmt: skip
        columns = [(str(c), _as_column(pick(j))) for j, c in enumerate(features.columns)]
    else:
        array = _as_column(features)
        dimensions = array.ndim
        if dimensions == 0:
            column = isinstance(features, str) and argument == "sensitive_features"
            raise ValueError(
                f"{argument} must hold one value (or one row of values) per sample, got "
                f"{features!r}{': name a column of X by sensitive_columns' if column else ''}."
            )
        if dimensions > 2:
            raise ValueError(f"{argument} must be 1- or 2-dimensional, got {dimensions}.")
        if dimensions == 1:
            name = getattr(features, "name", None)
            columns = [(None if name is None else str(name), array)]
        else:
            columns = [(str(j) if array.shape[1] > 1 else None, array[:, j])
                       for j in range(array.shape[1])]  # fmt: skip
    if not columns:
        raise ValueError(f"{argument} has no column: give at least one.")
    return columns


def _as_column(column):
    """Return an array, or a pandas column as it is, losing no missing value on the way."""
    if isinstance(column, (list, tuple)):
        # numpy would turn [None, "a"] or ["a", nan] into strings.
        return _array_of_rows(column)
    if isinstance(column, np.ma.MaskedArray):
        array = np.array(column.data, dtype=object)
        array[np.ma.getmaskarray(column)] = None
        return array
    if hasattr(column, "factorize"):
        return column
    return np.asarray(column)


def _array_of_rows(rows):
    nested = any(issubclass(kind, (list, tuple, np.ndarray)) for kind in set(map(type, rows)))
    if not nested:
        array = np.empty(len(rows), dtype=object)
        array[:] = rows
        return array
    try:
        width = len(rows[0])
        regular = all(len(row) == width and not isinstance(row, str) for row in rows)
    except TypeError:
        regular = False
    if not regular:
        raise ValueError("the rows of sensitive features must all have the same length.")
    array = np.empty((len(rows), width), dtype=object)
    for j in range(width):
        array[:, j] = [row[j] for row in rows]
    return array


def _cross(encoded, argument):
    crossed = np.zeros(len(encoded[0][1]), dtype=np.intp)
    for name, codes, labels in encoded:
        if len(codes) != len(crossed):
            raise ValueError(
                f"the columns of {argument} differ in length: column {name!r} has {len(codes)} "
                f"values, the first has {len(crossed)}."
            )
        if len(codes):
            # Renumbering after each column keeps the product of many columns from overflowing.
            crossed, _ = _encode_integers(crossed * len(labels) + codes)
    n_groups = int(crossed.max(initial=-1)) + 1
    some_row = np.zeros(n_groups, dtype=np.intp)
    some_row[crossed] = np.arange(len(crossed))
    labels = [
        tuple(column_labels[codes[row]] for _, codes, column_labels in encoded) for row in some_row
    ]
    return Groups(crossed, labels, tuple(name for name, _, _ in encoded))
