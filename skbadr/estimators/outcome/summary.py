"""What a fitted model reports about its search."""

import numpy as np

from skbadr.estimators.fit.auto import explain_partition
from skbadr.estimators.outcome.verdicts import standard_errors, verdicts
from skbadr.metrics import CombinedMetric, SlicedMetric, get_metric

# A group with fewer rows in some class than this can be neither judged nor repaired.
JUDGED_ROWS = 30


def small_groups(evaluation_set, metric=None):
    """Return the groups whose metric rests on a few rows.

    Parameters
    ----------
    evaluation_set : EvaluationSet
    metric : FairnessMetric or None, default=None
        Of the columns by themselves, or of all groups; None: of these.

    Returns
    -------
    rows : dict of group label to int
        Of the groups that are compared, each with its stratum where there are strata: rows of
        positive weight of the group, or of its rarest class where it is a matter of classes, fewer
        than 30.
    """
    sliced = metric.parts[0] if isinstance(metric, CombinedMetric) else metric
    if isinstance(sliced, SlicedMetric) and not sliced.intersectional:
        return {
            (*np.atleast_1d(label).tolist(), *(view.stratum or ())): rows
            for view in sliced.views(evaluation_set)
            for label, rows in _small(view.data).items()
        }
    return _small(evaluation_set)


def _small(evaluation_set):
    counted = evaluation_set
    if evaluation_set.sample_weight is not None:
        counted = evaluation_set.take(evaluation_set.sample_weight > 0)
        counted.sample_weight = None
    totals = counted.group_totals if counted.classes is None else counted.class_totals.min(axis=1)
    rows, labels = totals.astype(int), evaluation_set.groups.labels
    return {labels[g]: int(rows[g]) for g in np.flatnonzero(rows < JUDGED_ROWS)}


def describe(model):
    """Return the report of a fitted model as text; see `BaseBADR.summary`."""
    results = model.results_
    estimator = type(model.estimator_).__name__
    error, baseline_error = standard_errors(model)
    fairer = "greater" if get_metric(model.metric, model._task).greater_is_better else "less"
    lines = [
        f"{type(model).__name__}({estimator}), {model.metric_name_} ({fairer} is fairer) on the "
        f"{model.evaluated_on_}",
        "  baseline estimator  "
        + _values(model.baseline_metric_value_, baseline_error, model.baseline_scoring_value_),
        "  chosen model        " + _values(model.metric_value_, error, model.scoring_value_),
        explain_partition(model),
        *filter(None, [vars(model).get("_compared")]),
        "",
        *_refits(model, results),
        "",
        *_response(model, results),
        *verdicts(model),
    ]
    return "\n".join(lines).rstrip()


def compared_in_words(metric, evaluation_set):
    """Return a sentence on what is compared, or None where it is all groups with each other."""
    sliced = metric.parts[0] if isinstance(metric, CombinedMetric) else metric
    if not isinstance(sliced, SlicedMetric):
        return None
    views = sliced.views(evaluation_set)
    columns = list(dict.fromkeys(view.names for view in views))
    strata = list(dict.fromkeys(view.stratum for view in views))
    sentence = "Groups are compared"
    if len(columns) > 1:
        sentence += f" by {' and by '.join(names[0] for names in columns)}, each by itself"
    if strata != [None]:
        sentence += f", within each of {len(strata)} strata"
    return f"{sentence.replace('compared,', 'compared')}; the worst value counts."


def _values(metric, error, score):
    told = f" (standard error {error:.4f})" if np.isfinite(error) else ""
    return f"metric {metric:.4f}{told}, score {score:.4f}"


def _refits(model, results):
    """Return a table of the visited points: what was predicted and what the estimator did."""
    chosen = np.flatnonzero((results["cell_weights"] == model.cell_weights_).all(axis=1))
    lines = [
        f"  {'refit':>5}  {'from':<13}{'metric':>9}{'predicted':>11}{'score':>10}{'predicted':>11}"
    ]
    for i, origin in enumerate(results["origin"]):
        if results["failed"][i]:
            lines.append(f"  {i + 1:>5}  {origin:<13}{'failed':>9}")
            continue
        line = f"  {i + 1:>5}  {origin:<13}{results['metric'][i]:>9.4f}"
        line += f"{_or_dash(results['predicted_metric'][i]):>11}{results['score'][i]:>10.4f}"
        line += f"{_or_dash(results['predicted_score'][i]):>11}"
        lines.append(line + ("  chosen" if i in chosen else ""))
    return lines


def _or_dash(value):
    return f"{value:.4f}" if np.isfinite(value) else "-"


def _response(model, results):
    """Return what weights do to the estimator, and how well that was foreseen."""
    if len(results["metric"]) < 2:
        return []
    if not model.weights_move_:
        return [
            "Weights do not move this estimator: every refit equals the baseline one. It ignores "
            "sample_weight, or its rules do not depend on it."
        ]
    lines = []
    error = np.abs(results["metric"] - results["predicted_metric"])
    if np.isfinite(error).any():
        lines.append(f"The metric was predicted with a mean error of {np.nanmean(error):.4f}.")
    response = model.weight_response_
    if not np.isfinite(response):
        return lines
    told = f"({response:.2f} of the predicted way)"
    if response < -0.1:
        lines.append(f"Weights move this estimator against what they ask for {told}.")
    elif response < 0.2:
        lines.append(f"Weights hardly move this estimator as they should {told}.")
    else:
        lines.append(f"Weights move this estimator as predicted {told}.")
    return lines
