"""What a metric compares of the groups: rates and means with their confidence limits."""

import numpy as np

from skbadr.losses import zero_one_loss
from skbadr.metrics.composite.combined import CombinedMetric
from skbadr.metrics.composite.sliced import SlicedMetric
from skbadr.metrics.confidence.intervals import (
    Averaged,
    Proportions,
    Transformed,
    effective_rows,
    group_means,
)
from skbadr.metrics.inputs.responses import part_of
from skbadr.metrics.losses.group_losses import GroupLossMetric
from skbadr.metrics.rates.confusion_rates import RATES, divide, others
from skbadr.metrics.rates.rate_metric import RateMetric
from skbadr.metrics.scores.predictions import GroupMeanMetric


def rate_estimates(data, tables, rate, columns):
    """Return the estimates of one rate, and the rows it is of, both of shape (T, m, G).

    Parameters
    ----------
    data : EvaluationSet
    tables : ndarray of shape (T, G, C, C)
        Confusion matrices of the groups that are present.
    rate : str
        A key of `RATES`.
    columns : slice
        Positive classes that are wanted.
    """
    function, _, condition = RATES[rate]
    own = data.class_totals[data.present], data.squared_class_totals[data.present]
    if rate == "balanced_accuracy":
        recall, sizes = rate_estimates(data, tables, "true_positive_rate", slice(None))
        supported = (own[0] > 0).T
        return Averaged(recall, divide(supported, supported.sum(axis=0))), sizes.sum(
            axis=1, keepdims=True
        )
    if condition is None:
        own = tuple(part.sum(axis=1, keepdims=True) for part in own)
    elif condition == "negative":
        own = tuple(others(part) for part in own)
    # Effective rows for a unit of weight.
    per_weight = divide(effective_rows(*own), own[0])
    if condition is not None:
        per_weight = per_weight[:, columns]
    up, down = (np.broadcast_to(part, (*tables.shape[:2], part.shape[-1]))[..., columns]
                for part in function(tables))  # fmt: skip
    if rate == "f1":  # 2 TP / (2 TP + FP + FN), of the share q = TP / (TP + FP + FN)
        up, down = up / 2.0, down - up / 2.0
    share, n_rows = (np.moveaxis(part, 1, 2) for part in (divide(up, down), down * per_weight))
    estimates = Proportions(share, n_rows)
    if rate == "f1":
        estimates = Transformed(
            estimates, lambda q: 2.0 * q / (1.0 + q), lambda q: 2.0 / (1.0 + q) ** 2
        )
    return estimates, n_rows


def mean_estimates(metric, data, response):
    """Return the name and the estimates of the groups' means that a metric compares.

    Parameters
    ----------
    metric : GroupMeanMetric or GroupLossMetric
    data : EvaluationSet
    response : ndarray
        What the metric takes of the model.

    Returns
    -------
    name : str
    estimates : Means or Proportions, of shape (1, 1, G)
    """
    if isinstance(metric, GroupMeanMetric):
        name, values = metric.quantity.__name__, metric.quantity(data.y, response)
        name = "mean_prediction" if name == "prediction" else name
        return name, group_means(data, values)
    values = metric._loss.function(data.y, response)
    if metric._loss.function is not zero_one_loss:
        return metric.loss, group_means(data, values)
    n_rows = effective_rows(data.group_totals, data.squared_totals)[data.present]
    share = data.group_means(values)[data.present]
    return "zero_one_loss", Proportions(share[None, None], n_rows[None, None])


def group_estimates(metric, data, response):
    """Return what a metric compares of the groups: names, estimates and numbers of rows.

    Parameters
    ----------
    metric : FairnessMetric
    data : EvaluationSet
    response : ndarray
        What the metric takes of the model.

    Returns
    -------
    found : list of tuple (str, estimates of shape (1, 1, G), ndarray of shape (G,) or None)
        Of the groups that are present. The rows are the effective ones that a rate is of; None
        where these are all rows of the group. Nothing where it is not known what is compared.
    """
    if isinstance(metric, CombinedMetric):
        known = {
            name: (name, *others)
            for part in metric.parts
            for name, *others in group_estimates(part, data, part_of(part, response))
        }
        return list(known.values())
    if isinstance(metric, SlicedMetric):  # the crossed groups
        return group_estimates(metric.metric, data, response)
    if isinstance(metric, (GroupMeanMetric, GroupLossMetric)):
        return [(*mean_estimates(metric, data, response), None)]
    if not isinstance(metric, RateMetric):
        return []
    found = []
    tables = data.confusion(response)[None, data.present]
    for rate in metric.rates_for(data):
        _, per_class, condition = RATES[rate]
        columns = metric.positive_columns(data) if per_class else slice(None)
        estimates, n_rows = rate_estimates(data, tables, rate, columns)
        n_rates = estimates.center.shape[1]
        classes = data.classes.tolist()[columns] if per_class else [None]
        for c in range(n_rates):
            name = f"{rate}[{classes[c]}]" if n_rates > 1 else rate
            whole = condition is None and rate not in ("precision", "f1")
            found.append((name, estimates.of_rate(c), None if whole else n_rows[0, c]))
    return found
