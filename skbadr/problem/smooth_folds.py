"""The folds of a smooth problem: each a linear training problem and the rows it is evaluated on."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skbadr._typing import IntArray
from skbadr.lower_level import LinearLowerLevel, find_family
from skbadr.lower_level.row_space import RowSpace, suits_row_space
from skbadr.metrics.callables import take_rows
from skbadr.problem.numbers import as_numbers, in_order

if TYPE_CHECKING:
    from skbadr.problem.evaluator import Evaluator, Fold

# From this number of rows on, solutions are first looked for on some of them.
MANY_ROWS = 10_000


@dataclass
class SmoothFold:
    """A linear training problem and the rows on which its solutions are evaluated.

    Attributes
    ----------
    level : LinearLowerLevel
    held_out : ndarray, sparse matrix, Design or None
        Rows that are evaluated; None: the training rows.
    space : RowSpace or None
        The coordinates of either, where these are not the columns of X.
    large, rough : bool
        See `SmoothProblem`.
    order : ndarray or None
        Which of the evaluated rows each one is, where they are in another order.
    """

    level: LinearLowerLevel
    held_out: Any
    space: RowSpace | None
    large: bool
    rough: bool
    order: IntArray | None


def read_fold(fold: Fold, evaluator: Evaluator, rows: slice, single: bool) -> SmoothFold:
    """Return the `SmoothFold` of a fold.

    Parameters
    ----------
    fold : Fold
    evaluator : Evaluator
    rows : slice
        Which of the evaluator's rows are those of the fold.
    single : bool
        Whether passes over X may be in single precision.

    Raises
    ------
    ValueError
        If the wrapped estimator has no `LinearFamily`, saying why.
    """
    refit, classes = fold.lower_level, evaluator.evaluation_set.classes
    family = find_family(refit.peeled.final, classes)
    if isinstance(family, str):
        raise ValueError(family)
    X, y, cells = refit.X, refit.y, refit.cells
    if classes is not None:
        y = evaluator.evaluation_set.y if fold.rows is None else np.searchsorted(classes, y)
    # What is trained on is what is evaluated, but for encoders that fit out of fold.
    held_out = None if fold.rows is None and fold.X_final is X else fold.X_final
    space = RowSpace(as_numbers(X)) if suits_row_space(family, X) else None
    if space is not None:
        X = space.rows
        held_out = None if held_out is None else space.transform(as_numbers(held_out))
    large = cells.n_seen >= MANY_ROWS or space is not None
    rough = large and family.resolution > 0
    # Of few rows single precision saves little, and what it rounds off decides steps.
    single = large and (single or rough)
    n_parts = len(evaluator.folds) * (1 if held_out is None else 2)
    X, order = in_order(X, cells, single, n_parts=n_parts)
    if order is not None:
        y, cells = y[order], cells.permuted(order)
    if held_out is not None:
        own = evaluator.cells.take(rows)
        held_out, order = in_order(held_out, own, single, n_parts=n_parts)
    level = LinearLowerLevel(family, X, y, cells)
    return SmoothFold(level, held_out, space, large, rough, order)


def read_folds(evaluator: Evaluator, single: bool) -> tuple[list[SmoothFold], Evaluator]:
    """Return the `SmoothFold` of each fold, and the evaluator with its rows in their order."""
    folds, orders, start = [], [], 0
    for fold in evaluator.folds:
        n_rows = len(evaluator.cells.codes if fold.rows is None else fold.rows)
        rows = slice(start, start + n_rows)
        folds.append(read_fold(fold, evaluator, rows, single))
        order = folds[-1].order
        orders.append(start + (np.arange(n_rows) if order is None else order))
        start = rows.stop
    if all(fold.order is None for fold in folds):
        return folds, evaluator
    order = np.concatenate(orders)
    data, evaluator = evaluator.evaluation_set, copy.copy(evaluator)
    evaluator.evaluation_set, evaluator.cells = data.take(order), evaluator.cells.permuted(order)
    if evaluator.metric.slow:  # a user's function may look at them
        features = take_rows(data.sensitive_features, order)
        evaluator.evaluation_set.sensitive_features = features
    return folds, evaluator
