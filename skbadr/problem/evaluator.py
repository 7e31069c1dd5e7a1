"""Evaluation of one point: refit, predict, measure. Runs in worker processes."""

import time

import numpy as np
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit, check_cv

from skbadr._sklearn import _safe_indexing
from skbadr._warnings import record_warnings
from skbadr.losses import LOSSES
from skbadr.metrics.responses import get_response
from skbadr.result import Evaluation


class Fold:
    """A lower level and the rows on which its models are evaluated."""

    def __init__(self, lower_level, X, rows=None):
        self.lower_level = lower_level
        self.rows = rows
        self.X = X if rows is None else _safe_indexing(X, rows)
        self.X_final = lower_level.transform(self.X, training=rows is None)


class Evaluator:
    """Evaluate weights: refit on every fold, pool the predictions, measure.

    Parameters
    ----------
    folds : list of Fold
        One fold of all rows for an upper level on the training data.
    evaluation_set : EvaluationSet
        Of the folds' evaluation rows, in their order.
    cells : Cells
        Of the same rows.
    metric : FairnessMetric
    loss : str
        Name of the loss of which cells' means are reported.
    scoring : callable or None
        Scorer; None: accuracy or negative mean squared error, from the predictions at hand.
    """

    def __init__(self, folds, evaluation_set, cells, *, metric, loss, scoring=None):
        self.folds, self.evaluation_set, self.cells = folds, evaluation_set, cells
        self.metric, self.loss, self.scoring = metric, loss, scoring
        self.methods = {metric.response_method, LOSSES[loss][1], "predict"}

    def __call__(self, cell_weights, origin="", iteration=0):
        """Return the `Evaluation` of one point; a failed refit is recorded, not raised."""
        evaluation = Evaluation(
            cell_weights,
            cell_losses=np.full(self.cells.n_cells, np.nan),
            origin=origin,
            iteration=iteration,
        )
        with record_warnings() as evaluation.warnings:
            try:
                self._fill(evaluation)
            except Exception as error:
                evaluation.error = error
        return evaluation

    def _fill(self, evaluation):
        evaluation.refit_time = 0.0
        parts, scores, masses = [], [], []
        for fold in self.folds:
            evaluation.n_refits += 1
            start = time.perf_counter()
            model = fold.lower_level.fit(evaluation.cell_weights)
            evaluation.refit_time += time.perf_counter() - start
            parts.append({name: self._respond(model, fold.X_final, name) for name in self.methods})
            if self.scoring is not None:
                estimator = fold.lower_level.assemble(model)
                rows = slice(None) if fold.rows is None else fold.rows
                score, mass = self.scoring(estimator, fold.X, rows)
                scores.append(score)
                masses.append(mass)
        if len(self.folds) == 1:
            responses = parts[0]
            evaluation.model = model if self.folds[0].rows is None else None
        else:
            responses = {
                name: np.concatenate([part[name] for part in parts]) for name in self.methods
            }
        self.measure(evaluation, responses)
        if self.scoring is not None:
            evaluation.score = float(np.average(scores, weights=masses))

    def measure(self, evaluation, responses):
        """Fill in what is measured from predictions, by response method."""
        data, cells = self.evaluation_set, self.cells
        loss, method, _ = LOSSES[self.loss]
        per_sample = loss(data.y, responses[method])
        sums = np.bincount(
            cells.codes, weights=per_sample * cells.base_weight, minlength=cells.n_cells
        )
        evaluation.cell_losses = np.divide(
            sums, cells.totals, out=np.full(cells.n_cells, np.nan), where=cells.totals > 0
        )
        predicted = responses["predict"]
        if evaluation.origin == "erm":
            evaluation.predicted = predicted
            evaluation.proba = responses.get("predict_proba")
        counted = predicted if data.sample_weight is None else predicted[data.sample_weight > 0]
        evaluation.constant = bool(np.all(counted == counted[0]))
        evaluation.score = self.default_score(predicted)
        response = responses[self.metric.response_method]
        evaluation.statistics = np.ravel(self.metric.statistics(data, response))
        evaluation.metric = float(self.metric.from_statistics(data, evaluation.statistics))

    def default_score(self, predicted):
        """Return accuracy of class codes, or negative mean squared error of real predictions."""
        data = self.evaluation_set
        if data.classes is None:
            return -float(np.average((data.y - predicted) ** 2, weights=data.sample_weight))
        return float(np.average(data.y == predicted, weights=data.sample_weight))

    def _respond(self, model, X, method):
        classes = self.evaluation_set.classes
        if classes is None:
            return get_response(model, X, method, "regression").astype(float).ravel()
        response = get_response(model, X, method, "classification")
        if method == "decision_function":
            return response
        if method == "predict":  # some classifiers return a column
            return encode_predictions(response.ravel(), classes)
        if response.shape[1] == len(classes):
            return response
        # A class that the training rows lack has probability 0.
        full = np.zeros((len(response), len(classes)), dtype=response.dtype)
        full[:, np.searchsorted(classes, model.classes_)] = response
        return full


