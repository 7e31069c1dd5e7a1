"""Fits on Dask arrays: X stays on the workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone, is_classifier

from skbadr._typing import Array, FloatArray
from skbadr.distributed.collections import in_blocks
from skbadr.distributed.design import DaskDesign
from skbadr.lower_level import (
    LinearFamily,
    LinearLowerLevel,
    PeeledEstimator,
    RefitLowerLevel,
    find_family,
)

if TYPE_CHECKING:
    from skbadr.partition import Cells


def is_solved_on_blocks(estimator: Any, classes: Array | None) -> bool:
    """Whether an estimator's fit on a Dask array is the solution of its training problem.

    Parameters
    ----------
    estimator : estimator
        A last step.
    classes : ndarray of shape (C,) or None

    Returns
    -------
    solved : bool
        If not, it has to train on Dask arrays itself.

    Raises
    ------
    TypeError
        If it does not, as no other estimator of scikit-learn does.
    """
    family = find_family(estimator, classes)
    if not isinstance(family, str) and type(family).parameters is LinearFamily.parameters:
        return True
    if type(estimator).__module__.partition(".")[0] == "sklearn":
        raise TypeError(
            f"X is a Dask array, which {type(estimator).__name__} would collect: take an estimator "
            "that trains on Dask arrays, or a linear model with a smooth objective, or pass X as a "
            "memory map."
        )
    return False


class DaskLowerLevel(RefitLowerLevel):
    """Weighted fits of an estimator that trains on Dask arrays itself.

    Parameters
    ----------
    estimator : estimator
    X : dask array of shape (n, d)
    y : ndarray or dask array of shape (n,)
    cells : Cells
    weigh : callable
        Returns the sample weights for weights of the cells. The estimator gets Dask arrays.
    **options
        As of `RefitLowerLevel`.

    Raises
    ------
    TypeError
        If it has transformers.
    """

    def __init__(
        self, estimator: Any, X: Any, y: Any, cells: Cells, *, weigh: Callable, **options: Any
    ) -> None:
        if PeeledEstimator(estimator).transforms:
            raise TypeError(
                "X is a Dask array, which the transformers of a Pipeline would collect: apply them "
                "to it before fit."
            )
        super().__init__(estimator, X, y, cells, **options)
        self.weigh = weigh

    def fit(self, cell_weights: FloatArray) -> Any:  # noqa: D102
        lengths, params = self.X.chunks[0], dict(self.final_params)
        if self.weighted or not self.cells.is_baseline(cell_weights):
            weight = self.weigh(cell_weights)
            params["sample_weight"] = in_blocks(weight, lengths, "sample_weight")
        return clone(self.peeled.final).fit(self.X, in_blocks(self.y, lengths, "y"), **params)

    def numbers(self, X: Any) -> DaskDesign:  # noqa: D102
        return DaskDesign(X)


class SolvedLowerLevel(DaskLowerLevel):
    """Weighted fits of a smooth linear model: solutions, of which the workers sum the blocks."""

    def fit(self, cell_weights: FloatArray) -> Any:  # noqa: D102
        model, classes, codes = clone(self.peeled.final), None, self.y
        if is_classifier(model):
            classes, codes = np.unique(self.y, return_inverse=True)
        family = find_family(model, classes)
        level = LinearLowerLevel(family, self.numbers(self.X), codes, self.cells)
        return _fitted(model, family, level.solve(cell_weights), level)


def _fitted(model, family, state, level):
    """Return the estimator with the solution as its fitted attributes."""
    coef = state.coef
    weights = np.ascontiguousarray(coef[: level.d].T)
    intercept = coef[level.d] * family.intercept_scaling if family.fit_intercept else 0.0
    if family.classes is None:
        weights, intercept = weights[0], float(np.ravel(intercept)[0])
    else:
        model.classes_ = family.classes
        intercept = np.broadcast_to(intercept, (len(weights),)).copy()
    model.coef_, model.intercept_ = weights, intercept
    model.n_features_in_, model.n_iter_ = level.d, np.array([state.n_iter], dtype=np.int32)
    return model
