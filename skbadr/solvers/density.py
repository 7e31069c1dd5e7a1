"""Free predictions of a regressor's refits, from the baseline model's predictions alone."""

import numpy as np
from scipy.stats import norm

from skbadr.solvers.guide import re_weighs_targets

MAX_ROWS = 2_000
# Widths tried for the distribution of targets around predictions, in units of the residuals' own.
WIDTHS = (0.5, 1.0, 1.5, 2.0, 3.0)
# Before any refit: where there is more room than was believed, the next one is bolder.
FIRST_WIDTH = 2.0


class DensityShiftGuide:
    """Predict regression refits by re-weighting the density of targets around predictions.

    With targets of group g normal around the baseline prediction mu, weighting the target bins of
    the group by f_b makes the best prediction ``sum_b f_b q_b m_b / sum_b f_b q_b``: q_b is the
    probability of bin b and m_b the mean within it.

    A model that follows its training targets leaves residuals that are ``width`` times smaller
    than those of new rows. As if it put ``width - 1`` parts of a row's own target into one part
    of what it would predict without that row, it misses the target by
    ``(width * residual - shift) / (1 + (width - 1) * f)`` once the row weighs f times as much
    beside those around it.
    The width is what explains the refits so far best.

    Parameters
    ----------
    evaluation_set : EvaluationSet
    cells : Cells
        Of the same rows, one cell per group and target bin.
    shares : ndarray of shape (K,)
    metric : FairnessMetric
    predicted : ndarray of shape (n,)
        Of the baseline model.
    """

    def __init__(self, evaluation_set, cells, shares, metric, predicted):
        rows = cells.ordered
        edges = _edges(evaluation_set.y[rows], cells.target_of_cell[cells.codes[rows]])
        spread_of_all = np.ptp(evaluation_set.y[rows])
        places = np.linspace(0, len(rows) - 1, min(len(rows), MAX_ROWS)).round().astype(np.intp)
        rows = rows[places]
        self.metric, self.shares = metric, shares
        self._own_cell = cells.codes[rows]
        self.data = evaluation_set.take(rows)
        self._mean = predicted[rows]
        groups = cells.group_of_cell[cells.codes[rows]]
        residual = self._residual = self.data.y - self._mean
        self._spread = np.ones(len(rows))
        for group in np.unique(groups):
            member = groups == group
            weight = cells.base_weight[rows[member]]
            mean = np.average(residual[member], weights=weight)
            spread = np.sqrt(np.average((residual[member] - mean) ** 2, weights=weight))
            self._spread[member] = max(spread, 1e-9 * spread_of_all)
        n_bins = len(edges) + 1
        cell_of = np.full((int(cells.group_of_cell.max()) + 1, n_bins), -1)
        cell_of[cells.group_of_cell, cells.target_of_cell] = np.arange(cells.n_cells)
        self._cell_of = cell_of[groups]
        self._edges = edges
        self._set_width(FIRST_WIDTH)
        self._exact = metric.statistics(evaluation_set, predicted)
        weight = evaluation_set.sample_weight
        squares = (evaluation_set.y - predicted) ** 2
        self._exact_score = -float(np.average(squares, weights=weight))

    def _set_width(self, width):
        """Compute probabilities and means of all bins for one width of the distribution."""
        self._width = width
        spread = (width * self._spread)[:, None]
        limits = np.concatenate([[-np.inf], self._edges, [np.inf]])
        z = (limits - self._mean[:, None]) / spread
        # In the upper tail probabilities are differences of small numbers, not of ones.
        upper = z[:, :-1] > 0
        probability = np.where(
            upper, norm.sf(z[:, :-1]) - norm.sf(z[:, 1:]), norm.cdf(z[:, 1:]) - norm.cdf(z[:, :-1])
        )
        first = self._mean[:, None] * probability
        self._mass = np.maximum(probability, 1e-300)
        self._moment = first + spread * (norm.pdf(z[:, :-1]) - norm.pdf(z[:, 1:]))

    def learn(self, evaluations):
        """Choose the width that explains the refits best."""
        refits = [e for e in evaluations[1:] if not e.failed and np.isfinite(e.statistics).all()]
        if not refits:
            return
        weights = np.array([e.cell_weights for e in refits])
        statistics = np.array([e.statistics for e in refits]) - evaluations[0].statistics
        score = np.array([e.score for e in refits]) - evaluations[0].score
        errors = []
        for width in WIDTHS:
            self._set_width(width)
            raw = self._raw(np.vstack([self.shares, weights]))
            errors.append(
                sum(
                    np.square(found[1:] - found[0] - actual).sum() / np.square(actual).sum()
                    for found, actual in zip(raw, (statistics, score), strict=True)
                    if np.any(actual)
                )
            )
        self._set_width(WIDTHS[int(np.argmin(errors))])

    def candidates(self):
        """Return weights worth a look, of shape (m, K): none of its own."""
        return np.empty((0, len(self.shares)))

    def predict(self, weights):
        """Return predicted statistics, of shape (m, q), and scores of refits."""
        statistics, score = self._raw(np.vstack([self.shares, weights]))
        score = self._exact_score + score[1:] - score[0]
        return self._exact + statistics[1:] - statistics[0], score

    def _raw(self, weights):
        statistics, score = [], np.empty(len(weights))
        for i, row in enumerate(weights):
            ratio = row / self.shares
            factor = np.where(self._cell_of >= 0, ratio[self._cell_of], 1.0)
            mass = (factor * self._mass).sum(axis=1)
            shift = (factor * self._moment).sum(axis=1) / mass - self._mean
            # Of its own training target a model makes the less the smaller the row's weight.
            times = max(self._width, 1.0)
            missed = times * self._residual - shift
            missed /= 1.0 + (times - 1.0) * ratio[self._own_cell] / mass
            statistics.append(np.ravel(self.metric.statistics(self.data, self.data.y - missed)))
            score[i] = -np.average(missed**2, weights=self.data.sample_weight)
        return np.array(statistics), score


def _edges(y, bins):
    """Return the edges between the bins of targets."""
    lowest, highest = [], []
    for b in range(int(bins.max()) + 1):
        values = y[bins == b]
        if len(values):
            lowest.append(values.min())
            highest.append(values.max())
    return (np.array(highest[:-1]) + np.array(lowest[1:])) / 2


def density_shift(problem, baseline):
    """Return the density-shift guide of a problem, or None where it does not apply.

    Parameters
    ----------
    problem : BilevelProblem
    baseline : Evaluation
        Of the baseline estimator, with its predictions.
    """
    evaluator = problem.evaluator
    known = evaluator.evaluation_set.classes is None and baseline.predicted is not None
    if not known or evaluator.metric.slow or not re_weighs_targets(problem, baseline):
        return None
    if len(np.unique(evaluator.cells.codes)) < problem.n_cells:
        return None  # held-out rows that lack a cell
    return DensityShiftGuide(
        evaluator.evaluation_set,
        evaluator.cells,
        problem.shares,
        evaluator.metric,
        baseline.predicted,
    )
