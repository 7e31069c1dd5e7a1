"""Refits kept on disk: one that is asked for again is loaded, also by another process."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import joblib
import numpy as np
from scipy import sparse
from sklearn.base import clone

from skbadr._sklearn import _safe_indexing
from skbadr._typing import FloatArray, Memory
from skbadr._warnings import record_warnings, warn_user
from skbadr.lower_level.design import release
from skbadr.lower_level.refit import RefitLowerLevel


class RememberedLowerLevel(RefitLowerLevel):
    """Weighted fits of an estimator that are looked up before they are made.

    The key of a fit is a digest of everything that determines it but the weights, computed once,
    and the weights. What a fit warned of is kept with it.

    Parameters
    ----------
    *args, **kwargs
        As of `RefitLowerLevel`.
    memory : joblib.Memory
        Where the fits are kept.

    Raises
    ------
    TypeError
        If the estimator or its fit parameters cannot be pickled.
    """

    def __init__(self, *args: Any, memory: Memory, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.digest = self._digest()
        self._remembered = memory.cache(_fit, ignore=["lower_level"])
        _write_code(self._remembered)

    def fit(self, cell_weights: FloatArray) -> Any:  # noqa: D102
        weights = np.asarray(cell_weights, dtype=float)
        try:
            stored = self._remembered(self, self.digest, weights)
        except _NotKept as outcome:
            model, found, reason = outcome.args
            warn_user(
                f"memory does not keep the fits of {type(model).__name__}, which cannot be pickled "
                f"({reason}): define its class in a module, so that other processes find it."
            )
        else:
            try:
                model, found = pickle.loads(stored)
            except Exception:  # its class is not to be found here, say
                return self.fit_anew(weights)
        for message, category in found:
            warn_user(message, category)
        return model

    def fit_anew(self, cell_weights: FloatArray) -> Any:
        """Fit without looking."""
        return super().fit(cell_weights)

    def _digest(self):
        final = clone(self.peeled.final)
        cells = self.cells
        try:
            digest = joblib.hash(
                [
                    _versions(final),
                    final,
                    self.final_params,
                    _values(self.X),
                    self.y,
                    [cells.codes, cells.base_weight, self._all_cells.shares, self.weighted],
                ]
            )
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise TypeError(
                f"memory recognises {type(final).__name__} and what its fit takes by their "
                f"pickles, which failed: {error}. Leave memory=None, or define functions and "
                "classes in a module."
            ) from error
        release(self.X)
        return digest


# Kept as it is: where its code changes, joblib empties the cache.
def _fit(lower_level, digest, weights):
    if lower_level is None:
        return None
    with record_warnings() as found:
        model = lower_level.fit_anew(weights)
    try:
        # As bytes: joblib would keep the beginning of what it fails to pickle.
        return pickle.dumps((model, found), protocol=5)
    except Exception as error:
        raise _NotKept(model, found, error) from None


def _write_code(remembered):
    """Have joblib write the code by which it tells whether a cache is valid.

    Processes that find none would write it at once, and one that reads half of it empties the
    cache under the others. joblib itself writes it once for a process, though that may know several
    places.
    """
    remembered(None, "", None)
    store = getattr(remembered, "store_backend", None)  # `memory` may be of another kind
    if store is None:
        return
    try:
        store.get_cached_func_code([remembered.func_id])
    except FileNotFoundError:
        remembered.clear(warn=False)


class _NotKept(Exception):
    """A fit that is as good as any, but cannot be stored: model, warnings and the reason."""


def _versions(estimator):
    """Return the versions of the packages that fit the estimator, by name."""
    parts = [estimator, *estimator.get_params(deep=True).values()]
    names = {type(part).__module__.partition(".")[0] for part in parts} | {"skbadr", "sklearn"}
    known = {name: getattr(sys.modules.get(name), "__version__", None) for name in names}
    return sorted((name, str(version)) for name, version in known.items() if version is not None)


def _values(X):
    """Return the values that data hold, without what their containers do with them."""
    if sparse.issparse(X):
        if X.format not in ("csr", "csc"):
            X = X.tocsr()
        return [type(X).__name__, X.shape, X.data, X.indices, X.indptr]
    if hasattr(X, "columns") and hasattr(X, "shape"):
        columns = [_safe_indexing(X, j, axis=1) for j in range(X.shape[1])]
        return [
            type(X).__name__,
            [(str(name), *_column(c)) for name, c in zip(X.columns, columns, strict=True)],
        ]
    return X


def _column(column):
    categories = getattr(getattr(column, "cat", None), "categories", None)
    if categories is None:
        return str(column.dtype), np.ascontiguousarray(column)
    # pandas: the order of categories may count.
    return str(column.dtype), np.asarray(categories), np.ascontiguousarray(column.cat.codes)
