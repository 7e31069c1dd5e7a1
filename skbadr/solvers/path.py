"""Searches for a whole front: bounds from loose to tight, each warm-started from the last."""

import time

import numpy as np

from skbadr.lower_level import NotSmooth
from skbadr.problem import SmoothProblem, UpperObjective
from skbadr.result import Archive
from skbadr.solvers.alternating import AlternatingSolver, visit
from skbadr.solvers.fidelities.column_spaces import ColumnSpaces, suits_column_spaces
from skbadr.solvers.settings import DEFAULTS
from skbadr.solvers.starts.points import tilts
from skbadr.solvers.steps.final_fits import agree
from skbadr.solvers.steps.linearised import LinearisedSearch
from skbadr.solvers.steps.recorder import Recorder


class LinearisedPath:
    """Walk along bounds by `LinearisedSearch`, for smooth linear models.

    Each bound starts from the best of all points visited so far, whose parameters are kept, so
    that little is left to do: a step predicted by the derivatives, and its confirmation.

    Parameters
    ----------
    problem : BilevelProblem
    max_refits : int or None
        Budget of the whole walk; None: `SmoothSettings.few_steps` for each bound.
    inner_tol : float
        Of the refits; see `ImplicitSolver`.
    settings : SmoothSettings, default=DEFAULTS
    """

    def __init__(self, problem, *, max_refits=None, inner_tol=3e-4, settings=DEFAULTS):
        self.settings = settings
        self.problem, self.max_refits, self.baseline = problem, max_refits, None
        self._steps = self.settings.few_steps
        self.archive = Archive(problem.objective)
        self.smooth = SmoothProblem(problem, single=True)
        if suits_column_spaces(self.smooth):
            spaces = ColumnSpaces(self.smooth, tol=inner_tol, settings=settings)
            for weights in tilts(problem.cells, (1.0,)):
                spaces.grow(problem.project(weights))
            self.smooth = spaces.smooth
        self.search = LinearisedSearch(
            Recorder(self.smooth, self.archive),
            max_refits=np.inf,
            tol=problem.tol,
            inner_tol=inner_tol,
            keep=True,
            settings=settings,
        )

    def begin(self):
        """Fit the baseline estimator and return its evaluation.

        Raises
        ------
        NotSmooth
            If that is not the solution of the lower level.
        """
        problem, smooth = self.problem, self.smooth
        self.baseline = _fit_baseline(problem)
        begin = time.perf_counter()
        starts = None
        if self.baseline.model is not None:  # of held-out folds none is kept
            starts = [smooth.state_of(self.baseline.model)]
        states = smooth.solve(problem.shares, starts, tol=self.search.inner_tol)
        solution = self.search.record(problem.shares, states, "baseline", begin)
        if not agree(self.baseline, solution, self.settings):
            raise NotSmooth("the estimator does not return the solution of its training problem")
        self._states = states
        for weights in tilts(problem.cells, (1.0,)):
            self.search.refit(problem.project(weights), states, "tilt")
        return self.baseline

    def lowest(self):
        """Search for the best metric, whatever the score; return its evaluation."""
        return self._walk_to(UpperObjective(self.problem.objective.metric))

    def walk(self, bounds):
        """Search under each bound, in this order."""
        self._steps = self.settings.path_steps
        for bound in bounds:
            if self._spent:
                break
            objective = UpperObjective(self.problem.objective.metric, bound=bound)
            for times in range(3):
                harder = self.settings.harder**times
                met = objective.is_met(self._walk_to(objective, harder))
                if met or self._spent:
                    break
            if not met:
                self._start_elsewhere(objective, harder)

    def _start_elsewhere(self, objective, harder):
        """Search from starts that others have not led to, until the bound is met."""
        search = self.search
        for weights in tilts(self.problem.cells, (0.5, 1.5)):
            if self._spent:
                return
            search.max_refits = self._budget(self.settings.few_steps)
            begun = search.refit(self.problem.project(weights), self._states, "tilt")
            radius, steps = self.settings.first_radius, self.settings.few_steps
            _, found = search.run(*begun, radius=radius, max_steps=steps, harder=harder)
            if objective.is_met(found):
                return

    def _budget(self, refits):
        """Return the number of visited points after so many more, or all that there may be."""
        total = len(self.archive.evaluations) + refits
        return total if self.max_refits is None else min(total, self.max_refits)

    def _walk_to(self, objective, harder=1.0):
        search = self.search
        search.objective, search.max_refits = objective, self._budget(self.settings.few_steps)
        best = min(self.archive.evaluations, key=objective.key)
        self._states = search.states_of(best, self._states)
        self._states, best = search.run(
            self._states, best, radius=self.settings.first_radius, max_steps=self._steps,
            harder=harder,
        )  # fmt: skip
        return best

    @property
    def _spent(self):
        return self.max_refits is not None and len(self.archive.evaluations) >= self.max_refits

    def visited(self):
        """Return all evaluations, the first being that of the estimator's own baseline fit."""
        for evaluation in self.archive.evaluations:
            evaluation.n_refits = 0  # solutions are not fits of the estimator
        return [self.baseline, *self.archive.evaluations[1:]]


