"""Exact metric and score of many linearised candidates at once."""

import copy
from functools import cached_property

import numpy as np
from scipy import sparse

from skbadr.metrics.joint_response import pick

# Rows on which far-reaching moves are compared where there are more.
COARSE_ROWS = 8_000
# Rows whose signs under all moves stay in the processor's cache.
CACHED_ROWS = 16_384
# Pairs of group and class from which sums by pair are a sparse product.
MANY_PAIRS = 64


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
            self._size = _sizes(self.sensitivities)
            weight = self._weight = _summable(self.data.sample_weight)
            self._pair = self.data.groups.codes * 2 + self.data.y
            self._rest, base = 0.0, smooth.evaluator.cells.base_weight
            if near is not None:
                rows, counts = near
                base = base[rows]
                self._weight = None if weight is None else self._weight[rows]
                self._pair = self._pair[rows]
                self._rest = counts - self._count()
            self._tables = self._count()
            self._near, self._step = near, max(1, np.count_nonzero(base) // COARSE_ROWS)

    def moved(self, move):
        """Return the trials around a point moved by `move`."""
        other = copy.copy(self)
        moved = self.sensitivities @ move.astype(self.sensitivities.dtype)
        other.scores = self.scores + moved.astype(self.scores.dtype, copy=False)
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
        metric : ndarray of shape (T,) or (T, n_parts)
            As of `FairnessMetric.search_values`.
        score : ndarray of shape (T,)
        """
        if not self.fast:
            return self._each(moves)
        return self._judge(self._move_tables(moves, coarse))

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

    def linear(self, length):
        """Return a function of moves that gives their metric and score, counts moving linearly.

        What counts move per log weight is taken from moves of this length; what many moves do is
        then known at next to no cost, and without the noise of single rows.
        """
        steps = length * np.eye(self.sensitivities.shape[-1])
        ahead, behind = np.split(self._move_tables(np.concatenate([steps, -steps])), 2)
        slopes = (ahead - behind) / (2.0 * length)

        def judge(moves):
            return self._judge(np.maximum(self._tables + np.tensordot(moves, slopes, axes=1), 0.0))

        return judge

    def _count(self):
        kind, size = 2 * self._pair + (self.scores > 0), 4 * self.data.n_groups
        counts = np.bincount(kind, weights=self._weight, minlength=size).astype(float)
        return counts.reshape(-1, 2, 2) + self._rest

    @cached_property
    def _coarse(self):
        """Every so many of the rows."""
        cells = self.smooth.evaluator.cells
        if self._near is not None:
            cells = cells.take(self._near[0])
        return cells.by_cell[:: self._step]

    def _move_tables(self, moves, coarse=False):
        moves, step, some = moves.astype(np.float32), 1, slice(None)
        if coarse and self._step > 1:
            step, some = self._step, self._coarse
        scores, moving, pair = self.scores[some], self.sensitivities[some], self._pair[some]
        # A cheap bound first.
        longest = np.abs(moves).max(axis=0)
        near = np.flatnonzero(np.abs(scores) <= self._size[some] * longest.max())
        reach = np.abs(moving.take(near, axis=0)) @ longest
        near = near[np.abs(scores[near]) <= reach]
        change = np.zeros((len(moves), 2 * self.data.n_groups))
        for start in range(0, len(near), CACHED_ROWS):
            rows = near[start : start + CACHED_ROWS]
            own = scores[rows]
            changed = moves @ moving.take(rows, axis=0).T
            changed = (changed + own > 0).astype(np.float32)
            changed -= own > 0
            # Both matrices are in units of one row's weight: sums of a few thousand are exact.
            weight = np.float32(1.0) if self._weight is None else self._weight[some][rows]
            change += _sums_by_pair(changed, pair[rows], weight, change.shape[1])
        change = (step * change).reshape(len(moves), -1, 2)
        tables = np.repeat(self._tables[None], len(moves), axis=0)
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


def near_trials(smooth, states, radius, sample=None, directions=None):
    """Return `Trials` of the rows alone whose sign moves within a radius may change.

    Parameters
    ----------
    smooth : SmoothProblem
        Of one fold, evaluated on its training rows, that `counts_signs`.
    states : list of LinearState
    radius : float
        Largest change of a log weight.
    sample : SmoothProblem or None, default=None
        Rows that stand for all in the derivatives of the parameters.
    directions : ndarray of shape (K, D) or None, default=None
        Those of the moves; None: any.

    Returns
    -------
    trials : Trials
    parameters : list of ndarray of shape (p, m, K) or (p, m, D)
        Derivatives of the parameters in the log weights, or along the directions.
    """
    level, state = smooth.levels[0], states[0]
    if sample is None:
        moved = level.sensitivities(state, exact=False)
        moved = moved if directions is None else moved @ directions
    else:
        moved, _ = _derivatives(sample, state, directions)
    sensitivities = level.forward(moved[:, 0])
    scores = smooth.scores(states)
    rows = np.flatnonzero(np.abs(scores[:, 0]) <= radius * _sizes(sensitivities))
    own = sensitivities.take(rows, axis=0)[:, None]
    return Trials(smooth, scores[rows], own, (rows, _confusion(smooth, scores))), [moved]


def sampled_trials(smooth, states, sample, directions=None):
    """Return `Trials` of a sample of the rows, which count from where all rows are.

    What a move changes is then known but for the chance of the rows that it moves across.

    Parameters
    ----------
    smooth : SmoothProblem
        Of one fold, evaluated on its training rows, that `counts_signs`.
    states : list of LinearState
    sample : SmoothProblem
        Of rows that stand for all.
    directions : ndarray of shape (K, D) or None, default=None
        Those of the moves; None: any.

    Returns
    -------
    trials : Trials
    parameters : list of ndarray of shape (p, m, K) or (p, m, D)
        Derivatives of the parameters in the log weights, by the sample, or along the directions.
    """
    level, counts = sample.levels[0], _confusion(smooth, smooth.scores(states))
    moved, own = _derivatives(sample, states[0], directions)
    sensitivities = level.forward(moved[:, 0])[:, None]
    return Trials(sample, own.scores, sensitivities, (np.arange(level.n), counts)), [moved]


def _derivatives(sample, state, directions):
    """Return derivatives of the parameters by a sample's rows, and the state on these."""
    level = sample.levels[0]
    own = level.state_at(state.cell_weights, state.coef)
    moved = level.sensitivities(own)
    return moved if directions is None else moved @ directions, own


def _confusion(smooth, scores):
    return smooth.data.confusion((scores[:, 0] > 0).astype(np.intp))


def _sizes(sensitivities):
    """Return how far a score moves at most where no log weight changes by more than 1."""
    ones, sizes = np.ones(sensitivities.shape[1], sensitivities.dtype), []
    for start in range(0, len(sensitivities), CACHED_ROWS):
        sizes.append(np.abs(sensitivities[start : start + CACHED_ROWS]) @ ones)
    return np.concatenate(sizes) if sizes else sensitivities.sum(axis=1)


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
