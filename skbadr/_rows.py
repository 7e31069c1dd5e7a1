"""Sums over rows: in steps whose vectors stay in the processor's cache, and without rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from skbadr._typing import Array, FloatArray, IntArray

# Rows of a step at most: fresh memory for all rows would cost more than most arithmetic on them.
STEP_ROWS = 1 << 14
# Digits of sums that do not depend on the order of their terms, of the 16 that numbers have.
DIGITS = 12
ROUNDING = 10.0**-DIGITS


def steps(n_rows: int, size: int = STEP_ROWS) -> Iterator[slice]:
    """Yield slices that cover so many rows; an empty one where there are none."""
    for start in range(0, max(n_rows, 1), size):
        yield slice(start, min(start + size, n_rows))


def sums_by(
    codes: IntArray, n_codes: int, values: Array | Callable[[slice], Array] | None = None
) -> FloatArray:
    """Return the sums of values of rows by the rows' codes, of shape (n_codes,).

    Parameters
    ----------
    codes : ndarray of shape (n,), intp
    n_codes : int
    values : ndarray of shape (n,), callable ``rows -> ndarray``, or None
        The second makes those of a slice of the rows; None stands for ones.
    """
    sums = np.zeros(n_codes)
    for rows in steps(len(codes)):
        own = values(rows) if callable(values) else values if values is None else values[rows]
        sums += np.bincount(codes[rows], own, minlength=n_codes)
    return sums


def rounded_sums(sums: Any, scale: Any) -> Any:
    """Return sums of weights, or shares made of them, without the digits that rounding decides.

    Equal rates of weighted rows are then equal, and 0.1 + 0.2 meets a bound of 0.3. Whole numbers
    stay as they are.

    Parameters
    ----------
    sums : float or ndarray
    scale : float or ndarray
        Size of the largest that these can be; broadcast.

    Returns
    -------
    sums : float or ndarray

    Examples
    --------
    >>> float(rounded_sums(0.1 + 0.2, 1.0))
    0.3
    """
    exponent = np.ceil(np.log10(np.where(scale > 0, scale, 1.0)))
    # Powers of ten that are whole numbers are exact.
    up = 10.0 ** np.maximum(DIGITS - exponent, 0)
    down = 10.0 ** np.maximum(exponent - DIGITS, 0)
    return np.round(sums * up / down) / up * down


def weight_unit(weight):
    """Return the weight of one row.

    Weights that are multiples of the smallest, and whole numbers, stand for repeated rows; of
    others, the mean does.
    """
    if weight is None:
        return 1.0
    positive = weight[weight > 0]
    smallest = float(positive.min())
    multiples = positive / smallest
    if np.abs(multiples - np.round(multiples)).max() < 1e-9 * multiples.max():
        return smallest
    if smallest >= 1.0 and np.array_equal(np.round(positive), positive):
        return float(np.gcd.reduce(positive.astype(np.int64)))
    return float(positive.mean())
