"""A visited point of a search among exact solutions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Point:
    """Lower-level solutions at some weights, and how they move with the weights.

    Attributes
    ----------
    weights : ndarray of shape (K,)
    states : list of LinearState
        One per fold.
    value : float
        Of the upper level.
    converged : bool
        Whether no further step promises anything.
    scores, slope : ndarray of shape (n, m) or None
        And the metric's derivative in them, where steps start.
    parameters : list of ndarray of shape (p, m, K) or None
        Derivatives in a step, per fold.
    gradient : ndarray of shape (K,) or None
        Of the metric, in a step.
    exact : bool
        Whether derivatives take the Hessian at the solution, not that of its last step.
    """

    weights: np.ndarray
    states: list
    value: float
    converged: bool = False
    scores: np.ndarray | None = None
    slope: np.ndarray | None = None
    parameters: list | None = None
    gradient: np.ndarray | None = None
    exact: bool = False
