"""The implicit solver: exact lower-level derivatives of smooth linear models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skbadr._typing import Int
from skbadr.result import Archive
from skbadr.solvers.smooth import SmoothSolver, is_smooth
from skbadr.solvers.steps.descents import Descents
from skbadr.solvers.steps.rate_search import RateSearch
from skbadr.solvers.steps.recorder import Recorder

if TYPE_CHECKING:
    from skbadr._typing import FloatArray
    from skbadr.problem import SmoothProblem
    from skbadr.solvers.steps.final_fits import FinalFits


class ImplicitSolver(SmoothSolver):
    """Search with the lower level's own derivatives, for smooth linear models.

    Refits are Newton solves that start from the last solution. Few are needed, because the
    derivative of the scores in the weights predicts each of them. The wrapped estimator itself is
    fitted at the weights found. Below 10,000 rows, or if the improvement is small, it is fitted as
    the baseline, too. `AlternatingSolver` takes over if the estimator does not return the
    solution (it stops early, for example), or if its own fits keep less than half of the
    predicted gain.

    Parameters
    ----------
    max_iter : int or None, default=None
        Budget of warm-started refits; None: 40.
    n_starts : int or None, default=None
        Further starting points that are always tried: besides the baseline model, or under a bound
        besides the better of the baseline and a first tilt. More are tried if a bound is missed.
        None: one below 10,000 rows, where refits cost next to nothing, else none.
    inner_tol : float, default=3e-4
        Tolerance of the refits during the search: largest entry of the gradient per unit of
        sample weight.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448, section on the implicit hypergradient.
    """

    def __init__(
        self, max_iter: Int | None = None, *, n_starts: Int | None = None, inner_tol: float = 3e-4
    ) -> None:
        super().__init__(max_iter)
        self.n_starts = n_starts
        self.inner_tol = inner_tol

    def visit(  # noqa: D102
        self,
        smooth: SmoothProblem,
        finals: FinalFits,
        visited: Archive,
        starts: list[FloatArray] | None = None,
    ) -> list[FloatArray]:
        max_refits = self.settings.max_refits if self.max_iter is None else self.max_iter
        recorder = Recorder(smooth, visited, check=finals.check_baseline)
        if is_smooth(smooth.problem):
            # By default the budget is that of each descent.
            recorder.most = np.inf if self.max_iter is None else self.max_iter
            descents = Descents(
                recorder,
                max_refits=max_refits,
                n_finalists=self.n_starts or self.settings.n_finalists,
                loose=finals.is_loose,
                settings=self.settings,
            )
            anchor = descents.run(finals.baseline_model, starts)
            visited.converged, visited.exhausted = anchor.converged, descents.exhausted
            others = descents.finalists[1:] if starts is None else starts[1:]
        else:
            search = RateSearch(
                recorder, max_refits=max_refits, n_starts=self.n_starts,
                inner_tol=self.inner_tol, settings=self.settings,
            )  # fmt: skip
            search.run(finals.baseline_model, None if starts is None else starts[0])
            visited.converged, others = search.converged, []
        return [] if recorder.stopped else [visited.best.cell_weights, *others]  # type: ignore[union-attr]
