"""The largest rise of a group's share of errors, as a function of confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from skbadr._rows import ROUNDING
from skbadr._typing import Array, Float, FloatArray
from skbadr.losses import get_loss
from skbadr.metrics.aggregate import check_positive, largest
from skbadr.metrics.base import FairnessMetric
from skbadr.metrics.smooth.soft_tables import TableSurrogate

if TYPE_CHECKING:
    from skbadr.losses import Loss
    from skbadr.metrics.evaluation_set import EvaluationSet

ZERO_ONE = get_loss("zero_one")


class ErrorHarmMetric(FairnessMetric):
    """The largest rise of a group's share of errors over the baseline estimator's.

    What "group_harm" is of the zero-one loss; at most 0 where no group gets more wrong answers.

    Parameters
    ----------
    reference : float, array-like of shape (G,) or None, default=None
        The share of errors of each group to compare with, in the order of the groups. None: that
        under the baseline estimator on the same rows, which a fit knows.
    rho : float or None, default=None
        Softens the maximum by log-sum-exp.

    Examples
    --------
    >>> from skbadr.metrics import get_metric
    >>> harm = get_metric("group_harm", loss="zero_one", reference=[0.5, 0.25])
    >>> harm([0, 1, 0, 1], [0, 1, 0, 0], sensitive_features=["a", "a", "b", "b"])
    0.25
    """

    uses_confusion = True
    additive = True
    summary = "group_harm"

    def __init__(
        self,
        *,
        reference: Float | Sequence[Float] | Array | None = None,
        rho: Float | None = None,
    ) -> None:
        check_positive("rho", rho, optional=True)
        self.reference, self.rho = reference, rho
        super().__init__("group_harm[zero_one]", tasks=("classification",))

    @property
    def references(self) -> tuple[Loss, ...]:  # noqa: D102
        return (ZERO_ONE,) if self.reference is None else ()

    def reference_errors(self, evaluation_set: EvaluationSet) -> FloatArray:
        """Return the share of errors of each present group to compare with."""
        if self.reference is None:
            return evaluation_set.reference_means(ZERO_ONE)[evaluation_set.present]
        given = np.broadcast_to(np.asarray(self.reference, float), evaluation_set.n_groups)
        return given[evaluation_set.present]

    def undefined(self, evaluation_set: EvaluationSet) -> list[str]:  # noqa: D102
        given = None if self.reference is None else np.shape(self.reference)  # type: ignore[arg-type]
        if given not in (None, (), (evaluation_set.n_groups,)):
            raise ValueError(
                f"reference must be a number or one per group, of shape "
                f"({evaluation_set.n_groups},), got shape {given}."
            )
        return []

    def surrogate(  # noqa: D102
        self, temperature: Float = 1.0, *, rho: Float | None = None
    ) -> FairnessMetric | None:
        return ErrorHarmSurrogate(self, temperature, rho)

    def statistics(self, evaluation_set: EvaluationSet, response: Array) -> FloatArray:  # noqa: D102
        return evaluation_set.confusion(response).ravel()

    def from_statistics(self, evaluation_set: EvaluationSet, statistics: FloatArray) -> float:  # noqa: D102
        return float(self.from_many_statistics(evaluation_set, np.reshape(statistics, (1, -1)))[0])

    def from_many_statistics(  # noqa: D102
        self, evaluation_set: EvaluationSet, statistics: FloatArray
    ) -> FloatArray:
        n_classes = evaluation_set.n_classes
        tables = statistics.reshape(len(statistics), -1, n_classes, n_classes)
        tables = tables[:, evaluation_set.present]
        errors = 1.0 - np.einsum("tgcc->tg", tables) / tables.sum(axis=(2, 3))
        rises = errors - self.reference_errors(evaluation_set)
        rises = np.where(np.abs(rises) < ROUNDING, 0.0, rises)
        return largest(rises.T, self.rho)[0]


class ErrorHarmSurrogate(TableSurrogate):
    """The same of soft confusion matrices.

    Parameters
    ----------
    metric : ErrorHarmMetric
    temperature : float, default=1.0
        As of `RateSurrogate`.
    rho : float or None, default=None
        Softens the maximum over the groups.
    """

    def __init__(
        self, metric: ErrorHarmMetric, temperature: Float = 1.0, rho: Float | None = None
    ) -> None:
        check_positive("temperature", temperature)
        check_positive("rho", rho, optional=True)
        self.temperature = temperature
        super().__init__(metric, rho)

    def value_of_tables(  # noqa: D102
        self, evaluation_set: EvaluationSet, tables: Array
    ) -> tuple[float, Array]:
        present = evaluation_set.present
        seen = tables[present]
        totals = seen.sum(axis=(1, 2))
        right = np.einsum("gcc->g", seen) / totals
        rises = 1.0 - right - self.exact.reference_errors(evaluation_set)
        value, share = largest(rises, self.rho)
        slope = (right[:, None, None] - np.eye(seen.shape[1])) / totals[:, None, None]
        gradient = np.zeros(tables.shape)
        gradient[present] = share[:, None, None] * slope
        return float(value), gradient
