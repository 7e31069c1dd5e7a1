"""A numeric encoding of any features, for guidance alone."""

import numpy as np
from scipy import sparse

from skbadr._sklearn import _safe_indexing

# Categories of a column that get a column of their own; the others share one.
MAX_CATEGORIES = 20
# Columns kept: those with the largest correlation with a target.
MAX_COLUMNS = 300
# Standard deviations beyond which a value counts as that far out.
CLIP = 4.0


def encode_features(X, rows, targets, weight=None):
    """Return standardised numbers for some rows of X.

    Numbers keep their order, with the mean in place of missing ones and a column that marks
    them; other columns become indicators of their most frequent categories, of which "missing"
    is one; of sparse or wide data the columns closest to the targets are kept.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n, d)
    rows : ndarray of shape (m,)
    targets : ndarray of shape (m, q)
    weight : ndarray of shape (m,) or None, default=None
        Of the rows, in means and frequencies.

    Returns
    -------
    encoded : ndarray of shape (m, p), float32, or None
        None where X is not a table, or nothing in it varies.
    """
    weight = np.ones(len(rows)) if weight is None else weight
    weight = weight / weight.sum()
    if sparse.issparse(X):
        columns = _widest(sparse.csr_matrix(X)[rows].tocsc(), targets, weight)
        return None if columns is None else _standardise(columns, weight)
    if len(getattr(X, "shape", ())) != 2:
        X = np.asarray(X, dtype=object)
        if X.ndim != 2:
            return None
    part = _safe_indexing(X, rows)
    if hasattr(part, "columns"):
        parts = [_encode_column(np.asarray(part[name]), weight) for name in part.columns]
    elif part.dtype.kind in "biuf":
        parts = [_encode_numbers(part.astype(float), weight)]
    else:
        parts = [_encode_column(column, weight) for column in part.T]
    encoded = np.column_stack(parts) if parts else np.empty((len(rows), 0))
    if encoded.shape[1] > MAX_COLUMNS:
        encoded = _widest(encoded, targets, weight)
    return None if encoded is None else _standardise(encoded, weight)


def _encode_column(column, weight):
    if column.ndim != 1:
        return np.empty((len(column), 0))
    if column.dtype.kind in "biuf":
        return _encode_numbers(column.astype(float)[:, None], weight)
    if column.dtype.kind in "mM":
        numbers = column.astype("int64").astype(float)
        numbers[np.isnat(column)] = np.nan
        return _encode_numbers(numbers[:, None], weight)
    try:
        numbers = np.array([[np.nan if v is None else float(v)] for v in column])
    except (TypeError, ValueError):
        return _encode_categories(column, weight)
    return _encode_numbers(numbers, weight)


def _encode_numbers(values, weight):
    """Return columns with means for what is missing, and indicators of where that is."""
    values = np.where(np.isinf(values), np.nan, values)
    missing = np.isnan(values)
    if not missing.any():
        return values
    known = np.maximum(weight @ ~missing, 1e-300)
    mean = weight @ np.where(missing, 0.0, values) / known
    return np.column_stack([np.where(missing, mean, values), missing[:, missing.any(axis=0)]])


def _encode_categories(column, weight):
    # Whatever does not equal itself is missing: NaN, NaT.
    text = np.array(["" if v is None or v != v else f"={v}" for v in column.tolist()])
    names, codes = np.unique(text, return_inverse=True)
    counts = np.bincount(codes, weights=weight)
    frequent = np.argsort(-counts, kind="stable")[:MAX_CATEGORIES]
    place = np.full(len(names), -1)
    place[frequent] = np.arange(len(frequent))
    place = place[codes]
    return (place[:, None] == np.arange(len(frequent))).astype(float)


def _widest(columns, targets, weight):
    """Return, dense, the columns with the largest correlation with one of the targets."""
    centered = weight[:, None] * (targets - weight @ targets)
    squares = columns.multiply(columns) if sparse.issparse(columns) else columns**2
    mean = np.asarray(columns.T @ weight).ravel()
    variance = np.asarray(squares.T @ weight).ravel() - mean**2
    covariance = np.abs(np.asarray(columns.T @ centered)).max(axis=1)
    varying = variance > 1e-12 * (1.0 + mean**2)
    if not varying.any():
        return None
    # Rare columns correlate by chance: a row's worth of variance is added to each.
    strength = covariance / np.sqrt(variance + 1.0 / len(targets))
    strength = np.where(varying, strength, -1.0)
    kept = np.sort(np.argsort(-strength, kind="stable")[:MAX_COLUMNS])
    chosen = columns[:, kept[varying[kept]]]
    return chosen.toarray() if sparse.issparse(chosen) else chosen


def _standardise(columns, weight):
    mean = weight @ columns
    spread = np.sqrt(weight @ (columns - mean) ** 2)
    size = np.abs(columns).max(axis=0, initial=0.0)
    kept = spread > 1e-9 * (1e-300 + size)
    if not kept.any():
        return None
    columns = (columns[:, kept] - mean[kept]) / spread[kept]
    return np.clip(columns, -CLIP, CLIP).astype(np.float32)
