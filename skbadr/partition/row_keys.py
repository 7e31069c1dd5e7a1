"""A key of each row by what is in it, so that rows can be drawn in whatever order they come."""

from __future__ import annotations

import datetime
import json
from typing import Any
from zlib import crc32

import numpy as np
from scipy import sparse

from skbadr._dask import blocks_of, is_dask_array, run_on_blocks
from skbadr._sklearn import _safe_indexing
from skbadr._typing import Array, IntArray

# Words hashed at a time, which stay in the processor's cache.
BLOCK = 2**16
# Kinds of data whose bits can be taken for numbers.
NUMBERS = "biufmM"
# Bits of a key in which rows differ that single precision does not tell apart.
EXACT = np.uint64(2**24 - 1)


def row_keys(X: Any, *columns: Array) -> Array:
    """Return a number for each row that only its contents decide.

    Equal rows have equal keys, others different ones but for a chance of about ``n / 2**41``.
    Sorted by their keys, rows come in an order that is as good as random, but has equal rows side
    by side: every so many of them are a sample in which contents have their shares.

    Numbers count in single precision first, so that last digits, which may be the machine's,
    decide between rows alone that agree in all else.

    Parameters
    ----------
    X : array-like, DataFrame, sparse matrix or dask array of shape (n, d), or list of objects
        Of a Dask array, each block is looked at where it is. Objects count that are texts, numbers
        or dates, or lists and dicts of these.
    *columns : ndarray of shape (n,)
        Further contents, such as targets and groups.

    Returns
    -------
    keys : ndarray of shape (n,), uint64

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.5, 1.0], [2.0, 3.0], [0.5, 1.0]])
    >>> first, second, third = row_keys(X)
    >>> bool(first == third), bool(first == second)
    (True, False)
    """
    if sparse.issparse(X):
        X = sparse.csr_array(X)
    keys = _hashed(X, columns, exact=False)
    rows = _tied(keys)
    if len(rows):
        if is_dask_array(X):
            exact = _hashed(X, columns, exact=True)[rows]
        else:
            part = _safe_indexing(X, rows)
            exact = _hashed(part, [column[rows] for column in columns], exact=True)
        keys[rows] = (keys[rows] & ~EXACT) | (exact & EXACT)
    return keys


def _hashed(X, columns, exact):
    if is_dask_array(X):
        X = X.rechunk({1: -1})
        keys = np.concatenate(run_on_blocks(_of_table, (blocks_of(X),), exact))
    else:
        keys = _of_table(X, exact)
    for column, factor in zip(columns, _factors(len(columns), "columns"), strict=True):
        _add_numbers(keys, column[:, None], factor[None], exact)
    for block in _blocks(len(keys), 1):
        _mix(keys[block])
    return keys


def key_order(keys: Array) -> IntArray:
    """Return the order of keys, as `numpy.argsort` but for equal ones.

    Keys are sorted with their places in their lowest bits, in less than half the time.
    """
    places = np.uint64(2 ** (len(keys) - 1).bit_length() - 1)
    packed = (keys & ~places) | np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    order = (packed & places).astype(np.intp)
    # What the lowest bits decide is put right.
    packed &= ~places
    tied = np.zeros(len(keys), dtype=bool)
    same = packed[1:] == packed[:-1]
    tied[1:] |= same
    tied[:-1] |= same
    if tied.any():
        rows = order[tied]
        order[tied] = rows[np.argsort(keys[rows], kind="stable")]
    return order


def _tied(keys):
    """Return the rows that share their key with another one."""
    ordered = np.sort(keys)
    shared = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(shared) == 0:
        return np.empty(0, dtype=np.intp)
    place = np.minimum(np.searchsorted(shared, keys), len(shared) - 1)
    return np.flatnonzero(shared[place] == keys)


def _of_table(X, exact):
    """Return the sum of the hashed entries of each row, the same for all containers."""
    if sparse.issparse(X):
        return _of_sparse(X, exact)
    if not hasattr(X, "columns"):
        X = _as_array(X)
        X = X.reshape(len(X), -1)
    keys, factors = np.zeros(X.shape[0], dtype=np.uint64), _factors(X.shape[1])
    if isinstance(X, np.ndarray) and X.dtype.kind in NUMBERS:
        _add_numbers(keys, X, factors, exact)
        return keys
    for place, factor in enumerate(factors):
        numbers = _column_numbers(_safe_indexing(X, place, axis=1))
        _add_numbers(keys, numbers[:, None], factor[None], exact)
    return keys


