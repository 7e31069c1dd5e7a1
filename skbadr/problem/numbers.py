"""Training data as floats, in single precision where that resolves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from skbadr._dask import is_dask_array
from skbadr._typing import Array
from skbadr.lower_level import make_design
from skbadr.lower_level.linear import DENSE_LIMIT

if TYPE_CHECKING:
    from skbadr.partition import Cells

# Rows that are put in order at most, as more are searched on samples; numbers that are copied for
# the sake of their order alone; and rows copied at a time.
MOST_ROWS, FEW, BLOCK = 100_000, 4_000_000, 16_384
# How many times as large sparse data may become in single precision, and how large at most.
DENSER, MOST_BYTES = 4, 2**29


def as_numbers(X: Any) -> Any:
    """Return X as floats; the estimator's own validation would refuse what this refuses."""
    if is_dask_array(X):
        return make_design(X)
    if sparse.issparse(X) or (isinstance(X, np.ndarray) and X.dtype.kind == "f"):
        return X
    return check_array(X, dtype="numeric", accept_sparse="csr")


def in_order(X: Any, cells: Cells, single: bool, *, n_parts: int = 1) -> tuple[Any, Array | None]:
    """Return X as floats, its rows in an order of their contents where that costs little.

    Rows of weight zero are then left out.

    Sums in single precision feel the order of rows, and a search feels these. In double precision,
    where there are many, or where a copy would be made for the order alone, rows stay as they come.
    Sparse data that dense take little more room for, as those of an encoder of categories, become
    dense: a pass then costs about as much, and Hessians far less.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    cells : Cells
        Of the rows.
    single : bool
        Whether these may be in single precision.
    n_parts : int, default=1
        Number of such X that share the room there is for sparse data made dense.

    Returns
    -------
    X : ndarray, sparse matrix or Design
    rows : ndarray of shape (m,) or None
        Which row of X each one is; None: as they come.
    """
    given, X = X, as_numbers(X)
    if sparse.issparse(X) and suits_dense(X, n_parts):
        X = X.toarray()
    if not single or not isinstance(X, np.ndarray) or not _suits_single(X, cells):
        return X, None
    copied = X is not given or X.dtype != np.float32 or X.size <= FEW
    if cells.keys is None or not copied or len(X) > MOST_ROWS:
        return _as_single(X, cells), None
    rows = cells.ordered
    ordered = np.empty((len(rows), X.shape[1]), dtype=np.float32)
    for start in range(0, len(rows), BLOCK):
        ordered[start : start + BLOCK] = X.take(rows[start : start + BLOCK], axis=0)
    return ordered, rows


def _as_single(X, cells):
    if X.dtype == np.float32:
        return X
    with np.errstate(over="ignore"):
        X = X.astype(np.float32)
    if cells.n_seen < len(X):
        X[cells.base_weight <= 0] = 0.0  # which may be too large, and times zero is not zero then
    return X


def suits_dense(X: Any, n_parts: int) -> bool:
    """Whether sparse data take little more room when they are dense."""
    size = X.shape[0] * X.shape[1]
    stored = X.nnz * (X.dtype.itemsize + np.dtype(np.int32).itemsize)
    # In single precision, after double.
    few = 12 * size * n_parts <= MOST_BYTES
    return bool(X.shape[1] <= DENSE_LIMIT and few and 4 * size <= DENSER * stored)


def _suits_single(X, cells):
    rows = cells.ordered
    some = X.take(rows[:: max(1, len(rows) // 2000)], axis=0).astype(float)
    offset, spread = np.abs(some.mean(axis=0)), some.std(axis=0)
    # Rare values may be missing from some of the rows.
    doubtful = np.flatnonzero(offset > 100 * spread)
    if len(doubtful):
        spread[doubtful] = np.asarray(X[:, doubtful], dtype=float).std(axis=0)
        doubtful = doubtful[spread[doubtful] > 1e-9 * offset[doubtful]]
    return bool((offset <= 100 * spread)[doubtful].all() and np.abs(some).max(initial=0.0) < 1e6)
