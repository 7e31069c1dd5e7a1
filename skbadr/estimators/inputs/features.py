"""Refusals of X, where the wrapped estimator would never get to see it."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, get_tags

from skbadr._sklearn import _num_samples


def inner_tags(estimator):
    """Return the estimator's tags, or None if its class has none."""
    known = not isinstance(estimator, type) and hasattr(estimator, "__sklearn_tags__")
    return get_tags(estimator) if known else None


def check_X(X, estimator):
    """Refuse training data that hold nothing, or that no estimator takes.

    The sensitive groups are looked for before the estimator sees X, so an X that is at fault
    would otherwise be reported as a fault of the groups.

    Raises
    ------
    ValueError
        In scikit-learn's words.
    """
    shape, kind = _outline(X)
    if shape[0] == 0:
        raise ValueError(
            f"Found array with 0 sample(s) (shape={shape}) while a minimum of 1 is required."
        )
    check_dimensions(X, estimator)
    if len(shape) == 2 and shape[1] == 0:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={shape}) while a minimum of 1 is required."
        )
    if kind == "c":
        raise ValueError(f"Complex data not supported\n{X}\n")


def check_dimensions(X, estimator):
    """Refuse one-dimensional numbers; one-dimensional text is what vectorizers take.

    Raises
    ------
    ValueError
        Saying how to reshape.
    """
    shape, kind = _outline(X)
    if len(shape) != 1 or shape[0] == 0 or kind is None or kind not in "biufc":
        return
    tags = inner_tags(estimator)
    if tags is None or not (tags.no_validation or tags.input_tags.one_d_array):
        raise ValueError(
            f"Expected 2D array, got 1D array instead:\narray={X}.\nReshape your data either "
            "using array.reshape(-1, 1) if your data has a single feature or "
            "array.reshape(1, -1) if it contains a single sample."
        )


def _outline(X):
    """Return the shape of X, and the kind of its dtype or None, without converting X whole."""
    if hasattr(X, "shape"):
        kind = getattr(getattr(X, "dtype", None), "kind", None)
        if kind is None and len(X.shape) == 1:  # a Polars series
            kind = np.asarray(X).dtype.kind
        return tuple(X.shape), kind
    try:
        row = np.asarray(X[:1])
    except (TypeError, ValueError):  # no sequence, or ragged: for the estimator to judge
        return (_num_samples(X),), None
    return (_num_samples(X), *row.shape[1:]), row.dtype.kind


def check_readable(X, estimator):
    """Refuse an array that the estimator itself would refuse: NaN, not numeric.

    Data frames, and whatever a Pipeline's transformers take, are left to the estimator. So are
    sparse data: scikit-learn 1.6.0 has them tagged wrongly.

    Raises
    ------
    ValueError, TypeError
        As `sklearn.utils.check_array`.
    """
    tags = inner_tags(estimator)
    if hasattr(X, "columns") or isinstance(estimator, Pipeline) or tags is None:
        return
    inputs = tags.input_tags
    if tags.no_validation or inputs.string or inputs.categorical or inputs.three_d_array:
        return
    check_array(
        X,
        accept_sparse=True,
        ensure_all_finite="allow-nan" if inputs.allow_nan else True,
        ensure_2d=not inputs.one_d_array,
        estimator=estimator,
        input_name="X",
    )
