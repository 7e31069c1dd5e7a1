"""Dependence between groups and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from skbadr._typing import Array, ResponseMethod, Task
from skbadr.metrics.aggregate import check_option
from skbadr.metrics.base import FairnessMetric

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet

ERRORS = ("all", "false_positive", "false_negative")


class SquaredCovariance(FairnessMetric):
    r"""Sum over groups of the squared covariance of the group's indicator and the score.

    ``sum_g (p_g (mean_g f - mean f))^2`` with p_g the group's share: one indicator per group, so
    that nothing depends on the order of the groups.

    References
    ----------
    Zafar et al. (2017), "Fairness constraints: mechanisms for fair classification", AISTATS.
    """

    differentiable = True

    def __init__(self, task: Task = "classification", *, name: str = "covariance") -> None:
        response_method: ResponseMethod = "predict" if task == "regression" else "decision_function"
        super().__init__(name, response_method=response_method, tasks=(task,))

    def value(self, evaluation_set: EvaluationSet, response: Array) -> float:  # noqa: D102
        return self.value_and_gradient(evaluation_set, response)[0]

    def value_and_gradient(
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        """Return the value and its gradient; see `FairnessMetric.value_and_gradient`."""
        scores = np.reshape(scores, (len(evaluation_set.y), -1)).astype(float, copy=False)
        shares = evaluation_set.group_totals / evaluation_set.group_totals.sum()
        total = evaluation_set.group_totals.sum()
        sums = np.stack([evaluation_set.group_sums(column) for column in scores.T], axis=-1) / total
        covariance = sums - shares[:, None] * sums.sum(axis=0)
        # d cov_g / d f_i = w_i / W (1[i in g] - p_g)
        slope = 2.0 * (covariance - shares @ covariance)
        gradient = slope[evaluation_set.groups.codes] / total
        if evaluation_set.sample_weight is not None:
            gradient = gradient * evaluation_set.sample_weight[:, None]
        return float((covariance**2).sum()), gradient


class LinearHSIC(SquaredCovariance):
    r"""Hilbert-Schmidt independence criterion with linear kernels.

    ``tr(K H L H) / n^2`` with K the scores' and L the group indicators' inner products and H the
    centring matrix, which is the squared covariance. Dividing by ``(n - 1)^2`` instead, as some
    do, changes no comparison, but the value would depend on the unit of sample weights.

    References
    ----------
    Gretton et al. (2008), "A kernel statistical test of independence", NeurIPS, equation 4.
    """

    def __init__(self, task: Task = "classification") -> None:
        super().__init__(task, name="hsic")


class DisparateMistreatment(SquaredCovariance):
    r"""Covariance of groups and errors: of each indicator with ``min(0, margin)``, squared.

    The margin of a sample is its signed distance to the decision boundary, ``(2 y - 1) f`` for
    two classes, the score of the true class minus the largest other for more; only misclassified
    samples count.

    Parameters
    ----------
    errors : {"all", "false_positive", "false_negative"}, default="all"
        Whose errors count; the last two are for two classes.

    References
    ----------
    Zafar et al. (2017), "Fairness beyond disparate treatment & disparate impact: learning
    classification without disparate mistreatment", WWW, equations 9 to 11.
    """

    kinked = True

    def __init__(self, errors: Literal["all", "false_positive", "false_negative"] = "all") -> None:
        check_option("errors", errors, ERRORS)
        self.errors = errors
        super().__init__("classification", name="disparate_mistreatment")

    def value_and_gradient(  # noqa: D102
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        scores = np.reshape(scores, (len(evaluation_set.y), -1)).astype(float, copy=False)
        margin, slope = _margins(evaluation_set.y, scores)
        wrong = margin < 0
        if self.errors != "all":
            if scores.shape[1] > 1:
                raise ValueError(f"errors={self.errors!r} is for two classes.")
            wrong &= evaluation_set.y == (self.errors == "false_negative")
        value, gradient = super().value_and_gradient(evaluation_set, np.where(wrong, margin, 0.0))
        return value, np.where(wrong[:, None], gradient * slope, 0.0)


def _margins(y, scores):
    """Return signed distances to the boundary, of shape (n,), and their gradients."""
    if scores.shape[1] == 1:
        sign = 2.0 * y[:, None] - 1.0
        return (sign * scores)[:, 0], sign
    rows = np.arange(len(y))
    others = scores.copy()
    others[rows, y] = -np.inf
    rival = np.argmax(others, axis=1)
    slope = np.zeros_like(scores)
    slope[rows, y], slope[rows, rival] = 1.0, -1.0
    return scores[rows, y] - scores[rows, rival], slope
