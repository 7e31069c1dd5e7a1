"""Exact metric and score of many linearised candidates at once."""

import numpy as np
from scipy import sparse

from skbadr._rows import steps
from skbadr.metrics.inputs.responses import pick

# Rows whose signs under all moves stay in the processor's cache.
CACHED_ROWS = 2_048
# Pairs of group and class from which sums by pair are a sparse product.
MANY_PAIRS = 64


class CandidateMoves:
    """Evaluate ``scores + sensitivities @ d`` for many small moves d of the log weights.

    For two classes and metrics of confusion matrices only the rows whose sign some move can
    change are looked at, by two matrix products for all moves together.

    Parameters
    ----------
    smooth : SmoothProblem
    scores : ndarray of shape (n, m)
        Of the evaluated rows, at the current weights.
    sensitivities : ndarray of shape (n, m, K)
    near : tuple (rows, counts) or None, default=None
        Where the arrays are of some rows: which, no other changing sign within the moves of
        interest, and the confusion matrices of all rows. Only where `counts_signs`.
    """

    def __init__(self, smooth, scores, sensitivities, near=None):
        self.smooth, self.data, self.metric = smooth, smooth.data, smooth.evaluator.metric
        self.fast = counts_signs(smooth)
        self.scores, self.sensitivities = scores, sensitivities
        if self.fast:
            self.scores = scores[:, 0].astype(np.float32, copy=False)
            self.sensitivities = sensitivities[:, 0].astype(np.float32, copy=False)
            self._sizes = np.abs(self.sensitivities)
            weight = self._weight = _summable(self.data.sample_weight)
            self._pair = self.data.groups.codes * 2 + self.data.y
            self._rest = 0.0
            if near is not None:
                rows, counts = near
                self._weight = None if weight is None else self._weight[rows]
                self._pair = self._pair[rows]
                self._rest = counts - self._count()

    def __call__(self, moves):
        """Return metric and score of each move.

        Parameters
        ----------
        moves : ndarray of shape (T, K)

        Returns
        -------
        metric : ndarray of shape (T,) or (T, n_parts)
            As of `FairnessMetric.search_values`.
        score : ndarray of shape (T,)
        """
        if not self.fast:
            return self._each(moves)
        return self._judge(self._move_tables(moves))

    def statistics(self, moves):
        """Return the metric's statistics, of shape (T, q), and the score of each move."""
        if self.fast:
            tables = self._move_tables(moves)
            return tables.reshape(len(moves), -1), self.smooth.evaluator.scores_of_tables(tables)
        statistics, score = [], np.empty(len(moves))
        for i, response, value in self._responses(moves):
            score[i] = value
            statistics.append(np.ravel(self.metric.statistics(self.data, response)))
        return np.array(statistics), score

    def _count(self, positive=None, rows=slice(None)):
        """Return the confusion matrices, of shape (G, 2, 2), of (some) rows as they are."""
        positive = self.scores > 0 if positive is None else positive
        weight = None if self._weight is None else self._weight[rows]
        kind, size = 2 * self._pair[rows] + positive, 4 * self.data.n_groups
        counts = np.bincount(kind, weights=weight, minlength=size)
        return counts.astype(float).reshape(-1, 2, 2)

    def _move_tables(self, moves):
        moves = moves.astype(np.float32)
        # Moves that are near each other change few rows that their centre does not.
        low, high = moves.min(axis=0), moves.max(axis=0)
        centre = np.float32(0.5) * (low + high)
        moved = self.scores + self.sensitivities @ centre
        reach = self._sizes @ np.maximum(high - centre, centre - low)
        tables = self._count(moved > 0) + self._rest
        near = np.flatnonzero(np.abs(moved) <= reach)
        positive = np.zeros((len(moves), 2 * self.data.n_groups))
        for start in range(0, len(near), CACHED_ROWS):
            rows = near[start : start + CACHED_ROWS]
            changed = (moves - centre) @ self.sensitivities.take(rows, axis=0).T
            changed += moved[rows]
            # Both matrices are in units of one row's weight: sums of a few thousand are exact.
            weight = np.float32(1.0) if self._weight is None else self._weight[rows]
            signs, own = (changed > 0).astype(np.float32), self._pair[rows]
            positive += _sums_by_pair(signs, own, weight, positive.shape[1])
        change = positive.reshape(len(moves), -1, 2) - self._count(moved[near] > 0, near)[..., 1]
        tables = np.repeat(tables[None], len(moves), axis=0)
        tables[..., 1] += change
        tables[..., 0] -= change
        np.maximum(tables, 0.0, out=tables)
        return tables

    def _judge(self, tables):
        metric = self.metric.search_values(self.data, tables.reshape(len(tables), -1))
        return metric, self.smooth.evaluator.scores_of_tables(tables)

    def _each(self, moves):
        if self.metric.prices is not None:
            statistics, score = self.statistics(moves)
            return self.metric.search_values(self.data, statistics), score
        metric, score = np.empty(len(moves)), np.empty(len(moves))
        for i, response, score[i] in self._responses(moves):
            metric[i] = self.metric.value(self.data, response)
        return metric, score

    def _responses(self, moves):
        """Yield number, the metric's response and score of each move."""
        for i, move in enumerate(moves):
            scores = self.scores + self.sensitivities @ move
            responses = self.smooth.responses(scores, set(self.metric.response_methods))
            score = self.smooth.evaluator.default_score(responses["predict"])
            yield i, pick(self.metric, responses), score


