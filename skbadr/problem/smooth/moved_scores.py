"""How scores move with the weights of many cells, without a number for each row and cell."""

import numpy as np


class MovedScores:
    """Derivatives of scores in many log weights, as a product of X and those of the parameters.

    It takes as little room and time as X itself, whatever the number of cells.

    Parameters
    ----------
    parts : list of (level, X, parameters)
        Per fold: the training problem, the evaluated rows (None: those of the level), and the
        derivatives of the parameters, of shape (p, m, K).
    """

    def __init__(self, parts):
        self.parts = parts
        sizes = [level.n if X is None else X.shape[0] for level, X, _ in parts]
        self._stops = np.cumsum(sizes)[:-1]

    def __matmul__(self, step):
        """Return how far scores move along a step of shape (K,), of shape (n, m)."""
        moved = [level.forward(own @ step, X) for level, X, own in self.parts]
        return moved[0] if len(moved) == 1 else np.concatenate(moved)

    def pull_back(self, slope):
        """Return the gradient in a step, of shape (K,), from that in the scores, of (n, m)."""
        slopes = np.split(slope, self._stops)
        return sum(
            np.tensordot(level.pull_back(own_slope, X), own, axes=2)
            for (level, X, own), own_slope in zip(self.parts, slopes, strict=True)
        )
