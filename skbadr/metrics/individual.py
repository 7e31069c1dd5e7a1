"""Individual fairness across groups, without forming pairs."""

import numpy as np
from scipy.linalg import solve_banded

from skbadr.metrics.base import FairnessMetric


class IndividualFairness(FairnessMetric):
    r"""Mean over pairs from different groups of ``exp(-|y_i - y_j|) (f_i - f_j)^2``.

    Similar individuals of different groups should get similar scores. f is the decision function
    of a classifier (summed over its outputs where there are several) or the prediction of a
    regressor. For classes, ``|y_i - y_j|`` is 0 or 1 and the sum over pairs is a function of the
    moments of each group and class: O(n). For real targets the kernel is applied by two
    recursions along the sorted targets: one sort, then O(n).

    References
    ----------
    Berk et al. (2017), "A convex framework for fair regression", FAT/ML.
    """

    differentiable = True

    def __init__(self, task="classification"):
        response_method = "predict" if task == "regression" else "decision_function"
        super().__init__("individual", response_method=response_method, tasks=(task,))

    def undefined(self, evaluation_set):  # noqa: D102
        present = np.flatnonzero(evaluation_set.present)
        if len(present) != 1:
            return []
        return [
            f"{self.name}: all samples are of group {evaluation_set.groups.labels[present[0]]!r}, "
            "so that there are no pairs to compare; it is NaN."
        ]

    def value(self, evaluation_set, response):  # noqa: D102
        return self.value_and_gradient(evaluation_set, response)[0]

    def value_and_gradient(self, evaluation_set, scores):  # noqa: D102
        scores = np.reshape(scores, (len(evaluation_set.y), -1)).astype(float, copy=False)
        weight = evaluation_set.sample_weight
        weight = np.ones(len(scores)) if weight is None else weight
        totals = evaluation_set.group_totals
        n_pairs = totals.sum() ** 2 - (totals**2).sum()
        if n_pairs <= 0:
            return np.nan, np.zeros_like(scores)
        # With A0_i and A1_i the kernel-weighted mass and score of all other groups, the sum over
        # ordered pairs is 2 sum_i w_i f_i (f_i A0_i - A1_i).
        stacked = np.column_stack([weight, weight[:, None] * scores])
        apply = _classes if evaluation_set.classes is not None else _targets
        other = apply(evaluation_set, stacked)
        spread = scores * other[:, :1] - other[:, 1:]
        gradient = 4.0 * weight[:, None] * spread / n_pairs
        return float((scores * gradient).sum() / 2.0), gradient


def _classes(evaluation_set, stacked):
    """Return, for each sample, the kernel-weighted sums of `stacked` over other groups."""
    n_classes, n_groups = evaluation_set.n_classes, evaluation_set.n_groups
    pair = evaluation_set.groups.codes * n_classes + evaluation_set.y
    size = n_groups * n_classes
    sums = np.stack([np.bincount(pair, column, minlength=size) for column in stacked.T], axis=-1)
    sums = sums.reshape(n_groups, n_classes, -1)
    kernel = np.full((n_classes, n_classes), np.exp(-1.0))
    np.fill_diagonal(kernel, 1.0)
    others = sums.sum(axis=0) - sums
    return np.einsum("cd,gdm->gcm", kernel, others).reshape(size, -1)[pair]


def _targets(evaluation_set, stacked):
    y, codes = evaluation_set.y, evaluation_set.groups.codes
    order = np.argsort(y, kind="stable")
    other = np.empty_like(stacked)
    other[order] = _exponential_sums(y[order], stacked[order])
    for group in range(evaluation_set.n_groups):
        rows = order[codes[order] == group]
        other[rows] -= _exponential_sums(y[rows], stacked[rows])
    return other


def _exponential_sums(y, values):
    """Return ``sum_j exp(-|y_i - y_j|) values_j`` for sorted y.

    ``L_i = v_i + exp(-(y_i - y_(i-1))) L_(i-1)`` from the left, likewise from the right: two
    bidiagonal systems with entries at most 1, hence stable whatever the range of y.
    """
    if len(y) < 2:
        return values.copy()
    decay = np.exp(-np.diff(y))
    band = np.ones((2, len(y)))
    band[1, :-1], band[1, -1] = -decay, 0.0
    left = solve_banded((1, 0), band, values, check_finite=False)
    band[1, :-1] = -decay[::-1]
    right = solve_banded((1, 0), band, values[::-1], check_finite=False)[::-1]
    return left + right - values
