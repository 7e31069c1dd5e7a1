"""The baseline model as what other models are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from skbadr.problem.bilevel import BilevelProblem


def set_reference(problem: BilevelProblem) -> None:
    """Fit the baseline estimator first, where the metric compares other models with it.

    Its losses on the evaluated rows become part of the data, and its evaluation is known to the
    search, which does not fit it again.

    Parameters
    ----------
    problem : BilevelProblem
        Modified.

    Raises
    ------
    Exception
        That of the estimator, where it cannot be fitted.
    """
    evaluator = problem.evaluator
    losses = evaluator.metric.references
    if not losses:
        return
    fits = [evaluator.fit_fold(problem.shares, number) for number in range(len(evaluator.folds))]
    for fit in fits:
        if fit.error is not None:
            raise fit.error
    data = evaluator.evaluation_set
    for loss in losses:
        response = np.concatenate([fit.responses[loss.response_method] for fit in fits])
        data.reference[loss] = loss.function(data.y, response)
    baseline = evaluator.combine(problem.shares, "baseline", 1, fits)
    evaluator.baseline_model = baseline.model
    problem.known[problem.shares.tobytes()] = baseline
