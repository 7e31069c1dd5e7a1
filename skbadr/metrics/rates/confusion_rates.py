"""Rates of confusion matrices, and how they move with their entries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skbadr._typing import Array

# A rate takes tables of shape (..., true class, predicted class) and returns numerators and
# denominators of shape (..., C): one rate per table and class, that class being the positive one.


def _sum(table, axis):
    """Return the sum over an axis of few classes, by slices: numpy's own is ten times slower."""
    slices = np.moveaxis(table, axis, 0)
    return sum(slices[1:], start=slices[0])


def _off_diagonal(table):
    return table * (1.0 - np.eye(table.shape[-1]))


def _diagonal(table):
    return np.einsum("...cc->...c", table)


def others(per_class: Array) -> Array:
    """Return, for each class, the sum over all others."""
    return per_class @ (1.0 - np.eye(per_class.shape[-1]))


def _total(table):
    return _sum(_sum(table, -2), -1)[..., None]


def _selection(table):
    selected = _sum(table, -2)
    return selected, np.broadcast_to(_sum(selected, -1)[..., None], selected.shape)


def _true_positive(table):
    return _diagonal(table), _sum(table, -1)


def _false_negative(table):
    return _sum(_off_diagonal(table), -1), _sum(table, -1)


def _false_positive(table):
    return _sum(_off_diagonal(table), -2), others(_sum(table, -1))


def _true_negative(table):
    # Among the rows of other classes, the columns of other classes.
    keep = 1.0 - np.eye(table.shape[-1])
    return np.einsum("...tp,tc,pc->...c", table, keep, keep), others(table.sum(axis=-1))


def _precision(table):
    return _diagonal(table), table.sum(axis=-2)


def _f1(table):
    return 2 * _diagonal(table), table.sum(axis=-2) + table.sum(axis=-1)


def _accuracy(table):
    return _diagonal(table).sum(axis=-1, keepdims=True), _total(table)


def _zero_one(table):
    return _off_diagonal(table).sum(axis=(-2, -1))[..., None], _total(table)


def _balanced_accuracy(table):
    recall = divide(*_true_positive(table))
    supported = table.sum(axis=-1) > 0
    return (recall * supported).sum(axis=-1, keepdims=True), supported.sum(axis=-1, keepdims=True)


# name -> (function, whether the rate is one per class, what it is conditioned on)
RATES = {
    "selection_rate": (_selection, True, None),
    "true_positive_rate": (_true_positive, True, "positive"),
    "false_negative_rate": (_false_negative, True, "positive"),
    "false_positive_rate": (_false_positive, True, "negative"),
    "true_negative_rate": (_true_negative, True, "negative"),
    "precision": (_precision, True, None),
    "f1": (_f1, True, None),
    "accuracy": (_accuracy, False, None),
    "zero_one_loss": (_zero_one, False, None),
    "balanced_accuracy": (_balanced_accuracy, False, None),
}


def divide(numerator: Array | float, denominator: Array) -> Array:
    """Return the ratio, and 0 where the denominator is 0 (the convention of fairlearn)."""
    shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
    return np.divide(numerator, denominator, out=np.zeros(shape), where=denominator > 0)


def rates_with_gradient(
    rate: str, tables: Array, columns: slice
) -> tuple[Array, Callable[[Array], Array]]:
    """Return the rates of some tables, and their gradients in the entries.

    Numerators and denominators are linear in the entries, so that the rows of their matrices are
    the rates' functions of the basis tables.

    Parameters
    ----------
    rate : str
        A key of `RATES`.
    tables : ndarray of shape (G, C, C)
        Nonnegative, true classes first.
    columns : slice
        Positive classes that are wanted.

    Returns
    -------
    values : ndarray of shape (G, m)
        0 where the denominator is 0.
    pull_back : callable ``(ndarray of shape (G, m)) -> ndarray of shape (G, C, C)``
        Turns derivatives in the values into derivatives in the entries.
    """
    function, per_class, _ = RATES[rate]
    columns = columns if per_class else slice(None)
    numerator, denominator = (part[..., columns] for part in function(tables))
    values = divide(numerator, denominator)
    n_classes = tables.shape[-1]
    if rate == "balanced_accuracy":
        # Sums over true classes are not a matter of predictions.
        support = tables.sum(axis=-1)
        recall = divide(1.0, support * (support > 0).sum(axis=-1, keepdims=True))
        diagonal = np.eye(n_classes) * recall[:, None, :]
        return values, lambda slope: slope[:, :, None] * diagonal
    basis = np.eye(n_classes**2).reshape(-1, n_classes, n_classes)
    up, down = (part[..., columns] for part in function(basis))

    def pull_back(slope):
        scaled = divide(slope, denominator)
        return (scaled @ up.T - (scaled * values) @ down.T).reshape(tables.shape)

    return values, pull_back
