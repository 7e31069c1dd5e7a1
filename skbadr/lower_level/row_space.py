"""Fewer rows than columns: the same problem in the space that the rows span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg, sparse

from skbadr._typing import Array, FloatArray
from skbadr.lower_level.design import Design

if TYPE_CHECKING:
    from skbadr.lower_level.families.base import LinearFamily

# Rows up to which their inner products are formed, where there are this many times more columns.
ROW_SPACE_ROWS, WIDER = 1_500, 1.5


class RowSpace:
    """Coordinates of the rows of a wide X, in which a problem has few parameters.

    The solution of a problem that penalises all features alike lies in the span of the rows:
    with ``X X' = U S U'``, scores are linear in the columns of ``U S^(1/2)``, and the penalty of
    these coordinates is that of the coefficients.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, d)

    Attributes
    ----------
    rows : ndarray of shape (n, r)
        The rows' coordinates.
    """

    def __init__(self, X: Any) -> None:
        products = X @ X.T
        products = products.toarray() if sparse.issparse(products) else products
        size, vectors = linalg.eigh(products, check_finite=False)
        kept = size > 1e-12 * max(size[-1], np.finfo(float).tiny)
        self._X, root = X, np.sqrt(size[kept])
        self.rows = np.ascontiguousarray(vectors[:, kept] * root)
        self._back = vectors[:, kept] / root

    def transform(self, X: Any) -> Array:
        """Return the coordinates of other rows: what is orthogonal to the span has no effect."""
        products = X @ self._X.T
        products = products.toarray() if sparse.issparse(products) else products
        return np.ascontiguousarray(products @ self._back)

    def coordinates(self, coef: FloatArray) -> FloatArray:
        """Return the coordinates of coefficients of the features, of shape (d, m)."""
        return self._back.T @ np.asarray(self._X @ coef)


def suits_row_space(family: LinearFamily, X: Any) -> bool:
    """Whether a problem has more columns than rows and penalises all of them alike."""
    n, d = X.shape
    if n > ROW_SPACE_ROWS or d < WIDER * n or family.l2 <= 0 or isinstance(X, Design):
        return False
    penalty = family.penalty(d + bool(family.fit_intercept))[:d]
    return bool((penalty == penalty[0]).all())
