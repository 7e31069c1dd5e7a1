"""A refit on one fold, as it comes from a worker process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skbadr.result import sendable_state


@dataclass
class FoldFit:
    """A refit on the training rows of a fold.

    Attributes
    ----------
    responses : dict of ndarray
        To the fold's evaluation rows, by method.
    model : object or None
        The fitted last step, kept where it is trained on all rows.
    seconds : float
        Spent in the wrapped estimator's fit.
    score, mass : float
        The user's score of the fold and the weight of its rows, where there is one.
    error : Exception or None
    warnings : list of (message, category)
    """

    responses: dict | None = None
    model: object = None
    seconds: float = 0.0
    score: float = np.nan
    mass: float = 0.0
    error: Exception | None = None
    warnings: list = field(default_factory=list)

    def __getstate__(self) -> dict[str, Any]:
        return sendable_state(self)
