"""Where to refit next: expected improvement under guided predictions."""

import numpy as np

from skbadr._simplex import from_log_coordinates, log_coordinates, project_simplex
from skbadr.solvers.density import density_shift
from skbadr.solvers.guide import score_shift
from skbadr.solvers.proxy import convex_proxy
from skbadr.solvers.refits import Candidate
from skbadr.solvers.starts import group_moves, tilts
from skbadr.solvers.surrogate import (
    Surrogate,
    encoding_of,
    is_usable,
)

# What makes a guide for a problem and its baseline model, or None where it does not apply.
GUIDES = {"score_shift": score_shift, "density_shift": density_shift, "proxy": convex_proxy}
# Largest log ratio of a weight to the baseline estimator's that is tried.
LIMIT = 6.0
N_DRAWS = 64
# Refits before which predictions are not trusted to say that nothing more is to be gained.
MIN_REFITS = 5
# Price of the squared length of log weights, in points of accuracy: of two candidates that
# promise the same, the one closer to the baseline estimator is the safer.
RIDGE = 5e-4
# Worth of the score where the metric alone is minimised.
TIE = 0.1
# Candidates whose expected improvement is computed: the best by their mean prediction.
N_JUDGED = 96


class Proposals:
    """Choose the weights of the next refits.

    Parameters
    ----------
    problem : BilevelProblem
    archive : Archive
        Of which the first evaluation is the baseline estimator's.
    guides : sequence of str
        Names of guides.
    batch_size : int
    min_gain : float
        Expected improvement below which the search may end, in units of accuracy.
    """

    def __init__(self, problem, archive, guides, *, batch_size, min_gain):
        self.problem, self.archive = problem, archive
        self.batch_size, self.min_gain = batch_size, min_gain
        made = {name: GUIDES[name](problem, archive.evaluations[0]) for name in guides}
        self.guides = {name: guide for name, guide in made.items() if guide is not None}
        self._waiting = self._first()
        self._round = 0
        self._radius, self._center = 1.5, None

    def _first(self):
        """Return candidates that need no prediction: the user's, and blind moves without guide."""
        cells = self.problem.cells
        points = [(self.problem.initial, "init")]
        if not self.guides:
            points += [(weights, "tilt") for weights in tilts(cells, (1.0, 0.5))]
            strength = 3.0 if cells.target_of_cell is None else 1.5
            moves = group_moves(cells, strength)[: 4 if cells.target_of_cell is None else 1]
            points += [(weights, "group") for weights in moves]
        return self._distinct([Candidate(self.problem.project(w), origin) for w, origin in points])

    def restart(self):
        """Forget which region was trusted, where another objective follows."""
        self._radius, self._center = 1.5, None

    def next_batch(self, n_left):
        """Return a batch of at most `n_left` candidates, fewer where no more is to be gained."""
        size = min(self.batch_size, n_left)
        self._round += 1
        batch, self._waiting = self._waiting[:size], self._waiting[size:]
        batch += self._opposite()[: size - len(batch)]
        if len(batch) == size:
            return batch
        if not is_usable(self.archive.evaluations[0]):
            return batch + self._blind(size - len(batch))
        for guide in self.guides.values():
            if hasattr(guide, "learn"):
                guide.learn(self.archive.evaluations)
        surrogate = self.surrogate = Surrogate(
            self.problem.objective,
            self.problem.evaluator.evaluation_set,
            self.problem.shares,
            self.guides,
        ).fit(self.archive.evaluations)
        self._move_region()
        enough = len(self.archive.evaluations) >= MIN_REFITS
        settled = self.problem.objective.is_met(self.archive.best) and enough
        for slot in range(len(batch), size):
            weights, gain = self._best(surrogate, batch, slot)
            if weights is None or (settled and gain < self.min_gain):
                break
            weights = self.problem.project(_rounded(weights))
            metric, score = surrogate.predict(weights[None])
            origin = surrogate.guide or "surrogate"
            batch.append(Candidate(weights, origin, float(metric[0]), float(score[0])))
            surrogate.believe(weights[None])
        return batch

    def _blind(self, size):
        """Return random steps, where the baseline model leaves nothing to learn from."""
        points = 0.5 * self._normal(4 * size, 0)
        weights = self._project(from_log_coordinates(points, self.problem.shares))
        return self._distinct([Candidate(row, "spread") for row in weights])[:size]

    def _opposite(self):
        """Return the way opposite to refits that have just failed, if nothing else succeeded."""
        others = self.archive.evaluations[1:]
        if not others or not all(e.failed for e in others):
            return []
        shares = self.problem.shares
        failed = np.array([e.cell_weights for e in others])
        weights = from_log_coordinates(-log_coordinates(failed, shares), shares)
        return self._distinct([Candidate(row, "opposite") for row in self._project(weights)])

    def response(self):
        """Return how far refits moved along what the first guide said: 1 as far, 0 not at all.

        Negative where they moved the other way; NaN where no guide applies.
        """
        visited = [e for e in self.archive.evaluations if is_usable(e)]
        if not self.guides or len(visited) < 2 or visited[0] is not self.archive.evaluations[0]:
            return np.nan
        data = self.problem.evaluator.evaluation_set
        encoding = encoding_of(self.problem.objective.metric, data)
        guide = next(iter(self.guides.values()))
        predicted, _ = guide.predict(np.array([e.cell_weights for e in visited]))
        predicted = encoding.encode(predicted)
        actual = encoding.encode(np.array([e.statistics for e in visited]))
        # Odds of a few rows say little.
        trust = 1.0 / (0.01 + encoding.noise(visited[0].statistics))
        step = (predicted - predicted[0]) * np.sqrt(trust)
        moved = (actual - actual[0]) * np.sqrt(trust)
        length = float((step**2).sum())
        return float((step * moved).sum()) / length if length > 0 else np.nan

    def _move_region(self):
        """Trust predictions farther from the best point after a success, nearer after none."""
        best = self.archive.best
        if self._center is not None:
            factor = 1.5 if best is not self._center else 0.6
            self._radius = float(np.clip(factor * self._radius, 0.25, LIMIT))
        if self._center is not None or len(self.archive.evaluations) > 1:
            self._center = best

    def _trusted(self, pool):
        """Mask of the weights within the trust region around the best visited point."""
        if self._center is None:
            return np.ones(len(pool), dtype=bool)
        shares = self.problem.shares
        step = log_coordinates(pool, shares) - log_coordinates(self._center.cell_weights, shares)
        return np.abs(step).max(axis=1) <= self._radius

    def _best(self, surrogate, batch, slot):
        """Return the candidate with the largest expected improvement, and that improvement."""
        pool = self._refined(surrogate, self._pool(slot), slot)
        loss = self._loss(surrogate)
        price = self._price(pool)
        mean = loss(*surrogate.predict(pool)) + price
        mean = np.where(self._trusted(pool), mean, np.inf)
        near = self._near_visited(pool, [candidate.weights for candidate in batch])
        mean = np.where(near | self._near_failed(pool), np.inf, mean)
        judged = np.argsort(mean, kind="stable")[:N_JUDGED]
        judged = judged[np.isfinite(mean[judged])]
        if not len(judged):
            return None, 0.0
        normal = self._normal(N_DRAWS, 7 + slot, surrogate.n_outputs)
        drawn = loss(*surrogate.draw(pool[judged], normal)) + price[judged, None]
        exact = self._loss(surrogate, predicted=False)
        visited = [e for e in self.archive.evaluations if is_usable(e)]
        metric = surrogate.metric_of(np.array([e.statistics for e in visited]))
        score = np.array([e.score for e in visited])
        points = np.array([e.cell_weights for e in visited])
        best = (exact(metric, score) + self._price(points)).min()
        if batch:
            believed = np.array([candidate.weights for candidate in batch])
            best = min(best, (loss(*surrogate.predict(believed)) + self._price(believed)).min())
        gain = np.maximum(best - drawn, 0.0).mean(axis=1)
        chosen = int(np.argmax(gain))
        return pool[judged[chosen]], loss.in_points(float(gain[chosen]))

    def _loss(self, surrogate, *, predicted=True):
        """Return the loss of predictions, or of refits.

        As long as the bound is missed it weighs more, and predictions keep inside it by what they
        have lately missed.
        """
        objective, scale, margin = self.problem.objective, self._score_scale(), 0.0
        late = [e for e in self.archive.evaluations[-4:] if np.isfinite(e.predicted_metric)]
        if late and not objective.is_met(self.archive.best):
            scale *= 2.0
            missed = np.mean([objective.cost(e.metric - e.predicted_metric) for e in late])
            room = 0.5 * abs(objective.bound - (objective.ideal or 0.0))
            # Means and losses are smoother than rates: learning from the refits is enough.
            if predicted and objective.metric.uses_confusion:
                margin = float(np.clip(missed, 0.0, room))
        unit = surrogate.score_unit if objective.bound is None else surrogate.two_points
        return Loss(objective, unit, scale, margin)

    def _price(self, weights):
        squares = np.square(log_coordinates(weights, self.problem.shares)).sum(axis=1)
        return RIDGE / 0.02 * squares

    def _refined(self, surrogate, weights, slot):
        """Shrink random steps around the best predictions, which costs no refit."""
        shares = self.problem.shares
        loss = self._loss(surrogate)

        def price(weights):
            far = np.where(self._trusted(weights), 0.0, np.inf)
            return loss(*surrogate.predict(weights)) + self._price(weights) + far

        merit = price(weights)
        # With many cells there is more to arrange.
        rounds = 4 if self.problem.n_cells <= 6 else 20
        spreads = np.geomspace(0.4, 0.05, rounds)
        for number, spread in enumerate(spreads):
            order = np.argsort(merit, kind="stable")[:6]
            best = log_coordinates(weights[order], shares)
            steps = self._steps(16 * len(best), 100 * (number + 1) + slot)
            near = np.clip(np.repeat(best, 16, axis=0) + spread * steps, -LIMIT, LIMIT)
            near = self._project(from_log_coordinates(near, shares))
            weights = np.vstack([weights, near])
            merit = np.r_[merit, price(near)]
        return weights

    def _steps(self, n, stream):
        """Return random steps, of which every other one moves the cells of one group alone."""
        steps = self._normal(n, stream)
        group = self.problem.cells.group_of_cell
        if group is not None and self.problem.n_cells > 2:
            rng = np.random.default_rng([self.problem.seed, self._round, stream, 1])
            chosen = rng.integers(0, int(group.max()) + 1, (n, 1))
            alone = (np.arange(n)[:, None] % 2 == 0) | (chosen == group)
            steps = steps * alone
        return steps

    def _pool(self, slot):
        """Return candidate weights: steps of every length from the best points, and tilts."""
        problem, shares = self.problem, self.problem.shares
        visited = [e for e in self.archive.evaluations if not e.failed]
        visited = sorted(visited, key=problem.objective.key)[:3]
        centers = log_coordinates(np.array([e.cell_weights for e in visited]), shares)
        steps = self._steps(256, slot)
        lengths = np.tile([0.1, 0.3, 0.8, 1.6], 64)[:, None]
        points = [centers[np.arange(256) % len(centers)] + lengths * steps]
        points += [
            (centers[0] * (1 - a) + centers[j] * a)[None]
            for j in range(1, len(centers))
            for a in (0.25, 0.5, 0.75, 1.5)
        ]
        tilted = tilts(problem.cells, np.arange(0.1, 2.01, 0.1))
        if tilted:
            points.append(log_coordinates(np.array(tilted), shares))
        points.append(self._structured(centers[0], slot))
        points = np.clip(np.vstack(points), -LIMIT, LIMIT)
        known = [guide.candidates() for guide in self.guides.values()]
        return np.vstack([self._project(from_log_coordinates(points, shares)), *known])

    def _structured(self, center, slot):
        """Steps that move whole groups or whole targets: few directions where cells are many."""
        cells = self.problem.cells
        if cells.group_of_cell is None or cells.n_cells <= 2:
            return np.empty((0, cells.n_cells))
        n_groups = int(cells.group_of_cell.max()) + 1
        draws = self._normal(128, 50 + slot, n_groups)
        if cells.target_of_cell is None:
            return center + draws[:, cells.group_of_cell]
        target = cells.target_of_cell - cells.target_of_cell.mean()
        lengths = np.tile([0.2, 0.5, 1.0, 2.0], 32)[:, None]
        return center + lengths * draws[:, cells.group_of_cell] * target

    def _score_scale(self):
        """Worth of one unit of excess over a bound, in units of the score.

        One point of accuracy per point of a rate: a model that pays more is degenerate. Scores
        on other scales, as squared errors are, count by how they vary against the metric.
        """
        points = self.problem.objective.metric.points
        if points is not None:
            return points * self.problem.evaluator.score_unit
        usable = [e for e in self.archive.evaluations if is_usable(e) and np.isfinite(e.metric)]
        scores, metrics = np.ptp([e.score for e in usable]), np.ptp([e.metric for e in usable])
        if metrics > 0 and scores > 0:
            return 2.0 * scores / metrics
        return 1.0

    def _normal(self, n, stream, dimension=None):
        """Standard normal steps, the same in every run with the same seed."""
        dimension = self.problem.n_cells if dimension is None else dimension
        rng = np.random.default_rng([self.problem.seed, self._round, stream])
        return rng.standard_normal((n, dimension))

    def _project(self, weights):
        return project_simplex(weights, minimum=self.problem.min_weight)

    def _near_visited(self, pool, batch):
        shares = self.problem.shares
        seen = [e.cell_weights for e in self.archive.evaluations] + batch
        seen = log_coordinates(np.array(seen), shares)
        distance = np.abs(log_coordinates(pool, shares)[:, None] - seen).max(axis=2)
        return distance.min(axis=1) < 0.01

    def _near_failed(self, pool):
        """Mask of the weights that are closer to a failed refit than to any other."""
        failed = np.array([e.failed for e in self.archive.evaluations])
        if not failed.any():
            return np.zeros(len(pool), dtype=bool)
        shares = self.problem.shares
        seen = log_coordinates(np.array([e.cell_weights for e in self.archive.evaluations]), shares)
        squares = np.square(log_coordinates(pool, shares)[:, None] - seen).sum(axis=2)
        return failed[squares.argmin(axis=1)]

    def _distinct(self, candidates):
        """Drop candidates close to a visited or an earlier one."""
        shares = self.problem.shares
        seen = [log_coordinates(e.cell_weights, shares) for e in self.archive.evaluations]
        kept = []
        for candidate in candidates:
            point = log_coordinates(candidate.weights, shares)
            if np.abs(np.array(seen) - point).max(axis=1).min() > 0.05:
                kept.append(candidate)
                seen.append(point)
        return kept