def counts_signs(smooth):
    """Whether a problem's metric is a function of how many scores are positive, by group and class.

    For two classes and one score.
    """
    data = smooth.data
    return (
        smooth.evaluator.metric.uses_confusion and data.n_classes == 2 and smooth.levels[0].m == 1
    )


def near_moves(smooth, states, radius, directions=None):
    """Return `CandidateMoves` of the rows alone whose sign moves within a radius may change.

    Parameters
    ----------
    smooth : SmoothProblem
        Of one fold, evaluated on its training rows, that `counts_signs`.
    states : list of LinearState
    radius : float
        Largest change of a log weight.
    directions : ndarray of shape (K, D) or None, default=None
        Those of the moves; None: any.

    Returns
    -------
    moves : CandidateMoves
    parameters : list of ndarray of shape (p, m, K) or (p, m, D)
        Derivatives of the parameters in the log weights, or along the directions.
    """
    level, state = smooth.levels[0], states[0]
    moved = level.sensitivities(state, exact=False)
    moved = moved if directions is None else moved @ directions
    sensitivities = level.forward(moved[:, 0])
    scores = smooth.scores(states)
    rows = np.flatnonzero(np.abs(scores[:, 0]) <= radius * _sizes(sensitivities))
    own = sensitivities.take(rows, axis=0)[:, None]
    return CandidateMoves(smooth, scores[rows], own, (rows, _confusion(smooth, scores))), [moved]


def _confusion(smooth, scores):
    return smooth.data.confusion((scores[:, 0] > 0).astype(np.intp))


def _sums_by_pair(values, pair, weight, n_pairs):
    """Return the weighted sums of columns of values by the pair of each, of shape (T, n_pairs)."""
    if n_pairs > MANY_PAIRS:  # where most of a dense indicator would be zeros
        weight = np.broadcast_to(weight, len(pair))
        indicator = (weight, pair, np.arange(len(pair) + 1))
        shape = (len(pair), n_pairs)
        return (sparse.csr_array(indicator, shape=shape).T @ values.T).T
    indicator = np.zeros((len(pair), n_pairs), dtype=weight.dtype)
    indicator[np.arange(len(pair)), pair] = weight
    return values @ indicator


def _summable(weight):
    """Return weights in single precision where sums of some thousands are exact, else in double."""
    if weight is None:
        return None
    single = weight.astype(np.float32)
    return single if np.array_equal(np.round(weight), weight) else weight.astype(float)


def _sizes(sensitivities):
    """Return how far a score moves at most where no log weight changes by more than 1."""
    ones, sizes = np.ones(sensitivities.shape[1], sensitivities.dtype), []
    for rows in steps(len(sensitivities)):
        sizes.append(np.abs(sensitivities[rows]) @ ones)
    return np.concatenate(sizes)
