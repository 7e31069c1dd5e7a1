"""A convex proxy of any estimator: what weights do to a linear model of the same data."""

import copy
from dataclasses import replace

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from skbadr._rows import weight_unit
from skbadr._simplex import log_coordinates
from skbadr.lower_level import RefitLowerLevel
from skbadr.metrics import EvaluationSet
from skbadr.problem import Evaluator, SmoothProblem
from skbadr.problem.evaluator import Fold
from skbadr.result import Archive
from skbadr.solvers.exploration import ExploringSearch
from skbadr.solvers.features import encode_features
from skbadr.solvers.starts import tilts
from skbadr.solvers.surrogate import encoding_of, is_usable
from skbadr.solvers.trials import Trials

MAX_ROWS = 8_000
# Where every trial needs a pass over the rows.
MAX_ROWS_SLOW = 2_000
# Rows of a cell that are kept where the others are thinned out.
MIN_CELL_ROWS = 100
N_ANCHORS = 6


class ProxyGuide:
    """Predict refits by what the same weights change in a linear model.

    The proxy is a logistic or ridge regression on at most some thousand rows, numerically
    encoded, and solved as a smooth lower level: a search like the implicit solver's visits its
    best weights, and linearised scores around these predict the proxy everywhere. The
    differences to the proxy's own baseline model are added to the estimator's.

    Parameters
    ----------
    smooth : SmoothProblem
        Of the proxy.
    baseline : Evaluation
        Of the user's baseline estimator.
    encoding : encoding of the user's statistics
    """

    def __init__(self, smooth, baseline, encoding):
        self.smooth, self.problem = smooth, smooth.problem
        self._search()
        self._encodings = encoding_of(self.problem.objective.metric, smooth.data), encoding
        statistics, score = self._raw(self.problem.shares[None])
        self._offset = encoding.encode(baseline.statistics[None])
        self._offset = self._offset - self._encodings[0].encode(statistics)
        self._score_offset = baseline.score - score[0]

    def _search(self):
        """Visit the proxy's own best weights, and linearise around the farthest of them."""
        problem = self.problem
        archive = Archive(problem.objective)
        search = ExploringSearch(self.smooth, archive, max_refits=24, tol=problem.tol)
        states, baseline = search.refit(problem.shares, [None], "baseline")
        best = search.run(states, baseline)
        if not problem.objective.is_met(best[1]):
            for weights in tilts(problem.cells, (1.0,)):
                begun, evaluation = search.refit(problem.project(weights), best[0], "tilt")
                search.run(begun, evaluation, radius=0.5, max_steps=6)
        visited = sorted(archive.evaluations, key=problem.objective.key)
        self._candidates = np.array([e.cell_weights for e in visited[:12]])
        anchors, trials = [problem.shares], [self._linearise(problem.shares, states)]
        for evaluation in visited:
            places = log_coordinates(np.array(anchors), problem.shares)
            here = log_coordinates(evaluation.cell_weights, problem.shares)
            if len(anchors) < N_ANCHORS and np.abs(places - here).max(axis=1).min() > 0.3:
                states = self.smooth.solve(evaluation.cell_weights, states, tol=1e-3)
                anchors.append(evaluation.cell_weights)
                trials.append(self._linearise(evaluation.cell_weights, states))
        self._places, self._trials = log_coordinates(np.array(anchors), problem.shares), trials

    def _linearise(self, weights, states):
        sensitivities, _ = self.smooth.sensitivities(states)
        return Trials(self.smooth, self.smooth.scores(states), sensitivities)

    def candidates(self):
        """Return the weights that the proxy itself prefers, of shape (m, K)."""
        return self._candidates

    def predict(self, weights):
        """Return predicted statistics, of shape (m, q), and scores of refits."""
        statistics, score = self._raw(weights)
        proxy, own = self._encodings
        moved = proxy.encode(statistics) + self._offset
        return own.decode(moved), score + self._score_offset

    def _raw(self, weights):
        """Return statistics and scores of the proxy, linearised around the nearest anchor."""
        places = log_coordinates(weights, self.problem.shares)
        distance = np.square(places[:, None] - self._places).sum(axis=2)
        nearest = distance.argmin(axis=1)
        statistics, score = None, np.empty(len(weights))
        for anchor in np.unique(nearest):
            rows = np.flatnonzero(nearest == anchor)
            moves = places[rows] - self._places[anchor]
            found, score[rows] = self._trials[anchor].statistics(moves)
            if statistics is None:
                statistics = np.empty((len(weights), found.shape[1]))
            statistics[rows] = found
        return statistics, score


