"""Search for weights by exact values: metrics that are steps, and those traded against a score."""

from __future__ import annotations

import copy
import time

import numpy as np

from skbadr.problem.smooth.folds import MANY_ROWS
from skbadr.result import Archive
from skbadr.solvers.fidelities.samples import Sample, baseline_starts, solve_baseline
from skbadr.solvers.starts.points import group_moves, named_points, tilts
from skbadr.solvers.steps.directions import directions_of
from skbadr.solvers.steps.linearised import LinearisedSearch
from skbadr.solvers.steps.recorder import Recorder


class RateSearch:
    """Searches by `LinearisedSearch` from several points, and further ones if a bound is missed.

    Parameters
    ----------
    recorder : Recorder
        Of solutions on all rows, or on a sample.
    max_refits : int
        Budget; half as many more if a bound is missed.
    n_starts : int or None
        See `ImplicitSolver`.
    inner_tol : float
        Of the refits.
    settings : SmoothSettings
    """

    def __init__(self, recorder, *, max_refits, n_starts, inner_tol, settings):
        self.recorder, self.smooth = recorder, recorder.smooth
        self.problem, self.objective = self.smooth.problem, self.smooth.problem.objective
        self.max_refits, self.n_starts, self.inner_tol = max_refits, n_starts, inner_tol
        self.settings = settings
        self.search = LinearisedSearch(
            recorder,
            max_refits=max_refits,
            tol=self.problem.tol,
            inner_tol=inner_tol,
            settings=settings,
        )

    @property
    def converged(self):
        """Whether the search ended within its budget."""
        return not self.search.done

    def run(self, model, start=None):
        """Search, from the fitted baseline model if it is known.

        With `start`, the weights that a coarser problem led to, only around these.
        """
        problem, begin = self.problem, time.perf_counter()
        samples = []
        if start is None and self.smooth.n_seen >= 2 * MANY_ROWS:
            starts = baseline_starts(self.smooth, model)
            samples = [
                Sample(
                    self.smooth, MANY_ROWS, tol=self.inner_tol, settings=self.settings,
                    starts=starts,
                )
            ]  # fmt: skip
        states = solve_baseline(self.smooth, samples, model, tol=self.inner_tol)
        baseline = states, self.search.record(problem.shares, states, "baseline", begin)
        if start is not None:
            begun = self.search.refit(start, states, "coarse")
            found = self.search.run(*begun, radius=self.settings.first_radius)
            return self._insist(self._better(baseline, found), baseline)
        if not samples:
            best = self._from(baseline)
        else:
            (sample,) = samples
            own, found = self._on(sample)
            starts = sample.lifted(own, states, sample.baseline)
            begun = self.search.refit(found.cell_weights, starts, "subset")
            best = self._better(baseline, self.search.run(*begun, radius=0.1))
        # Exact metrics are flat in places. Near vertices a loose estimator does not follow.
        if not self.objective.uses_score and not self.smooth.large:
            for weights in named_points(problem, self.settings)[1:]:
                best = self._try(weights, "vertex", best)
        return self._insist(best, baseline)

    def _on(self, sample):
        """Return what a search on a sample finds."""
        smooth = copy.copy(sample.smooth)
        recorder = Recorder(smooth, Archive(self.objective), monitored=False)
        search = RateSearch(
            recorder, max_refits=2 * self.max_refits, n_starts=self.n_starts,
            inner_tol=self.inner_tol, settings=self.settings,
        )  # fmt: skip
        shares = self.problem.shares
        first = search.search.record(shares, sample.baseline, "baseline", time.perf_counter())
        baseline = sample.baseline, first
        return search._insist(search._from(baseline), baseline)

    def _from(self, baseline):
        """Search from the baseline model and from `n_starts` others; return the best."""
        starts, n_starts = self._starts(baseline[0]), self._n_starts()
        if self.objective.bound is None or not starts:
            best = self.search.run(*baseline)
            for weights, origin in starts[:n_starts]:
                best = self._try(weights, origin, best)
            return best
        # Under a bound a refit tells whether a tilt is nearer to what is wanted.
        begun = baseline
        if not self.objective.is_met(baseline[1]) and not self.search.done:
            weights, origin = starts[0]
            tilted = self.search.refit(self.problem.project(weights), baseline[0], origin)
            if self.search.merit_of(tilted[1]) < self.search.merit_of(baseline[1]):
                begun = tilted
        best = self._better(baseline, self.search.run(*begun))
        for weights, origin in starts[1 : 1 + n_starts]:
            best = self._try(weights, origin, best)
        return best

    def _insist(self, best, baseline):
        """If the bound is missed, let it weigh more, from the best and from more starts."""
        search = self.search
        if self._is_solved(best[1]) or search.done:
            return best
        search.max_refits += self.max_refits // 2
        for times in (1, 2):
            if not self._is_solved(best[1]):
                harder = self.settings.harder**times
                found = search.run(*best, max_steps=self.settings.few_steps, harder=harder)
                best = self._better(best, found)
        for weights, origin in self._starts(baseline[0]):
            if self._is_solved(self.recorder.archive.best) or search.done:
                break
            best = self._try(weights, origin, best, harder)
        return best

    def _try(self, weights, origin, best, harder=1.0):
        if self.search.done or self.objective.is_ideal(best[1]):
            return best
        begun = self.search.refit(self.problem.project(weights), best[0], origin)
        radius, steps = self.settings.first_radius, self.settings.few_steps
        found = self.search.run(*begun, radius=radius, max_steps=steps, harder=harder)
        return self._better(best, found)

    def _better(self, one, other):
        return other if self.objective.key(other[1]) < self.objective.key(one[1]) else one

    def _is_solved(self, best):
        """Whether a model meets the bound, other than by predicting the same for everybody."""
        return self.objective.bound is None or (self.objective.is_met(best) and not best.constant)

    def _n_starts(self):
        if self.n_starts is not None:
            return self.n_starts
        given = not np.array_equal(self.problem.initial, self.problem.shares)
        # If rows are few, a second start is always tried.
        return int(given or self.smooth.n_seen < MANY_ROWS)

    def _starts(self, states):
        """Return starting points, of which `n_starts` are always tried; `states` are the first."""
        problem, starts = self.problem, []
        if not np.array_equal(problem.initial, problem.shares):
            starts = [(problem.initial, "init")]
        starts += [(weights, "tilt") for weights in tilts(problem.cells, self.settings.tilts)]
        if problem.cells.target_of_cell is None:
            blocks = directions_of(self.smooth, states)
            member = None if blocks is None else blocks.argmax(axis=1)
            moves = group_moves(problem.cells, self.settings.strength, member)
            starts += [(weights, "group") for weights in moves]
        return starts
