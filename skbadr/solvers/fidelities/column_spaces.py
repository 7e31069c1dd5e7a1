"""Fidelities of wide data: a smooth problem on few combinations of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skbadr.lower_level.column_space import ColumnSpace, suits_column_space

if TYPE_CHECKING:
    import numpy as np

    from skbadr.problem import SmoothProblem
    from skbadr.solvers.settings import SmoothSettings


class ColumnSpaces:
    """A smooth problem in a `ColumnSpace` of each fold.

    Parameters
    ----------
    whole : SmoothProblem
        On all columns.
    tol : float
        Of the lower level's solutions.
    settings : SmoothSettings

    Attributes
    ----------
    smooth : SmoothProblem
        On the combinations of columns.
    """

    def __init__(self, whole: SmoothProblem, *, tol: float, settings: SmoothSettings) -> None:
        self.whole, self.tol, self._spanned = whole, tol, settings.spanned
        self._left = [settings.most_growths] * len(whole.levels)
        self._spaces = [ColumnSpace(level) for level in whole.levels]
        self.grow(whole.problem.shares)

    def grow(self, weights: np.ndarray) -> bool:
        """Let the bases hold the solutions at some weights; return whether they did not yet."""
        news = [self._grow(i, weights) for i in range(len(self._spaces))]
        self.smooth = self.whole.in_spaces(self._spaces)
        return any(news)

    def _grow(self, i, weights):
        space, grown = self._spaces[i], False
        state = space.level.solve(weights, tol=self.tol)
        while self._left[i] > 0:
            self._left[i] -= 1
            start = space.grow(state)
            new = space.level.solve(weights, start, tol=self.tol)
            moved = space.level.score_size(new.scores - state.scores)
            state = new
            if moved <= self._spanned * space.level.score_scale:
                break
            grown = True
        return grown


def suits_column_spaces(smooth: SmoothProblem) -> bool:
    """Whether a problem has many columns, which a few combinations can stand for."""
    return all(suits_column_space(level) for level in smooth.levels)
