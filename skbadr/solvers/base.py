"""What every upper-level solver is."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from skbadr._typing import Int

if TYPE_CHECKING:
    from skbadr.problem import BilevelProblem
    from skbadr.result import Archive


class UpperSolver(ABC):
    """Search the simplex for the weights that an upper objective prefers.

    Parameters
    ----------
    max_iter : int or None, default=None
        Budget, in the solver's own unit; None: its default.
    """

    max_iter: Int | None
    # Whether it refits the estimator at every step: ``cv="auto"`` then takes held-out rows, unless
    # the estimator is a smooth linear model on many rows.
    refits: bool = False

    def __init__(self, max_iter: Int | None = None) -> None:
        self.max_iter = max_iter

    def with_max_iter(self, max_iter: Int | None) -> Self:
        """Return a copy with another budget."""
        solver = copy.copy(self)
        solver.max_iter = max_iter
        return solver

    @abstractmethod
    def budget(self, problem: BilevelProblem) -> Int | None:
        """Return the largest number of evaluations this solver will ask for, None if unknown."""

    @abstractmethod
    def solve(self, problem: BilevelProblem) -> Archive:
        """Run the search.

        Parameters
        ----------
        problem : BilevelProblem

        Returns
        -------
        archive : Archive
            Every visited point; the first is the baseline estimator.
        """

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({options})"
