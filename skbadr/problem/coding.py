"""What models respond, checked and coded as metrics take it."""

from __future__ import annotations

from typing import Any

import numpy as np

from skbadr._typing import Array

# By how much the score of a class that cannot be predicted falls short.
NEVER = -np.log(np.finfo(float).eps)


def known_of(model: Any) -> tuple[Array | None, str]:
    """Return the classes that a model knows, or None, and what it is called."""
    return getattr(model, "classes_", None), type(model).__name__


def code_response(
    response: Array, n_rows: int, method: str, classes: Array | None, known: Array | None, name: str
) -> Array:
    """Return a model's response as metrics take it: class codes, a column for every class.

    Parameters
    ----------
    response : ndarray of shape (n,) or (n, m)
    n_rows : int
        Number n of rows that were asked for.
    method : {"predict", "predict_proba", "decision_function"}
    classes : ndarray of shape (C,) or None
        All of them; None for regression.
    known : ndarray or None
        Those that the model knows; None: all.
    name : str
        Of the model, for messages.

    Returns
    -------
    coded : ndarray of shape (n,) or (n, C)

    Raises
    ------
    ValueError
        If the response is not finite, of other rows, or no labels of y where it has to be.
    """
    if response.ndim == 0:
        raise ValueError(
            f"{method} of {name} returns {type(response.item()).__name__}: it must return an array "
            "of one label or number per sample."
        )
    if len(response) != n_rows:
        raise ValueError(f"{method} of {name} has {len(response)} rows for {n_rows} samples.")
    _check_defined(response, name, method)
    if method == "predict" and response.size != n_rows:  # some estimators return a column
        raise ValueError(
            f"predict of {name} has the shape {response.shape}: it must return one label or number "
            "per sample."
        )
    if classes is None:
        return _as_numbers(response, name)
    if method == "predict":
        return _code_labels(response.ravel(), classes, name)
    known = classes if known is None else np.asarray(known)
    if method == "decision_function":
        return _with_every_class(response, known, classes)
    if response.shape[1] == len(classes):
        return response
    # A class that the training rows lack has probability 0.
    full = np.zeros((len(response), len(classes)), dtype=response.dtype)
    full[:, np.searchsorted(classes, known)] = response
    return full


def _as_numbers(response, name):
    """Return real predictions as floats.

    Raises
    ------
    ValueError
        If they are no numbers, or missing.
    """
    try:
        numbers = response.astype(float).ravel()
    except (TypeError, ValueError):
        raise ValueError(
            f"predict of {name} returns {response.ravel()[0]!s}, which is no number."
        ) from None
    _check_defined(numbers, name, "predict")
    return numbers


def _check_defined(response, name, method):
    """Refuse predictions that mean nothing: they are no other class, and no small error either.

    Raises
    ------
    ValueError
        Saying how many there are.
    """
    if response.dtype.kind != "f":
        return
    # Infinite scores have a sign, infinite predictions no use.
    undefined = ~np.isfinite(response) if method == "predict" else np.isnan(response)
    if not undefined.any():
        return
    n_undefined = int(undefined.reshape(len(response), -1).any(axis=1).sum())
    raise ValueError(
        f"{method} of {name} is not finite for {n_undefined} of {len(response)} samples."
    )


def _with_every_class(scores, known, classes):
    """Return decision functions of all classes where the training rows lacked some.

    A missing class gets a score as far below the largest one as probability 0 lies below 1 in
    floats.
    """
    if len(known) == len(classes):
        return scores
    if scores.ndim == 1:  # log odds of two classes
        scores = np.column_stack([-0.5 * scores, 0.5 * scores])
    full = np.repeat(scores.max(axis=1)[:, None] - NEVER, len(classes), axis=1)
    full[:, np.searchsorted(classes, known)] = scores
    return full[:, 1] - full[:, 0] if len(classes) == 2 else full


def _code_labels(predicted: Array, classes: Array, name: str) -> Array:
    """Return class codes of predictions, which may be anything.

    Raises
    ------
    ValueError
        If some are no labels of y: they would count as a class that nobody predicted.
    """
    try:
        codes = encode_predictions(predicted, classes)
    except TypeError:  # they have no order among the labels
        codes = np.zeros(len(predicted), dtype=np.intp)
    codes = np.minimum(codes, len(classes) - 1)
    if np.all(predicted == classes[codes]):
        return codes
    every = sorted(set(map(repr, predicted.tolist())))
    found = ", ".join(every[:4]) + (", ..." if len(every) > 4 else "")
    labels = ", ".join(map(repr, classes.tolist()[:20])) + (", ..." if len(classes) > 20 else "")
    raise ValueError(
        f"predict of {name} returns {found}, but the labels of y are {labels}: it must return the "
        "labels that its fit was given."
    )


def encode_predictions(predicted: Array, classes: Array) -> Array:
    """Return class codes of predicted labels, all of which are in `classes` (sorted)."""
    if len(classes) == 2:  # one comparison, where strings would cost a search each
        return (predicted == classes[1]).astype(np.intp)
    return np.searchsorted(classes, predicted)
