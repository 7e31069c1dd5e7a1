"""BADR-GD: a single loop over parameters, adjoint and weights, on all rows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from skbadr._simplex import project_simplex
from skbadr.metrics.annealing import ROUNDS
from skbadr.solvers.correction import correct, is_cheap
from skbadr.solvers.few_rows import FewRows
from skbadr.solvers.race import race, value_of
from skbadr.solvers.sample import Sample
from skbadr.solvers.single_loop import Pair, Preconditioner, SingleLoop
from skbadr.solvers.smooth import SmoothSolver, is_smooth
from skbadr.solvers.upper_value import UpperValue
from skbadr.solvers.variance_reduction import follow_all_rows, solve_pairs

if TYPE_CHECKING:
    from skbadr.problem import SmoothProblem
    from skbadr.result import Archive
    from skbadr.solvers.finals import Finals

# Rows of the race that picks a valley, where there are many: of smooth metrics, and most of rates.
RACE_ROWS, RATE_ROWS = 5_000, 20_000
# Rows of the sample on which its finalists go on, where there are at least twice as many, and how
# many times as many there are where counts are searched for on it.
SAMPLE_ROWS, FAR_MORE = 40_000, 10
# Finalists of a race on all rows, and on some of them.
FEW_FINALISTS, FINALISTS = 2, 3
# Iterations of a descent on some of the rows, and of each further round of a surrogate.
SHORT, ROUND = 60, 20
# Iterations after which one of several descents on all rows is chosen.
TRIAL = 3
# Iterations on all rows, and of the last round of a surrogate.
MOST, LAST_ROUND = 100, 8
# Corrections on a sample or where there is none, and on all rows after it.
MOST_STEPS, LAST_STEPS = 6, 4
# Corrections on all rows where they cost little beside what came before.
MANY_STEPS = 12
# Tolerances of the baseline and the last solution: usual, and where the estimator's own is rough.
INNER_TOL, ROUGH_INNER_TOL, RACE_INNER_TOL = 1e-8, 5e-3, 1e-2
# The same of rates, in units of the baseline model's, and the smallest.
RATE_SHARE, RATE_TOL = 0.02, 1e-4
# Shares of the baseline model's rates that are too much to leave, where steps are cheap and dear.
LITTLE_LEFT, MUCH_LEFT = 0.02, 0.1
# Share of what was gained below which a move is not made: on some rows, and where that is rough.
RACE_TOL, ROUGH_TOL = 1e-2, 5e-3
# The same of corrections where they cost little, and tolerance of their solutions.
FINE_TOL = 1e-3


class GDSolver(SmoothSolver):
    """Single loop on all rows: each iteration moves parameters, adjoint and weights by one step.

    A frozen Cholesky factor of the Hessian preconditions the steps of parameters and adjoint. If
    that factor is too large or X is sparse, the diagonal does, with conjugate directions. Past
    hypergradients give the curvature for the steps of the weights. No step has a size to tune.
    With many rows, a few thousand of them first choose among starting points, and a larger sample
    is descended on next. Ever sharper smooth metrics replace piecewise constant ones. With a
    dense Hessian, the last steps on a sample are Gauss-Newton steps, which use the derivatives of
    the parameters. The last steps on all rows descend on the sample with the hypergradient of all
    rows.

    Parameters
    ----------
    max_iter : int or None, default=None
        Iterations on all rows if no sample stands for them; None: 100.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448 (BADR-GD); Dagreou, Ablin, Vaiter and
    Moreau (2022), "A framework for bilevel optimization that enables stochastic and global
    variance reduction algorithms", NeurIPS.
    """

    # Whether few rows see every round of a surrogate where a sample comes after them.
    sharpens_few = True

    def visit(self, smooth: SmoothProblem, finals: Finals, visited: Archive) -> None:  # noqa: D102
        problem, metric = smooth.problem, smooth.evaluator.metric
        rough = finals.tolerant
        recorder = Recorder(smooth, visited, finals, ROUGH_INNER_TOL if rough else INNER_TOL)
        begin = time.perf_counter()
        smooth_metric = metric.differentiable and not problem.objective.uses_score
        # Rates of fewer rows lead elsewhere.
        rates = max(2 * RACE_ROWS, min(RATE_ROWS, smooth.n_seen // 2))
        few_rows = RACE_ROWS if smooth_metric else rates
        few = FewRows(smooth, few_rows, tol=RACE_INNER_TOL)
        recorder.sample = sample = self._sample(smooth, few)
        starts = few.baseline_starts(finals.baseline_model)
        starts = starts if sample is None else sample.lifted(sample.baseline)
        baseline = smooth.solve(problem.shares, starts, tol=recorder.tol)
        first = recorder.add(problem.shares, baseline, "baseline", begin)
        if problem.objective.is_ideal(first) or recorder.stopped:
            visited.converged = True
            return
        size, tol = abs(first.metric), max(problem.tol, ROUGH_TOL) if rough else problem.tol
        if few.smooth is None:
            loop = self._search_all(smooth, baseline, size, recorder)
        else:
            loop = self._search_few(few, baseline, size, recorder, tol)
        weights, pairs, visited.converged = loop.best[1], loop.best[3], loop.converged
        if is_cheap(smooth) and not recorder.stopped:
            reference = problem.objective.cost(first.metric)
            weights, states = self._end(loop, baseline, reference, tol, recorder)
            pairs = [Pair(state.coef, None) for state in states]
            if _is_doubtful(few, recorder):
                # What is best on some rows by chance may lead nowhere on all of them.
                self._correct(problem.shares, baseline, reference, tol, recorder, radius=1.0)
        # Fits need the room of what is as long as the data, which is made again where it is wanted.
        recorder.smooth = recorder.sample = None
        if weights.min() < 0.5 * smooth.resolved_weight:
            finals.inside = lambda: recorder.retreat(self.smooth_problem(problem), weights, pairs)

    def _end(self, loop, baseline, reference, tol, recorder):
        """Take the last steps on all rows; return the weights and their solutions."""
        smooth, sample, begin = recorder.smooth, recorder.sample, time.perf_counter()
        if sample is not None and loop.upper.is_exact and is_smooth(smooth.problem):
            weights, states, value, converged = follow_all_rows(
                sample, loop, baseline, reference=reference, tols=(tol, recorder.tol),
                rounds=LAST_STEPS,
            )  # fmt: skip
        else:
            starts = recorder.starts(loop, baseline)
            weights, states, value, converged = self._correct(
                loop.best[1], starts, reference, tol, recorder
            )
        recorder.visited.converged = converged
        if is_smooth(smooth.problem):
            recorder.add(weights, states, "single_loop", begin, 1 + loop.n_iter, value)
        return weights, states

    def _correct(self, weights, starts, reference, tol, recorder, **options):
        """Take steps on all rows by the parameters' derivatives; see `correct`."""
        counted = recorder.smooth.evaluator.metric.uses_confusion
        steps, inner_tol = MOST_STEPS, recorder.rate_tol if counted else recorder.tol
        if recorder.smooth.n_seen < FAR_MORE * SAMPLE_ROWS:
            # Many small steps add up along a valley.
            steps, inner_tol = MANY_STEPS, min(inner_tol, FINE_TOL)
            tol = _finer(tol, recorder.smooth.problem)
        sample = None if recorder.sample is None else recorder.sample.smooth
        return correct(
            recorder.smooth, weights, starts, reference=reference, steps=steps, tol=tol,
            inner_tol=inner_tol, visited=recorder.visited, sample=sample, **options,
        )  # fmt: skip

    def _search_all(self, smooth, baseline, size, recorder):
        """Race on all rows, as these are few, and sharpen what surrogates there are."""
        finalists = race(
            smooth, baseline, size, tol=smooth.problem.tol, most=self.max_iter or SHORT,
            n_finalists=FEW_FINALISTS,
        )  # fmt: skip
        for loop in reversed(finalists):
            recorder.solve_best(loop, loop.n_iter)
        return self._sharpen(smooth, loop, size, recorder)

    def _search_few(self, few, baseline, size, recorder, tol):
        """Race on some of the rows, and go on from its finalists on more, then on all."""
        metric = few.smooth.evaluator.metric
        # Sharper surrogates cost more, so that they follow the best one alone.
        exact = metric.differentiable and not metric.kinked
        finalists = race(
            few.smooth, few.states, size, tol=max(tol, RACE_TOL), most=SHORT,
            n_finalists=FINALISTS if exact else 1,
        )  # fmt: skip
        starts = finalists
        if recorder.sample is None or self.sharpens_few:
            starts = [self._sharpen(few.smooth, loop, size) for loop in finalists]
        for start in starts:
            value, weights, gradient, pairs = start.best
            moved = [
                Pair(own.coef + pair.coef - before.coef, pair.adjoint)
                for own, pair, before in zip(baseline, pairs, few.states, strict=True)
            ]
            start.best = value, weights, gradient, moved
        return self._descend(starts, baseline, size, recorder, tol)

    def _descend(self, starts, baseline, size, recorder, tol):
        """Run loops on a sample, or where there is none the best one on all rows; return it."""
        smooth, cheap = recorder.smooth, is_cheap(recorder.smooth)
        loop = self._descend_sample(starts, baseline, size, recorder, tol)
        if loop.smooth is not smooth:
            return loop
        limit = MOST if loop.upper.is_exact else LAST_ROUND
        limit = limit if self.max_iter is None else min(limit, self.max_iter)
        loop.run(limit - loop.n_iter, lambda: recorder.asked_to_stop() or (cheap and loop.faltered))
        if not cheap:
            recorder.solve_best(loop, loop.n_iter)
        return loop

    def _descend_sample(self, starts, baseline, size, recorder, tol):
        """Return the best of several starts after descents on a sample of the rows."""
        smooth = recorder.smooth
        if recorder.sample is None:
            loops = [
                self._continue(smooth, start, size, tol, baseline=baseline, sharper=1)
                for start in starts
            ]
            if len(loops) > 1:
                for loop in loops:
                    loop.run(TRIAL, recorder.asked_to_stop)
                return min(loops, key=value_of)
            return loops[0]
        loops = []
        for start in starts:
            loop = self._continue(
                recorder.sample.smooth,
                start,
                size,
                max(tol, RACE_TOL),
                baseline=baseline,
                sharper=1,
            )
            loops.append(loop.run(SHORT if loop.upper.is_exact else LAST_ROUND))
            self._correct_sample(loop, tol)
        return min(loops, key=value_of)

    def _sample(self, smooth, few):
        """Return a sample of the rows, or None where there are few, or no corrections."""
        if (
            smooth.n_seen < 2 * SAMPLE_ROWS
            or not is_cheap(smooth)
            or smooth.held_out[0] is not None
        ):
            return None
        return Sample(smooth, SAMPLE_ROWS, starts=few.states, tol=RACE_INNER_TOL)

    def _correct_sample(self, loop, tol):
        """Take the last steps of a loop on a sample, in place."""
        _, weights, _, pairs = loop.best
        starts = [
            p.warm(weights, pair) for p, pair in zip(loop.preconditioners, pairs, strict=True)
        ]
        weights, states, value, _ = correct(
            loop.smooth, weights, starts, reference=loop.reference, steps=MOST_STEPS,
            tol=_finer(tol, loop.smooth.problem), inner_tol=FINE_TOL,
        )  # fmt: skip
        pairs = [Pair(own.coef, pair.adjoint) for own, pair in zip(states, pairs, strict=True)]
        loop.best = value, weights, None, pairs

    def _continue(self, smooth, start, size, tol, *, baseline=None, sharper=0):
        """Return a loop from where another one ended, on other rows or for a sharper surrogate."""
        _, weights, _, pairs = start.best
        scores = _scores(smooth, pairs)
        upper = UpperValue(smooth, scores, start.upper.round_ + sharper, size)
        reference = None if baseline is None else upper(smooth, _scores(smooth, baseline))[0]
        first_value, _ = upper(smooth, scores)
        if smooth is start.smooth:
            conditions = start.preconditioners
        else:
            conditions = [Preconditioner(level, smooth.problem.seed) for level in smooth.levels]
        model = None if sharper and not upper.is_exact else start.model
        loop = SingleLoop(
            smooth, upper, weights, pairs, conditions, model=model, tol=tol, reference=reference
        )
        loop.first_value = first_value
        return loop

    def _sharpen(self, smooth, loop, size, recorder=None):
        """Run the further rounds of a surrogate; record each by the exact metric."""
        if loop.upper.is_exact:
            return loop
        # Some rows tell too little for every round.
        n_iter, sharper = loop.n_iter, 2 if recorder is None else 1
        for _ in range(1, ROUNDS, sharper):
            if recorder is not None and recorder.asked_to_stop():
                break
            loop = self._continue(smooth, loop, size, loop.tol, sharper=sharper).run(ROUND)
            n_iter += loop.n_iter
            if recorder is not None:
                recorder.solve_best(loop, n_iter)
        return loop


