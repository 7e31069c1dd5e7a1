"""Metrics of the groups' mean losses."""

import numpy as np

from skbadr.losses import LOSSES
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
        if summary not in SUMMARIES:
            raise ValueError(f"summary must be one of {list(SUMMARIES)}, got {summary!r}.")
        if loss not in LOSSES:
            raise ValueError(f"loss must be one of {list(LOSSES)}, got {loss!r}.")
        self.summary, self.loss = summary, loss
        self._loss, response_method, task = LOSSES[loss]
        super().__init__(f"{summary}[{loss}]", response_method=response_method, tasks=(task,))

    def statistics(self, evaluation_set, response):  # noqa: D102
        return evaluation_set.group_means(self._loss(evaluation_set.y, response))

    def from_statistics(self, evaluation_set, statistics):  # noqa: D102
        return float(SUMMARIES[self.summary](statistics[evaluation_set.present]))
