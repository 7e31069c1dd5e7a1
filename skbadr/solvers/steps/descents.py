"""Minimise a differentiable metric by Gauss-Newton descents, from samples to all rows."""

from __future__ import annotations

import time

import numpy as np

from skbadr.solvers.fidelities.samples import make_samples, solve_baseline
from skbadr.solvers.starts.minimax import is_dual, lower_largest_loss, minimax_weights
from skbadr.solvers.starts.multistart import apart, multistart, value_of
from skbadr.solvers.starts.points import named_points
from skbadr.solvers.steps.anchored import follow_all_rows, resolved_tol
from skbadr.solvers.steps.gauss_newton import GaussNewton
from skbadr.solvers.steps.point import Point
from skbadr.solvers.steps.upper_value import UpperValue


class Descents:
    """Gauss-Newton descents from several points, the first of them on samples of the rows.

    A metric with kinks, such as a largest loss, is replaced by ever sharper smooth ones.

    Parameters
    ----------
    recorder : Recorder
        Of solutions on all rows.
    max_refits : int
        Of each descent.
    n_finalists : int
        Descents that are run to their end.
    loose : bool
        Whether the estimator's own solver is, so that exact solutions would be wasted.
    settings : SmoothSettings

    Attributes
    ----------
    finalists : list of ndarray of shape (K,)
        Where the descents that were run to their end on the fewest rows led to.
    """

    def __init__(self, recorder, *, max_refits, n_finalists, loose, settings):
        self.smooth, self.recorder = recorder.smooth, recorder
        self.max_refits, self.n_finalists, self.loose = max_refits, n_finalists, loose
        self.settings, self.inner_tol = settings, settings.tol_on_all_rows(loose)
        self.exhausted, self.finalists = False, []

    def run(self, model, starts=None):
        """Search, from the fitted baseline model if it is known.

        With `starts`, the weights that a coarser problem led to, only around these.

        Returns
        -------
        point : Point
            The best solution on all rows.
        """
        smooth, shares, begin = self.smooth, self.smooth.problem.shares, time.perf_counter()
        samples = make_samples(smooth, model, self.settings) if starts is None else []
        baseline = solve_baseline(smooth, samples, model, tol=self.inner_tol)
        first = self.recorder.add(shares, baseline, "baseline", begin=begin)
        scores, size = smooth.scores(baseline), abs(first.metric)
        uppers = [UpperValue(smooth, scores, 0, size, self.settings)]
        if starts is None and is_dual(smooth, baseline):
            return self._minimax(samples, baseline, uppers[0])
        if uppers[0].metric is not smooth.evaluator.metric:
            rounds = range(1, self.settings.most_rounds)
            uppers += [UpperValue(smooth, scores, k, size, self.settings) for k in rounds]
        if starts is not None:
            reference, _ = uppers[-1](smooth, scores)
            points = [Point(weights, baseline, np.inf) for weights in starts]
            return self._end(self._from(points, uppers[-1], reference))
        if not samples:
            finalists = self._race(smooth, baseline, uppers)
            return self._end(finalists[0])
        finalists = self._race(samples[0].smooth, samples[0].baseline, uppers)
        for sample in samples[1:]:
            finalists = [self._on(sample, finalist, uppers[-1]) for finalist in finalists]
        return self._on_all_rows(samples[-1], finalists, baseline, uppers[-1])

    def _minimax(self, samples, baseline, upper):
        """Return the best solution around the minimax model."""
        smooth, weights, states = self.smooth, self.smooth.problem.shares, baseline
        if samples:
            part, own = samples[-1].smooth, samples[-1].baseline
            weights, states = minimax_weights(part, weights, own, own, self.settings)
            states = samples[-1].lifted(states, baseline, own)
        weights, states = minimax_weights(smooth, weights, states, baseline, self.settings)
        if upper.is_exact:  # the largest expected loss over a ball
            reference, _ = upper(smooth, smooth.scores(baseline))
            return self._end(self._from([Point(weights, states, np.inf)], upper, reference))
        weights, states = lower_largest_loss(smooth, weights, states, baseline, self.settings)
        self._record(weights, states, "minimax")
        return Point(weights, states, self.recorder.archive.evaluations[-1].metric, True)

    def _record(self, weights, states, origin, begin=None):
        """Record a solution on all rows; return whether the search is to end."""
        self.recorder.add(weights, states, origin, begin=begin)
        return self.recorder.stopped

    def _new(self, smooth, upper, slant=None):
        """Return a descent without a start."""
        whole, settings = smooth is self.smooth, self.settings
        return GaussNewton(
            smooth,
            self._record if whole else None,
            tol=smooth.problem.tol if whole else max(smooth.problem.tol, settings.sample_tol),
            max_refits=self.max_refits,
            inner_tol=self.inner_tol if whole else settings.sample_inner_tol,
            metric=upper.metric,
            slant=slant,
            settings=settings,
        )

    def _race(self, smooth, baseline, uppers):
        """Return the finalists of the descents from all starting points, best first."""
        scores = smooth.scores(baseline)
        references = [upper(smooth, scores)[0] for upper in uppers]
        descents = [
            self._new(smooth, uppers[0]).begin(weights, baseline, references[0])
            for weights in named_points(smooth.problem, self.settings, edges=not self.loose)
        ]
        finalists = multistart(descents, self.n_finalists, self.settings)
        for upper, reference in zip(uppers[1:], references[1:], strict=True):
            finalists = [
                self._new(smooth, upper).go_on(last.point, reference).run() for last in finalists
            ]
            finalists = apart(sorted(finalists, key=value_of), self.settings.near)
        self.finalists = [finalist.weights for finalist in finalists]
        return finalists

    def _on(self, sample, finalist, upper):
        """Go on from where a descent on fewer rows has ended."""
        smooth, starts = sample.smooth, sample.moved(finalist.point.states)
        reference, _ = upper(smooth, smooth.scores(sample.baseline))
        return self._new(smooth, upper).begin(finalist.weights, starts, reference).run()

    def _end(self, descent):
        """Return where a descent on all rows has ended."""
        self.exhausted = descent.exhausted
        point = descent.point
        return Point(point.weights, point.states, point.value, descent.converged)

    def _on_all_rows(self, sample, finalists, baseline, upper):
        """Choose among the finalists by their solutions on all rows, and go on from the best."""
        smooth, shares = self.smooth, self.smooth.problem.shares
        reference, _ = upper(smooth, smooth.scores(baseline))
        self.inner_tol = resolved_tol(self.inner_tol, reference, finalists[0].value, self.settings)
        ends, own = [Point(shares, baseline, reference)], [sample.baseline]
        for finalist in finalists:
            begin = time.perf_counter()
            starts = sample.lifted(finalist.point.states, baseline, sample.baseline)
            states = smooth.solve(finalist.weights, starts, tol=self.inner_tol)
            value, _ = upper(smooth, smooth.scores(states))
            ends.append(Point(finalist.weights, states, value))
            own.append(finalist.point.states)
            if self._record(finalist.weights, states, "subset", begin):
                return min(ends, key=value_of)
        best = min(range(len(ends)), key=lambda i: value_of(ends[i]))
        if not self.loose:
            # What a sample cannot tell, exact descents can.
            return self._end(self._from(ends, upper, reference))
        if not upper.is_exact:
            # Kinks of a sample are elsewhere, and would mislead corrections of it.
            return self._end(self._from([ends[best]], upper, reference))
        anchor = self._follow(sample, upper, ends[best], own[best], reference)
        if anchor.converged or self.recorder.stopped:
            return anchor
        return self._end(self._from([anchor], upper, reference))

    def _from(self, points, upper, reference):
        """Return the best descent on all rows from some points."""
        descents = [
            self._new(self.smooth, upper).begin(point.weights, point.states, reference)
            for point in points
        ]
        return multistart(descents, 1, self.settings)[0]

    def _follow(self, sample, upper, begun, own, reference):
        """Descend on the sample with the hypergradient of all rows."""
        smooth = sample.smooth
        of_sample, _ = upper(smooth, smooth.scores(sample.baseline))

        def descend(weights, states, slant):
            descent = self._new(smooth, upper, slant).begin(weights, states, of_sample).run()
            return descent.weights, descent.point.states

        return follow_all_rows(
            sample, upper, descend, begun.weights, own, begun.states, reference=reference,
            tol=self.inner_tol, record=lambda *visit: self._record(*visit, "gradient"),
        )  # fmt: skip
