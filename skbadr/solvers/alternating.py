"""Alternating refits: any estimator, refitted where theory says that it is best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skbadr._typing import Int
from skbadr.guides import make_guide
from skbadr.solvers.guided_search import GuidedSearch
from skbadr.solvers.refits import RefitSolver

# Refits by default, the baseline included: on training rows, on one held-out part, on folds (each
# counts once for every fold).
ON_TRAINING_ROWS, HELD_OUT, ON_FOLDS = 6, 5, 3

if TYPE_CHECKING:
    from skbadr.problem import BilevelProblem
    from skbadr.result import Archive


class AlternatingSolver(RefitSolver):
    """Alternate weighted refits of any estimator with steps that a guide predicts to be best.

    The baseline is fitted first. A guide then predicts for free what any weights would make of it
    (``skbadr.guides``), and the estimator is refitted at the best of all predicted models. Each
    refit corrects the guide, until the bound is met and nothing more is to be gained, or the
    budget is spent. The best visited point by the exact metric is the result.

    Parameters
    ----------
    max_iter : int or None, default=None
        Budget of refits, the baseline included; with folds, each counts once for every fold.
        None: 6 on training rows, 5 on one held-out part, 3 on folds.
    time_limit : float or None, default=None
        Seconds after which no further refit is started.
    min_gain : float, default=1e-3
        The search ends where the improvement that the guide predicts of another refit is smaller
        than that (in accuracy, or as a part of the baseline's score or metric), once the bound, if
        any, is met.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448, for the bilevel problem; Zeng, Jiang, Cheng
    and Dobriban (2024), arXiv 2402.02817, for what weights do to the best classifier.
    """

    def budget(self, problem: BilevelProblem) -> Int | None:  # noqa: D102
        if self.max_iter is not None:
            return self.max_iter
        folds = problem.evaluator.folds
        if folds[0].rows is None:
            return ON_TRAINING_ROWS
        return HELD_OUT if len(folds) == 1 else ON_FOLDS

    def begin(self, problem: BilevelProblem, archive: Archive) -> GuidedSearch:  # noqa: D102
        return GuidedSearch(problem, archive, make_guide(problem), min_gain=self.min_gain)
