"""A key of each row by what is in it, so that rows can be drawn in whatever order they come."""

from zlib import crc32

import numpy as np
from scipy import sparse

from skbadr._dask import blocks_of, is_dask_array, run_on_blocks
from skbadr._sklearn import _safe_indexing

# Rows hashed at a time, which fit into the processor's cache.
BLOCK = 16_384
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
    factors = _factors(len(columns), "columns")
    for column, own in zip(columns, factors, strict=True):
        keys = keys + _of_numbers(column[:, None], own[None])
    return _mixed(keys)


def _of_table(X):
    """Return the sum of the hashed entries of each row, the same for all containers."""
    if sparse.issparse(X):
        return _of_sparse(sparse.csr_array(X))
    if not hasattr(X, "columns"):
        X = _as_array(X)
        X = X.reshape(len(X), -1)
        if X.dtype.kind in NUMBERS:
            return _of_numbers(X, _factors(X.shape[1]))
    keys = np.zeros(len(X), dtype=np.uint64)
    for place, own in enumerate(_factors(X.shape[1])):
        keys += _of_column(_safe_indexing(X, place, axis=1), own[None])
    return keys


def _of_column(column, factors):
    if hasattr(getattr(column, "cat", None), "codes"):  # categories of pandas
        texts = np.append(_of_texts(column.cat.categories), 0)
        return _of_numbers(texts[column.cat.codes.to_numpy()][:, None], factors)
    values = np.asarray(column)
    if values.dtype.kind in NUMBERS:
        return _of_numbers(values[:, None], factors)
    values, codes = values.tolist(), {}
    try:
        places = [codes.setdefault(value, len(codes)) for value in values]
    except TypeError:  # some that have no hash
        values, codes = list(map(repr, values)), {}
        places = [codes.setdefault(value, len(codes)) for value in values]
    return _of_numbers(_of_texts(codes)[places][:, None], factors)


def _of_texts(values):
    return np.array([crc32(repr(value).encode()) + 1 for value in values], dtype=float)


def _of_numbers(X, factors):
    """Return the sum of the entries of each row times random factors, modulo 2**64.

    Words of 32 bits count by themselves: the lower ones of round numbers are zero.
    """
    if X.dtype.kind in "mM":
        X = X.view(np.int64)
    if X.dtype == np.float32:
        kind, factors = np.float32, factors[:, 1].copy()
    else:
        kind, factors = np.float64, factors.ravel()
    keys = np.empty(len(X), dtype=np.uint64)
    for start in range(0, len(X), BLOCK):
        words = np.ascontiguousarray(X[start : start + BLOCK], dtype=kind).view(np.uint32)
        own = keys[start : start + BLOCK]
        np.einsum("nd,d->n", words, factors, out=own, dtype=np.uint64, casting="unsafe")
    return keys


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


def _mixed(keys):
    """Return keys whose every bit depends on all that they had."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        keys = (keys ^ (keys >> np.uint64(shift))) * np.uint64(factor)
    return keys ^ (keys >> np.uint64(31))


def _as_array(X):
    texts = isinstance(X, (list, tuple)) and any(isinstance(row, str) for row in X[:1])
    # An array of text is as wide as the longest.
    try:
        return np.asarray(X, dtype=object if texts else None)
    except ValueError:  # rows of several lengths
        return np.array(list(map(repr, X)), dtype=object)
