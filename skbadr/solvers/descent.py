"""Descents from several points, for differentiable upper levels."""

import time

import numpy as np

from skbadr.solvers.few_rows import FewRows
from skbadr.solvers.gauss_newton import GaussNewton
from skbadr.solvers.starts import vertices_and_edges

# Rows of the race that picks a valley, where there are many.
SUBSET = 5_000
# Refits that each runner of the race gets before half of them are dropped.
LAP = 3
# Tolerances of the lower level: usual, loose, rough, and for a race on some of the rows.
INNER_TOL, LOOSE_INNER_TOL, ROUGH_INNER_TOL, RACE_INNER_TOL = 1e-8, 1e-5, 5e-3, 1e-2
# Columns up to which rough descents also start from the vertices.
FEW_COLUMNS = 50
# Factor of the upper level's tolerance where the lower one's is loose.
LOOSER = 5.0
# Tolerance of the upper level in such a race, which only picks a valley.
RACE_TOL = 1e-2


class Descents:
    """Gauss-Newton descents from several points, all but the most promising given up early.

    Where there are many rows the race is run on a few thousand of them, so that the whole data
    are only needed for the last steps.

    Parameters
    ----------
    smooth : SmoothProblem
    record : callable
        Records refits on all rows; see `GaussNewton`.
    max_refits : int
        Of each descent.
    n_finalists : int
        Descents that are run to their end.
    rough : bool
        Whether, because the estimator's own solver is, tolerances are loose and of the finalists
        on some rows only those that are close are tried on all.
    loose : bool, default=False
        Whether descents do not start from edges of the simplex and end sooner; so they do where
        rough.
    """

    def __init__(self, smooth, record, *, max_refits, n_finalists, rough, loose=False):
        self.smooth, self.problem, self.record = smooth, smooth.problem, record
        self.max_refits, self.n_finalists = max_refits, n_finalists
        self.rough, self.loose = rough, loose or rough

    def run(self, model):
        """Search, from the fitted baseline model where it is known; return the best descent."""
        problem, smooth = self.problem, self.smooth
        begin = time.perf_counter()
        few = FewRows(smooth, SUBSET, tol=RACE_INNER_TOL)
        inner_tol = LOOSE_INNER_TOL if self.loose else INNER_TOL
        inner_tol = ROUGH_INNER_TOL if self.rough else inner_tol
        baseline = smooth.solve(problem.shares, few.baseline_starts(model), tol=inner_tol)
        reference, _ = smooth.metric_gradient(smooth.scores(baseline))
        self.record(problem.shares, baseline, "baseline", begin, reference)
        if few.smooth is None:
            return self._race(smooth, baseline, inner_tol)[0]
        finalists = self._race(few.smooth, few.states, RACE_INNER_TOL)
        descents = []
        if self.rough:
            finalists = _close(finalists)
        for finalist in finalists[: self.n_finalists]:
            point = finalist.point
            descents.append(self._descent(smooth, inner_tol))
            descents[-1].begin(point.weights, few.moved(point.states, baseline), reference)
        if not self.rough:
            descents.append(self._descent(smooth, inner_tol))
            descents[-1].begin(problem.shares, baseline, reference)
            for descent in descents:
                descent.run(LAP)
        best = min(descents, key=_value)
        best.run()
        return best

    def _descent(self, smooth, inner_tol):
        rough = smooth is not self.smooth
        return GaussNewton(
            smooth,
            None if rough else self.record,
            tol=RACE_TOL if rough else self.problem.tol * (LOOSER if self.loose else 1.0),
            max_refits=self.max_refits,
            inner_tol=inner_tol,
        )

    def _race(self, smooth, baseline, inner_tol):
        """Return the descents that were run to their end, best first."""
        reference, _ = smooth.metric_gradient(smooth.scores(baseline))
        runners = [
            self._descent(smooth, inner_tol).begin(weights, baseline, reference)
            for weights in vertices_and_edges(
                self.problem,
                # Where columns are few, solutions at the very vertices cost little.
                vertices=not self.loose or (self.rough and smooth.levels[0].d <= FEW_COLUMNS),
                edges=not self.loose,
            )
        ]
        while len(runners) > self.n_finalists:
            for runner in runners:
                runner.run(LAP - self.loose)
            runners.sort(key=_value)
            runners = _apart(runners)[: max(self.n_finalists, len(runners) // 2)]
            if all(runner.converged or runner.stopped for runner in runners):
                break
        for runner in runners[: self.n_finalists]:
            runner.run()
        return sorted(runners, key=_value)


def _value(runner):
    return runner.point.value


def _close(runners, share=0.5):
    """Return the runners, best first, that gained at least a share of what the best did."""
    best = runners[0]
    most = best.point.value + (1.0 - share) * max(best.reference - best.point.value, 0.0)
    return [runner for runner in runners if runner.point.value <= most]


def _apart(runners, distance=0.02):
    """Return the runners, best first, that are not near a better one."""
    chosen = []
    for runner in runners:
        weights = runner.point.weights
        if all(np.abs(weights - other.point.weights).max() > distance for other in chosen):
            chosen.append(runner)
    return chosen
