"""Evaluation of one point: refit, predict, measure. Runs in worker processes."""

import time
import warnings

import numpy as np
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit, check_cv

from skbadr._sklearn import _safe_indexing
from skbadr.losses import LOSSES
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
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                self._fill(evaluation)
            except Exception as error:
                evaluation.error = error
        seen = {(str(w.message), w.category) for w in caught}
        evaluation.warnings = sorted(seen, key=lambda pair: pair[0])
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
        self._measure(evaluation, responses)
        if self.scoring is not None:
            evaluation.score = float(np.average(scores, weights=masses))

    def _measure(self, evaluation, responses):
        data, cells = self.evaluation_set, self.cells
        loss, method, _ = LOSSES[self.loss]
        per_sample = loss(data.y, responses[method])
        sums = np.bincount(
            cells.codes, weights=per_sample * cells.base_weight, minlength=cells.n_cells
        )
        evaluation.cell_losses = np.divide(
            sums, cells.totals, out=np.full(cells.n_cells, np.nan), where=cells.totals > 0
        )
        if evaluation.origin == "erm" and data.classes is not None:
            evaluation.proba = responses.get("predict_proba")
        predicted = responses["predict"]
        evaluation.constant = bool(np.all(predicted == predicted[0]))
        if data.classes is None:
            evaluation.score = -float(
                np.average((data.y - predicted) ** 2, weights=data.sample_weight)
            )
        else:
            evaluation.score = float(np.average(data.y == predicted, weights=data.sample_weight))
        response = responses[self.metric.response_method]
        evaluation.statistics = np.ravel(self.metric.statistics(data, response))
        evaluation.metric = float(self.metric.from_statistics(data, evaluation.statistics))

    def _respond(self, model, X, method):
        response = np.asarray(getattr(model, method)(X))
        classes = self.evaluation_set.classes
        if classes is None:
            return response.astype(float).ravel()
        if method == "predict":
            return encode_predictions(response, classes)
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
        If `cv` is out of range, or evaluation rows overlap or are missing.
    """
    rows = np.flatnonzero(cells.base_weight > 0)
    if isinstance(cv, (bool, np.bool_)):
        raise ValueError(f"cv must be None, a fraction, a number of folds or a splitter, got {cv}.")
    if isinstance(cv, (float, np.floating)):
        if not 0.0 < cv < 1.0:
            raise ValueError(f"cv as a fraction must lie strictly between 0 and 1, got {cv}.")
        splitter = StratifiedShuffleSplit(1, test_size=float(cv), random_state=random_state)
        strata = _strata(cells, targets, rows, 2)
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


def _strata(cells, targets, rows, smallest):
    """Cell and class of each row; strata too small to split fall back to class, then to one."""
    codes = cells.codes[rows]
    if targets is None:
        return _merge_small(codes, np.zeros_like(codes), smallest)
    n_classes = int(targets.max()) + 1
    return _merge_small(codes * n_classes + targets[rows], targets[rows], smallest)


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
    folds = [tuple(np.flatnonzero(r) if np.asarray(r).dtype == bool else np.asarray(r)
                   for r in fold) for fold in folds]  # fmt: skip
    if not folds or any(len(train) == 0 or len(test) == 0 for train, test in folds):
        raise ValueError("cv leaves a fold without training or evaluation samples.")
    times = np.bincount(np.concatenate([test for _, test in folds]), minlength=n)
    if len(times) > n:
        raise ValueError(f"cv names row {len(times) - 1}, but there are {n} samples.")
    return folds
