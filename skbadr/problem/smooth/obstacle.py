"""What makes a problem smooth, and what a smooth lower level certifies of its models."""

import numpy as np

from skbadr.lower_level import (
    LinearLowerLevel,
    PeeledEstimator,
    find_family,
    known_estimators,
)


def implicit_obstacle(estimator, classes, *, loss, scoring, fit_params, held_out):
    """Return why a problem is not smooth, or None where it is.

    Parameters
    ----------
    estimator : estimator
        The user's; the last step of a Pipeline counts.
    classes : ndarray of shape (C,) or None
    loss : str
        Name of the loss of which the cells' means are reported.
    scoring : callable or None
        A scorer other than the default one.
    fit_params : dict
    held_out : bool
        Whether the upper level is evaluated on held-out data.

    Returns
    -------
    reason : str or None
    """
    final = PeeledEstimator(estimator).final
    family = find_family(final, classes)
    if isinstance(family, str):
        return f"{family} (known are {', '.join(known_estimators())})"
    if loss == "log_loss" and not hasattr(family, "predict_proba"):
        return f"the probabilities of {type(final).__name__} are not a function of its scores"
    if scoring is not None:
        return "scoring is not the default score, so that it needs fitted estimators"
    if held_out and family.averages:
        return f"{type(final).__name__} divides by the weights of a fold, which vary"
    if fit_params:
        return f"the fit parameters {sorted(fit_params)} may change the estimator's objective"
    return None


def pareto_residual(lower_level, model, classes, codes=None):
    """Return the Pareto certificate of a fitted last step, or None where it has none.

    Parameters
    ----------
    lower_level : RefitLowerLevel
        Of all training rows.
    model : fitted estimator
    classes : ndarray of shape (C,) or None
    codes : ndarray of shape (n,) or None, default=None
        Class codes of the training rows, where they are known.

    Returns
    -------
    residual : float or None
        See `LinearLowerLevel.pareto_residual`.
    """
    family = find_family(lower_level.peeled.final, classes)
    if isinstance(family, str) or lower_level.final_params:
        return None
    y = lower_level.y
    if classes is not None:
        y = np.searchsorted(classes, y) if codes is None else codes
    # Two passes cost less than a copy in single precision would.
    X = lower_level.numbers(lower_level.X)
    level = LinearLowerLevel(family, X, y, lower_level.cells)
    try:
        return level.pareto_residual(family.parameters(model))[0]
    except RuntimeError:  # nnls gave up
        return None
