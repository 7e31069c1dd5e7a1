"""The rows of a problem, and the refits and evaluations of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from skbadr._typing import FloatArray
from skbadr.lower_level import RefitLowerLevel, RememberedLowerLevel
from skbadr.problem.evaluator import Evaluator

if TYPE_CHECKING:
    from skbadr.metrics import EvaluationSet
    from skbadr.partition import Cells


@dataclass
class Table:
    """Training rows, but for X. Other kinds of it hold rows that are elsewhere.

    Attributes
    ----------
    y : array-like of shape (n,)
        Targets as the user knows them.
    data : EvaluationSet
        Of all rows, or of a sample that stands for them.
    cells : Cells
        Of the same rows.
    weighted : bool
        Whether the user gave sample weights.
    can_split : bool
        Whether there may be folds of the rows.
    has_jobs : bool
        Whether refits may run side by side in processes of this machine.
    """

    y: Any
    data: EvaluationSet
    cells: Cells
    weighted: bool
    can_split: ClassVar[bool] = True
    has_jobs: ClassVar[bool] = True

    def sample_weight(self, cell_weights: FloatArray) -> Any:
        """Return the sample weights of all rows for weights of the cells."""
        return self.cells.sample_weight(cell_weights)

    def lower_level(
        self, estimator: Any, X: Any, *, memory: Any = None, **options: Any
    ) -> RefitLowerLevel:
        """Return the lower level of an estimator on these rows, or on some of them.

        Parameters
        ----------
        estimator : estimator
        X : array-like of shape (n, d)
        memory : joblib.Memory or None, default=None
            Where refits are kept.
        **options
            As of `RefitLowerLevel`.
        """
        kind = RefitLowerLevel if memory is None else partial(RememberedLowerLevel, memory=memory)
        return kind(estimator, X, self.y, self.cells, weighted=self.weighted, **options)

    @property
    def evaluator(self) -> Callable[..., Evaluator]:
        """What makes the evaluator of refits, called as `Evaluator` is."""
        return Evaluator
