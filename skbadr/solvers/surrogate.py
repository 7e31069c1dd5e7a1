"""A Gaussian process on what refits returned, to choose the next ones."""

from types import MappingProxyType

import numpy as np

from skbadr._rows import weight_unit
from skbadr._simplex import from_log_coordinates, log_coordinates
from skbadr.solvers.gaussian_process import likeliest_process

# Prior standard deviations that the likelihood chooses from, in units of the outputs: of the
# slope per unit of log weight, of departures from it, and of a refit's own noise.
SLOPES = (0.1, 0.3, 1.0)
DEPARTURES = (0.05, 0.15, 0.5)
NOISES = (0.02, 0.06, 0.2)
# How far along a guide's way an estimator may go.
SCALES = (1.0, 0.35, 0.5, 0.7, 1.4, 2.0)
# Below so many rows of a group and class, rates are shrunk toward those of all groups by so many
# pseudo-rows, for guidance alone.
FEW_ROWS, PSEUDO_ROWS = 100, 20


class TableEncoding:
    """Log odds of what each group's classes are predicted as, in place of counts.

    Weights shift log odds evenly, where counts saturate.

    Parameters
    ----------
    evaluation_set : EvaluationSet
    """

    def __init__(self, evaluation_set):
        self._totals = evaluation_set.class_totals[..., None]
        self._unit = weight_unit(evaluation_set.sample_weight)
        self._pseudo = 0.5 * self._unit  # half a row
        self._shape = (*evaluation_set.class_totals.shape, evaluation_set.n_classes)

    def encode(self, statistics):
        """Return log odds, of shape (m, q), of tables of shape (m, G * C * C)."""
        tables = np.reshape(statistics, (len(statistics), *self._shape))
        logs = np.log(np.maximum(tables, 0.0) + self._pseudo)
        return (logs[..., 1:] - logs[..., :1]).reshape(len(tables), -1)

    def decode(self, outputs):
        """Return the tables that `encode` maps to log odds of shape (..., q)."""
        lead, (groups, classes, _) = outputs.shape[:-1], self._shape
        odds = outputs.reshape(*lead, groups, classes, classes - 1)
        odds = np.concatenate([np.zeros((*odds.shape[:-1], 1)), odds], axis=-1)
        odds = np.exp(odds - odds.max(axis=-1, keepdims=True))
        odds /= odds.sum(axis=-1, keepdims=True)
        tables = odds * (self._totals + classes * self._pseudo) - self._pseudo
        return np.maximum(tables, 0.0).reshape(*lead, -1)

    def noise(self, statistics):
        """Return the variance of each output that counts of the baseline model alone explain."""
        table = np.reshape(statistics, self._shape) + self._pseudo
        return (self._unit / table[..., 1:] + self._unit / table[..., :1]).ravel()


class DirectEncoding:
    """Statistics as they are, in units of how far refits have moved them.

    Parameters
    ----------
    statistics : ndarray of shape (m, q) or None, default=None
        Visited; None leaves the units as they are.
    """

    def __init__(self, statistics=None):
        if statistics is None:
            self._unit, self._nonnegative = np.ones(1), False
            return
        spread = np.ptp(statistics, axis=0) if len(statistics) > 1 else 0.0
        largest = np.max(spread, initial=0.0)
        size = np.abs(statistics).max(axis=0)
        self._unit = np.maximum(spread, 0.1 * largest if largest > 0 else 0.1 * size + 1e-12)
        self._nonnegative = bool((statistics >= 0).all())

    def encode(self, statistics):
        """Return outputs of unit size."""
        return statistics / self._unit

    def decode(self, outputs):
        """Return the statistics of outputs."""
        statistics = outputs * self._unit
        return np.maximum(statistics, 0.0) if self._nonnegative else statistics

    def noise(self, statistics):
        """Return no variance beyond that of refits."""
        return np.zeros(len(self._unit))


