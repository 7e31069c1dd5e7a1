"""Where to refit next: the best point that a guide predicts."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from skbadr._simplex import from_log_coordinates, log_coordinates, project_simplex
from skbadr.solvers.steps.cross_entropy import CrossEntropy

# Searches of predictions that are counted, and of those that call a user's function.
COUNTED, CALLED = CrossEntropy(rounds=10, draws=200), CrossEntropy(rounds=8, draws=48)
# Worth of meeting the bound, beyond every score.
MET = 1e3


@dataclass(frozen=True)
class Settings:
    """What steers a guided search; set on the generated problems to tune on.

    Attributes
    ----------
    spread, near : float
        Standard deviation of log weights in the first round, from the baseline and from the best
        point.
    ridge : float
        Price of the mean squared log weight, in units of the score or metric: of two points that
        promise the same, the one closer to the baseline is the safer.
    tie : float
        Worth of the score where the metric alone is minimised: no constant where others are as
        fair.
    margin : float
        By how much of the last prediction's error the next one is to stay inside the bound: once,
        or once for each refit as long as all miss it.
    first, radius : float
        Trust region around the best point, by the largest change of a log weight, before any
        refit and after the first. The way back to the baseline is always part of it.
    grow, shrink : float
        Factors by which it grows with a refit that is the best so far, and shrinks with any other.
    on_training_rows, held_out : int
        Visited points by default, the baseline included, on these rows or on one held-out part.
    on_folds : int
        Fits of folds' models by default: four points on four folds, three on five.
    """

    spread: float = 1.0
    near: float = 0.5
    ridge: float = 5e-4
    tie: float = 0.01
    margin: float = 0.5
    first: float = 6.0
    radius: float = 1.5
    grow: float = 1.5
    shrink: float = 0.6
    on_training_rows: int = 6
    held_out: int = 5
    on_folds: int = 16


class Candidate(NamedTuple):
    """Weights to refit at, where they come from, and what is expected of them.

    Attributes
    ----------
    weights : ndarray of shape (K,)
    origin : str
    metric, score : float
        Predictions; NaN where there are none.
    gain : float
        Predicted improvement on the best visited point, in the units of `GuidedSearch.loss`.
    """

    weights: np.ndarray
    origin: str
    metric: float = np.nan
    score: float = np.nan
    gain: float = np.inf


class GuidedSearch:
    """Search what a guide predicts for the best point to refit at.

    Parameters
    ----------
    problem : BilevelProblem
    archive : Archive
        Of which the first evaluation is the baseline's.
    guide : Guide
    min_gain : float
        Predicted improvement below which nothing more is to be gained.
    settings : Settings, default=Settings()
    """

    def __init__(self, problem, archive, guide, *, min_gain, settings=Settings()):
        self.problem, self.archive, self.guide = problem, archive, guide
        self.min_gain, self.settings = min_gain, settings
        self._round = self._n_learnt = 0

    def next(self):
        """Return the next candidate: the user's first, then the best; None where too little."""
        given = not np.array_equal(self.problem.initial, self.problem.shares)
        if len(self.archive.evaluations) == 1 and given:
            return Candidate(self.problem.project(self.problem.initial), "init")
        candidate = self.best(self.problem.objective)
        return candidate if candidate.gain >= self.min_gain else None

    def response(self):
        """Return how far refits moved along what theory says, NaN before any."""
        self._learn()
        return self.guide.response.measured

    def _learn(self):
        for evaluation in self.archive.evaluations[self._n_learnt :]:
            self.guide.learn(evaluation)
            evaluation.responses = None
        self._n_learnt = len(self.archive.evaluations)

    def best(self, objective):
        """Return the candidate that promises most under an objective.

        Parameters
        ----------
        objective : UpperObjective

        Returns
        -------
        candidate : Candidate
        """
        self._learn()
        self._round += 1
        visited, settings = self.archive.evaluations, self.settings
        usable = [e for e in visited if not e.failed and np.isfinite(e.metric)]
        best = min(usable, key=objective.key) if usable else visited[0]
        failed = self._logs([e.cell_weights for e in visited if e.failed])
        known = self._logs([e.cell_weights for e in visited if not e.failed])
        # Each refit that missed the bound asks for more room.
        missed = max(1, len(visited) - 1) if not objective.is_met(best) else 1
        margin = settings.margin * missed * _last_error(visited)
        center, radius = self._logs([best.cell_weights])[0], self._radius(objective)

        def loss(points):
            found = self.loss(objective, *self.guide.predict(self._weights(points)), margin)
            found = found + settings.ridge * np.square(points).mean(axis=1)
            if len(failed):
                found[_distances(points, failed) < _distances(points, known)] = np.inf
            return found

        method = CALLED if self.guide.calls else COUNTED
        rng = np.random.default_rng([self.problem.seed, self._round])
        starts = [(np.zeros(self.problem.n_cells), settings.spread)]
        if best is not visited[0]:
            starts.append((center, settings.near))
        box = np.minimum(center - radius, 0.0), np.maximum(center + radius, 0.0)
        runs = [method.minimise(loss, start, spread, box, rng) for start, spread in starts]
        point, _ = min(runs, key=lambda run: run[1])
        weights = self.problem.project(_rounded(self._weights(point[None])[0]))
        metric, score = (float(values[0]) for values in self.guide.predict(weights[None]))
        before = self.loss(objective, np.array([best.metric]), np.array([best.score]))
        after = self.loss(objective, np.array([metric]), np.array([score]))
        gain = float(before[0] - after[0]) if np.isfinite(before[0]) else np.inf
        return Candidate(weights, "guide", metric, score, gain)

    def loss(self, objective, metric, score, margin=0.0):
        """Return what is minimised, of predicted or measured points; infinite where undefined.

        Parameters
        ----------
        objective : UpperObjective
        metric, score : ndarray of shape (m,)
        margin : float, default=0.0
            By how much predictions are to stay inside a bound.

        Returns
        -------
        loss : ndarray of shape (m,)
            In parts of the baseline's score, or of its metric where that alone counts; metrics and
            scores that are counted keep their own unit.
        """
        metric_unit, score_unit = self._units
        if objective.bound is None:
            worth = objective.trade_off or self.settings.tie * metric_unit
            found = objective.cost(metric) - worth * score
            found = found / (metric_unit + objective.trade_off * score_unit)
        else:
            inside = metric + margin * np.sign(objective.cost(1.0))
            excess = objective.excess(inside)
            found = np.where(excess > 0, MET * (1.0 + excess / metric_unit), -score / score_unit)
            found = np.where(np.isfinite(metric), found, np.nan)
        return np.where(np.isnan(found), np.inf, found)

    def _radius(self, objective):
        """Return the radius of the trust region."""
        visited, settings = self.archive.evaluations, self.settings
        if len(visited) == 1:
            return settings.first
        radius, best = settings.radius, visited[0]
        for evaluation in visited[1:]:
            better = not evaluation.failed and objective.key(evaluation) < objective.key(best)
            radius *= settings.grow if better else settings.shrink
            best = evaluation if better else best
        return radius

    @property
    def _units(self):
        metric = self.problem.evaluator.metric
        first = self.guide.first
        units = [abs(value) if np.isfinite(value) and value else 1.0 for value in first]
        return (units[0] if metric.points is None else 1.0 / metric.points), units[1]

    def _weights(self, points):
        weights = from_log_coordinates(points, self.problem.shares)
        return project_simplex(weights, minimum=self.problem.min_weight)

    def _logs(self, weights):
        """Return log weights in units of the shares, centred, of shape (m, K)."""
        weights = np.reshape(weights, (-1, self.problem.n_cells))
        return log_coordinates(weights, self.problem.shares)


def _distances(points, others):
    """Return the root mean square distance of each point to the nearest of the others."""
    centred = points - points.mean(axis=1, keepdims=True)
    return np.sqrt(np.square(centred[:, None] - others).mean(axis=2).min(axis=1))


def _last_error(visited):
    """Return by how much the last prediction of the metric was wrong, 0 before any."""
    error = abs(visited[-1].metric - visited[-1].predicted_metric)
    return error if np.isfinite(error) else 0.0


def _rounded(weights):
    """Round to four digits, so that the last ones of a prediction do not reach the model."""
    unit = 10.0 ** (np.floor(np.log10(weights)) - 3)
    weights = np.round(weights / unit) * unit
    return weights / weights.sum()
