"""Evaluation of smooth linear models on rows that each in turn is left out of training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from skbadr._typing import FloatArray
from skbadr.lower_level import LinearLowerLevel, find_family
from skbadr.lower_level.leave_one_out import left_out_scores
from skbadr.problem.evaluator import Evaluator, Fold
from skbadr.problem.fold_fit import FoldFit
from skbadr.problem.smooth.numbers import suits_dense

if TYPE_CHECKING:
    from skbadr.metrics import EvaluationSet
    from skbadr.partition import Cells


class LeftOutEvaluator(Evaluator):
    """Fit to all rows, and judge each row by what the model without it would say.

    A refit costs what it costs on the training rows, and the model that is judged is the one that
    is handed over, but for one row.

    Parameters
    ----------
    level : LinearLowerLevel
        See `left_out_level`.
    *args, **options
        As of `Evaluator`, with one fold of all rows.
    """

    leaves_out = True

    def __init__(self, level: LinearLowerLevel, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.level = level

    def _fit_fold(self, fit: FoldFit, cell_weights: FloatArray, fold: Fold) -> None:
        super()._fit_fold(fit, cell_weights, fold)
        level, family = self.level, self.level.family
        scores = left_out_scores(level, level.state_at(cell_weights, family.parameters(fit.model)))
        responses = {"predict": family.predict(scores)}
        if "decision_function" in self.methods:
            responses["decision_function"] = scores[:, 0] if level.m == 1 else scores
        if "predict_proba" in self.methods:
            responses["predict_proba"] = family.predict_proba(scores)  # type: ignore[attr-defined]
        fit.responses = responses


def left_out_level(fold: Fold, data: EvaluationSet, cells: Cells) -> LinearLowerLevel | None:
    """Return the training problem that tells what models without each row would say.

    Parameters
    ----------
    fold : Fold
        Of all rows.
    data : EvaluationSet
    cells : Cells

    Returns
    -------
    level : LinearLowerLevel or None
        None where there is none: the estimator has no `LinearFamily`, its Hessian is not dense, or
        transformers show training rows otherwise than new ones.
    """
    lower = fold.lower_level
    family = find_family(lower.peeled.final, data.classes)
    if isinstance(family, str) or fold.X_final is not lower.X:
        return None
    X = lower.numbers(lower.X)
    if sparse.issparse(X) and suits_dense(X, 1):
        X = X.toarray()
    y = np.asarray(lower.y, dtype=float) if data.classes is None else data.y
    level = LinearLowerLevel(family, X, y, cells)
    return level if level.dense else None
