"""What the upper level needs of a lower level."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from skbadr._typing import FloatArray


class LowerLevel(ABC):
    r"""The map from cell weights to a trained model.

    ``w(lam)`` minimises ``sum_k lam_k F_k(w) + R(w)``. F_k is the mean loss of cell k, and R is the
    wrapped estimator's own regularisation.
    """

    @abstractmethod
    def fit(self, cell_weights: FloatArray) -> Any:
        """Train at weights on the simplex.

        Parameters
        ----------
        cell_weights : ndarray of shape (K,)

        Returns
        -------
        model : fitted estimator
        """

    @abstractmethod
    def assemble(self, model: Any) -> Any:
        """Return the complete estimator around a trained model, as the user wrapped it."""
