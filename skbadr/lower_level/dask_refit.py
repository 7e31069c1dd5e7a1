"""The lower level of an estimator that trains on Dask arrays itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from skbadr._typing import FloatArray
from skbadr.lower_level.refit import RefitLowerLevel

if TYPE_CHECKING:
    from skbadr.partition import DaskRows


class DaskRefitLowerLevel(RefitLowerLevel):
    """Weighted fits of an estimator that gets targets and weights as Dask arrays, like X.

    Parameters
    ----------
    estimator : estimator
        Its last step's ``fit`` takes Dask arrays.
    X : dask array of shape (n, d)
    rows : DaskRows
    **options
        As of `RefitLowerLevel`.
    """

    def __init__(self, estimator: Any, X: Any, rows: DaskRows, **options: Any) -> None:
        super().__init__(estimator, X, rows.y, rows.cells, **options)
        self.rows = rows

    def fit(self, cell_weights: FloatArray) -> Any:  # noqa: D102
        params = dict(self.final_params)
        if self.weighted or not self.cells.is_baseline(cell_weights):
            params["sample_weight"] = self.rows.sample_weight(cell_weights)
        return clone(self.peeled.final).fit(self.X, self.y, **params)
