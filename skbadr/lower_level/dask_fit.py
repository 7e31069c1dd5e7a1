"""Fits and predictions on Dask arrays: X stays on the workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier

from skbadr._typing import Array, FloatArray
from skbadr.lower_level.families import LinearFamily, find_family
from skbadr.lower_level.linear import LinearLowerLevel

if TYPE_CHECKING:
    from skbadr.partition import Cells

# Change of scores that may be left, as for a solver of the estimator's own with a tight tolerance.
TOL = 1e-8


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


def fit_on_blocks(
    model: Any, X: Any, y: Array, cells: Cells, cell_weights: FloatArray, params: dict[str, Any]
) -> Any:
    """Fit an estimator on a Dask array, which is not collected.

    A smooth linear model gets the solution of its training problem, of which the workers sum the
    blocks; any other estimator is taken to train on Dask arrays itself, and gets its targets and
    sample weights as such.

    Parameters
    ----------
    model : estimator
        A clone.
    X : dask array of shape (n, d)
    y : ndarray of shape (n,)
        Targets as the user knows them.
    cells : Cells
    cell_weights : ndarray of shape (K,)
    params : dict
        Further parameters of its fit.

    Returns
    -------
    model : fitted estimator
    """
    classes, codes = None, y
    if is_classifier(model):
        classes, codes = np.unique(y, return_inverse=True)
    if is_solved_on_blocks(model, classes):
        family = find_family(model, classes)
        level = LinearLowerLevel(family, X, codes, cells)
        return _fitted(model, family, level.solve(cell_weights, tol=TOL), level)
    import dask.array as da

    chunks: Any = (X.chunks[0],)
    params = dict(params)
    if "sample_weight" in params:
        params["sample_weight"] = da.from_array(params["sample_weight"], chunks=chunks)
    return model.fit(X, da.from_array(y, chunks=chunks), **params)


def respond_on_blocks(model: Any, X: Any, respond: Callable[[Any, Any], Array]) -> Array:
    """Return what a fitted model responds to a Dask array.

    Parameters
    ----------
    model : fitted estimator
    X : dask array of shape (n, d)
    respond : callable ``(model, X) -> ndarray``
        Called with each block, on the workers, for models of scikit-learn; else with X.
    """
    if type(model).__module__.partition(".")[0] != "sklearn":
        return np.asarray(respond(model, X))
    import dask

    shared = dask.delayed(model)
    parts = X.rechunk({1: -1}).to_delayed()[:, 0]
    return np.concatenate(dask.compute(*[dask.delayed(respond)(shared, part) for part in parts]))


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
