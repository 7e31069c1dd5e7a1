"""Minimise a function of a few variables by the cross-entropy method."""

from dataclasses import dataclass

import numpy as np

from skbadr._rows import DIGITS


@dataclass(frozen=True)
class CrossEntropy:
    """The cross-entropy method with normal draws.

    Attributes
    ----------
    rounds : int
        Number of rounds.
    draws : int
        Points of a round.
    elite : float
        Share of them that the next round is drawn around.
    memory : float
        Share of the last round's spread that the next one keeps.

    References
    ----------
    Rubinstein (1999), "The cross-entropy method for combinatorial and continuous optimization",
    Methodology and Computing in Applied Probability 1.
    """

    rounds: int = 10
    draws: int = 200
    elite: float = 0.1
    memory: float = 0.3

    def minimise(self, loss, start, spread, box, rng):
        """Return the best point that was drawn, and its loss.

        Parameters
        ----------
        loss : callable ``ndarray of shape (m, d) -> ndarray of shape (m,)``
        start : ndarray of shape (d,)
        spread : float
            Standard deviation of the first round.
        box : tuple (low, high) of ndarray of shape (d,)
            Where the point is to be.
        rng : numpy.random.Generator

        Returns
        -------
        point : ndarray of shape (d,)
        value : float
        """
        mean, deviation = np.array(start, dtype=float), np.full(len(start), float(spread))
        n_elite = max(2, round(self.elite * self.draws))
        best, lowest = mean, np.inf
        for _ in range(self.rounds):
            points = mean + deviation * rng.standard_normal((self.draws, len(mean)))
            points = np.clip(np.vstack([mean, points]), *box)
            # Of points that are alike, rounding decides nothing.
            values = np.round(loss(points), DIGITS)
            order = np.argsort(values, kind="stable")
            if values[order[0]] < lowest:
                best, lowest = points[order[0]], float(values[order[0]])
            elite = points[order[:n_elite]]
            mean = elite.mean(axis=0)
            deviation = (1.0 - self.memory) * elite.std(axis=0) + self.memory * deviation
        return best, lowest
