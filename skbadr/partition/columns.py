"""Columns of X by name or position, whatever container X is."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse


def select_columns(
    X: Any, columns: Any, *, feature_names: Any = None, argument: str = "sensitive_columns"
) -> Any:
    """Return the columns of `X` that define the groups.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n, d)
    columns : str, int, list of these, or callable
        Names for a DataFrame (pandas, Polars or alike), positions for anything; a callable
        gets X whole and returns labels in any form that `make_groups` takes.
    feature_names : array-like of str or None, default=None
        Names to look names up in where X itself has none.
    argument : str, default="sensitive_columns"
        Name used in error messages.

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
    shape = np.shape(X)
    if len(shape) != 2:
        raise ValueError(f"{argument} needs a 2-dimensional X, got shape {shape}.")
    names = getattr(X, "columns", feature_names)
    names = None if names is None else list(names)
    wanted = list(columns) if _are_several(columns, names) else [columns]
    if not wanted:
        raise ValueError(f"{argument} is empty: name at least one column of X.")
    positions = [_position(column, names, shape[1], argument) for column in wanted]
    if len(positions) == 1:
        return _take(X, positions[0])
    return _take(X, positions)


def _are_several(columns, names):
    if isinstance(columns, tuple) and names is not None and columns in names:
        return False  # one name, of a DataFrame with several levels of names
    return np.iterable(columns) and not isinstance(columns, (str, bytes))


def _position(column, names, n_columns, argument):
    is_bool = isinstance(column, (bool, np.bool_))  # True == 1, but it is no column
    if names is not None and not is_bool and column in names:
        return names.index(column)
    if isinstance(column, Integral) and not is_bool:
        if -n_columns <= column < n_columns:
            return int(column)
        raise ValueError(f"{argument} asks for column {column}, but X has {n_columns} columns.")
    if names is None:
        raise ValueError(
            f"{argument} names {column!r}, but X has no column names: pass a DataFrame, "
            "or give the column's position."
        )
    shown = ", ".join(map(repr, names[:12])) + (", ..." if len(names) > 12 else "")
    raise ValueError(f"{argument} names {column!r}, which is not in X; it has {shown}.")


def _take(X, positions):
    if sparse.issparse(X):
        taken = X.tocsc()[:, np.atleast_1d(positions)].toarray()
        return taken if np.ndim(positions) else taken.ravel()
    if hasattr(X, "iloc"):
        return X.iloc[:, positions]
    if hasattr(X, "columns"):  # Polars: columns by name
        names = list(X.columns)
        return X[[names[j] for j in positions]] if np.ndim(positions) else X[names[positions]]
    if isinstance(X, (list, tuple)):  # an array of all columns would have a single dtype
        if np.ndim(positions):
            return [[row[j] for j in positions] for row in X]
        return [row[positions] for row in X]
    return np.take(X, positions, axis=1)  # which arrays of other packages do themselves
