"""Metric and score of guided responses, for many points at once where these can be counted."""

from dataclasses import replace
from functools import partial

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from skbadr._sklearn import _num_samples
from skbadr.metrics.callables import take_rows
from skbadr.metrics.inputs.responses import log_odds, pick
from skbadr.problem.evaluator import pooled_score


class Values:
    """Evaluate responses to the evaluation rows that a guide looks at.

    Parameters
    ----------
    evaluator : Evaluator
    rows : ndarray of shape (n,)
        Which of its evaluation rows.
    factor : ndarray of shape (n,) or None
        For how many rows each one stands; None: one.

    Attributes
    ----------
    data : EvaluationSet
        Of these rows.
    """

    def __init__(self, evaluator, rows, factor):
        whole, self.metric = evaluator.evaluation_set, evaluator.metric
        data = whole.take(rows)
        if factor is not None:
            weight = data.sample_weight
            data.sample_weight = factor if weight is None else factor * weight
        if self.metric.slow and whole.sensitive_features is not None:
            features = take_rows(whole.sensitive_features, rows)
            data = replace(data, sensitive_features=features)
        self.data, self.scoring = data, evaluator.scoring
        self._evaluator, self._rows = evaluator, rows
        if data.classes is not None:
            weight = data.sample_weight
            members = np.zeros((len(rows), data.n_groups * data.n_classes), dtype=np.float32)
            members[np.arange(len(rows)), data.pair] = 1.0 if weight is None else weight
            self._members = members

    @property
    def counted(self):
        """Whether metric and score are functions of the groups' confusion matrices."""
        counted = self.scoring is None or self.scoring.counted
        return self.data.classes is not None and self.metric.uses_confusion and counted

    def of_classes(self, predicted, probabilities):
        """Return metric and score, each of shape (m,), of a classifier's responses.

        Parameters
        ----------
        predicted : ndarray of shape (m, n)
            Class codes, one row per point.
        probabilities : callable ``point -> ndarray of shape (n, C)``
            Asked for where metric or score take them.
        """
        tables = self._tables(predicted)
        if self.scoring is None:
            score = self._evaluator.scores_of_tables(tables)
        elif self.scoring.counted:
            of_all = tables.sum(axis=1)
            score = np.array([self.scoring.of_table(own, self.data.classes) for own in of_all])
        else:
            score = np.array([self._scored(p, probabilities(i)) for i, p in enumerate(predicted)])
        if self.metric.uses_confusion:
            flat = tables.reshape(len(tables), -1)
            return self.metric.from_many_statistics(self.data, flat), score
        metric = [
            self.metric.value(self.data, self._response(own, partial(probabilities, i)))
            for i, own in enumerate(predicted)
        ]
        return np.array(metric), score

    def _response(self, predicted, probabilities):
        """Return what the metric takes of one point's classes and probabilities."""
        make = {
            "predict": lambda: predicted,
            "predict_proba": probabilities,
            "decision_function": lambda: log_odds(probabilities()),
        }
        return pick(self.metric, {name: make[name]() for name in self.metric.response_methods})

    def of_numbers(self, predicted):
        """Return metric and score, each of shape (m,), of a regressor's predictions (m, n)."""
        data = self.data
        metric = np.array([self.metric.value(data, own) for own in predicted])
        if self.scoring is None:
            squares = np.square(predicted - data.y)
            return metric, -np.average(squares, axis=1, weights=data.sample_weight)
        return metric, np.array([self._scored(own, None) for own in predicted])

    def _tables(self, predicted):
        """Return confusion matrices, of shape (m, n_groups, n_classes, n_classes)."""
        data = self.data
        shape = len(predicted), data.n_groups, data.n_classes
        counts = [
            ((predicted == c).astype(np.float32) @ self._members).reshape(shape)
            for c in range(data.n_classes)
        ]
        return np.stack(counts, axis=-1).astype(float)

    def _scored(self, predicted, probabilities):
        """Return the user's score of responses to all evaluation rows."""
        evaluator, classes, start = self._evaluator, self.data.classes, 0
        places = np.full(len(evaluator.cells.codes), -1)
        places[self._rows] = np.arange(len(self._rows))
        found = []
        for fold in evaluator.folds:
            n_rows = len(places) if fold.rows is None else len(fold.rows)
            own = places[start : start + n_rows]
            start += n_rows
            labels = predicted[own] if classes is None else classes[predicted[own]]
            known = None if probabilities is None else probabilities[own]
            stand_in = _stand_in(labels, known, classes, own >= 0)
            found.append(
                self.scoring(stand_in, fold.X, slice(None) if fold.rows is None else fold.rows)
            )
        return pooled_score(found)


class _StandIn(BaseEstimator):
    """A fitted estimator whose responses to the evaluation rows are those of a guide."""

    def _of(self, X, responses):
        # Scorers without weights get the rows of positive weight alone.
        return responses if _num_samples(X) == len(responses) else responses[self._seen]

    def predict(self, X):
        return self._of(X, self._labels)


class _StandInClassifier(ClassifierMixin, _StandIn):
    def predict_proba(self, X):
        return self._of(X, self._probabilities)

    def decision_function(self, X):
        return log_odds(self.predict_proba(X))


class _StandInRegressor(RegressorMixin, _StandIn):
    pass


def _stand_in(labels, probabilities, classes, seen):
    model = _StandInRegressor() if classes is None else _StandInClassifier()
    model._labels, model._probabilities, model._seen = labels, probabilities, seen
    if classes is not None:
        model.classes_ = classes
    return model