def shrink_small_cells(evaluation_set, statistics):
    """Return confusion tables in which small cells lean on the rates of all groups.

    Parameters
    ----------
    evaluation_set : EvaluationSet
    statistics : ndarray of shape (m, G * C * C)

    Returns
    -------
    statistics : ndarray of the same shape and row totals
    """
    counts = evaluation_set.class_totals / weight_unit(evaluation_set.sample_weight)
    small = (counts > 0) & (counts < FEW_ROWS)
    if not small.any():
        return statistics
    tables = np.reshape(statistics, (len(statistics), *counts.shape, counts.shape[1]))
    pooled = tables.sum(axis=1)
    total = pooled.sum(axis=-1, keepdims=True)
    pooled = np.divide(pooled, total, out=np.zeros_like(pooled), where=total > 0)
    own = np.where(small, counts / (counts + PSEUDO_ROWS), 1.0)[..., None]
    mass = tables.sum(axis=-1, keepdims=True)
    return (own * tables + (1.0 - own) * mass * pooled[:, None]).reshape(statistics.shape)


def encoding_of(metric, evaluation_set, statistics=None):
    """Return the encoding in which a metric's statistics are modelled."""
    if metric.uses_confusion:
        return TableEncoding(evaluation_set)
    return DirectEncoding(statistics)


