"""Alternating refits: any estimator, one weighted fit per upper-level evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skbadr._typing import Float, Int
from skbadr.solvers.proposals import GUIDES, Proposals
from skbadr.solvers.refits import RefitSolver

if TYPE_CHECKING:
    from skbadr.problem import BilevelProblem
    from skbadr.result import Archive


class AlternatingSolver(RefitSolver):
    """Alternate weighted refits of any estimator with guided upper-level steps.

    The baseline estimator is refitted first. Guides then predict for free what any weights would
    make of it: from its own scores or predictions, and from a convex proxy on some of the rows. A
    Gaussian process learns from each refit by how much reality differs from the guide that
    explains the refits best, of which one is that nothing changes, and the next batch goes to
    where the two together promise most. The best visited point by the exact metric is the result.

    Parameters
    ----------
    max_iter : int or None, default=None
        Budget of refits, the baseline one included; with folds, each counts once for every fold.
        None: 9 up to four cells, 11 up to six, else 13.
    batch_size : int, default=2
        Refits between two updates of the Gaussian process. It does not depend on `n_jobs`, so
        that neither does the result.
    guides : sequence of {"score_shift", "density_shift", "proxy"}, default=all of them
        What predicts refits, where it applies: shifted log odds of a classifier with
        probabilities, re-weighted densities of targets around a regressor's predictions (both for
        cells of groups and targets), and a logistic or ridge regression for any estimator. Empty:
        nothing but earlier refits.
    time_limit : float or None, default=None
        Seconds after which no further batch is started.
    min_gain : float, default=1e-3
        The search ends where the improvement that is expected of another refit is smaller than
        that (in accuracy, or as a part of the mean squared error), once the bound, if any, is met.
        On a few thousand rows, refits of trees at nearly the same weights differ by more; where
        rows are many and a refit is worth its time, less is asked with a smaller value.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448, for the bilevel problem; Jones, Schonlau
    and Welch (1998), "Efficient global optimization of expensive black-box functions", Journal
    of Global Optimization 13, for expected improvement.
    """

    def __init__(
        self,
        max_iter: Int | None = None,
        *,
        batch_size: int = 2,
        guides: Sequence[str] = tuple(GUIDES),
        time_limit: Float | None = None,
        min_gain: Float = 1e-3,
    ) -> None:
        self.batch_size = batch_size
        self.guides = guides
        super().__init__(max_iter, time_limit=time_limit, min_gain=min_gain)

    def _check(self):
        super()._check()
        self._check_counts("batch_size")
        known = list(GUIDES)
        if isinstance(self.guides, str) or any(name not in known for name in self.guides):
            raise ValueError(f"guides must be a sequence of names of {known}, got {self.guides!r}.")

    def budget(self, problem: BilevelProblem) -> Int | None:  # noqa: D102
        if self.max_iter is not None:
            return self.max_iter
        return 9 if problem.n_cells <= 4 else 11 if problem.n_cells <= 6 else 13

    def begin(self, problem: BilevelProblem, archive: Archive) -> Proposals:  # noqa: D102
        return Proposals(
            problem, archive, self.guides, batch_size=self.batch_size, min_gain=self.min_gain
        )
