"""Losses per sample: what a cell's mean loss F_k averages."""

import numpy as np
from scipy.special import expit, log_softmax, softmax, xlogy


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


def log_loss_and_gradient(y, scores):
    """Return the log loss of decision functions, and its gradient in them.

    Parameters
    ----------
    y : ndarray of shape (n,), class codes
    scores : ndarray of shape (n, m)
        Log odds for two classes (m = 1), else one score per class.

    Returns
    -------
    loss : ndarray of shape (n,)
    gradient : ndarray of shape (n, m)
    """
    if scores.shape[1] == 1:
        loss = np.logaddexp(0.0, scores[:, 0]) - y * scores[:, 0]
        return loss, expit(scores) - y[:, None]
    one_hot = np.eye(scores.shape[1])[y]
    return -(one_hot * log_softmax(scores, axis=1)).sum(axis=1), softmax(scores, axis=1) - one_hot


def squared_error_and_gradient(y, predicted):
    """Return squared errors of predictions of shape (n, 1), and their gradient."""
    residual = predicted - y[:, None]
    return np.square(residual[:, 0]), 2.0 * residual


LOSS_GRADIENTS = {
    "log_loss": log_loss_and_gradient,
    "squared_error": squared_error_and_gradient,
}
