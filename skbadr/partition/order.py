"""An order of groups and cells that depends on what is in them, not on what they are called.

And sums over rows that do not depend on their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from skbadr._typing import Array, FloatArray, IntArray

# Digits to which contents are compared, and sums are kept: the last of the 16 that numbers have
# depend on the order of rows.
COMPARED, KEPT = 9, 13


def canonical_order(
    codes: IntArray,
    n_parts: int,
    base_weight: FloatArray,
    y: Array,
    *,
    n_classes: int | None = None,
    X: Any = None,
) -> IntArray:
    """Return the parts of a sample, the largest first, and the equally large by their contents.

    Whatever draws numbers for parts, or takes the first of equals, then does the same whatever
    the parts are called and in whatever order the rows come. Contents are the weights of the
    classes (or the mean target and its square), then the means of the numbers in X, alone and
    times y. X is only looked at where parts are alike in all else. Parts that are alike in all
    of this stay in the order of their codes.

    Parameters
    ----------
    codes : ndarray of shape (n,)
        Part of each sample, in the order of the parts' labels.
    n_parts : int
    base_weight : ndarray of shape (n,)
    y : ndarray of shape (n,)
        Class codes where `n_classes` is given, else real targets.
    n_classes : int or None, default=None
    X : array-like, default=None
        Ignored where it holds no numbers.

    Returns
    -------
    order : ndarray of shape (n_parts,), intp
        Codes of the first, second, ... part.
    """
    totals = np.bincount(codes, base_weight, n_parts)
    keys = _key(-totals)
    for describe in (_of_targets, _of_features):
        if len(np.unique(keys, axis=1).T) == n_parts:
            break
        means = describe(codes, base_weight, totals, y, n_classes, X)
        if means is not None:
            keys = np.vstack([keys, _key(means)])
    return np.lexsort(keys[::-1])


def by_label(values: Any, order: IntArray | None) -> Any:
    """Return values, of shape (..., K) in an order of parts, in that of their labels."""
    return values if order is None else values[..., np.argsort(order)]


def from_labels(values: Any, order: IntArray | None) -> Any:
    """Return values, of shape (..., K) in the order of the parts' labels, in another order."""
    return values if order is None else values[..., order]


def sorted_labels(labels: list[Any], order: IntArray | None) -> list[Any]:
    """Return the labels of parts, given in an order, in their own."""
    return labels if order is None else [labels[part] for part in np.argsort(order)]


def settled(values: Any, scale: Any, digits: int = KEPT) -> Any:
    """Return values to so many digits of a scale: without what rounding makes of sums.

    Where values are steps (counts, rates) two that are equal then are so to the last digit, and
    no order of rows decides between them. Whole numbers stay as they are.

    Parameters
    ----------
    values : ndarray
    scale : float or ndarray
        Size of the largest that these values can be; broadcast.
    digits : int, default=13

    Returns
    -------
    values : ndarray

    Examples
    --------
    >>> float(settled(0.1 + 0.2, 1.0))
    0.3
    """
    exponent = np.ceil(np.log10(np.where(scale > 0, scale, 1.0)))
    # Powers of ten that are whole numbers are exact.
    up, down = 10.0 ** np.maximum(digits - exponent, 0), 10.0 ** np.maximum(exponent - digits, 0)
    return np.round(values * up / down) / up * down


def _key(values):
    """Return rows of values by which parts are ordered."""
    values = np.atleast_2d(np.nan_to_num(values, posinf=0.0, neginf=0.0))
    return settled(values, np.abs(values).max(axis=1, keepdims=True), COMPARED)


def _averages(codes, base_weight, totals):
    """Return the matrix that takes rows to the parts' means."""
    weight = np.divide(base_weight, totals[codes], out=np.zeros(len(codes)), where=base_weight > 0)
    rows = np.flatnonzero(weight)
    return sparse.csr_matrix((weight[rows], (codes[rows], rows)), (len(totals), len(codes)))


def _of_targets(codes, base_weight, totals, y, n_classes, X):
    if n_classes is not None:
        pair = codes + len(totals) * y
        return np.bincount(pair, base_weight, len(totals) * n_classes).reshape(n_classes, -1)
    return (_averages(codes, base_weight, totals) @ np.column_stack([y, y**2])).T


def _of_features(codes, base_weight, totals, y, n_classes, X):
    numbers = _numbers(X)
    if numbers is None:
        return None
    averages = _averages(codes, base_weight, totals)
    means = [averages @ numbers, averages.multiply(y).tocsr() @ numbers]
    return np.vstack([m.toarray().T if sparse.issparse(m) else np.asarray(m).T for m in means])


def _numbers(X):
    """Return the numbers in X as a matrix, or None where there are none."""
    if sparse.issparse(X):
        return sparse.csr_matrix(X) if X.dtype.kind in "biuf" else None
    if hasattr(X, "select_dtypes"):
        X = X.select_dtypes(include=["number", "bool"]).to_numpy(dtype=float, na_value=np.nan)
    numeric = isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "biuf"
    return X if numeric and X.shape[1] else None
