"""The lower level of an estimator that trains on Dask arrays itself."""

from sklearn.base import clone

from skbadr.lower_level.refit import RefitLowerLevel


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

    def __init__(self, estimator, X, rows, **options):
        super().__init__(estimator, X, rows.y, rows.cells, **options)
        self.rows = rows

    def fit(self, cell_weights):  # noqa: D102
        params = dict(self.final_params)
        if self.weighted or not self.cells.is_baseline(cell_weights):
            params["sample_weight"] = self.rows.sample_weight(cell_weights)
        return clone(self.peeled.final).fit(self.X, self.y, **params)