def _finer(tol, problem):
    """Return a tolerance as fine as corrections can afford, and no finer than the user's."""
    return min(tol, max(problem.tol, FINE_TOL))


def _is_doubtful(few, recorder):
    """Whether so much of a rate is left that it may be worth a search from the baseline model.

    Where that is dear, only where the rows of the race cannot tell the rate from none.
    """
    smooth, evaluations = recorder.smooth, recorder.visited.evaluations
    objective, metric = smooth.problem.objective, smooth.evaluator.metric
    if few.smooth is None or objective.uses_score or not metric.uses_confusion:
        return False
    if metric.ideal is None:
        return False
    before = abs(evaluations[0].metric - metric.ideal)
    left = abs(min(evaluations, key=objective.key).metric - metric.ideal)
    if few.all_rows < FAR_MORE * SAMPLE_ROWS:
        return left > LITTLE_LEFT * before
    return left > MUCH_LEFT * before and not few.can_tell(evaluations[0].metric)


def _scores(smooth, pairs):
    """Return the scores of the evaluated rows, of shape (n, m), for parameters of each fold."""
    parts = [
        level.forward(pair.coef, held_out)
        for level, pair, held_out in zip(smooth.levels, pairs, smooth.held_out, strict=True)
    ]
    return parts[0] if len(parts) == 1 else np.vstack(parts)


