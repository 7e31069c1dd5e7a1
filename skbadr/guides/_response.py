"""How far refits go along what theory says: learnt from each refit by least squares."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Prior:
    """What is believed of refits before there are any.

    Set on the generated problems to tune on (``examples/benchmarks/search_problems.py``).

    Attributes
    ----------
    along : float
        Part of the way that theory says, 0 to 1.
    toward : float
        How far training rows go toward their own targets, in log odds per log weight (or in
        residuals): a model that memorises fits a row more closely that weighs more.
    weight : float
        Weight of these two, as a part of the evidence.
    rows : float
        Weight of the common response in each row's own, as a part of a mean row's evidence.
    largest : float
        Beyond this, in units of what theory says, no refit is believed to go, either way.
    """

    along: float = 1.0
    toward: float = 0.3
    weight: float = 0.01
    rows: float = 1.0
    largest: float = 2.0


class Response:
    """Least squares of how refits changed scores, on how theory moves them.

    Parameters
    ----------
    prior : Prior
    memorises : bool
        Whether rows may go toward their own targets, as training rows do.

    Attributes
    ----------
    weight : ndarray of shape (n,) or None
        How much each row counts; None: the same.
    along : float or ndarray of shape (n,)
        Part of the way that scores go along theory's moves: one for all rows before any refit.
    toward : float
        How far they go toward their own targets.
    measured : float
        What refits alone say of the common part of the way, NaN before any.
    """

    def __init__(self, prior, *, memorises):
        self.prior, self.memorises, self.weight = prior, memorises, None
        self.along, self.toward = prior.along, prior.toward if memorises else 0.0
        self.measured = np.nan
        self._evidence = []

    def learn(self, moves, pulls, change):
        """Take in one refit.

        Parameters
        ----------
        moves, pulls, change : ndarray of shape (n, ...)
            How theory moves the scores, how far their own targets pull them, and what happened.
        """
        root = 1.0 if self.weight is None else np.sqrt(self.weight)[:, None]
        arrays = (np.reshape(array, (len(array), -1)) for array in (moves, pulls, change))
        self._evidence.append(tuple(root * array for array in arrays))
        used = 2 if self.memorises else 1
        square, across = np.zeros((used, used)), np.zeros(used)
        for *ways, change in self._evidence:
            basis = np.stack([way.ravel() for way in ways[:used]])
            square += basis @ basis.T
            across += basis @ change.ravel()
        if not (np.diag(square) > 0).all():
            return
        self.measured = np.linalg.lstsq(square, across, rcond=None)[0][0]
        prior = self.prior
        ridge = prior.weight * np.diag(square)
        believed = np.array([prior.along, prior.toward])[:used]
        found = np.linalg.solve(square + np.diag(ridge), across + ridge * believed)
        along = np.clip(found[0], -prior.largest, prior.largest)
        if self.memorises:
            self.toward = float(np.clip(found[1], 0.0, prior.largest))
        self.along = self._of_rows(along)

    def _of_rows(self, along):
        """Return each row's own part of the way, shrunk to the common one."""
        square = across = 0.0
        for moves, pulls, change in self._evidence:
            across = across + (moves * (change - self.toward * pulls)).sum(axis=1)
            square = square + np.square(moves).sum(axis=1)
        weight = np.ones(len(square)) if self.weight is None else self.weight
        mean = self.prior.rows * square.sum() / weight.sum() * weight
        total, own = square + mean, np.full(len(square), along)
        np.divide(across + mean * along, total, out=own, where=total > 0)
        return np.clip(own, -self.prior.largest, self.prior.largest)
