"""The folds of a smooth problem: each a linear training problem and the rows it is evaluated on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skbadr.lower_level import LinearLowerLevel, NotSmooth, find_family
from skbadr.problem.smooth.numbers import for_search

if TYPE_CHECKING:
    from skbadr.problem.evaluator import Evaluator, Fold

# From this number of rows on, solutions are first looked for on some of them: on half as many, or
# on this many of twice as many.
MANY_ROWS = 10_000


@dataclass
class SmoothFold:
    """A linear training problem and the rows on which its solutions are evaluated.

    Attributes
    ----------
    level : LinearLowerLevel
    held_out : ndarray, sparse matrix, Design or None
        Rows that are evaluated; None: the training rows.
    large, rough : bool
        See `SmoothProblem`.
    """

    level: LinearLowerLevel
    held_out: Any
    large: bool
    rough: bool


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
    NotSmooth
        If the wrapped estimator has no `LinearFamily`, saying why.
    """
    refit, classes = fold.lower_level, evaluator.evaluation_set.classes
    family = find_family(refit.peeled.final, classes)
    if isinstance(family, str):
        raise NotSmooth(family)
    X, y, cells = refit.numbers(refit.X), refit.y, refit.cells
    if classes is not None:
        y = evaluator.evaluation_set.y if fold.rows is None else np.searchsorted(classes, y)
    # What is trained on is what is evaluated, but for encoders that fit out of fold.
    same = fold.rows is None and fold.X_final is refit.X
    held_out = None if same else refit.numbers(fold.X_final)
    large = cells.n_seen >= MANY_ROWS or X.shape[1] > X.shape[0]
    rough = large and family.resolution > 0
    # Of few rows single precision saves little, and what it rounds off decides steps.
    single = large and (single or rough)
    n_parts = len(evaluator.folds) * (1 if held_out is None else 2)
    X = for_search(X, cells, single, n_parts=n_parts)
    if held_out is not None:
        held_out = for_search(held_out, evaluator.cells.take(rows), single, n_parts=n_parts)
    level = LinearLowerLevel(family, X, y, cells)
    return SmoothFold(level, held_out, large, rough)


def read_folds(evaluator: Evaluator, single: bool) -> list[SmoothFold]:
    """Return the `SmoothFold` of each fold."""
    folds, start = [], 0
    for fold in evaluator.folds:
        n_rows = len(evaluator.cells.codes if fold.rows is None else fold.rows)
        folds.append(read_fold(fold, evaluator, slice(start, start + n_rows), single))
        start += n_rows
    return folds