def convex_proxy(problem, baseline):
    """Return the proxy guide of a problem, or None where it does not apply.

    Parameters
    ----------
    problem : BilevelProblem
    baseline : Evaluation
        Of the baseline estimator.
    """
    evaluator, objective = problem.evaluator, problem.objective
    metric = evaluator.metric
    if metric.slow or (evaluator.scoring is not None and objective.uses_score):
        return None
    if not is_usable(baseline):
        return None
    data, cells = _part(problem)
    fast = metric.uses_confusion and (data.classes is None or len(data.classes) == 2)
    rows = choose_rows(cells, MAX_ROWS if fast else MAX_ROWS_SLOW)
    if len(np.unique(cells.codes[rows])) < cells.n_cells:
        return None  # held-out rows that lack a cell
    try:
        smooth = _smooth_problem(problem, data.take(rows), _thinned(cells, rows), rows)
        if smooth is None:
            return None
        return ProxyGuide(smooth, baseline, encoding_of(metric, evaluator.evaluation_set))
    except (ValueError, TypeError, FloatingPointError, np.linalg.LinAlgError, MemoryError):
        return None  # guidance is optional


def _part(problem):
    """Return evaluation set and cells of the first fold's rows, with the weights of all rows."""
    evaluator = problem.evaluator
    data, cells = evaluator.evaluation_set, evaluator.cells
    if len(evaluator.folds) > 1:
        rows = np.arange(len(evaluator.folds[0].rows))
        data, cells = data.take(rows), cells.take(rows)
    return data, cells


def choose_rows(cells, most):
    """Return some rows of every cell, all of them where a cell is small.

    Parameters
    ----------
    cells : Cells
    most : int
        Number of rows, nearly.
    """
    positive = cells.ordered
    if len(positive) <= most:
        return np.sort(positive)
    kept = []
    for cell in range(cells.n_cells):
        rows = positive[cells.codes[positive] == cell]
        size = max(min(len(rows), MIN_CELL_ROWS), round(most * len(rows) / len(positive)))
        places = np.linspace(0, len(rows) - 1, size).round().astype(np.intp)
        kept.append(rows[places])
    return np.concatenate(kept)


def _thinned(cells, rows):
    """Return the cells of some rows, re-weighted so that each keeps its number of rows."""
    part = cells.take(rows)
    unit = weight_unit(cells.base_weight)
    factor = np.divide(cells.totals, part.totals, out=np.zeros(len(part.totals)),
                       where=part.totals > 0)  # fmt: skip
    weight = part.base_weight * factor[part.codes] / unit
    return replace(part, base_weight=weight, totals=cells.totals / unit)


def _smooth_problem(problem, data, cells, rows):
    """Return the smooth problem of a linear model on some rows, or None without features."""
    fold = problem.evaluator.folds[0]
    targets = data.y[:, None] if data.classes is None else np.eye(data.n_classes)[data.y]
    X = encode_features(fold.X_final, rows, targets.astype(float), cells.base_weight)
    if X is None:
        return None
    if len(rows) <= MAX_ROWS_SLOW:
        X = X.astype(float)  # which costs nothing here, and leaves nothing to rounding
    proxy_data = EvaluationSet(
        data.y, data.groups, data.classes, cells.base_weight, reference=data.reference
    )
    estimator, loss = Ridge(), "squared_error"
    y = data.y
    if data.classes is not None:
        estimator, loss, y = LogisticRegression(), "log_loss", data.classes[data.y]
    lower = RefitLowerLevel(estimator, X, y, cells, weighted=True, fit_params={})
    evaluator = Evaluator([Fold(lower, X)], proxy_data, cells, metric=problem.evaluator.metric,
                          loss=loss, score=problem.evaluator.score)  # fmt: skip
    proxy = copy.copy(problem)
    proxy.evaluator, proxy.cells, proxy.monitor = evaluator, cells, None
    return SmoothProblem(proxy, single=True)