class AlternatingPath:
    """Walk along bounds by refits of any estimator: what one bound learns serves all.

    Parameters
    ----------
    problem : BilevelProblem
    max_refits : int or None
        Budget of the whole walk; None: that of a search for one bound, and one for each bound.
    """

    def __init__(self, problem, *, max_refits=None):
        self.problem, self.baseline = problem, None
        self.archive = Archive(problem.objective, keeps_responses=True)
        self._solver = AlternatingSolver()
        self._max_refits = max_refits
        self._search = None

    def begin(self):
        """Fit the baseline estimator and return its evaluation."""
        self.baseline = _fit_baseline(self.problem)
        self.archive.add(self.baseline)
        self._search = self._solver.begin(self.problem, self.archive)
        return self.baseline

    def lowest(self):
        """Search for the best metric, whatever the score; return its evaluation."""
        objective = UpperObjective(self.problem.objective.metric)
        budget = self._solver.budget(self.problem)
        if self._max_refits is not None:
            budget = min(budget, self._max_refits // 2)
        while len(self.archive.evaluations) < budget and self._improve(objective):
            pass
        return self._best(objective)

    def walk(self, bounds):
        """Give each bound its turn, until the budget is spent or none has anything to gain."""
        budget = self._max_refits
        if budget is None:
            budget = self._solver.budget(self.problem) + len(bounds)
        # Neighbours serve each other: far ones first.
        order = sorted(range(len(bounds)), key=lambda i: f"{i + 1:b}"[::-1], reverse=True)
        objectives = [UpperObjective(self.problem.objective.metric, bound=bounds[i]) for i in order]
        idle = 0
        while idle < len(objectives):
            for objective in objectives:
                if len(self.archive.evaluations) >= budget:
                    return
                idle = 0 if self._improve(objective) else idle + 1

    def _improve(self, objective):
        """Refit where the guide promises most; return whether it promised enough."""
        archive = self.archive
        if objective.is_ideal(self._best(objective)):
            return False
        candidate = self._search.best(objective)
        if candidate.gain < self._solver.min_gain:
            return False
        visit(self.problem, archive, candidate)
        return True

    def _best(self, objective):
        return min((e for e in self.archive.evaluations if not e.failed), key=objective.key)

    def visited(self):
        """Return all evaluations, the first being that of the baseline fit."""
        self.archive.forget_responses()
        return self.archive.evaluations


def _fit_baseline(problem):
    baseline = next(iter(problem.evaluate([(problem.shares, "baseline")], 1)))
    if baseline.failed:
        raise baseline.error
    return baseline
