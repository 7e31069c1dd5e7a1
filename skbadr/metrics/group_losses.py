"""Metrics of the groups' mean losses."""

import numpy as np

from skbadr.losses import LOSS_GRADIENTS, LOSSES
from skbadr.metrics.aggregate import check_option
from skbadr.metrics.base import FairnessMetric


def _worst(losses):
    return np.max(losses)


def _variance(losses):
    return np.var(losses)


def _gap(losses):
    return np.max(losses) - np.min(losses)


def _ratio(losses):
    smallest = np.min(losses)
    if smallest > 0:
        return np.max(losses) / smallest
    return np.nan if np.max(losses) == 0 else np.inf


def _worst_gradient(losses):
    return np.arange(len(losses)) == np.argmax(losses)


def _variance_gradient(losses):
    return 2.0 * (losses - losses.mean()) / len(losses)


def _gap_gradient(losses):
    return 1.0 * _worst_gradient(losses) - _worst_gradient(-losses)


def _ratio_gradient(losses):
    smallest, largest = losses.min(), losses.max()
    return _worst_gradient(losses) / smallest - _worst_gradient(-losses) * largest / smallest**2


_GRADIENTS = {
    "worst_group_loss": _worst_gradient,
    "group_loss_variance": _variance_gradient,
    "group_loss_gap": _gap_gradient,
    "group_loss_ratio": _ratio_gradient,
}

# name -> function of the losses of the groups that are present
SUMMARIES = {
    "worst_group_loss": _worst,
    "group_loss_variance": _variance,
    "group_loss_gap": _gap,
    "group_loss_ratio": _ratio,
}


class GroupLossMetric(FairnessMetric):
    """A summary of the groups' mean losses; lower is better.

    Parameters
    ----------
    summary : {"worst_group_loss", "group_loss_variance", "group_loss_gap", "group_loss_ratio"}
        Largest loss (minimax fairness), variance over the groups, largest minus smallest, or
        largest over smallest (relative fairness; 1 is ideal).
    loss : {"zero_one", "log_loss", "squared_error", "absolute_error"}
        Loss per sample.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448 (group-loss variance); Diana et al. (2021),
    "Minimax group fairness", AIES (worst group).
    """

    def __init__(self, summary, *, loss):
        check_option("summary", summary, SUMMARIES)
        check_option("loss", loss, LOSSES)
        self.summary, self.loss = summary, loss
        self._loss, response_method, task = LOSSES[loss]
        super().__init__(f"{summary}[{loss}]", response_method=response_method, tasks=(task,))

    def statistics(self, evaluation_set, response):  # noqa: D102
        return evaluation_set.group_means(self._loss(evaluation_set.y, response))

    def from_statistics(self, evaluation_set, statistics):  # noqa: D102
        return float(SUMMARIES[self.summary](statistics[evaluation_set.present]))

    @property
    def differentiable(self):  # noqa: D102
        return self.loss in LOSS_GRADIENTS

    @property
    def kinked(self):  # noqa: D102
        return self.summary != "group_loss_variance"

    def value_and_gradient(self, evaluation_set, scores):  # noqa: D102
        losses, slopes = LOSS_GRADIENTS[self.loss](evaluation_set.y, scores)
        means = evaluation_set.group_means(losses)
        present = evaluation_set.present
        by_group = np.zeros(len(means))
        by_group[present] = _GRADIENTS[self.summary](means[present])
        by_group[present] /= evaluation_set.group_totals[present]
        factor = by_group[evaluation_set.groups.codes]
        if evaluation_set.sample_weight is not None:
            factor = factor * evaluation_set.sample_weight
        return self.from_statistics(evaluation_set, means), factor[:, None] * slopes
