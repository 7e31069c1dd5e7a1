"""Histogram boosting on folds: columns rounded to about the bins that it would make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn
from sklearn.utils.fixes import parse_version

from skbadr._sklearn import ensemble_classes
from skbadr._typing import Array

# From here on weights decide the bins: each column is sorted once per bin, which takes several
# times as long as the trees.
_BINS_BY_WEIGHT = parse_version(parse_version(sklearn.__version__).base_version) >= parse_version(
    "1.9"
)
# Distinct values for each bin from which on it hardly matters where bins end.
VALUES_PER_BIN = 4
_BOOSTING = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")


def rounded(estimator: Any, X: Any) -> Any:
    """Return training data whose columns of many values have as many as an estimator has bins.

    Of such columns scikit-learn's histogram boosting takes the values as they are. A model of
    rounded columns differs from one of X by where its bins end, as those of other weights would:
    it is good for comparing weights, and not handed over.

    Parameters
    ----------
    estimator : estimator
        Its last step.
    X : array-like of shape (n, d)
        Not modified.

    Returns
    -------
    X : array-like of shape (n, d)
        Itself where the estimator is another one, or nothing has to be rounded.
    """
    if not _BINS_BY_WEIGHT or not isinstance(estimator, ensemble_classes(*_BOOSTING)):
        return X
    is_frame = hasattr(X, "iloc")
    if not is_frame and not (isinstance(X, np.ndarray) and X.dtype.kind == "f" and X.ndim == 2):
        return X
    categorical = _categorical(estimator, X)
    result = X.copy()
    for j in range(X.shape[1]):
        column = X.iloc[:, j] if is_frame else X[:, j]
        # Columns of pandas' own types, integers and categories stay.
        if j in categorical or getattr(column.dtype, "kind", "O") != "f":
            continue
        values = _round(np.asarray(column), estimator.max_bins)
        if is_frame:
            result.isetitem(j, values)
        else:
            result[:, j] = values
    return result


def _categorical(estimator, X):
    """Return the places of the columns that an estimator is told to be categories."""
    told = estimator.categorical_features
    if told is None or isinstance(told, str):
        return set()  # "from_dtype": such columns have no float type
    told = np.atleast_1d(np.asarray(told))
    if told.dtype.kind == "b":
        return set(np.flatnonzero(told).tolist())
    if told.dtype.kind in "iu":
        return {j % X.shape[1] for j in told.tolist()}
    names = [str(name) for name in getattr(X, "columns", [])]
    return {j for j, name in enumerate(names) if name in set(map(str, told))}


def _round(column: Array, n_bins: int) -> Array:
    """Return a column, each value replaced by the middle one of its quantile bin."""
    order = np.argsort(column, kind="stable")  # missing values last
    values = column[order[: np.count_nonzero(~np.isnan(column))]]
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    if len(starts) <= VALUES_PER_BIN * n_bins:
        return column
    # Equal values belong to one bin.
    wanted = np.arange(n_bins) * len(values) // n_bins
    first = np.unique(starts[np.searchsorted(starts, wanted, side="right") - 1])
    last = np.append(first[1:], len(values))
    result = column.copy()
    result[order[: len(values)]] = np.repeat(values[(first + last) // 2], last - first)
    return result
