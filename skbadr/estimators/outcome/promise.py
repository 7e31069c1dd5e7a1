"""Whether a bound is promised on new rows, and what is missing where it is not."""

from __future__ import annotations

from typing import Any

import numpy as np

from skbadr.metrics.confidence.confident import ConfidentMetric
from skbadr.metrics.confidence.sample_size import rows_for_limit


def store_promise(model: Any, archive: Any, metric: Any) -> None:
    """Set the metric's values, and whether the bound holds, with a confidence also the limit.

    Parameters
    ----------
    model : BADR estimator being fitted
    archive : Archive
    metric : FairnessMetric
        That was searched with; a `ConfidentMetric` where there is a confidence.
    """
    best, baseline = archive.best, archive.evaluations[0]
    model.metric_value_, model.baseline_metric_value_ = best.metric, baseline.metric
    model.bound_met_ = bool(archive.objective.is_met(best))
    vars(model).pop("metric_upper_", None)  # of an earlier fit
    if not isinstance(metric, ConfidentMetric):
        return
    model.metric_upper_ = best.metric
    model.metric_value_, model.baseline_metric_value_ = best.value, baseline.value


def broken_promise(archive: Any, data: Any) -> str:
    """Return the sentence that says that nothing is promised, and about how many rows would do.

    Parameters
    ----------
    archive : Archive
        Of which no model is within the bound by its limit.
    data : EvaluationSet
        Rows that models were judged on.
    """
    best, objective = archive.best, archive.objective
    metric, value = objective.metric, best.value
    told = (
        f"no visited model promises {metric.bound_text(objective.bound)} on new rows with "
        f"confidence {metric.confidence:g}: the nearest has {value:.4g} with the limit "
        f"{best.metric:.4g}; "
    )
    # A single prediction for everybody would do with few rows, and is of no use.
    visited = [e for e in archive.evaluations if not (e.failed or e.constant)]
    needed = rows_for_limit(metric, data, objective.bound, visited)
    if needed is None and (np.isnan(value) or objective.excess(value) > 0):
        return f"{told}more rows would not help, as the value itself misses the bound: allow more."
    if needed is None:
        return f"{told}allow more (bound), or less confidence."
    of_group = ""
    if needed.group is not None:
        label = data.groups.labels[needed.group]
        of_group = f", {_about(needed.group_total)} of them of group {label!r}"
    return (
        f"{told}about {_about(needed.total)} rows would do{of_group} (there are "
        f"{data.n_rows:,}), or allow more (bound), or less confidence."
    )


def _about(number):
    """Return a number of rows to two digits, as a text."""
    digits = max(len(str(int(number))) - 2, 0)
    return f"{round(int(number), -digits):,}"
