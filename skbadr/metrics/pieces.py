"""A metric that is the worst of several, taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from skbadr._typing import FloatArray

if TYPE_CHECKING:
    from skbadr.metrics.base import FairnessMetric
    from skbadr.metrics.evaluation_set import EvaluationSet


class Piece(NamedTuple):
    """One of the metrics, and what it is evaluated on.

    Attributes
    ----------
    metric : FairnessMetric
    data : EvaluationSet
    statistics : ndarray of shape (T, n_own) or None
        Of T models, where statistics of the whole were given.
    response : ndarray, JointResponse or None
        Where that of the whole was given.
    """

    metric: FairnessMetric
    data: EvaluationSet
    statistics: FloatArray | None
    response: Any
