"""Metadata routing: what the wrapped estimator may ask for."""

from sklearn import get_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter


def without_weight_request(estimator):
    """Return a copy whose last step requests no weights: the searched ones are not routed.

    Otherwise weights that are routed to it would arrive here, unasked for.
    """
    if not get_config()["enable_metadata_routing"] or not hasattr(estimator, "get_params"):
        return estimator
    estimator = final = clone(estimator)
    while isinstance(final, Pipeline):
        final = final.steps[-1][1]
    if has_fit_parameter(final, "sample_weight") and hasattr(final, "set_fit_request"):
        final.set_fit_request(sample_weight=False)
    return estimator
