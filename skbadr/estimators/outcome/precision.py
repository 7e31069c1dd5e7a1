"""How far the reported metric can be relied on: its standard error, and its training value."""

from functools import partial

import numpy as np

from skbadr._warnings import record_warnings
from skbadr.metrics.confidence.confident import measured
from skbadr.metrics.confidence.standard_error import standard_error


def store_precision(model, archive, evaluator, final, on_all_rows):
    """Set `metric_standard_error_`, its like of the baseline model, and `training_metric_value_`.

    Parameters
    ----------
    model : BADR estimator being fitted
    archive : Archive
    evaluator : Evaluator
        Of the upper level.
    final : fitted last step
        Of the model that was chosen.
    on_all_rows : callable
        Makes the evaluator of all training rows, where `evaluator` is on held-out ones.
    """
    metric, data = measured(evaluator.metric, archive.best.statistics)[0], evaluator.evaluation_set
    held_out = evaluator.folds[0].rows is not None
    model.metric_standard_error_ = model.baseline_metric_standard_error_ = np.nan
    vars(model).pop("training_metric_value_", None)  # of an earlier fit
    response = None
    # What there is to warn of, the search has seen.
    with record_warnings():
        if held_out or evaluator.leaves_out:
            whole = on_all_rows() if held_out else evaluator
            response = whole.response_of(final)
            model.training_metric_value_ = _value(metric, whole.evaluation_set, response)
            if held_out:  # as a model predicts them that has seen them
                response = response[np.concatenate([fold.rows for fold in evaluator.folds])]
        elif not metric.uses_confusion:
            response = partial(evaluator.response_of, final)
        for name, evaluation in (
            ("metric", archive.best),
            ("baseline_metric", archive.evaluations[0]),
        ):
            error = standard_error(
                metric,
                data,
                statistics=measured(evaluator.metric, evaluation.statistics)[1],
                response=response if evaluation is archive.best else None,
            )
            setattr(model, f"{name}_standard_error_", error)


def _value(metric, data, response):
    try:
        return float(metric.value(data, response))
    except Exception:  # of a user's function: the model is fitted, and stays
        return np.nan
