"""Training data as floats, in single precision where that resolves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from skbadr.lower_level.linear import DENSE_LIMIT

if TYPE_CHECKING:
    from skbadr.partition import Cells

# How many times as large sparse data may become in single precision, and how large at most.
DENSER, MOST_BYTES = 4, 2**29


def for_search(X: Any, cells: Cells, single: bool, *, n_parts: int = 1) -> Any:
    """Return X as a search passes over it.

    Sparse data that dense take little more room for, as those of an encoder of categories, become
    dense: a pass then costs about as much, and Hessians far less.

    Parameters
    ----------
    X : ndarray, sparse matrix or Design of shape (n, d), of floats
    cells : Cells
        Of the rows.
    single : bool
        Whether these may be in single precision.
    n_parts : int, default=1
        Number of such X that share the room there is for sparse data made dense.

    Returns
    -------
    X : ndarray, sparse matrix or Design
    """
    if sparse.issparse(X) and suits_dense(X, n_parts):
        X = X.toarray()
    if single and isinstance(X, np.ndarray) and _suits_single(X, cells):
        X = _as_single(X, cells)
    return X


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
    rows = cells.by_cell
    some = X.take(rows[:: max(1, len(rows) // 2000)], axis=0).astype(float)
    offset, spread = np.abs(some.mean(axis=0)), some.std(axis=0)
    # Rare values may be missing from some of the rows.
    doubtful = np.flatnonzero(offset > 100 * spread)
    if len(doubtful):
        spread[doubtful] = np.asarray(X[:, doubtful], dtype=float).std(axis=0)
        doubtful = doubtful[spread[doubtful] > 1e-9 * offset[doubtful]]
    return bool((offset <= 100 * spread)[doubtful].all() and np.abs(some).max(initial=0.0) < 1e6)
