"""Score-linearised search: after one fit, the whole neighbourhood is nearly free."""

import time
from dataclasses import replace

import numpy as np

from skbadr._rows import weight_unit
from skbadr._simplex import from_log_coordinates, log_coordinates
from skbadr.problem.smooth_folds import MANY_ROWS
from skbadr.solvers.directions import directions_of
from skbadr.solvers.trials import Trials, counts_signs, near_trials, sampled_trials

# Log weights within which nothing more is looked for.
SMALLEST_RADIUS = 0.03
# Radius within which a search that is done looks again where few rows make it cost next to nothing.
CLOSE = 0.1
# Rounds in which a predicted move is refined, moves per round, of which one in so many leads to the
# next round, whose variance is so much wider. Metrics that look at each row for each move get less.
ROUNDS, DRAWS, ELITE, WIDER = 5, 64, 6, 1.3
SLOW_ROUNDS, SLOW_DRAWS = 4, 16
# Rounds and moves of a model that costs no pass over the rows.
GUESSES, MANY_DRAWS = 6, 384
# Groups from which fewer moves are looked at, and how few at least.
COSTLY_GROUPS, LEAST_DRAWS = 64, 48
# Share of a bound that predictions keep inside it.
MARGIN = 0.03
# Rows by which a count must be better for another refit, and the share of what there is to gain
# that is enough for one (variances of losses are small numbers).
ROWS, SHARE = 2.0, 0.01
# Share of the largest predicted gain that is as good as all of it where a rate alone counts: many
# moves are then predicted to be ideal, and predictions of the shortest are right.
ENOUGH = 0.9
# Share of a merit that is rounding.
ROUNDING = 1e-12
# Rounds after which predictions are made around the best moves.
RECENTRED = 2