def encode_predictions(predicted, classes):
    """Return class codes of predicted labels, all of which are in `classes` (sorted)."""
    if len(classes) == 2:  # one comparison, where strings would cost a search each
        return (predicted == classes[1]).astype(np.intp)
    return np.searchsorted(classes, predicted)


def make_folds(cv, X, y, cells, targets, *, random_state):
    """Split the samples for a held-out upper level.

    Parameters
    ----------
    cv : float, int or splitter or iterable of splits
        A float holds out that fraction once; an int makes that many folds; both are stratified
        by cell and class, and leave out samples of weight zero. A splitter is used as it is.
    X, y : data as the splitter expects them
    cells : Cells
    targets : ndarray of shape (n,) or None
        Class codes to stratify by; None for regression.
    random_state : int

    Returns
    -------
    folds : list of (train rows, evaluation rows)

    Raises
    ------
    ValueError
        If `cv` is out of range, names rows that do not exist, or leaves a fold empty.
    """
    rows = np.flatnonzero(cells.base_weight > 0)
    if isinstance(cv, (bool, np.bool_)):
        raise ValueError(f"cv must be None, a fraction, a number of folds or a splitter, got {cv}.")
    if isinstance(cv, (float, np.floating)):
        if not 0.0 < cv < 1.0:
            raise ValueError(f"cv as a fraction must lie strictly between 0 and 1, got {cv}.")
        splitter = StratifiedShuffleSplit(1, test_size=float(cv), random_state=random_state)
        n_rows = min(cv, 1 - cv) * len(rows)
        strata = _strata(cells, targets, rows, 2, most=max(1, int(n_rows)))
    elif isinstance(cv, (int, np.integer)):
        if not 2 <= cv <= len(rows):
            raise ValueError(
                f"cv as a number of folds must lie between 2 and the {len(rows)} samples, got {cv}."
            )
        splitter = StratifiedKFold(int(cv), shuffle=True, random_state=random_state)
        strata = _strata(cells, targets, rows, int(cv))
    else:
        checked = check_cv(cv, y, classifier=targets is not None)
        return _check_folds(list(checked.split(X, y)), cells)
    folds = [(rows[train], rows[test]) for train, test in splitter.split(strata, strata)]
    return _check_folds(folds, cells)


def _strata(cells, targets, rows, smallest, most=np.inf):
    """Cell and class of each row; strata too small or too many fall back to class, then to one."""
    fine = cells.codes[rows]
    coarse = np.zeros_like(fine)
    if targets is not None:
        coarse = targets[rows]
        fine = fine * (int(targets.max()) + 1) + coarse
    for strata in (_merge_small(fine, coarse, smallest), _merge_small(coarse, coarse, smallest)):
        if strata.max() < most:
            return strata
    return np.zeros_like(coarse)


def _merge_small(fine, coarse, smallest):
    strata = fine + coarse.max() + 2
    for fallback in (coarse + 1, np.zeros_like(coarse)):
        counts = np.bincount(strata)
        strata = np.where(counts[strata] < smallest, fallback, strata)
    counts = np.bincount(strata)
    if counts[0] and counts[0] < smallest:
        strata = np.where(strata == 0, np.argmax(counts), strata)
    return np.unique(strata, return_inverse=True)[1]


def _check_folds(folds, cells):
    n = len(cells.codes)
    folds = [tuple(map(_as_rows, fold)) for fold in folds]
    for rows in (rows for fold in folds for rows in fold):
        if len(rows) and not -n <= rows.min() <= rows.max() < n:
            raise ValueError(f"cv names row {rows.max()}, but there are {n} samples.")
    if not folds or any(not cells.base_weight[rows].any() for fold in folds for rows in fold):
        raise ValueError(
            "cv leaves a fold without training or evaluation samples of positive weight."
        )
    return folds


def _as_rows(rows):
    rows = np.asarray(rows)
    if rows.dtype == bool:
        return np.flatnonzero(rows)
    return rows if len(rows) else rows.astype(np.intp)
