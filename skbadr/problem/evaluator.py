"""Evaluation of one point: refit, predict, measure. Runs in worker processes."""

import time
from functools import partial

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit, check_cv

from skbadr._sklearn import _safe_indexing
from skbadr._warnings import record_warnings, warn_user
from skbadr.losses import LOSSES
from skbadr.lower_level import is_dask_array, release, respond_on_blocks
from skbadr.metrics.responses import get_response, predicts_likeliest
from skbadr.partition import settled
from skbadr.result import Evaluation

# By how much the score of a class that cannot be predicted falls short, as log(eps) does.
NEVER = 36.0


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
    family : LinearFamily or None
        Of a classifier whose predictions are known functions of its decision function, which is
        then all that is asked of it.
    """

    def __init__(self, folds, evaluation_set, cells, *, metric, loss, scoring=None, family=None):
        self.folds, self.evaluation_set, self.cells = folds, evaluation_set, cells
        self.metric, self.loss, self.scoring, self.family = metric, loss, scoring, family
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
            parts.append(self._responses(model, fold.X_final))
            release(fold.X_final)
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

    def measure(self, evaluation, responses, value=None, losses=None):
        """Fill in what is measured from predictions, by response method.

        `value` is the metric's, and `losses` are the samples', where these are known already.
        """
        data, cells = self.evaluation_set, self.cells
        if losses is None:
            loss, method, _ = LOSSES[self.loss]
            losses = loss(data.y, responses[method])
        sums = np.bincount(cells.codes, weights=losses * cells.base_weight, minlength=cells.n_cells)
        evaluation.cell_losses = np.divide(
            sums, cells.totals, out=np.full(cells.n_cells, np.nan), where=cells.totals > 0
        )
        evaluation.losses_by_group = data.group_means(losses)
        predicted = responses["predict"]
        if evaluation.origin == "erm":
            evaluation.predicted = predicted
            evaluation.proba = responses.get("predict_proba")
        counted = predicted if data.sample_weight is None else predicted[data.sample_weight > 0]
        evaluation.constant = bool(np.all(counted == counted[0]))
        evaluation.score = self.default_score(predicted)
        if value is not None:
            evaluation.metric = value
            return
        response = responses[self.metric.response_method]
        statistics = np.ravel(self.metric.statistics(data, response))
        if self.metric.slow and data.sample_weight is not None:  # of sums of weights maybe
            statistics = settled(statistics, np.maximum(np.abs(statistics), 1.0))
        evaluation.statistics = statistics
        evaluation.metric = float(self.metric.from_statistics(data, evaluation.statistics))

    def default_score(self, predicted):
        """Return accuracy of class codes, or negative mean squared error of real predictions."""
        data = self.evaluation_set
        if data.classes is None:
            return -float(np.average((data.y - predicted) ** 2, weights=data.sample_weight))
        if data.sample_weight is None:
            return float(np.mean(data.y == predicted))
        return float(settled(np.average(data.y == predicted, weights=data.sample_weight), 1.0))

    def response_of(self, model):
        """Return what the metric takes of a model, on the rows of the first fold."""
        return self._responses(model, self.folds[0].X_final)[self.metric.response_method]

    def _responses(self, model, X):
        """Return the response of each method; an own `predict_proba` where the metric takes it."""
        classes = self.evaluation_set.classes
        own = self.metric.response_method == "predict_proba" or classes is None
        if self.family is None or own or len(model.classes_) < len(classes):
            # Trees predict twice otherwise, which takes a large part of the time of a fit.
            known = "predict_proba" in self.methods and predicts_likeliest(model)
            asked = self.methods - {"predict"} if known else self.methods
            responses = {name: self._respond(model, X, name) for name in asked}
            if known:
                responses["predict"] = responses["predict_proba"].argmax(axis=1)
            return responses
        scores = self._respond(model, X, "decision_function")
        columns = scores.reshape(len(scores), -1)
        responses = {"predict": self.family.predict(columns), "decision_function": scores}
        if "predict_proba" in self.methods:
            responses["predict_proba"] = self.family.predict_proba(columns)
        return responses

    def _respond(self, model, X, method):
        classes = self.evaluation_set.classes
        if is_dask_array(X):
            task = self.evaluation_set.task
            respond = partial(get_response, response_method=method, task=task)
            response = respond_on_blocks(model, X, respond)
        elif classes is None:
            response = get_response(model, X, method, "regression")
        else:
            response = get_response(model, X, method, "classification")
        _check_defined(response, model, method)
        if classes is None:
            return response.astype(float).ravel()
        if method == "decision_function":
            return _with_every_class(response, model, classes)
        if method == "predict":  # some classifiers return a column
            return encode_predictions(response.ravel(), classes)
        if response.shape[1] == len(classes):
            return response
        # A class that the training rows lack has probability 0.
        full = np.zeros((len(response), len(classes)), dtype=response.dtype)
        full[:, np.searchsorted(classes, model.classes_)] = response
        return full


def _check_defined(response, model, method):
    """Refuse predictions that mean nothing: they are no other class, and no small error either.

    Raises
    ------
    ValueError
        Saying how many there are.
    """
    if response.dtype.kind != "f":
        return
    # Infinite scores have a sign, infinite predictions no use.
    undefined = ~np.isfinite(response) if method == "predict" else np.isnan(response)
    undefined = undefined.reshape(len(response), -1).any(axis=1)
    if undefined.any():
        raise ValueError(
            f"{method} of {type(model).__name__} is not finite for {int(undefined.sum())} of "
            f"{len(response)} samples."
        )


def _with_every_class(scores, model, classes):
    """Return decision functions of all classes where the training rows lacked some.

    A missing class gets a score as far below the largest one as probability 0 lies below 1 in
    floats.
    """
    known = getattr(model, "classes_", classes)
    if len(known) == len(classes):
        return scores
    if scores.ndim == 1:  # log odds of two classes
        scores = np.column_stack([-0.5 * scores, 0.5 * scores])
    full = np.repeat(scores.max(axis=1)[:, None] - NEVER, len(classes), axis=1)
    full[:, np.searchsorted(classes, known)] = scores
    return full[:, 1] - full[:, 0] if len(classes) == 2 else full


def encode_predictions(predicted, classes):
    """Return class codes of predicted labels, all of which are in `classes` (sorted)."""
    if len(classes) == 2:  # one comparison, where strings would cost a search each
        return (predicted == classes[1]).astype(np.intp)
    return np.searchsorted(classes, predicted)


def make_folds(cv, X, y, cells, targets, *, classes=None, random_state):
    """Split the samples for a held-out upper level.

    Parameters
    ----------
    cv : float, int or splitter or iterable of splits
        A float holds out that fraction once; an int makes that many folds; both are stratified
        by cell and class (or quarter of the targets), and leave out samples of weight zero. A
        splitter is used as it is.
    X, y : data as the splitter expects them
    cells : Cells
    targets : ndarray of shape (n,) or None
        Class codes, or real targets, to stratify by; None for cells alone.
    classes : ndarray of shape (C,) or None, default=None
        Class labels; None for regression.
    random_state : int

    Returns
    -------
    folds : list of (train rows, evaluation rows)

    Raises
    ------
    ValueError
        If `cv` is out of range, names rows that do not exist, or leaves a fold empty.

    Warns
    -----
    UndefinedMetricWarning
        If a fold is trained without a cell or class, or a cell is evaluated in none, naming it.
    """
    codes = targets
    if targets is not None and targets.dtype.kind == "f":
        codes = np.searchsorted(np.quantile(targets, (0.25, 0.5, 0.75)), targets)
    rows = np.flatnonzero(cells.base_weight > 0)
    if isinstance(cv, (bool, np.bool_)):
        raise ValueError(f"cv must be None, a fraction, a number of folds or a splitter, got {cv}.")
    if isinstance(cv, (float, np.floating)):
        if not 0.0 < cv < 1.0:
            raise ValueError(f"cv as a fraction must lie strictly between 0 and 1, got {cv}.")
        splitter = StratifiedShuffleSplit(1, test_size=float(cv), random_state=random_state)
        n_rows = min(cv, 1 - cv) * len(rows)
        strata = _strata(cells, codes, rows, 2, most=max(1, int(n_rows)))
    elif isinstance(cv, (int, np.integer)):
        if not 2 <= cv <= len(rows):
            raise ValueError(
                f"cv as a number of folds must lie between 2 and the {len(rows)} samples, got {cv}."
            )
        splitter = StratifiedKFold(int(cv), shuffle=True, random_state=random_state)
        strata = _strata(cells, codes, rows, int(cv))
    else:
        checked = check_cv(cv, y, classifier=classes is not None)
        folds = list(checked.split(X, y))
        return _check_folds(folds, cells, targets, classes)
    folds = [(rows[train], rows[test]) for train, test in splitter.split(strata, strata)]
    return _check_folds(folds, cells, targets, classes)


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


def _check_folds(folds, cells, targets, classes):
    n = len(cells.codes)
    folds = [tuple(map(_as_rows, fold)) for fold in folds]
    for rows in (rows for fold in folds for rows in fold):
        if len(rows) and not -n <= rows.min() <= rows.max() < n:
            raise ValueError(f"cv names row {rows.max()}, but there are {n} samples.")
    if not folds or any(not cells.base_weight[rows].any() for fold in folds for rows in fold):
        raise ValueError(
            "cv leaves a fold without training or evaluation samples of positive weight."
        )
    for sentence in _what_folds_lack(folds, cells, targets, classes):
        warn_user(sentence, UndefinedMetricWarning)
    return folds


def _what_folds_lack(folds, cells, targets, classes):
    """Return sentences on cells and classes that training or evaluation rows do without."""
    weight, needed = cells.base_weight, cells.totals > 0
    untrained, unseen = np.zeros(cells.n_cells, dtype=bool), needed.copy()
    missing = np.zeros(0 if classes is None else len(classes), dtype=bool)
    for train, test in folds:
        untrained |= needed & ~(np.bincount(cells.codes[train], weight[train], len(needed)) > 0)
        unseen &= ~(np.bincount(cells.codes[test], weight[test], len(needed)) > 0)
        if classes is not None:
            missing |= ~(np.bincount(targets[train], weight[train], len(classes)) > 0)
    sentences = [
        (cells.labels, untrained, "cell", "has no training sample in some fold, where its weight "
         "changes nothing"),
        (cells.labels, unseen, "cell", "is evaluated in no fold, so that the metric leaves it out"),
        ([] if classes is None else classes.tolist(), missing, "class",
         "has no training sample in some fold, where it has probability 0"),
    ]  # fmt: skip
    return [
        f"cv: {kind} {_listed(labels, where)} {what}."
        for labels, where, kind, what in sentences
        if where.any()
    ]


def _listed(labels, where):
    named = [repr(labels[k]) for k in np.flatnonzero(where)]
    return ", ".join(named[:8]) + (f" (and {len(named) - 8} more)" if len(named) > 8 else "")


def _as_rows(rows):
    rows = np.asarray(rows)
    if rows.dtype == bool:
        return np.flatnonzero(rows)
    return rows if len(rows) else rows.astype(np.intp)
