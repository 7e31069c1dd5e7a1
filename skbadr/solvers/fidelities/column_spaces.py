"""Fidelities of wide data: a smooth problem on few combinations of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skbadr.lower_level.column_space import ColumnSpace, suits_column_space

if TYPE_CHECKING:
    import numpy as np

    from skbadr.problem import SmoothProblem

# Root mean square by which scores of any cell may move as a basis grows, in units of the family's
# scale of scores, and the growths of each basis that are enough if they move more.
SPANNED, MOST_GROWTHS = 0.01, 40


class ColumnSpaces:
    """A smooth problem in a `ColumnSpace` of each fold.

    Parameters
    ----------
    whole : SmoothProblem
        On all columns.
    tol : float
        Of the lower level's solutions.

    Attributes
    ----------
    smooth : SmoothProblem
        On the combinations of columns.
    """

    def __init__(self, whole: SmoothProblem, *, tol: float) -> None:
        self.whole, self.tol = whole, tol
        self._left = [MOST_GROWTHS] * len(whole.levels)
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
            if moved <= SPANNED * space.level.score_scale:
                break
            grown = True
        return grown


def suits_column_spaces(smooth: SmoothProblem) -> bool:
    """Whether a problem has many columns, which a few combinations can stand for."""
    return all(suits_column_space(level) for level in smooth.levels)
