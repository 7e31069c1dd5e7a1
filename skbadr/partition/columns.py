"""Columns of X by name or position, whatever container X is."""

from numbers import Integral

import numpy as np
from scipy import sparse


def select_columns(X, columns, *, feature_names=None):
    """Return the columns of `X` that define the groups.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n, d)
    columns : str, int, list of these, or callable
        Names for a DataFrame (pandas, Polars or alike), positions for anything; a callable
        gets X whole and returns labels in any form that `make_groups` takes.
    feature_names : array-like of str or None, default=None
        Names to look names up in where X itself has none.

    Returns
    -------
    sensitive_features : array, DataFrame or whatever the callable returned

    Raises
    ------
    ValueError
        If a column is not in X, listing what is there.
    """
    if callable(columns):
        return columns(X)
    wanted = [columns] if isinstance(columns, (str, Integral)) else list(columns)
    if not wanted:
        raise ValueError("sensitive_columns is empty: name at least one column of X.")
    names = getattr(X, "columns", feature_names)
    n_columns = np.shape(X)[1] if np.ndim(X) == 2 else None
    positions = [_position(column, names, n_columns) for column in wanted]
    if len(positions) == 1:
        return _take(X, positions[0])
    return _take(X, positions)


def _position(column, names, n_columns):
    if names is not None and not isinstance(column, (bool, np.bool_)):
        listed = list(names)
        if column in listed:
            return listed.index(column)
    if isinstance(column, Integral) and not isinstance(column, bool):
        if n_columns is None or -n_columns <= column < n_columns:
            return int(column)
        raise ValueError(
            f"sensitive_columns asks for column {column}, but X has {n_columns} columns."
        )
    if names is None:
        raise ValueError(
            f"sensitive_columns names {column!r}, but X has no column names: pass a DataFrame, "
            "or give the column's position."
        )
    shown = ", ".join(map(repr, listed[:12])) + (", ..." if len(listed) > 12 else "")
    raise ValueError(f"sensitive_columns names {column!r}, which is not in X; it has {shown}.")


def _take(X, positions):
    if sparse.issparse(X):
        taken = X.tocsc()[:, np.atleast_1d(positions)].toarray()
        return taken if np.ndim(positions) else taken.ravel()
    if hasattr(X, "iloc"):
        return X.iloc[:, positions]
    if hasattr(X, "columns"):  # Polars: columns by name
        names = list(X.columns)
        return X[[names[j] for j in positions]] if np.ndim(positions) else X[names[positions]]
    return np.asarray(X)[:, positions]
