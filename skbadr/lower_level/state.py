"""What is known of the lower level at some weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skbadr._typing import Array, FloatArray

if TYPE_CHECKING:
    from skbadr.lower_level.linear import LinearLowerLevel


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
    left_out : ndarray of shape (n, m) or None
        Scores of each row by the model of all others, where these were asked for.
    """

    cell_weights: FloatArray
    coef: FloatArray
    scores: Array
    weight: Array
    n_iter: int = 0
    factor: Any = None
    left: float | None = None
    left_out: Array | None = None

    def moved_to(self, level: LinearLowerLevel) -> LinearState:
        """Return these parameters as a starting point on other rows."""
        return level.state_at(self.cell_weights, self.coef)
