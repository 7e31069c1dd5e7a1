"""BADR-GD: a single loop over parameters, adjoint and weights, on all rows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from skbadr.metrics.smooth.annealing import ROUNDS
from skbadr.solvers.fidelities.samples import make_samples, solve_baseline
from skbadr.solvers.smooth import SmoothSolver
from skbadr.solvers.starts.multistart import multistart
from skbadr.solvers.starts.points import distinct, named_points, tilts
from skbadr.solvers.steps.anchored import follow_all_rows, resolved_tol
from skbadr.solvers.steps.recorder import Recorder
from skbadr.solvers.steps.single_loop import Pair, SingleLoop
from skbadr.solvers.steps.upper_value import UpperValue

if TYPE_CHECKING:
    from skbadr._typing import FloatArray
    from skbadr.problem import SmoothProblem
    from skbadr.result import Archive
    from skbadr.solvers.steps.final_fits import FinalFits


class GDSolver(SmoothSolver):
    """Single loop: each iteration moves parameters, adjoint and weights by one step.

    A frozen Hessian preconditions the steps of parameters and adjoint: its Cholesky factor, or
    its diagonal with conjugate directions. Past hypergradients give the curvature for the steps
    of the weights, so that no step has a size to tune. Ever sharper smooth metrics replace
    piecewise constant ones. If there are many rows, loops run on samples of them; the
    hypergradient of all rows then corrects the last loops.

    Parameters
    ----------
    max_iter : int or None, default=None
        Iterations after the choice of a starting point; None: 250.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448 (BADR-GD); Dagreou, Ablin, Vaiter and
    Moreau (2022), "A framework for bilevel optimization that enables stochastic and global
    variance reduction algorithms", NeurIPS.
    """

    def visit(  # noqa: D102
        self,
        smooth: SmoothProblem,
        finals: FinalFits,
        visited: Archive,
        starts: list[FloatArray] | None = None,
    ) -> list[FloatArray]:
        run = Run(smooth, finals, visited, self.max_iter, self.settings)
        first = run.begin()
        if run.stopped or smooth.problem.objective.is_ideal(first):
            visited.converged = True
            return []
        run.choose_start(starts)
        self._descend(run)
        run.sharpen()
        run.end()
        return [] if run.stopped else [visited.best.cell_weights]  # type: ignore[union-attr]

    def _descend(self, run: Run) -> None:
        """Move on from the starting point, on the largest sample if there are several."""
        run.left -= run.loop.n_iter
        if run.loop.smooth is not run.part:
            run.go_on(run.left)


class Run:
    """One search of a single loop, from the baseline model to solutions on all rows.

    Parameters
    ----------
    smooth : SmoothProblem
    finals : FinalFits
    visited : Archive
    max_iter : int or None
    settings : SmoothSettings

    Attributes
    ----------
    samples : list of Sample
        Empty if rows are few.
    part : SmoothProblem
        The rows that loops run on: all, or the largest sample.
    loop : SingleLoop
        The last one.
    left : int
        Iterations that are left.
    """

    def __init__(self, smooth, finals, visited, max_iter, settings):
        self.smooth, self.finals, self.visited = smooth, finals, visited
        self.settings = settings
        self.budget = self.left = settings.budget if max_iter is None else max_iter
        self.tol = smooth.problem.tol
        self.inner_tol = settings.tol_on_all_rows(finals.is_loose)
        self.samples = make_samples(smooth, finals.baseline_model, settings)
        self.part = self.samples[-1].smooth if self.samples else smooth
        if self.samples:
            self.tol = max(self.tol, settings.sample_tol)
        self.recorder = Recorder(smooth, visited, check=finals.check_baseline)
        self.baseline = self.size = self.loop = None

    @property
    def stopped(self):
        """Whether the monitor asked to stop."""
        return self.recorder.stopped

    def begin(self):
        """Solve the lower level at the baseline weights; return the evaluation."""
        begin, shares = time.perf_counter(), self.smooth.problem.shares
        model = self.finals.baseline_model
        self.baseline = solve_baseline(self.smooth, self.samples, model, tol=self.inner_tol)
        first = self._record(shares, self.baseline, "baseline", begin)
        self.size = abs(first.metric)
        return first

    def choose_start(self, starts=None):
        """Race loops from several points, on the smallest sample if there is one."""
        part, baseline = self.smooth, self.baseline
        if self.samples:
            part, baseline = self.samples[0].smooth, self.samples[0].baseline
        upper = UpperValue(part, part.scores(baseline), 0, self.size, self.settings)
        reference, _ = upper(part, part.scores(baseline))
        pairs = [Pair(state.coef, np.zeros_like(state.coef)) for state in baseline]
        loops = [
            SingleLoop(
                part, upper, weights, pairs, tol=self.tol, reference=reference,
                most=self.left, settings=self.settings,
            )
            for weights in starts or _points(self.smooth.problem, upper, self.settings)
        ]  # fmt: skip
        self.loop = multistart(loops, self.settings.n_finalists, self.settings)[0]

    def loop_from(self, weights, pairs, most, sharper=0):
        """Return a loop from some point, perhaps for a sharper surrogate."""
        part = self.part
        baseline = self.samples[-1].baseline if self.samples else self.baseline
        scores = _scores(part, pairs)
        round_ = self.loop.upper.round_ + sharper
        upper = UpperValue(part, scores, round_, self.size, self.settings)
        reference, _ = upper(part, part.scores(baseline))
        return SingleLoop(
            part, upper, weights, pairs, tol=self.tol, reference=reference,
            most=min(most, self.left), settings=self.settings,
        )  # fmt: skip

    def go_on(self, most, sharper=0):
        """Run another loop from where the last one has ended."""
        self.loop = self.loop_from(self.loop.weights, self.loop.pairs, most, sharper).run()
        self.left -= self.loop.n_iter

    def sharpen(self):
        """Run the further rounds of a surrogate, the last ones on all rows."""
        if not self.samples:
            self._solve()
        if self.loop.upper.is_exact:
            return
        for number in range(1, ROUNDS):
            if number >= ROUNDS - self.settings.last_rounds and self.samples:
                self._lift()
            if self.stopped:
                return
            self.go_on(self.settings.round_budget, sharper=1)
            if not self.samples:
                self._solve()

    def _lift(self):
        """Go over to all rows: kinks of surrogates would mislead corrections of a sample."""
        sample, self.part, self.samples = self.samples[-1], self.smooth, []
        pairs = [
            Pair(own.coef + pair.coef - before.coef, pair.adjoint)
            for own, pair, before in zip(
                self.baseline, self.loop.pairs, sample.baseline, strict=True
            )
        ]
        self.loop = self.loop_from(self.loop.weights, pairs, 0)
        self._solve()

    def end(self):
        """Let the hypergradient of all rows correct loops on the sample, if there is one."""
        self.visited.converged = self.loop.converged
        if not self.samples or self.stopped:
            return
        sample, smooth, weights = self.samples[-1], self.smooth, self.loop.weights
        settings = self.settings
        own = solve_pairs(self.part, weights, self.loop.pairs, settings.sample_inner_tol)
        tol = resolved_tol(self.inner_tol, self.loop.reference, self.loop.value, settings)
        starts = sample.lifted(own, self.baseline, sample.baseline)
        states = smooth.solve(weights, starts, tol=tol)
        self._record(weights, states)
        upper = self.loop.upper
        reference, _ = upper(smooth, smooth.scores(self.baseline))

        def descend(weights, states, slant):
            pairs = [Pair(state.coef, np.zeros_like(state.coef)) for state in states]
            loop = SingleLoop(
                self.part, upper, weights, pairs, tol=self.tol, reference=reference,
                most=self.left, slant=slant, settings=settings,
            ).run()  # fmt: skip
            self.left -= loop.n_iter
            tol = settings.sample_inner_tol
            return loop.weights, solve_pairs(self.part, loop.weights, loop.pairs, tol)

        anchor = follow_all_rows(
            sample, upper, descend, weights, own, states, reference=reference, tol=tol,
            record=lambda *visit: self._record(*visit) and self.stopped,
        )  # fmt: skip
        self.visited.converged = anchor.converged

    def _solve(self):
        """Record the solution where the last loop has ended."""
        begin = time.perf_counter()
        states = solve_pairs(self.smooth, self.loop.weights, self.loop.pairs, self.inner_tol)
        self._record(self.loop.weights, states, "single_loop", begin)

    def _record(self, weights, states, origin="single_loop", begin=None):
        """Record a solution on all rows."""
        n_iter = 1 + self.budget - self.left
        return self.recorder.add(weights, states, origin, begin=begin, iteration=n_iter)


def solve_pairs(smooth, weights, pairs, tol):
    """Return solutions at some weights, from where a loop follows them."""
    starts = [
        level.state_at(weights, pair.coef) for level, pair in zip(smooth.levels, pairs, strict=True)
    ]
    return smooth.solve(weights, starts, tol=tol)


def _points(problem, upper, settings):
    """Return where to start: rates of whole classes are 0 or 1 near the vertices."""
    if upper.is_exact or problem.cells.target_of_cell is None:
        return named_points(problem, settings)
    points = [problem.shares, problem.initial, *tilts(problem.cells, (1.0, 0.5, 1.5))]
    return distinct([problem.project(point) for point in points])


def _scores(smooth, pairs):
    """Return the scores of the evaluated rows, of shape (n, m), for parameters of each fold."""
    parts = [
        level.forward(pair.coef, held_out)
        for level, pair, held_out in zip(smooth.levels, pairs, smooth.held_out, strict=True)
    ]
    return parts[0] if len(parts) == 1 else np.vstack(parts)
