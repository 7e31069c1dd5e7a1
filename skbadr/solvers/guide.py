"""Free predictions of what a refit will do, from the baseline model's scores alone."""

import numpy as np

from skbadr.partition import settled
from skbadr.solvers.surrogate import is_usable


class ScoreShiftGuide:
    """Predict confusion matrices by shifting the baseline model's log odds.

    Weighting the classes of group g by ``exp(theta_gc)`` moves the log probabilities of a
    calibrated model by ``theta_gc``; a refit at weights lam is therefore close to the baseline
    model with ``log p_c + log(lam_gc / share_gc)`` as scores. For two classes the shift is a
    threshold, and sorted scores give the matrices of any number of candidates in
    O(K log n) each.

    Parameters
    ----------
    evaluation_set : EvaluationSet
    cells : Cells
        Of the training rows, one cell per group and class.
    proba : ndarray of shape (n, C)
        Probabilities of the baseline model.
    max_rows : int, default=5000
        For more than two classes, rows used at most.
    rows : ndarray of shape (m,) or None, default=None
        Rows of positive weight, of which then every so many are used; None: as they come.
    scores_of_tables : callable ``(tables of shape (T, G, C, C)) -> scores`` or None, default=None
        None: accuracies.

    References
    ----------
    Elkan (2001), "The foundations of cost-sensitive learning", IJCAI, theorem 2 (how class
    weights move the decision threshold).
    """

    def __init__(
        self, evaluation_set, cells, proba, *, max_rows=5000, rows=None, scores_of_tables=None
    ):
        self.data = evaluation_set
        self._scores_of_tables = scores_of_tables or _accuracies
        self.n_groups, self.n_classes = evaluation_set.n_groups, evaluation_set.n_classes
        self._cell_of = np.full((self.n_groups, self.n_classes), -1)
        self._cell_of[cells.group_of_cell, cells.target_of_cell] = np.arange(cells.n_cells)
        self.shares = cells.shares
        weight = evaluation_set.sample_weight
        weight = np.ones(len(proba)) if weight is None else weight
        # Thresholds may lie exactly at what leaves of trees predict.
        logs = settled(np.log(np.clip(proba, 1e-12, 1.0)), 1.0)
        if self.n_classes == 2:
            self._sort(logs[:, 1] - logs[:, 0], weight)
        else:
            rows = np.flatnonzero(weight) if rows is None else rows
            step = max(1, len(rows) // max_rows)
            self._rows = rows[::step]
            self._logs, self._weight = logs[self._rows], weight[self._rows] * step

    def _sort(self, scores, weight):
        pair = self.data.groups.codes * 2 + self.data.y
        order = np.lexsort((scores, pair))
        edges = np.searchsorted(pair[order], np.arange(2 * self.n_groups + 1))
        self._sorted = []
        for start, stop in zip(edges[:-1], edges[1:], strict=True):
            rows = order[start:stop]
            below = np.concatenate([[0.0], np.cumsum(weight[rows])])
            self._sorted.append((scores[rows], settled(below, below[-1])))

    def confusion(self, weights):
        """Return predicted tables of shape (m, n_groups, n_classes, n_classes)."""
        theta = settled(np.log(np.maximum(weights, 1e-300) / self.shares), 1.0)
        # A class that a group lacks is not re-weighted there.
        shift = np.where(self._cell_of >= 0, theta[:, self._cell_of], 0.0)
        if self.n_classes == 2:
            return self._binary(shift[:, :, 0] - shift[:, :, 1])
        tables = np.empty((len(weights), self.n_groups, self.n_classes, self.n_classes))
        codes = self.data.groups.codes[self._rows]
        base = (codes * self.n_classes + self.data.y[self._rows]) * self.n_classes
        for i, row in enumerate(shift):
            predicted = np.argmax(self._logs + row[codes], axis=1)
            counts = np.bincount(base + predicted, self._weight, minlength=tables[i].size)
            tables[i] = counts.reshape(tables[i].shape)
        return tables

    def _binary(self, thresholds):
        tables = np.empty((len(thresholds), self.n_groups, 2, 2))
        for pair, (scores, below) in enumerate(self._sorted):
            group, target = divmod(pair, 2)
            negative = below[np.searchsorted(scores, thresholds[:, group], side="right")]
            tables[:, group, target, 0] = negative
            tables[:, group, target, 1] = below[-1] - negative
        return tables

    def predict(self, weights):
        """Return predicted statistics of a confusion-based metric, and accuracies.

        Parameters
        ----------
        weights : ndarray of shape (m, K)

        Returns
        -------
        statistics : ndarray of shape (m, n_groups * n_classes**2)
        score : ndarray of shape (m,)
        """
        tables = self.confusion(weights)
        return tables.reshape(len(weights), -1), self._scores_of_tables(tables)

    def candidates(self):
        """Return weights worth a look, of shape (m, K): none of its own."""
        return np.empty((0, len(self.shares)))


def _accuracies(tables):
    return np.einsum("mgcc->m", tables) / tables.sum(axis=(1, 2, 3))


def re_weighs_targets(problem, baseline):
    """Whether what weights do to the baseline model's own responses can be told from these alone.

    They must be known, weights must differ by target, and the score be that of predictions.
    """
    cells, evaluator = problem.cells, problem.evaluator
    return cells.target_of_cell is not None and evaluator.scoring is None and is_usable(baseline)


def score_shift(problem, baseline):
    """Return the score-shift guide of a problem, or None where it does not apply.

    Parameters
    ----------
    problem : BilevelProblem
    baseline : Evaluation
        Of the baseline estimator, with its probabilities.
    """
    evaluator = problem.evaluator
    known = baseline.proba is not None and evaluator.metric.uses_confusion
    if not known or not re_weighs_targets(problem, baseline):
        return None
    rows = evaluator.cells.ordered
    return ScoreShiftGuide(
        evaluator.evaluation_set,
        problem.cells,
        baseline.proba,
        rows=rows,
        scores_of_tables=evaluator.scores_of_tables,
    )
