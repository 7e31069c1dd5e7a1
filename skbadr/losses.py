"""Losses per sample: what a cell's mean loss F_k averages."""

import numpy as np
from scipy.special import xlogy


def zero_one_loss(y, predicted):
    """Return 1.0 where the predicted class code differs from the true one."""
    return (y != predicted).astype(float)


def log_loss(y, proba):
    """Return ``-log proba[i, y[i]]``, clipped at the resolution of the dtype as scikit-learn does.

    Parameters
    ----------
    y : ndarray of shape (n,), integer class codes
    proba : ndarray of shape (n, C)
    """
    proba = np.asarray(proba)
    picked = proba[np.arange(len(y)), y]
    eps = np.finfo(proba.dtype).eps
    return -xlogy(1.0, np.clip(picked, eps, 1.0 - eps)).astype(float)


def squared_error(y, predicted):
    """Return ``(y - predicted) ** 2``."""
    return np.square(np.asarray(y, dtype=float) - predicted)


def absolute_error(y, predicted):
    """Return ``|y - predicted|``."""
    return np.abs(np.asarray(y, dtype=float) - predicted)


# name -> (loss per sample, response method it needs, task)
LOSSES = {
    "zero_one": (zero_one_loss, "predict", "classification"),
    "log_loss": (log_loss, "predict_proba", "classification"),
    "squared_error": (squared_error, "predict", "regression"),
    "absolute_error": (absolute_error, "predict", "regression"),
}
