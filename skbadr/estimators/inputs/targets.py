"""Targets as they come: missing ones are refused, before anything sorts or converts them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import column_or_1d

from skbadr._typing import Array
from skbadr.partition import is_missing


def read_targets(y: Any) -> Array:
    """Return targets as a one-dimensional array.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, 1)

    Returns
    -------
    y : ndarray of shape (n,)

    Raises
    ------
    ValueError
        If there are missing values other than NaN among numbers, which scikit-learn refuses.
    """
    if isinstance(y, (list, tuple)) and not set(map(type, y)) <= {str, np.str_}:
        values = np.asarray(y)
        # Otherwise ["a", nan] would become ["a", "nan"].
        y = np.array(y, dtype=object) if values.dtype.kind in "US" else values
    if np.ma.is_masked(y):
        _refuse(int(np.ma.getmaskarray(np.ma.asarray(y)).sum()), "masked")
    y = column_or_1d(y, warn=True)
    if y.dtype.kind in "mM" and np.isnat(y).any():
        _refuse(int(np.isnat(y).sum()), "NaT")
    if y.dtype.kind == "O":
        found = {str(value) for value in _distinct(y) if is_missing(value)}
        if found:
            _refuse(sum(map(is_missing, y.tolist())), ", ".join(sorted(found)))
    return y


def distinct_targets(y: Array) -> tuple[Array, Array]:
    """Return the sorted labels and the code of each target.

    Raises
    ------
    ValueError
        If labels have no order, as text and numbers together.
    """
    try:
        return np.unique(y, return_inverse=True)
    except TypeError as error:
        kinds = ", ".join(sorted({type(value).__name__ for value in _distinct(y)}))
        raise ValueError(
            f"y holds labels of several types ({kinds}): give them all the same type."
        ) from error


def _distinct(y):
    values = y.tolist()
    try:
        return set(values)
    except TypeError:  # what cannot be hashed
        return values


def _refuse(count, what):
    raise ValueError(
        f"y has {count} missing value{'s' * (count != 1)} ({what}): drop these rows, or give the "
        "missing ones a value of their own."
    )
