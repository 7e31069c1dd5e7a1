"""A key of each row by what is in it, so that rows can be drawn in whatever order they come."""

from zlib import crc32

import numpy as np
from scipy import sparse

from skbadr._dask import blocks_of, is_dask_array, run_on_blocks
from skbadr._sklearn import _safe_indexing

# Words hashed at a time, in memory that is used again: fresh memory costs more than all else.
BLOCK = 2**19
# Kinds of data whose bits can be taken for a number.
NUMBERS = "biufmM"


def row_keys(X, *columns):
    """Return a number for each row that only its contents decide.

    Equal rows have equal keys, others different ones but for a chance of about ``n / 2**41``.
    Sorted by their keys, rows come in an order that is as good as random, but has equal rows side
    by side: every so many of them are a sample in which contents have their shares.

    Parameters
    ----------
    X : array-like, DataFrame, sparse matrix or dask array of shape (n, d), or list of objects
        Of a Dask array, each block is looked at where it is.
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
    if is_dask_array(X):
        keys = np.concatenate(run_on_blocks(_of_table, (blocks_of(X),)))
    else:
        keys = _of_table(X)
    for column, factors in zip(columns, _factors(len(columns), "columns"), strict=True):
        _add_numbers(keys, column[:, None], factors[None])
    for block in _blocks(len(keys), 1):
        _mix(keys[block])
    return keys


def _of_table(X):
    """Return the sum of the hashed entries of each row, the same for all containers."""
    if sparse.issparse(X):
        return _of_sparse(sparse.csr_array(X))
    if not hasattr(X, "columns"):
        X = _as_array(X)
        X = X.reshape(len(X), -1)
    keys, factors = np.zeros(X.shape[0], dtype=np.uint64), _factors(X.shape[1])
    if isinstance(X, np.ndarray) and X.dtype.kind in NUMBERS:
        _add_numbers(keys, X, factors)
        return keys
    for place, own in enumerate(factors):
        _add_column(keys, _safe_indexing(X, place, axis=1), own[None])
    return keys


def _add_column(keys, column, factors):
    if hasattr(getattr(column, "cat", None), "codes"):  # categories of pandas
        texts = np.append(_of_texts(column.cat.categories), 0)
        _add_numbers(keys, texts[column.cat.codes.to_numpy()][:, None], factors)
        return
    values = np.asarray(column)
    if values.dtype.kind in NUMBERS:
        _add_numbers(keys, values[:, None], factors)
        return
    values, codes = values.tolist(), {}
    try:
        places = [codes.setdefault(value, len(codes)) for value in values]
    except TypeError:  # some that have no hash
        values, codes = list(map(repr, values)), {}
        places = [codes.setdefault(value, len(codes)) for value in values]
    _add_numbers(keys, _of_texts(codes)[places][:, None], factors)


def _of_texts(values):
    return np.array([crc32(repr(value).encode()) + 1 for value in values], dtype=float)


def _add_numbers(keys, X, factors):
    """Add to each key the sum of the row's entries times random factors, modulo 2**64.

    Words of 32 bits count by themselves: the lower ones of round numbers are zero.
    """
    if X.dtype.kind in "mM":
        X = X.view(np.int64)
    if X.dtype == np.float32:
        kind, factors = np.float32, factors[:, 1].copy()
    else:
        kind, factors = np.float64, factors.ravel()
    blocks = _blocks(len(X), len(factors))
    space = np.empty((blocks[0].stop if blocks else 0, len(factors)), dtype=np.uint64)
    for block in blocks:
        numbers = np.ascontiguousarray(X[block], dtype=kind)
        words = space[: len(numbers)]
        np.copyto(words, numbers.view(np.uint32))
        keys[block] += np.einsum("nd,d->n", words, factors)


def _of_sparse(X):
    """Return the same of stored entries; others are zero, and add nothing."""
    words = X.data.astype(float).view(np.uint32).reshape(-1, 2)
    factors = _factors(X.shape[1])[X.indices]
    hashed = np.einsum("nd,nd->n", words, factors, dtype=np.uint64, casting="unsafe")
    sums = np.append(np.uint64(0), np.cumsum(hashed))
    return sums[X.indptr[1:]] - sums[X.indptr[:-1]]


def _factors(size, salt="table"):
    """Return odd numbers, of shape (size, 2): the same each time."""
    rng = np.random.default_rng(crc32(salt.encode()))
    drawn = rng.integers(0, 2**63, (size, 2), dtype=np.uint64)
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
    texts = isinstance(X, (list, tuple)) and any(isinstance(row, str) for row in X[:1])
    # An array of text is as wide as the longest.
    try:
        return np.asarray(X, dtype=object if texts else None)
    except ValueError:  # rows of several lengths
        return np.array(list(map(repr, X)), dtype=object)