def _column_numbers(column):
    """Return numbers that stand for the entries of a column."""
    if hasattr(getattr(column, "cat", None), "codes"):  # categories of pandas
        texts = np.append(_texts(column.cat.categories.tolist()), np.float32(np.nan))
        return texts[column.cat.codes.to_numpy()]
    if str(getattr(column, "dtype", "")).startswith("datetime64[ns, "):
        return np.asarray(column, dtype="datetime64[ns]")
    values = np.asarray(column)
    if values.ndim == 1 and values.dtype.kind in NUMBERS:
        return values
    return _texts(values.tolist())


def _texts(values):
    """Return numbers by the texts of objects, equal ones for equal objects."""
    known = {}
    try:
        for value in values:
            if value not in known:
                known[value] = crc32(_text(value).encode())
        hashed = [known[value] for value in values]
    except TypeError:  # some that have no hash
        hashed = [crc32(_text(value).encode()) for value in values]
    return np.array(hashed, dtype=np.uint32).view(np.float32)  # as it is their bits that count


def _text(value):
    """Return a text that another process would give it as well; empty where there is none."""
    if isinstance(value, (bool, int, float, np.number)):
        return repr(float(value)) if abs(value) < 2**53 else repr(value)
    if isinstance(value, (str, bytes, datetime.date, datetime.time, datetime.timedelta)):
        return repr(value)
    try:
        return json.dumps(value, sort_keys=True)
    except (TypeError, ValueError):
        return ""


def _add_numbers(keys, X, factors, exact):
    """Add to each key the sum of the row's entries times random factors, modulo 2**64."""
    if X.dtype.kind in "mM":
        X = X.view(np.int64)
        X = (X ^ (X >> 32)).astype(np.uint32).view(np.float32)
    kind = np.float32
    if exact and X.dtype != np.float32:
        # The lower word of many numbers is zero, so that it counts by itself.
        kind = np.float64
        factors = np.column_stack([factors * np.uint64(3), factors]).ravel()
    blocks = _blocks(len(X), len(factors))
    space = np.empty((blocks[0].stop if blocks else 0, len(factors)), dtype=np.uint64)
    for block in blocks:
        with np.errstate(over="ignore", invalid="ignore"):
            numbers = np.ascontiguousarray(X[block], dtype=kind)
        words = space[: len(numbers)]
        np.copyto(words, numbers.view(np.uint32))
        keys[block] += np.einsum("nd,d->n", words, factors)


def _of_sparse(X, exact):
    """Return the same of stored entries; others are zero, and add nothing."""
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    keys, factors = np.zeros(X.shape[0], dtype=np.uint64), _factors(X.shape[1])
    for block in _blocks(X.shape[0], max(1, X.nnz // max(X.shape[0], 1))):
        pointers = X.indptr[block.start : block.stop + 1]
        stored = slice(pointers[0], pointers[-1])
        hashed = np.zeros(stored.stop - stored.start, dtype=np.uint64)
        one = np.ones(1, dtype=np.uint64)
        _add_numbers(hashed, X.data[stored, None], one, exact)
        hashed *= factors[X.indices[stored]]
        sums = np.append(np.uint64(0), np.cumsum(hashed, dtype=np.uint64))
        pointers = pointers - pointers[0]
        keys[block] = sums[pointers[1:]] - sums[pointers[:-1]]
    return keys


def _factors(size, salt="table"):
    """Return odd numbers, of shape (size,): the same each time."""
    rng = np.random.default_rng(crc32(salt.encode()))
    drawn = rng.integers(0, 2**63, size, dtype=np.uint64)
    return drawn * np.uint64(2) + np.uint64(1)


def _mix(keys):
    """Make every bit of keys depend on all that they had, in place."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        keys ^= keys >> np.uint64(shift)
        keys *= np.uint64(factor)
    keys ^= keys >> np.uint64(31)


def _blocks(n, width):
    """Return slices of so many rows that few words are in each."""
    size = max(1, BLOCK // max(width, 1))
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _as_array(X):
    if not isinstance(X, (list, tuple)):
        return np.asarray(X)
    # An array of text would be as wide as the longest.
    objects = np.empty(len(X), dtype=object)
    try:
        objects = np.asarray(X, dtype=object)
        return objects.astype(np.float64)
    except (TypeError, ValueError):
        if objects.ndim == 0 or len(objects) != len(X):
            objects = np.fromiter(X, dtype=object, count=len(X))
        return objects
