"""Rows of any estimator's input as numbers that a small linear classifier can use."""

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.utils import indexable

from skbadr._sklearn import _safe_indexing

# Quantile bins of a numeric column, and categories kept of any other: the most frequent ones.
BINS, CATEGORIES = 8, 30
# Numeric columns up to which each gets bins beside its value.
MOST_BINNED = 100
HASHED_WORDS = 2**12


def take_rows(X, rows):
    """Return some rows of X, whatever holds them."""
    return _safe_indexing(indexable(X)[0], rows)


def row_encoder(X, weight=None):
    """Return a function that encodes rows like those of `X`, or None where they are no table.

    Numbers are standardised and, where columns are few, also cut into quantile bins, so that a
    linear classifier can follow a code or a bend. Missing values have a bin of their own. Other
    columns become indicators of their most frequent values, texts become hashed words.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n, d), or sequence of n texts

    weight : ndarray of shape (n,) or None, default=None
        None: ones.

    Returns
    -------
    encode : callable or None
        Takes rows, returns an array or CSR matrix of shape (m, p).
    """
    if sparse.issparse(X) and X.shape[1] <= MOST_BINNED:
        encode = row_encoder(X.toarray(), weight)
        return lambda rows: encode(rows.toarray())
    if sparse.issparse(X):
        largest = abs(X).max(axis=0).toarray().ravel()
        scale = sparse.diags_array(1.0 / np.where(largest > 0, largest, 1.0))
        return lambda rows: sparse.csr_matrix(rows @ scale)
    columns = _columns(X)
    if columns is None:
        return None
    if not isinstance(columns, dict):
        hashing = HashingVectorizer(n_features=HASHED_WORDS, alternate_sign=False)
        return lambda rows: hashing.transform(_columns(rows))
    weight = np.ones(len(next(iter(columns.values())))) if weight is None else weight
    encoders, n_numeric = {}, sum(_is_numeric(values) for values in columns.values())
    for name, values in columns.items():
        if _is_numeric(values):
            encoders[name] = _Number(values, weight, binned=n_numeric <= MOST_BINNED)
        else:
            encoders[name] = _Category(values, weight)
    return lambda rows: _encode(encoders, _columns(rows))


def _columns(X):
    """Return a dict of columns by name or place, an array of texts, or None."""
    if hasattr(X, "columns"):
        return {name: np.asarray(X[name]) for name in X.columns}
    try:
        X = np.asarray(X)
    except ValueError:  # ragged
        return None
    if X.ndim == 1 and X.dtype.kind in "UO" and all(isinstance(row, str) for row in X):
        return X
    if X.ndim < 2 or X.size == 0:
        return None
    X = X.reshape(len(X), -1)
    return {place: X[:, place] for place in range(X.shape[1])}


def _is_numeric(values):
    return values.dtype.kind in "biuf"


def _encode(encoders, columns):
    numbers, indicators = [], []
    for name, encoder in encoders.items():
        own, codes, n_codes = encoder(columns[name])
        if own is not None:
            numbers.append(own)
        if n_codes:
            indicators.append((codes, n_codes))
    n_rows = len(next(iter(columns.values())))
    numbers = np.column_stack(numbers) if numbers else np.empty((n_rows, 0))
    if not indicators:
        return numbers
    codes = np.column_stack([codes for codes, _ in indicators])
    sizes = np.array([size for _, size in indicators])
    places = codes + (np.cumsum(sizes) - sizes)
    known = codes >= 0
    starts = np.concatenate([[0], np.cumsum(known.sum(axis=1))])
    ones = np.ones(int(starts[-1]))
    indicators = sparse.csr_matrix((ones, places[known], starts), shape=(n_rows, int(sizes.sum())))
    return sparse.hstack([sparse.csr_matrix(numbers), indicators], format="csr")


class _Number:
    """Standardise a numeric column, and code its quantile bins."""

    def __init__(self, values, weight, *, binned):
        values = values.astype(float)
        finite = np.isfinite(values)
        known, weight = values[finite], weight[finite]
        self.mean, self.scale, self.edges = 0.0, 0.0, None
        if len(known):
            self.mean = np.average(known, weights=weight)
            spread = np.sqrt(np.average(np.square(known - self.mean), weights=weight))
            self.scale = 1.0 / spread if spread > 1e-12 * max(1.0, abs(self.mean)) else 0.0
        if len(known) < len(values) or (binned and len(np.unique(known)) > 2):
            self.edges = _quantiles(known, weight)

    def __call__(self, values):
        values = values.astype(float)
        known = np.isfinite(values)
        own = np.where(known, values - self.mean, 0.0) * self.scale
        if self.edges is None:
            return own, None, 0
        missing = len(self.edges) + 1
        codes = np.where(known, np.searchsorted(self.edges, values, side="right"), missing)
        return own, codes, missing + 1


def _quantiles(values, weight):
    """Return the distinct edges of bins of equal weight."""
    if not len(values):
        return np.empty(0)
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weight[order])
    wanted = np.arange(1, BINS) / BINS * below[-1]
    return np.unique(values[order][np.searchsorted(below, wanted)])


class _Category:
    """Code the most frequent values of a column; any other value has no code."""

    def __init__(self, values, weight):
        found, codes = np.unique(values.astype(str), return_inverse=True)
        kept = np.argsort(-np.bincount(codes, weight), kind="stable")[:CATEGORIES]
        self.values = np.sort(found[kept])

    def __call__(self, values):
        values = values.astype(str)
        codes = np.minimum(np.searchsorted(self.values, values), len(self.values) - 1)
        return None, np.where(self.values[codes] == values, codes, -1), len(self.values)
