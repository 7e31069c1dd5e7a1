"""Confusion matrices that are smooth in the scores, and metrics that are functions of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, softmax

from skbadr._typing import Array, Float, FloatArray
from skbadr.metrics.smooth.stand_in import StandIn

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet


class SoftPredictions:
    """Class memberships of scores: a logistic function, or its form for several classes.

    Parameters
    ----------
    scores : ndarray of shape (n,) or (n, m)
        m = 1 for two classes, else one score per class.
    temperature : float
        Factor of the scores; as it grows, memberships become the predicted classes.
    """

    def __init__(self, scores: Array, temperature: Float) -> None:
        scores = scores.reshape(len(scores), -1)
        self.temperature, self.binary = temperature, scores.shape[1] == 1
        self.membership = (
            expit(temperature * scores) if self.binary else softmax(temperature * scores, axis=1)
        )

    def pull_back(self, slope: Array) -> Array:
        """Return derivatives in the scores from those in the memberships, of shape (n, C)."""
        member = self.membership
        if self.binary:
            slope = slope[:, 1:] - slope[:, :1]
            return self.temperature * member * (1.0 - member) * slope
        mean = (member * slope).sum(axis=1, keepdims=True)
        return self.temperature * member * (slope - mean)

    def gradient(self, evaluation_set: EvaluationSet, by_table: Array) -> Array:
        """Return derivatives in the scores from those in the tables, of shape (G, C, C)."""
        gradient = self.pull_back(by_table[evaluation_set.groups.codes, evaluation_set.y])
        if evaluation_set.sample_weight is not None:
            gradient *= evaluation_set.sample_weight[:, None]
        return gradient

    def tables(self, evaluation_set: EvaluationSet) -> Array:
        """Return the confusion matrices of the groups, shared out by membership."""
        data = evaluation_set
        pair = data.groups.codes * data.n_classes + data.y
        size, weight = data.n_groups * data.n_classes, data.sample_weight
        columns = []
        for member in self.membership.T:
            member = member if weight is None else member * weight
            columns.append(np.bincount(pair, weights=member, minlength=size))
        if self.binary:
            columns.insert(0, np.maximum(data.class_totals.ravel() - columns[0], 0.0))
        return np.stack(columns, axis=-1).reshape(data.n_groups, data.n_classes, data.n_classes)


class TableSurrogate(StandIn):
    """A differentiable function of confusion matrices that are shared out by membership.

    A subclass implements `value_of_tables`.
    """

    temperature: Float

    def value_of_tables(self, evaluation_set: EvaluationSet, tables: Array) -> tuple[float, Array]:
        """Return the value and its gradient in the tables, both of shape (G, C, C)."""
        raise NotImplementedError

    def statistics(self, evaluation_set: EvaluationSet, response: Array) -> FloatArray:  # noqa: D102
        return SoftPredictions(response, self.temperature).tables(evaluation_set).ravel()

    def from_statistics(self, evaluation_set: EvaluationSet, statistics: FloatArray) -> float:  # noqa: D102
        shape = (evaluation_set.n_groups, evaluation_set.n_classes, evaluation_set.n_classes)
        return self.value_of_tables(evaluation_set, statistics.reshape(shape))[0]

    def value(self, evaluation_set: EvaluationSet, response: Array) -> float:  # noqa: D102
        # Without the gradient.
        return self.from_statistics(evaluation_set, self.statistics(evaluation_set, response))

    def value_and_gradient(  # noqa: D102
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        soft = SoftPredictions(scores, self.temperature)
        value, by_table = self.value_of_tables(evaluation_set, soft.tables(evaluation_set))
        return value, soft.gradient(evaluation_set, by_table)
