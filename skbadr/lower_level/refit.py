"""The lower level of any estimator: an ordinary weighted fit."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_array, get_tags

from skbadr._guard import Guard
from skbadr._sklearn import _check_method_params, _num_samples, _safe_indexing
from skbadr._typing import Array, FloatArray
from skbadr.lower_level.base import LowerLevel
from skbadr.lower_level.design import release
from skbadr.lower_level.pipeline import PeeledEstimator
from skbadr.lower_level.rounding import rounded

if TYPE_CHECKING:
    from skbadr.partition import Cells


class RefitLowerLevel(LowerLevel):
    """Weighted fits of an estimator that is known by its ``fit`` alone.

    Parameters
    ----------
    estimator : estimator
        Its last step's ``fit`` takes ``sample_weight``. Cloned for each fit.
    X : array-like of shape (n, d)
        Passed on as it is.
    y : ndarray of shape (n,)
        Targets as the user knows them.
    cells : Cells
    weighted : bool
        Whether the user gave sample weights; without them the baseline estimator is fitted with
        none, because some estimators tell None from ones.
    fit_params : dict
    rows : ndarray or None, default=None
        Training rows; None: all. Each has the weight that it has among all rows, so that the
        baseline weights give the baseline estimator on any part of the data. Models of some rows
        are compared, not handed over: see `rounded`.
    routing : bool, default=False
        Whether metadata routing is on.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Array,
        cells: Cells,
        *,
        weighted: bool,
        fit_params: dict[str, Any],
        rows: Array | None = None,
        routing: bool = False,
    ) -> None:
        self._all_cells, self._rows = cells, slice(None) if rows is None else rows
        self._pairwise = _is_pairwise(estimator)
        if rows is not None:
            fit_params = _check_method_params(X, fit_params, rows)
            X, y, cells = self.take(X, rows), y[rows], _part(cells, rows)
        self.peeled = PeeledEstimator(estimator, routing=routing)
        self.guard = Guard(self.peeled.final)
        self.X, y, self.final_params = self.peeled.fit_transform(
            X, y, fit_params, cells.base_weight if weighted else None
        )
        if "sample_weight" in self.final_params:
            raise ValueError(
                "the last step's sample_weight is what is searched for: pass base weights to fit "
                "as sample_weight."
            )
        if _num_samples(self.X) != len(y):
            raise ValueError(
                f"the transformers turned {len(y)} samples into {_num_samples(self.X)}: weights "
                "need a pipeline that keeps its rows."
            )
        if rows is not None:
            self.X = rounded(self.peeled.final, self.X)
        self.y, self.cells, self.weighted = y, cells, weighted

    def fit(self, cell_weights: FloatArray) -> Any:  # noqa: D102
        model, X = clone(self.peeled.final), self.X
        params = dict(self.final_params)
        if not self._all_cells.is_baseline(cell_weights) or self.weighted:
            params["sample_weight"] = self._all_cells.sample_weight(cell_weights)[self._rows]
        model = self.guard.call(model.fit, X, self.y, **params)
        release(X)
        return model

    def take(self, X: Any, rows: Array) -> Any:
        """Return some rows of the user's X, of kernels the columns of the training rows alone."""
        if not self._pairwise:
            return _safe_indexing(X, rows)
        if not hasattr(X, "shape"):
            X = np.asarray(X)
        if len(X.shape) != 2 or X.shape[0] != X.shape[1]:
            raise ValueError(
                f"X has the shape {X.shape}, but the estimator takes a precomputed matrix of all "
                "pairs of samples: pass a square one."
            )
        return _safe_indexing(_safe_indexing(X, rows), self._rows, axis=1)

    def numbers(self, X: Any) -> Any:
        """Return X as floats; the estimator's own validation would refuse what this refuses."""
        if sparse.issparse(X) or (isinstance(X, np.ndarray) and X.dtype.kind == "f"):
            return X
        return check_array(X, dtype="numeric", accept_sparse="csr")

    def assemble(self, model: Any) -> Any:  # noqa: D102
        return self.peeled.assemble(model)

    def transform(self, X: Any, *, training: bool = False) -> Any:
        """Return what the last step sees of `X` when it predicts.

        With ``training=True``, `X` is the training data, and the copy kept for fitting is
        returned where it is the same; it is not for transformers such as TargetEncoder.
        """
        if not self.peeled.transforms:
            return X
        transformed = self.peeled.transform(X)
        return self.X if training and _equal(transformed, self.X) else transformed


def _is_pairwise(estimator):
    """Whether an estimator takes a matrix of all pairs of samples, as of a precomputed kernel."""
    return hasattr(estimator, "__sklearn_tags__") and get_tags(estimator).input_tags.pairwise


def _part(cells, rows):
    """Return the cells of some rows, with totals in the proportions of all rows."""
    part = cells.take(rows)
    return dataclasses.replace(part, totals=cells.shares * part.base_weight.sum())


def _equal(a, b):
    if type(a) is not type(b) or np.shape(a) != np.shape(b):
        return False
    if sparse.issparse(a):
        return a.nnz == b.nnz and abs(a - b).nnz == 0
    if hasattr(a, "equals"):
        return bool(a.equals(b))
    try:
        return bool(np.array_equal(a, b, equal_nan=True))
    except TypeError:  # object arrays have no NaN test
        return bool(np.array_equal(a, b))
