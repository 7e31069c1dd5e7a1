"""Training data as floats, in single precision where that resolves them."""

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from skbadr._dask import is_dask_array
from skbadr.lower_level import make_design


def as_numbers(X, single=False):
    """Return X as floats; the estimator's own validation would refuse what this refuses."""
    if is_dask_array(X):
        return make_design(X)
    if not sparse.issparse(X) and not (isinstance(X, np.ndarray) and X.dtype.kind == "f"):
        X = check_array(X, dtype="numeric", accept_sparse="csr")
    if not single or sparse.issparse(X) or not _suits_single(X):
        return X
    return X.astype(np.float32, copy=False)


def _suits_single(X):
    some = np.asarray(X[:: max(1, len(X) // 2000)], dtype=float)
    offset, spread = np.abs(some.mean(axis=0)), some.std(axis=0)
    # Rare values may be missing from some of the rows.
    doubtful = np.flatnonzero(offset > 100 * spread)
    if len(doubtful):
        spread[doubtful] = np.asarray(X[:, doubtful], dtype=float).std(axis=0)
        doubtful = doubtful[spread[doubtful] > 1e-9 * offset[doubtful]]
    return bool((offset <= 100 * spread)[doubtful].all() and np.abs(some).max(initial=0.0) < 1e6)
