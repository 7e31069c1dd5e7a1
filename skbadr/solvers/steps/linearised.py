"""Score-linearised search: after one fit, the whole neighbourhood is nearly free."""

import time
from dataclasses import replace

import numpy as np

from skbadr._rows import ROUNDING, weight_unit
from skbadr._simplex import from_log_coordinates, log_coordinates
from skbadr.problem.smooth.folds import MANY_ROWS
from skbadr.solvers.settings import DEFAULTS
from skbadr.solvers.steps.candidate_moves import CandidateMoves, counts_signs, near_moves
from skbadr.solvers.steps.cross_entropy import CrossEntropy
from skbadr.solvers.steps.directions import directions_of

# Trial moves of a step; metrics that look at each row for each move get fewer.
MOVES = CrossEntropy(rounds=5, draws=64, elite=0.17, memory=0.1)
SLOW_MOVES = replace(MOVES, draws=16)


class LinearisedSearch:
    """Trust-region search on the exact metric of linearised scores.

    At each point the derivative of the scores in the log weights (one adjoint system with K
    right-hand sides) predicts every nearby refit. The best of many trial moves, by the exact
    metric, is refitted; the trust region follows from actual over predicted improvement.

    Parameters
    ----------
    recorder : Recorder
        Receives every refit.
    max_refits : int
    tol : float
        Smallest predicted improvement worth a refit.
    inner_tol : float, default=3e-4
        Tolerance of refits.
    keep : bool, default=False
        Whether the parameters of every refit are kept, for `states_of`.
    settings : SmoothSettings, default=DEFAULTS
    """

    def __init__(self, recorder, *, max_refits, tol, inner_tol=3e-4, keep=False, settings=DEFAULTS):
        smooth, self.settings = recorder.smooth, settings
        self.recorder, self.archive = recorder, recorder.archive
        self.smooth, self.problem = smooth, smooth.problem
        self.objective = smooth.problem.objective
        self.max_refits, self.inner_tol = max_refits, inner_tol
        counted = smooth.evaluator.metric.uses_confusion
        weight = smooth.data.sample_weight
        row = 1 / len(smooth.data.y) if weight is None else weight_unit(weight) / weight.sum()
        points, unit = smooth.evaluator.metric.points, smooth.evaluator.score_unit
        self.tol = max(tol, row) if counted else tol
        if self.objective.bound is not None:
            self.tol *= unit  # a bound's merit is a score
        self._kept = {} if keep else None
        self.score_scale = unit * points if points is not None else 1.0
        self._margin, self._harder = settings.margin, 1.0
        self.enough = 0.0
        self._directions = None

    def refit(self, weights, starts, origin):
        """Solve the lower level, record the evaluation and return both."""
        begin = time.perf_counter()
        states = self.smooth.solve(weights, starts, tol=self.inner_tol)
        return states, self.record(weights, states, origin, begin)

    def record(self, weights, states, origin, begin):
        """Evaluate solved states and add them to the archive."""
        evaluation = self.recorder.add(weights, states, origin, begin=begin)
        if self._kept is not None:
            self._kept[id(evaluation)] = [state.coef for state in states]
        ideal = self.objective.ideal
        if origin == "baseline" and ideal is not None and not self.objective.uses_score:
            self.enough = self.settings.enough_of_gain * abs(evaluation.metric - ideal)
            self.tol = min(self.tol, self.enough)
        return evaluation

    def states_of(self, evaluation, states):
        """Return the states of an evaluation; `states` are those of the last one, if it is it."""
        coefs = self._kept[id(evaluation)]
        if states[0].coef is coefs[0]:
            return states
        weights = evaluation.cell_weights
        pairs = zip(self.smooth.levels, coefs, strict=True)
        return [level.state_at(weights, coef) for level, coef in pairs]

    def run(self, states, evaluation, *, radius=1.0, max_steps=12, harder=1.0):
        """Search from solved states; return the best states and evaluation found.

        Excess over a bound weighs `harder` times as much as usual.
        """
        self._margin, self._harder = self.settings.margin, harder
        last_margin = self.settings.closer * self.settings.margin
        for step in range(max_steps):
            if self.done or self.objective.is_ideal(evaluation):
                break
            trials, parameters, known = self._look(states, radius)
            while not self.done:
                move, predicted, current = self._best_move(trials, evaluation, radius, step)
                if not current - predicted > self.tol:
                    if self.settings.closer * radius >= self.settings.smallest_radius:
                        radius *= self.settings.closer
                    elif self.objective.bound is not None and self._margin > last_margin:
                        self._margin = last_margin
                    else:
                        return states, evaluation
                    continue
                weights, starts = self._start(states, parameters, move, known)
                new_states, new = self.refit(weights, starts, "linearised")
                actual = current - self.merit_of(new)
                # At an edge of the simplex a step may lead nowhere, and what is left is rounding.
                actual = 0.0 if abs(actual) <= ROUNDING * abs(current) else actual
                ratio = actual / (current - predicted)
                if ratio > 0.6 and np.abs(move).max() > 0.5 * radius:
                    radius = min(1.6 * radius, self.settings.largest_radius)
                elif ratio < 0.25:
                    radius *= 0.35
                if actual > 0:
                    states, evaluation = new_states, new
                    break
                if radius < self.settings.smallest_radius:
                    return states, evaluation
        return states, evaluation

    @property
    def done(self):
        """Whether the budget is spent or a monitor asked to stop."""
        return self.recorder.stopped or len(self.archive.evaluations) >= self.max_refits

    def merit_of(self, evaluation):
        """Return what a search minimises, at a visited point."""
        metric = evaluation.metric
        if self.objective.metric.prices is not None and evaluation.statistics is not None:
            statistics = evaluation.statistics[None]
            metric = self.objective.metric.search_values(self.smooth.data, statistics)[0]
        return self._merit(metric, evaluation.score)

    def _merit(self, metric, score):
        bound = self.objective.bound
        # Predictions err and the final fit has its own tolerance: stay a little inside.
        room = 0.0 if bound is None else abs(bound - (self.objective.ideal or 0.0))
        scale = self.score_scale * self._harder
        merit = self.objective.merit(metric, score, score_scale=scale, margin=self._margin * room)
        if self.enough and not self.objective.uses_score:
            # A constant prediction is often perfect: the score counts among models that are enough.
            merit = np.maximum(merit, self.objective.cost(self.objective.ideal) + self.enough)
            merit = merit - self.enough * score
        return float(merit) if np.ndim(merit) == 0 else merit

    def _best_move(self, trials, evaluation, radius, step):
        """Return the best move within the radius, its predicted merit and the current merit.

        Costs no refit.
        """
        current = self.merit_of(evaluation)
        rng = np.random.default_rng([self.problem.seed, len(self.archive.evaluations), step])
        start = np.zeros(trials.sensitivities.shape[-1])

        def merit(moves):
            metric, score = trials(moves)
            self._set_scale(metric, score)
            return self._merit(metric, score)

        moves = MOVES if trials.fast else SLOW_MOVES
        box = start - radius, start + radius
        best, lowest = moves.minimise(merit, start, radius, box, rng)
        return best, lowest, current

    def _set_scale(self, metric, score):
        """Weigh excess over the bound against the score where these have other units.

        A point of accuracy for a point of a rate is the most a good model pays, so that there
        the scale stays at one.
        """
        if self.objective.metric.points is not None or self.objective.bound is None:
            return
        spread = np.std(metric)
        if spread > 0:
            self.score_scale = max(self.score_scale if self.score_scale != 1.0 else 0.0,
                                   4.0 * float(np.std(score) / spread))  # fmt: skip

    def _look(self, states, radius):
        """Return trials around states, and how their parameters and scores move.

        The scores only where all of these are known.
        """
        smooth = self.smooth
        self._directions = directions_of(smooth, states)
        alone = len(states) == 1 and smooth.held_out[0] is None
        if alone and smooth.levels[0].cells.n_seen >= MANY_ROWS and counts_signs(smooth):
            return *near_moves(smooth, states, radius, self._directions), None
        scores = smooth.scores(states)
        sensitivities, parameters = smooth.sensitivities(states, self._directions)
        trials = CandidateMoves(smooth, scores, sensitivities)
        return trials, parameters, (states[0].scores, sensitivities) if alone else None

    def _start(self, states, parameters, move, known):
        shares = self.problem.shares
        along = move if self._directions is None else self._directions @ move
        t = log_coordinates(states[0].cell_weights, shares) + along
        weights = self.problem.project(from_log_coordinates(np.clip(t, -12.0, 12.0), shares))
        starts = []
        for level, state, moved in zip(self.smooth.levels, states, parameters, strict=True):
            coef = state.coef + moved @ move
            if not level.family.admissible(coef):
                starts.append(state)
                continue
            new_scores = level.forward(coef) if known is None else known[0] + known[1] @ move
            starts.append(replace(state, coef=coef, scores=new_scores, left_out=None))
        return weights, starts