class Surrogate:
    """Predict the metric's statistics and the score of refits, and how sure that is.

    The metric itself has kinks (a largest gap); the group rates or losses below it are smooth
    in the weights, so these are modelled and the metric is computed from their prediction.
    What is learnt is by how much reality differs from a guide: the one under which the refits
    are likeliest, for statistics and score each, of which one is that nothing changes.

    Parameters
    ----------
    objective : UpperObjective
    evaluation_set : EvaluationSet
    shares : ndarray of shape (K,)
    guides : dict of str to guide, default={}
        In order of preference for as long as only the baseline estimator is known.

    Attributes
    ----------
    guide, score_guide : str or None
        Names of the chosen guides; None: that nothing changes.
    """

    def __init__(self, objective, evaluation_set, shares, guides=MappingProxyType({})):
        self.objective, self.evaluation_set, self.shares = objective, evaluation_set, shares
        self.guides = guides

    def fit(self, evaluations):
        """Learn from evaluations, the baseline estimator's first; failed ones are left out."""
        usable = [e for e in evaluations if is_usable(e)]
        baseline = usable[0]
        statistics = np.array([e.statistics for e in usable])
        scores = np.array([e.score for e in usable])
        self._encoding = encoding_of(self.objective.metric, self.evaluation_set, statistics)
        self._baseline = baseline.statistics, baseline.score
        self.score_unit, self.two_points = self._units_of(scores)
        self._ceiling = scores.max() + 0.1 * self.score_unit
        weights = np.array([e.cell_weights for e in usable])
        inputs = log_coordinates(weights, self.shares)
        noise = 0.1 * self._encoding.noise(baseline.statistics)
        outputs = self._encoding.encode(statistics)
        candidates = list(self.guides)
        if len(usable) > 3 or not candidates:
            candidates.append(None)
        # Without guide: the score falls off around the baseline estimator as it has on average.
        squares = np.square(inputs).sum(axis=1)
        fall = float(squares @ (baseline.score - scores)) / max(float(squares @ squares), 1e-300)
        self._fall = max(fall, 0.0)
        best = [-np.inf, -np.inf]  # likelihoods: of the statistics, of the score
        self._scales = {}
        for name in self.guides:
            self._scales[name] = self._scale_of(name, weights, outputs, noise)
        for name in candidates:
            guided, guided_score = self._guided_by(name, weights)
            size = 1.0 if name is not None else 2.0  # of the prior: guides are nearly right
            slopes, departures = size * np.array(SLOPES), size * np.array(DEPARTURES)
            process, likelihood = likeliest_process(
                inputs, outputs - guided, noise, slopes, departures, NOISES
            )
            if likelihood > best[0] + 1e-9:
                best[0], self._statistics, self.guide = likelihood, process, name
            # The baseline estimator is nearly the best by its own score, where the slope is zero:
            # a steep one is a hope, and the search would follow it.
            residual = (scores - guided_score) / self.score_unit
            process, likelihood = likeliest_process(
                inputs, residual[:, None], np.zeros(1), (0.02, 0.05), departures / 2, NOISES
            )
            if likelihood > best[1] + 1e-9:
                best[1], self._score, self.score_guide = likelihood, process, name
        return self

    def believe(self, weights):
        """Take the predictions at some weights for refits, so that others keep away from them."""
        inputs = log_coordinates(weights, self.shares)
        for process in (self._statistics, self._score):
            process.add(inputs, process.predict(inputs)[0])

    def predict(self, weights):
        """Return the predicted metric and score of each row of `weights`."""
        guided, guided_score = self._guided(weights)
        inputs = log_coordinates(weights, self.shares)
        statistics = self._encoding.decode(guided + self._statistics.predict(inputs)[0])
        score = guided_score + self.score_unit * self._score.predict(inputs)[0][:, 0]
        return self.metric_of(statistics), np.minimum(score, self._ceiling)

    def draw(self, weights, normal):
        """Return metric and score, of shape (m, S), of S likely refits at each row.

        Parameters
        ----------
        weights : ndarray of shape (m, K)
        normal : ndarray of shape (S, q + 1)
            Standard normal numbers, the same for all rows.
        """
        guided, guided_score = self._guided(weights)
        inputs = log_coordinates(weights, self.shares)
        mean, deviation = self._statistics.predict(inputs)
        moved = (guided + mean)[:, None] + deviation[:, None] * normal[:, :-1]
        statistics = self._encoding.decode(moved)
        metric = self.metric_of(statistics.reshape(-1, statistics.shape[-1]))
        mean, deviation = self._score.predict(inputs)
        score = guided_score[:, None] + self.score_unit * mean
        score = np.minimum(score, self._ceiling) + self.score_unit * deviation * normal[:, -1]
        return metric.reshape(len(weights), -1), score

    @property
    def n_outputs(self):
        """Number of modelled quantities, the score included."""
        return self._statistics.targets.shape[1] + 1

    def metric_of(self, statistics):
        """Return the metric for guidance of statistics of shape (m, q): small cells shrunk."""
        metric = self.objective.metric
        if metric.uses_confusion:
            statistics = shrink_small_cells(self.evaluation_set, statistics)
        return metric.from_many_statistics(self.evaluation_set, statistics)

    def _units_of(self, scores):
        """Return the unit in which scores are learnt, and what compares to .02 of accuracy."""
        if self.evaluation_set.classes is not None and np.abs(scores).max() <= 1.0:
            return 0.02, 0.02
        spread = np.ptp(scores) if len(scores) > 1 else 0.0
        unit = max(spread, 0.05 * abs(scores[0]), 1e-12)
        # Not of the spread, which one bad refit stretches until the others look alike.
        return unit, max(0.02 * abs(scores[0]), 1e-3 * unit)

    def _guided(self, weights):
        guided, score = self._guided_by(self.guide, weights)
        if self.score_guide != self.guide:
            score = self._guided_by(self.score_guide, weights)[1]
        return guided, score

    def _guided_by(self, name, weights):
        if name is None:
            statistics = np.repeat(self._baseline[0][None], len(weights), axis=0)
            squares = np.square(log_coordinates(weights, self.shares)).sum(axis=1)
            return self._encoding.encode(statistics), self._baseline[1] - self._fall * squares
        scale = self._scales.get(name, 1.0)
        if scale != 1.0:
            moved = scale * log_coordinates(weights, self.shares)
            weights = from_log_coordinates(moved, self.shares)
        statistics, score = self.guides[name].predict(weights)
        return self._encoding.encode(statistics), score

    def _scale_of(self, name, weights, outputs, noise):
        """Return how far the estimator goes along what a guide says.

        A regularised model goes a part of the way, and pays a part of the price: statistics and
        score have one scale.
        """
        best, chosen = np.inf, 1.0
        for scale in SCALES if len(weights) > 1 else ():
            self._scales[name] = scale
            error = np.square(outputs - self._guided_by(name, weights)[0])
            total = (error / (0.1**2 + noise)).sum() + 4.0 * np.log2(scale) ** 2
            if total < best:
                best, chosen = total, scale
        return chosen


def is_usable(evaluation):
    """Whether a refit returned what can be learnt from."""
    return (
        not evaluation.failed
        and bool(np.isfinite([evaluation.metric, evaluation.score]).all())
        and bool(np.isfinite(evaluation.statistics).all())
    )
