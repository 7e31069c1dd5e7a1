"""Metrics of real predictions: parity of their means or of their whole distributions."""

import numpy as np

from skbadr.metrics.aggregate import METHODS, TRANSFORMS, aggregate_groups, check_option
from skbadr.metrics.base import FairnessMetric


class GroupMeanMetric(FairnessMetric):
    """Compare the groups' means of a quantity of each prediction.

    Parameters
    ----------
    quantity : callable ``(y, prediction) -> ndarray of shape (n,)``
        What is averaged over each group, for instance the prediction itself (demographic
        parity of a regressor) or its absolute error.
    transform : {"difference", "ratio", "group_min", "group_max"}, default="difference"
    method : {"between_groups", "to_overall"}, default="between_groups"
    name : str
    """

    def __init__(self, quantity, *, transform="difference", method="between_groups", name):
        check_option("transform", transform, TRANSFORMS)
        check_option("method", method, METHODS)
        self.quantity, self.transform, self.method = quantity, transform, method
        super().__init__(
            name, greater_is_better=transform in ("ratio", "group_min"), tasks=("regression",)
        )

    @property
    def ideal(self):  # noqa: D102
        return {"difference": 0.0, "ratio": 1.0}.get(self.transform)

    def statistics(self, evaluation_set, response):  # noqa: D102
        return evaluation_set.group_means(self.quantity(evaluation_set.y, response))

    def from_statistics(self, evaluation_set, statistics):  # noqa: D102
        means = statistics[evaluation_set.present]
        overall = None
        if self.method == "to_overall":
            totals = evaluation_set.group_totals[evaluation_set.present]
            overall = np.atleast_1d(means @ totals / totals.sum())
        return float(aggregate_groups(means[:, None], overall, self.transform)[0])


class PredictionGap(GroupMeanMetric):
    """Largest difference between groups' mean predictions: demographic parity of a regressor."""

    differentiable = True
    kinked = True

    def __init__(self, *, name="demographic_parity"):
        super().__init__(prediction, name=name)

    def value_and_gradient(self, evaluation_set, scores):  # noqa: D102
        means = evaluation_set.group_means(scores[:, 0])
        present = np.flatnonzero(evaluation_set.present)
        high, low = present[np.argmax(means[present])], present[np.argmin(means[present])]
        by_group = np.zeros(len(means))
        by_group[high] += 1.0 / evaluation_set.group_totals[high]
        by_group[low] -= 1.0 / evaluation_set.group_totals[low]
        gradient = by_group[evaluation_set.groups.codes]
        if evaluation_set.sample_weight is not None:
            gradient = gradient * evaluation_set.sample_weight
        return float(means[high] - means[low]), gradient[:, None]


class KolmogorovSmirnovMetric(FairnessMetric):
    """Statistical parity of a regressor: distance between distributions of predictions.

    The largest difference, over all thresholds, between two groups' shares of predictions at or
    below the threshold, or between a group's share and that of all samples. One sort.

    Parameters
    ----------
    method : {"between_groups", "to_overall"}, default="between_groups"

    References
    ----------
    Agarwal, Dudik and Wu (2019), "Fair regression: quantitative definitions and reduction-based
    algorithms", ICML, section 2 (statistical parity; there to all samples).
    """

    def __init__(self, *, method="between_groups"):
        check_option("method", method, METHODS)
        self.method = method
        super().__init__("kolmogorov_smirnov", tasks=("regression",))

    def value(self, evaluation_set, response):  # noqa: D102
        order = np.argsort(response, kind="stable")
        sorted_response = np.asarray(response)[order]
        # Distribution functions jump after the last of equal predictions.
        last = np.append(np.flatnonzero(np.diff(sorted_response)), len(order) - 1)
        codes = evaluation_set.groups.codes[order]
        weight = evaluation_set.sample_weight
        weight = np.ones(len(order)) if weight is None else weight[order]
        overall = np.cumsum(weight)[last] / weight.sum()
        lowest, highest = np.full(len(last), np.inf), np.full(len(last), -np.inf)
        farthest = 0.0
        for group in np.flatnonzero(evaluation_set.present):
            share = np.cumsum(np.where(codes == group, weight, 0.0))[last]
            share /= evaluation_set.group_totals[group]
            np.minimum(lowest, share, out=lowest)
            np.maximum(highest, share, out=highest)
            farthest = max(farthest, float(np.abs(share - overall).max()))
        return farthest if self.method == "to_overall" else float((highest - lowest).max())


def prediction(y, predicted):
    """Return the prediction itself."""
    return np.asarray(predicted, dtype=float)
