"""Exact metric and score of many linearised candidates at once."""

import copy

import numpy as np

from skbadr.partition import settled

# Rows on which far-reaching moves are compared where there are more.
COARSE_ROWS = 8_000


class Trials:
    """Evaluate ``scores + sensitivities @ d`` for many small moves d of the log weights.

    For two classes and metrics of confusion matrices only the rows whose sign some move can
    change are looked at, by two matrix products for all moves together.

    Parameters
    ----------
    smooth : SmoothProblem
    scores : ndarray of shape (n, m)
        Of the evaluated rows, at the current weights.
    sensitivities : ndarray of shape (n, m, K)
    """

    def __init__(self, smooth, scores, sensitivities):
        self.smooth, self.data, self.metric = smooth, smooth.data, smooth.evaluator.metric
        self.fast = self.metric.uses_confusion and self.data.n_classes == 2 and scores.shape[1] == 1
        self.scores, self.sensitivities = scores, sensitivities
        if self.fast:
            self.scores = scores[:, 0].astype(np.float32)
            self.sensitivities = sensitivities[:, 0].astype(np.float32)
            self._tables = self._count()
            self._weight = _summable(self.data.sample_weight)
            self._pair = self.data.groups.codes * 2 + self.data.y
            self._step = max(1, len(scores) // COARSE_ROWS)

    def moved(self, move):
        """Return the trials around a point moved by `move`."""
        other = copy.copy(self)
        other.scores = self.scores + (self.sensitivities @ move).astype(self.scores.dtype)
        if self.fast:
            other._tables = other._count()
        return other

    def __call__(self, moves, *, coarse=False):
        """Return metric and score of each move.

        Parameters
        ----------
        moves : ndarray of shape (T, K)
        coarse : bool, default=False
            Whether differences to the current point may be estimated on some of the rows.

        Returns
        -------
        metric, score : ndarray of shape (T,)
        """
        if not self.fast:
            return self._each(moves)
        return self._judge(self._move_tables(moves, self._step if coarse else 1))

    def statistics(self, moves):
        """Return the metric's statistics, of shape (T, q), and the score of each move."""
        if self.fast:
            tables = self._move_tables(moves, 1)
            return tables.reshape(len(moves), -1), _accuracy(tables)
        statistics, score = [], np.empty(len(moves))
        for i, response, value in self._responses(moves):
            score[i] = value
            statistics.append(np.ravel(self.metric.statistics(self.data, response)))
        return np.array(statistics), score

    def _count(self):
        return self.data.confusion((self.scores > 0).astype(np.intp))

    def _move_tables(self, moves, step):
        moves = moves.astype(np.float32)
        scores, moving = self.scores[::step], self.sensitivities[::step]
        reach = np.abs(moving) @ np.abs(moves).max(axis=0)
        rows = np.flatnonzero(np.abs(scores) <= reach)
        pair = self._pair[::step][rows]
        positive = moves @ moving[rows].T
        positive += scores[rows]
        changed = (positive > 0).astype(np.float32)
        changed -= scores[rows] > 0
        # Both matrices are in units of one row's weight: sums of a few thousand are exact.
        weight = np.float32(1.0) if self._weight is None else self._weight[::step][rows]
        indicator = np.zeros((len(rows), 2 * self.data.n_groups), dtype=weight.dtype)
        indicator[np.arange(len(rows)), pair] = weight
        change = (step * (changed @ indicator).astype(float)).reshape(len(moves), -1, 2)
        if indicator.dtype == float:
            change = settled(change, self._tables.sum(axis=2))
        tables = np.repeat(self._tables[None], len(moves), axis=0)
        tables[..., 1] += change
        tables[..., 0] -= change
        np.maximum(tables, 0.0, out=tables)
        return tables

    def _judge(self, tables):
        metric = self.metric.from_many_statistics(self.data, tables.reshape(len(tables), -1))
        return metric, _accuracy(tables)

    def _each(self, moves):
        metric, score = np.empty(len(moves)), np.empty(len(moves))
        for i, response, score[i] in self._responses(moves):
            metric[i] = self.metric.value(self.data, response)
        return metric, score

    def _responses(self, moves):
        """Yield number, the metric's response and score of each move."""
        for i, move in enumerate(moves):
            scores = self.scores + self.sensitivities @ move
            responses = self.smooth.responses(scores, {self.metric.response_method})
            score = self.smooth.evaluator.default_score(responses["predict"])
            yield i, responses[self.metric.response_method], score


def _summable(weight):
    """Return weights in single precision where sums of some thousands are exact, else in double."""
    if weight is None:
        return None
    single = weight.astype(np.float32)
    return single if np.array_equal(np.round(weight), weight) else weight.astype(float)


def _accuracy(tables):
    right = tables[..., 0, 0].sum(axis=1) + tables[..., 1, 1].sum(axis=1)
    return right / tables.sum(axis=(1, 2, 3))