class LinearisedSearch:
    """Trust-region search on the exact metric of linearised scores.

    At each point the derivative of the scores in the log weights (one adjoint system with K
    right-hand sides) predicts every nearby refit. The best of many trial moves, by the exact
    metric, is refitted; the trust region follows from actual over predicted improvement.

    Parameters
    ----------
    smooth : SmoothProblem
    archive : Archive
        Receives every refit.
    max_refits : int
    tol : float
        Smallest predicted improvement worth a refit.
    inner_tol : float, default=3e-4
        Tolerance of refits.
    check : callable or None, default=None
        Called with the baseline model's evaluation; raises to end the search.
    keep : bool, default=False
        Whether the parameters of every refit are kept, for `states_of`.
    sample : SmoothProblem or None, default=None
        Rows that stand for all in the search for the first move, which is the longest, and in
        derivatives.
    """

    def __init__(
        self, smooth, archive, *, max_refits, tol, inner_tol=3e-4, check=None, keep=False,
        sample=None,
    ):  # fmt: skip
        self.smooth, self.problem = smooth, smooth.problem
        self.sample = sample if counts_signs(smooth) else None
        self.is_sampling = self.sample is not None
        self.objective, self.archive = smooth.problem.objective, archive
        self.max_refits, self.inner_tol = max_refits, inner_tol
        counted = smooth.evaluator.metric.uses_confusion
        self._counts_alone = counted and not self.objective.uses_score
        weight = smooth.data.sample_weight
        row = 1 / len(smooth.data.y) if weight is None else weight_unit(weight) / weight.sum()
        points, unit = smooth.evaluator.metric.points, smooth.evaluator.score_unit
        self.tol = max(tol, ROWS * row) if counted else tol
        if self.objective.bound is not None:
            self.tol *= unit  # a bound's merit is a score
        self.check, self._kept = check, {} if keep else None
        self.score_scale = unit * points if points is not None else 1.0
        self.margin = MARGIN
        self.stopped, self._directions = False, None

    def refit(self, weights, starts, origin):
        """Solve the lower level, record the evaluation and return both."""
        begin = time.perf_counter()
        states = self.smooth.solve(weights, starts, tol=self.inner_tol)
        return states, self.record(weights, states, origin, begin)

    def record(self, weights, states, origin, begin, value=None):
        """Evaluate solved states, whose metric may be known, and add them to the archive."""
        iteration = len(self.archive.evaluations) + 1
        evaluation = self.smooth.evaluate(weights, states, origin, iteration, begin, value)
        self.archive.add(evaluation)
        if self._kept is not None:
            self._kept[id(evaluation)] = [state.coef for state in states]
        if origin == "baseline":
            self._see_baseline(evaluation)
        monitor = self.problem.monitor
        if monitor is not None and monitor(evaluation, self.archive):
            self.stopped = True
        return evaluation

    def _see_baseline(self, evaluation):
        if self.check is not None:
            self.check(evaluation)
        ideal = self.objective.ideal
        if ideal is not None and not self.objective.uses_score:
            self.tol = min(self.tol, SHARE * abs(evaluation.metric - ideal))

    def states_of(self, evaluation, states):
        """Return the states of an evaluation; `states` are those of the last one, if it is it."""
        coefs = self._kept[id(evaluation)]
        if states[0].coef is coefs[0]:
            return states
        weights = evaluation.cell_weights
        pairs = zip(self.smooth.levels, coefs, strict=True)
        return [level.state_at(weights, coef) for level, coef in pairs]

    def run(self, states, evaluation, *, radius=1.0, max_steps=12):
        """Search from solved states; return the best states and evaluation found."""
        for step in range(max_steps):
            if self.done or self.objective.is_ideal(evaluation):
                break
            sampled = self.is_sampling
            trials, parameters, known = self._look(states, radius)
            while not self.done:
                move, predicted, current = self._best_move(trials, evaluation, radius, step)
                if not current - predicted > self.tol:
                    radius = self._closer(radius)
                    if radius is None:
                        return states, evaluation
                    continue
                weights, starts = self._start(states, parameters, move, known)
                new_states, new = self.refit(weights, starts, "linearised")
                actual = current - self.merit_of(new)
                # At an edge of the simplex a step may lead nowhere, and what is left is rounding.
                actual = 0.0 if abs(actual) <= ROUNDING * abs(current) else actual
                ratio = actual / (current - predicted)
                if ratio > 0.6 and np.abs(move).max() > 0.5 * radius:
                    radius = min(1.6 * radius, 4.0)
                elif ratio < 0.25:
                    radius *= 0.35
                if actual > 0:
                    states, evaluation = new_states, new
                    break
                if sampled or radius < SMALLEST_RADIUS:
                    return states, evaluation
        return states, evaluation

    @property
    def done(self):
        """Whether the budget is spent or a monitor asked to stop."""
        return self.stopped or len(self.archive.evaluations) >= self.max_refits

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
        merit = self.objective.merit(
            metric, score, score_scale=self.score_scale, margin=self.margin * room
        )
        return float(merit) if np.ndim(merit) == 0 else merit

    def _closer(self, radius):
        """Return the radius to look within where a larger one promises nothing, or None."""
        few = self.smooth.evaluator.cells.n_seen < MANY_ROWS
        return CLOSE if few and radius > CLOSE else None

    def _best_move(self, trials, evaluation, radius, step):
        """Return the best move within the radius, its predicted merit and the current merit.

        Rounds of the cross-entropy method, which costs no refit: the spread of each is that of
        the best moves of the last. Where rows are many the first rounds look at some of them.
        The mean of the best moves is taken rather than the best one, which may owe its place to
        a few rows, unless that falls far behind.
        """
        n_moved, current = trials.sensitivities.shape[-1], self.merit_of(evaluation)
        rng = np.random.default_rng([self.problem.seed, len(self.archive.evaluations), step])
        rounds, draws = (ROUNDS, DRAWS) if trials.fast else (SLOW_ROUNDS, SLOW_DRAWS)
        draws = self._n_draws(draws)
        mean = center = best = np.zeros(n_moved)
        root, around, first = radius * np.eye(n_moved), trials, 0
        if trials.fast and self.smooth.evaluator.cells.n_seen >= MANY_ROWS:
            # In place of rounds on some of the rows.
            best, mean, root = self._guess(
                trials.linear(0.5 * radius), n_moved, current, radius, rng
            )
            center, around, first = mean, trials.moved(mean), rounds // 2
        for number in range(first, rounds):
            moves = rng.standard_normal((draws, n_moved))
            if number == 0:  # from everywhere, also close by
                moves *= rng.random((draws, 1)) + 0.1
            elif number % RECENTRED == 0:
                # The closer moves are to the center, the fewer rows can change sign.
                center, around = mean, trials.moved(mean)
            moves = np.clip(mean + moves @ root.T, -radius, radius)
            moves[0] = best
            if number == first:
                moves[-1] = 0.0
            metric, score = around(moves - center, coarse=number < rounds // 2)
            if number == 0:
                self._set_scale(metric, score)
            best, mean, root = self._contract(moves, self._merit(metric, score), current, radius)
        lowest, merit = self._merit(*around(np.array([best, mean]) - center))
        # Undefined values are infinite.
        if np.isfinite(merit) and merit - lowest <= 0.5 * (current - lowest):
            return mean, float(merit), current
        return best, float(lowest), current

    def _guess(self, judge, n_moved, current, radius, rng):
        """Return the best move, the mean of the best ones and their spread, by a cheap model."""
        mean, root = np.zeros(n_moved), radius * np.eye(n_moved)
        draws = self._n_draws(MANY_DRAWS)
        for number in range(GUESSES):
            moves = rng.standard_normal((draws, n_moved))
            if number == 0:
                moves *= rng.random((draws, 1)) + 0.1
            moves = np.clip(mean + moves @ root.T, -radius, radius)
            best, mean, root = self._contract(moves, self._merit(*judge(moves)), current, radius)
        return best, mean, root

    def _n_draws(self, most):
        """Return how many moves to look at, each of which costs as much as there are groups."""
        n_groups = self.smooth.data.n_groups
        return max(min(most, LEAST_DRAWS), most * COSTLY_GROUPS // max(n_groups, COSTLY_GROUPS))

    def _contract(self, moves, merit, current, radius):
        """Return the best move, the mean of the best ones and the root of their covariance."""
        elite = moves[self._order(moves, merit, current)[: len(moves) // ELITE]]
        apart = elite - elite.mean(axis=0)
        # A little wider than the best moves: otherwise they would contract too early.
        covariance = WIDER * apart.T @ apart / len(elite)
        covariance += (1e-3 * radius) ** 2 * np.eye(moves.shape[1])
        return elite[0], elite.mean(axis=0), np.linalg.cholesky(covariance)

    def _order(self, moves, merit, current):
        """Return the order of moves, the best first."""
        if not (self._counts_alone and np.isfinite(current)):
            return np.argsort(merit, kind="stable")
        merit = np.maximum(merit, current - ENOUGH * (current - merit.min()))
        return np.lexsort((np.square(moves).sum(axis=1), merit))

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
        if self.is_sampling:
            self.is_sampling = False
            return *sampled_trials(smooth, states, self.sample, self._directions), None
        alone = len(states) == 1 and smooth.held_out[0] is None
        if alone and smooth.levels[0].cells.n_seen >= MANY_ROWS and counts_signs(smooth):
            return *near_trials(smooth, states, radius, self.sample, self._directions), None
        scores = smooth.scores(states)
        sensitivities, parameters = smooth.sensitivities(states, self._directions)
        trials = Trials(smooth, scores, sensitivities)
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
