"""What is known of the lower level at some weights."""

from dataclasses import dataclass

import numpy as np


@dataclass
class LinearState:
    """The lower-level solution at some weights.

    Attributes
    ----------
    cell_weights : ndarray of shape (K,)
    coef : ndarray of shape (p, m)
        Parameters: features, then the intercept where there is one; m outputs.
    scores : ndarray of shape (n, m)
        ``X coef`` on the training rows.
    weight : ndarray of shape (n,)
        Sample weights, with the family's own factors.
    n_iter : int
        Newton steps taken from the start.
    factor : object or None
        Factorised Hessian, near this solution or at it.
    left : float or None
        Share of a step's length that is left to go after it, where that is known of `factor`.
    """

    cell_weights: np.ndarray
    coef: np.ndarray
    scores: np.ndarray
    weight: np.ndarray
    n_iter: int = 0
    factor: object = None
    left: float | None = None

    def moved_to(self, level):
        """Return these parameters as a starting point on other rows."""
        return level.state_at(self.cell_weights, self.coef)
