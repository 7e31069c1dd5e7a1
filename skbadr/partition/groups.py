"""Sensitive features of any container, encoded as one group code per sample."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Groups:
    """One group per sample.

    Attributes
    ----------
    codes : ndarray of shape (n,), intp
        Group of each sample, in ``0..S-1``.
    labels : list of length S
        The group's value; a tuple of values where several columns are crossed.
    names : tuple of str
        Names of the columns that were crossed.
    """

    codes: np.ndarray
    labels: list
    names: tuple

    def __len__(self):
        return len(self.codes)


def make_groups(sensitive_features, *, argument="sensitive_features"):
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
        If a value is missing (None, NaN, NaT, NA), naming the column and the count.
    """
    encoded = []
    for name, column in _split_columns(sensitive_features, argument):
        codes, labels = encode_labels(column)
        missing = [code for code, label in enumerate(labels) if _is_missing(label)]
        if missing:
            count = int(np.isin(codes, missing).sum())
            where = f"column {name!r} of {argument}" if name else argument
            raise ValueError(
                f"{where} has {count} missing value{'s' * (count != 1)}: drop these rows or "
                "give the missing ones a label of their own."
            )
        encoded.append((name, codes, labels))
    if len(encoded) == 1:
        name, codes, labels = encoded[0]
        return Groups(codes, labels, (name or argument,))
    return _cross(encoded, argument)


def encode_labels(values):
    """Return integer codes and the sorted distinct values of a column.

    Integers and booleans are coded by a look-up table and strings by hashing, because sorting
    strings would cost more than every metric computed from them.

    Parameters
    ----------
    values : array-like of shape (n,)

    Returns
    -------
    codes : ndarray of shape (n,), intp
    labels : list
        Distinct values as Python scalars, sorted (by type name first where types are mixed).
    """
    values = np.asarray(values)
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
        codes, labels = _encode_integers(values)
        return codes, [bool(label) for label in labels]
    if values.dtype.kind in "iu" and len(values):
        return _encode_integers(values)
    if values.dtype.kind in "fmM":
        labels, codes = np.unique(values, return_inverse=True)
        return codes.astype(np.intp, copy=False), labels.tolist()
    items = values.tolist()
    try:
        distinct = _sorted(set(items))
    except TypeError as error:
        raise ValueError(f"group labels must be hashable scalars: {error}.") from error
    index = {label: code for code, label in enumerate(distinct)}
    return np.fromiter(map(index.__getitem__, items), dtype=np.intp, count=len(items)), distinct


def _encode_integers(values):
    low, high = int(values.min()), int(values.max())
    if high - low > max(4 * len(values), 1 << 16):
        labels, codes = np.unique(values, return_inverse=True)
        return codes.astype(np.intp, copy=False), labels.tolist()
    offset = values.astype(np.intp) - low
    present = np.flatnonzero(np.bincount(offset))
    if len(present) == present[-1] + 1:  # consecutive integers are codes already
        return offset, (present + low).tolist()
    table = np.zeros(high - low + 1, dtype=np.intp)
    table[present] = np.arange(len(present))
    return table[offset], (present + low).tolist()


def _sorted(labels):
    try:
        return sorted(labels)
    except TypeError:  # mixed types, or None among strings
        return sorted(labels, key=lambda label: (type(label).__name__, str(label)))


def _is_missing(label):
    if label is None or type(label).__name__ in ("NAType", "NaTType"):
        return True
    try:
        return bool(label != label)  # NaN and NaT are the values that differ from themselves
    except (TypeError, ValueError):
        return False


def _split_columns(features, argument):
    """Return a list of (name or None, 1-d column), whatever container holds them."""
    scalar = features is None or isinstance(features, (str, bytes)) or np.ndim(features) == 0
    if scalar and not isinstance(features, dict):
        raise ValueError(
            f"{argument} must hold one value (or one row of values) per sample, got {features!r}."
        )
    if sparse.issparse(features):
        raise ValueError(f"{argument} must be dense: pass {argument}.toarray().")
    if isinstance(features, dict):
        columns = [(str(name), _as_array(column)) for name, column in features.items()]
    elif hasattr(features, "columns"):
        pick = (lambda j: features.iloc[:, j]) if hasattr(features, "iloc") else (
            lambda j: features[features.columns[j]]
        )  # fmt: skip
        columns = [(str(c), _as_array(pick(j))) for j, c in enumerate(features.columns)]
    else:
        array = _as_array(features)
        if array.ndim == 1:
            name = getattr(features, "name", None)
            columns = [(None if name is None else str(name), array)]
        elif array.ndim == 2:
            columns = [(str(j) if array.shape[1] > 1 else None, array[:, j])
                       for j in range(array.shape[1])]  # fmt: skip
        else:
            raise ValueError(
                f"{argument} must be 1- or 2-dimensional, got {array.ndim} dimensions."
            )
    if not columns:
        raise ValueError(f"{argument} has no column: give at least one.")
    return columns


def _as_array(column):
    if isinstance(column, (list, tuple)):
        # numpy would turn [None, "a"] or ["a", nan] into strings and lose what is missing.
        rows = [tuple(row) if isinstance(row, (list, tuple, np.ndarray)) else row for row in column]
        if rows and isinstance(rows[0], tuple):
            width = len(rows[0])
            if any(not isinstance(row, tuple) or len(row) != width for row in rows):
                raise ValueError("the rows of sensitive features must all have the same length.")
            array = np.empty((len(rows), width), dtype=object)
            for j in range(width):
                array[:, j] = [row[j] for row in rows]
            return array
        array = np.empty(len(rows), dtype=object)
        array[:] = rows
        return array
    return np.asarray(column)


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
    _, first_row = np.unique(crossed, return_index=True)
    labels = [
        tuple(column_labels[codes[row]] for _, codes, column_labels in encoded) for row in first_row
    ]
    return Groups(crossed, labels, tuple(name for name, _, _ in encoded))
