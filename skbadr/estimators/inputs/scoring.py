"""The score that `trade_off` and `bound` protect, where it is not the default one."""

import warnings
from functools import partial

import numpy as np
from sklearn.metrics import check_scoring

from skbadr._guard import Guard
from skbadr._sklearn import _safe_indexing
from skbadr.metrics.callables import accepts_sample_weight
from skbadr.metrics.rates.counted_score import counted_score

# What predictions give for free.
DEFAULTS = {"classification": "accuracy", "regression": "neg_mean_squared_error"}


class FoldScorer:
    """A scikit-learn scorer with the targets and weights of all rows, applied to a fold.

    Parameters
    ----------
    scorer : callable ``(estimator, X, y)``
    y : ndarray of shape (n,)
    sample_weight : ndarray of shape (n,) or None
        Passed on to a scorer that takes it; any other gets the rows of positive weight.
    guard : Guard
        Of the scorer and the estimator.
    """

    def __init__(self, scorer, y, sample_weight, guard):
        self.scorer, self.y, self.sample_weight = scorer, y, sample_weight
        self.guard = guard
        self.weighted = sample_weight is not None and _takes_sample_weight(scorer)

    @property
    def counted(self):
        """Whether the score is a function of predicted labels that takes weights.

        Then it is one of the confusion matrix, each entry of which stands for a weighted row.
        """
        function = getattr(self.scorer, "_score_func", None)
        by_labels = getattr(self.scorer, "_response_method", None) == "predict"
        return function is not None and by_labels and accepts_sample_weight(function)

    def of_table(self, table, classes):
        """Return the score of a confusion matrix of shape (C, C), for a `counted` score."""
        true, predicted = np.nonzero(table)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of predictions that nobody has made
            return self.scorer._sign * self.scorer._score_func(
                classes[true],
                classes[predicted],
                sample_weight=table[true, predicted],
                **self.scorer._kwargs,
            )

    def __call__(self, estimator, X, rows):
        """Return the score of a fold and the fold's mass."""
        y, options = self.y[rows], {}
        mass = float(len(y))
        if self.sample_weight is not None:
            weight = self.sample_weight[rows]
            mass = float(weight.sum())
            if mass == 0:
                return 0.0, 0.0
            if self.weighted:
                options["sample_weight"] = weight
            elif not weight.all():
                kept = np.flatnonzero(weight)
                X, y = _safe_indexing(X, kept), y[kept]
        score = self.guard.call(partial(self.scorer, estimator), X, y, **options)
        if np.ndim(score) != 0 or isinstance(score, dict):
            raise ValueError(f"scoring must give one number, got {score!r}.")
        return float(score), mass


def check_scorer(scoring, task, estimator, y, sample_weight, classes=None):
    """Return a FoldScorer, or None, and a CountedScore, or None: both None for the default score.

    `classes` are the labels of a classifier.

    Raises
    ------
    ValueError
        If scikit-learn knows no such scorer.
    TypeError
        If `scoring` is neither a name nor callable.
    """
    if scoring is None or (isinstance(scoring, str) and scoring == DEFAULTS[task]):
        return None, None
    if not (isinstance(scoring, str) or callable(scoring)):
        raise TypeError(
            "scoring must be the name of a scorer, or a callable (estimator, X, y) -> number, got "
            f"{scoring!r}."
        )
    scorer = check_scoring(estimator, scoring=scoring)
    if classes is not None:
        counted = counted_score(scorer, classes, weighted=sample_weight is not None)
        if counted is not None:
            return None, counted
    guard = Guard(estimator, scoring, getattr(scoring, "_score_func", None))
    return FoldScorer(scorer, y, sample_weight, guard), None


def _takes_sample_weight(scorer):
    # A scorer of make_scorer takes weights whether or not its function does.
    return accepts_sample_weight(getattr(scorer, "_score_func", scorer))
