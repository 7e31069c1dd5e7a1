"""Evaluation of one point: refit, predict, measure. Runs in worker processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import config_context, get_config
from sklearn.utils import indexable

from skbadr._rows import rounded_sums
from skbadr._sklearn import _num_samples, _safe_indexing
from skbadr._typing import Array, FloatArray
from skbadr._warnings import record_warnings
from skbadr.losses import LOSSES
from skbadr.lower_level import is_shared_map, release
from skbadr.metrics.confidence.confident import ConfidentMetric
from skbadr.metrics.inputs.responses import get_response, pick, predicts_likeliest
from skbadr.problem.coding import code_response, known_of
from skbadr.problem.fold_fit import FoldFit
from skbadr.result import Evaluation

if TYPE_CHECKING:
    from skbadr.lower_level import LinearFamily, RefitLowerLevel
    from skbadr.metrics import EvaluationSet, FairnessMetric
    from skbadr.metrics.rates.counted_score import CountedScore
    from skbadr.partition import Cells


class Fold:
    """A lower level and the rows on which its models are evaluated."""

    lower_level: RefitLowerLevel
    rows: Array | None
    X: Any
    X_final: Any

    def __init__(self, lower_level: RefitLowerLevel, X: Any, rows: Array | None = None) -> None:
        self.lower_level = lower_level
        self.rows = rows
        self.X = X if rows is None else lower_level.take(X, rows)
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
        Scorer; None: `score`, from the predictions at hand.
    score : CountedScore or None
        A function of the confusion matrix; None: accuracy, or negative mean squared error.
    family : LinearFamily or None
        Of a classifier whose predictions are known functions of its decision function, which is
        then all that is asked of it.
    """

    folds: list[Fold]
    evaluation_set: EvaluationSet
    cells: Cells
    metric: FairnessMetric
    loss: str
    scoring: Callable[..., Any] | None
    score: CountedScore | None
    family: LinearFamily | None
    # Whether each row is judged by the model of all others.
    leaves_out = False
    # The baseline model of all rows, where it was fitted for others to be compared with.
    baseline_model: Any = None

    def __init__(
        self,
        folds: list[Fold],
        evaluation_set: EvaluationSet,
        cells: Cells,
        *,
        metric: FairnessMetric,
        loss: str,
        scoring: Callable[..., Any] | None = None,
        score: CountedScore | None = None,
        family: LinearFamily | None = None,
    ) -> None:
        self.folds, self.evaluation_set, self.cells = folds, evaluation_set, cells
        self.metric, self.loss, self.scoring, self.family = metric, loss, scoring, family
        self.score = score
        self.methods = {*metric.response_methods, LOSSES[loss][1], "predict"}
        self.guide_method = self._find_guide_method()
        if self.guide_method is not None:
            self.methods.add(self.guide_method)

    def _find_guide_method(self):
        """Return the response that tells how sure the estimator is of a class, or None."""
        if self.evaluation_set.classes is None:
            return None
        if "predict_proba" in self.methods or self.family is not None:
            return "predict_proba" if "predict_proba" in self.methods else "decision_function"
        final = self.folds[0].lower_level.peeled.final
        return "decision_function" if hasattr(final, "decision_function") else None

    def __call__(
        self, cell_weights: FloatArray, origin: str = "", iteration: int = 0
    ) -> Evaluation:
        """Return the `Evaluation` of one point; a failed refit is recorded, not raised."""
        fits = []
        for number in range(len(self.folds)):
            fits.append(self.fit_fold(cell_weights, number))
            if fits[-1].error is not None:
                break
        return self.combine(cell_weights, origin, iteration, fits)

    def _empty(self, cell_weights, origin, iteration):
        losses = np.full(self.cells.n_cells, np.nan)
        return Evaluation(cell_weights, cell_losses=losses, origin=origin, iteration=iteration)

    def fit_fold(self, cell_weights, number):
        """Refit on the training rows of one fold and respond to its evaluation rows.

        Parameters
        ----------
        cell_weights : ndarray of shape (K,)
        number : int
            Of the fold.

        Returns
        -------
        fit : FoldFit
            An error is recorded, not raised.
        """
        fit = FoldFit()
        with record_warnings() as fit.warnings:
            try:
                self._fit_fold(fit, cell_weights, self.folds[number])
            except Exception as error:
                fit.error = error
        return fit

    def _fit_fold(self, fit, cell_weights, fold):
        if is_shared_map(fold.X_final):
            # The estimator may want all of it in memory, beside vectors of its own.
            self.evaluation_set.release()
        start = time.perf_counter()
        model = fold.lower_level.fit(cell_weights)
        fit.seconds = time.perf_counter() - start
        # What the estimator was fitted to, it has checked.
        same = fold.rows is None and fold.X_final is fold.lower_level.X
        with config_context(assume_finite=same or get_config()["assume_finite"]):
            fit.responses = self._responses(model, fold.X_final)
        release(fold.X_final)
        if self.scoring is not None:
            estimator = fold.lower_level.assemble(model)
            rows = slice(None) if fold.rows is None else fold.rows
            fit.score, fit.mass = self.scoring(estimator, fold.X, rows)
        if len(self.folds) == 1 and fold.rows is None:
            fit.model = model

    def combine(self, cell_weights, origin, iteration, fits):
        """Return the `Evaluation` of one point from the fits of its folds."""
        evaluation = self._empty(cell_weights, origin, iteration)
        with record_warnings() as evaluation.warnings:
            try:
                self._combine(evaluation, fits)
            except Exception as error:
                evaluation.error = error
        evaluation.warnings[:0] = [warning for fit in fits for warning in fit.warnings]
        return evaluation

    def _combine(self, evaluation, fits):
        evaluation.refit_time = 0.0
        for fit in fits:
            evaluation.n_refits += 1
            evaluation.refit_time += fit.seconds
            if fit.error is not None:
                raise fit.error
        if len(fits) == 1:
            responses, evaluation.model = fits[0].responses, fits[0].model
        else:
            responses = {
                name: np.concatenate([fit.responses[name] for fit in fits]) for name in self.methods
            }
        self.measure(evaluation, responses)
        if self.scoring is not None:
            evaluation.score = pooled_score([(fit.score, fit.mass) for fit in fits])

    def measure(
        self,
        evaluation: Evaluation,
        responses: dict[str, Array],
        value: float | None = None,
        losses: Any = None,
    ) -> None:
        """Fill in what is measured from predictions, by response method.

        `value` is the metric's, and `losses` are the samples', where these are known already.
        """
        data = self.evaluation_set
        loss, method, _ = LOSSES[self.loss]
        if losses is None:
            losses = loss(data.y, responses[method])
        evaluation.cell_losses = self.cells.means(losses)
        evaluation.losses_by_group = data.group_means(losses)
        predicted = responses["predict"]
        evaluation.responses = {
            name: responses[name] for name in ("predict", self.guide_method) if name in responses
        }
        counted = predicted if data.sample_weight is None else predicted[data.sample_weight > 0]
        evaluation.constant = bool(np.all(counted == counted[0]))
        evaluation.score = self.default_score(predicted)
        if value is not None:
            evaluation.metric = value
            return
        if self.metric.group_means_of is loss:
            statistics: Any = evaluation.losses_by_group
        else:
            response = pick(self.metric, responses)
            statistics = np.ravel(self.metric.statistics(data, response))
        if self.metric.slow and data.sample_weight is not None:  # of sums of weights maybe
            statistics = rounded_sums(statistics, np.maximum(np.abs(statistics), 1.0))
        evaluation.statistics = statistics
        evaluation.metric = float(self.metric.from_statistics(data, statistics))
        if isinstance(self.metric, ConfidentMetric):
            evaluation.value = self.metric.value_of(statistics)

    def default_score(self, predicted: Array) -> float:
        """Return accuracy of class codes, or negative mean squared error of real predictions.

        Or, of class codes, the `score`.
        """
        data = self.evaluation_set
        if self.score is not None:
            predicted = np.broadcast_to(predicted, data.y.shape)
            return float(self.scores_of_tables(data.confusion(predicted)[None])[0])
        if data.classes is None:
            return -float(np.average((data.y - predicted) ** 2, weights=data.sample_weight))
        if data.sample_weight is None:
            return float(np.mean(data.y == predicted))
        total = data.sample_weight.sum()
        right = data.sample_weight @ (data.y == predicted)
        return float(rounded_sums(right, total) / rounded_sums(total, total))

    def scores_of_tables(self, tables: Array) -> FloatArray:
        """Return the default score of groups' confusion matrices, of shape (T, G, C, C)."""
        if self.score is not None:
            return self.score.of_tables(tables.sum(axis=1))
        right = np.einsum("...cc->...", tables).sum(axis=1)
        return right / tables.sum(axis=(1, 2, 3))

    @property
    def score_unit(self) -> float:
        """What compares to one point of accuracy in the score of a classifier."""
        return 1.0 if self.score is None else self.score.unit

    def constant_score(self) -> float:
        """Return the default score of the best single prediction, NaN where it is another one."""
        if self.scoring is not None:
            return np.nan
        return self.default_score(self._best_constant())

    def constant_metric(self) -> float:
        """Return the metric of the best single prediction, NaN where it takes more than labels."""
        data = self.evaluation_set
        metric = getattr(self.metric, "of", self.metric)  # the metric itself, of one by its limit
        if metric.response_methods != ("predict",):
            return np.nan
        return float(metric.value(data, np.full(len(data.y), self._best_constant())))

    def _best_constant(self):
        data = self.evaluation_set
        if data.classes is None:
            return np.average(data.y, weights=data.sample_weight)
        if self.score is not None:
            return max(range(data.n_classes), key=lambda c: self.default_score(np.array(c)))
        return data.class_totals.sum(axis=0).argmax()

    def response_of(self, model: Any, rows: Array | None = None) -> Array:
        """Return what the metric takes of a model, on (some of) the rows of the first fold."""
        X = self.folds[0].X_final
        if rows is not None:
            X = _safe_indexing(indexable(X)[0], rows)
        return pick(self.metric, self._responses(model, X))

    def _responses(self, model, X):
        """Return the response of each method; an own `predict_proba` where the metric takes it."""
        classes = self.evaluation_set.classes
        own = "predict_proba" in self.metric.response_methods or classes is None
        if self.family is None or own or len(model.classes_) < len(classes):
            # Trees predict twice otherwise, which takes a large part of the time of a fit.
            likeliest = predicts_likeliest(model) or (
                self.family is not None and classes is not None
            )
            known = "predict_proba" in self.methods and likeliest
            asked = self.methods - {"predict"} if known else self.methods
            # Labels first: where they are wrong, nothing else is to be complained about.
            asked = sorted(asked, key=lambda name: (name != "predict", name))
            responses = {name: self._respond(model, X, name) for name in asked}
            if known:
                responses["predict"] = _likeliest(responses["predict_proba"])
            return responses
        scores = self._respond(model, X, "decision_function")
        columns = scores.reshape(len(scores), -1)
        responses = {"predict": self.family.predict(columns), "decision_function": scores}
        if "predict_proba" in self.methods:
            responses["predict_proba"] = self.family.predict_proba(columns)
        return responses

    def _respond(self, model, X, method):
        data = self.evaluation_set
        known, name = known_of(model)
        response = self._raw(model, X, response_method=method, task=data.task)
        return code_response(response, _num_samples(X), method, data.classes, known, name)

    def _raw(self, model, X, **asked):
        """Return the response of a model as the model gives it."""
        return self.folds[0].lower_level.guard.call(partial(get_response, model), X, **asked)


def pooled_score(scores):
    """Return the mean of the folds' scores, each given with its mass."""
    if len(scores) == 1:
        return float(scores[0][0])
    scores, masses = zip(*scores, strict=True)
    return float(np.average(scores, weights=masses))


def _likeliest(proba):
    """Return the code of the most probable class, the first of equals."""
    if proba.shape[1] == 2:  # one comparison, where a search takes ten times as long
        return (proba[:, 1] > proba[:, 0]).astype(np.intp)
    return proba.argmax(axis=1)