def _rounded(weights):
    """Round to four digits, so that the last ones of a prediction do not reach the model."""
    unit = 10.0 ** (np.floor(np.log10(weights)) - 3)
    weights = np.round(weights / unit) * unit
    return weights / weights.sum()


class Loss:
    """What a search minimises, in units of the score: the score, and what a bound is missed by.

    Parameters
    ----------
    objective : UpperObjective
    score_unit : float
    score_scale : float
    margin : float, default=0.0
        By how much predictions are to stay inside a bound.
    """

    def __init__(self, objective, score_unit, score_scale, margin=0.0):
        self.objective, self.score_unit, self.score_scale = objective, score_unit, score_scale
        self.margin = margin if objective.cost(1.0) > 0 else -margin

    def __call__(self, metric, score):
        """Return the loss of predicted or visited points; infinite where it is undefined."""
        objective = self.objective
        metric = metric + self.margin
        merit = objective.merit(metric, score, score_scale=self.score_scale)
        if objective.bound is None:
            merit = merit / (0.02 * (1.0 + objective.trade_off))
            # Of nearly equal values, that of the better score: no constant where others are fair.
            return merit if objective.trade_off else merit - TIE * score / self.score_unit
        # A step, so that just missing the bound is worth less than just meeting it.
        missed = objective.excess(metric) > 0
        return merit / self.score_unit + 0.25 * missed

    def in_points(self, gain):
        """Return an improvement of the loss in points of accuracy, or what compares to them."""
        return 0.02 * gain
