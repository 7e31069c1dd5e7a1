"""What solvers share that search among exact solutions of a smooth lower level."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING

from sklearn.exceptions import ConvergenceWarning

from skbadr._warnings import warn_user
from skbadr.lower_level import NotSmooth, smooth_border
from skbadr.problem import SmoothProblem
from skbadr.result import Archive
from skbadr.solvers.alternating import AlternatingSolver
from skbadr.solvers.base import UpperSolver
from skbadr.solvers.fidelities.column_spaces import ColumnSpaces, suits_column_spaces
from skbadr.solvers.settings import DEFAULTS, SmoothSettings
from skbadr.solvers.steps.final_fits import FinalFits

if TYPE_CHECKING:
    from skbadr._typing import FloatArray
    from skbadr.problem import BilevelProblem


class SmoothSolver(UpperSolver):
    """Search among solutions of the lower level, then fit the estimator itself at the best.

    Where the estimator's own solver does not return the solutions (it stops early, say), or its
    fits keep less than half of what they promise, alternating refits take over.
    """

    settings: SmoothSettings = DEFAULTS

    def budget(self, problem: BilevelProblem) -> None:
        """Return None: the last fits come on top of the solutions that are visited."""
        return None

    def smooth_problem(self, problem: BilevelProblem) -> SmoothProblem:
        """Return the `SmoothProblem` to search, in single precision where that does."""
        # Exact metrics are steps: what single precision moves is less than a refit's tolerance.
        return SmoothProblem(problem, single=not is_smooth(problem))

    @abstractmethod
    def visit(
        self,
        smooth: SmoothProblem,
        finals: FinalFits,
        visited: Archive,
        starts: list[FloatArray] | None = None,
    ) -> list[FloatArray]:
        """Search among solutions of the lower level.

        Parameters
        ----------
        smooth : SmoothProblem
        finals : FinalFits
            Which will fit the estimator, and may have fitted the baseline one.
        visited : Archive
            Receives every solution on all rows; the first is the baseline one.
        starts : list of ndarray of shape (K,) or None, default=None
            Weights that the search in a coarser problem has led to; None: usual ones.

        Returns
        -------
        found : list of ndarray of shape (K,)
            From where to go on in a finer problem; empty if the search was told to stop.
        """

    def solve(self, problem: BilevelProblem) -> Archive:  # noqa: D102
        archive, visited = Archive(problem.objective), Archive(problem.objective)
        finals = FinalFits(problem, archive, self.settings)
        trusted = True
        try:
            with smooth_border():
                self._visit(problem, finals, visited)
            archive.converged, archive.exhausted = visited.converged, visited.exhausted
        except KeyboardInterrupt:
            if not visited.evaluations and not finals.has_baseline:
                raise
            archive.interrupted = True
            warn_user(
                f"the search was interrupted after {len(visited.evaluations)} refits; the best "
                "weights so far are kept.",
                ConvergenceWarning,
            )
        except NotSmooth:
            trusted = False
        try:
            if trusted:
                trusted = finals.choose(visited.evaluations) or archive.interrupted
            finals.record(visited)
            if not trusted:
                self._refit_instead(problem, archive)
        except KeyboardInterrupt:
            if archive.best is None or archive.best.failed:
                raise
            finals.record(visited)
            archive.interrupted = True
            warn_user(
                "the fit at the weights found was interrupted; the best model so far is kept.",
                ConvergenceWarning,
            )
        return archive

    def _visit(self, problem, finals, visited):
        """Search among solutions; what that holds is dropped before the final fits."""
        smooth = self.smooth_problem(problem)
        if not smooth.large:
            finals.fit_baseline()
        finals.is_loose = smooth.rough
        self._visit_all(smooth, finals, visited)
        finals.further = self._further(problem, finals, visited, smooth.resolved_weight)

    def _visit_all(self, smooth, finals, visited, starts=None):
        if suits_column_spaces(smooth):
            self._visit_spaces(smooth, finals, visited, starts)
        else:
            self.visit(smooth, finals, visited, starts)

    def _visit_spaces(self, smooth, finals, visited, starts):
        """Search in ever more combinations of the columns, until no more are needed."""
        tol = self.settings.sample_inner_tol
        if is_smooth(smooth.problem):
            tol = self.settings.tol_on_all_rows(smooth.rough)
        spaces = ColumnSpaces(smooth, tol=tol, settings=self.settings)
        found = self.visit(spaces.smooth, finals, visited, starts)
        while found and spaces.grow(visited.best.cell_weights):
            # An interruption keeps what the searches before have found.
            latest = Archive(visited.objective)
            found = self.visit(spaces.smooth, finals, latest, found)
            visited.replace(latest)

    def _further(self, problem, finals, visited, least):
        """Yield what more searches visit, one after the other, where fits fall short."""
        start, known = visited.best.cell_weights, None
        while problem.objective.bound is not None and finals.missed != known:
            known = finals.missed
            yield self._within(problem, finals, visited, start)
        if start.min() < 0.5 * least:
            yield from self._inside(problem, finals, visited, least)

    def _within(self, problem, finals, visited, start):
        """Visit, and return, what is as far within the bound as fits have missed solutions."""
        nearer = copy(problem)
        nearer.objective = problem.objective.shifted(finals.missed)
        return self._go_on(nearer, finals, visited, start, nearer.objective.is_met)

    def _inside(self, problem, finals, visited, least):
        """Visit, and yield, what searches find that leave each cell ever more of the weight.

        The estimator's own solver may fail if a cell weighs next to nothing.
        """
        inside, start = copy(problem), visited.best.cell_weights
        while least <= problem.shares.min():
            inside.min_weight = least
            yield self._go_on(inside, finals, visited, inside.project(start))
            least *= 10.0

    def _go_on(self, problem, finals, visited, start, is_wanted=None):
        """Search from some weights in a variant of the problem; return what is wanted of it."""
        latest = Archive(problem.objective)
        with suppress(NotSmooth), smooth_border():
            self._visit_all(self.smooth_problem(problem), finals, latest, [start])
        found = [e for e in latest.evaluations[1:] if is_wanted is None or is_wanted(e)]
        visited.evaluations += found
        return found

    def _refit_instead(self, problem, archive):
        """Alternate refits where the smooth problem does not lead to a model of the estimator.

        Its own solver may stop early, or overfit a rate of a few samples differently.
        """
        other = AlternatingSolver(self.max_iter).solve(problem)
        archive.n_iter += other.n_iter
        archive.exhausted = False
        archive.converged, archive.interrupted = other.converged, other.interrupted
        kept = archive.evaluations if archive.evaluations else []
        archive.evaluations = [other.evaluations[0], *kept[1:], *other.evaluations[1:]]
        if archive.best is None or archive.objective.key(other.best) < archive.objective.key(
            archive.best
        ):
            archive.best = other.best


def is_smooth(problem: BilevelProblem) -> bool:
    """Whether what a problem minimises has a gradient."""
    return problem.evaluator.metric.differentiable and not problem.objective.uses_score