class Recorder:
    """Solve the lower level at chosen weights, and record what the solutions do."""

    def __init__(self, smooth, visited, finals, tol):
        self.smooth, self.visited, self.finals, self.tol = smooth, visited, finals, tol
        self.sample = None
        self.stopped = False

    @property
    def rate_tol(self):
        """Tolerance of solutions whose rates count, which are off by no more than scores are."""
        baseline = abs(self.visited.evaluations[0].metric)
        return float(np.clip(RATE_SHARE * baseline, min(RATE_TOL, self.tol), self.tol))

    def asked_to_stop(self):
        """Whether a monitor ended the search."""
        return self.stopped

    def add(self, weights, states, origin, begin, iteration=1, value=None):
        """Record solved states, whose cost may be known."""
        evaluation = self.smooth.evaluate(weights, states, origin, iteration, begin, value)
        self.visited.add(evaluation)
        if origin == "baseline":
            self.finals.check_baseline(evaluation)
        monitor = self.smooth.problem.monitor
        if monitor is not None and monitor(evaluation, self.visited):
            self.stopped = True
        return evaluation

    def starts(self, loop, baseline):
        """Return where to start a solution on all rows at the best point of a loop."""
        weights, pairs = loop.best[1], loop.best[3]
        if loop.smooth is self.smooth:
            conditions = zip(loop.preconditioners, pairs, strict=True)
            return [condition.warm(weights, pair) for condition, pair in conditions]
        own = solve_pairs(loop.smooth, weights, pairs, self.tol)
        return self.sample.lifted(own, baseline, self.sample.baseline)

    def solve_best(self, loop, iteration):
        """Record the solution at the best weights of a loop on all rows."""
        begin = time.perf_counter()
        states = self.smooth.solve(loop.best[1], self.starts(loop, None), tol=self.tol)
        return self.add(loop.best[1], states, "single_loop", begin, 1 + iteration)

    def retreat(self, smooth, weights, pairs):
        """Visit a point a little inside, where the best one is at an edge of the simplex."""
        self.smooth, begin = smooth, time.perf_counter()
        inside = project_simplex(weights, minimum=smooth.resolved_weight)
        states = solve_pairs(smooth, inside, pairs, self.tol)
        self.add(inside, states, "inside", begin, 1 + self.visited.n_iter)
