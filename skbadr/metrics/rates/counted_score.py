"""Scores that are functions of the confusion matrix: for many matrices at once, with gradients."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from skbadr._rows import ROUNDING
from skbadr._typing import Array, FloatArray
from skbadr.metrics.callables import accepts_sample_weight
from skbadr.metrics.rates.confusion_rates import RATES, divide

# Random matrices on which a closed form must equal the scorer.
N_CHECKS = 8
# Rates of one class that scores are often made of.
CLASS_RATES = ("true_positive_rate", "precision", "f1", "true_negative_rate")


class CountedScore:
    """A score as a function of confusion matrices, greater being better.

    Parameters
    ----------
    of_tables : callable ``(tables of shape (T, C, C)) -> scores of shape (T,)``
        True classes first.
    unit : float
        What compares to one point of accuracy.
    """

    def __init__(self, of_tables: Callable[[Array], FloatArray], unit: float) -> None:
        self.of_tables, self.unit = of_tables, unit

    def value_and_gradient(self, table: Array) -> tuple[float, FloatArray]:
        """Return the score of one matrix and its gradient in the entries, both of shape (C, C)."""
        step = np.sqrt(np.finfo(float).eps) * table.sum()  # of finite differences
        moved = table + step * np.eye(table.size).reshape(table.size, *table.shape)
        values = self.of_tables(np.concatenate([table[None], moved]))
        return float(values[0]), ((values[1:] - values[0]) / step).reshape(table.shape)


def counted_score(scorer: Any, classes: Array, *, weighted: bool) -> CountedScore | None:
    """Return a scorer as a function of confusion matrices, or None where it is none.

    Closed forms (linear ones, as accuracy and all costs are, and the usual rates) are taken where
    they equal the scorer on random matrices, so that thousands of matrices cost one pass.

    Parameters
    ----------
    scorer : callable ``(estimator, X, y)``
        Of scikit-learn's ``make_scorer``.
    classes : ndarray of shape (C,)
        Labels in the order of the codes.
    weighted : bool
        Whether rows have weights: then the scorer's function must take them.
    """
    function = getattr(scorer, "_score_func", None)
    if function is None or getattr(scorer, "_response_method", None) != "predict":
        return None
    takes_weights = accepts_sample_weight(function)
    if weighted and not takes_weights:
        return None
    call = _Call(scorer, classes, takes_weights)
    try:
        tables = _examples(len(classes))
        expected = np.array([call(table) for table in tables])
        if not np.isfinite(expected).all():
            return None
        for form in _forms(call, len(classes)):
            if np.allclose(form(tables), expected, rtol=ROUNDING, atol=ROUNDING * _size(expected)):
                return CountedScore(form, _unit(expected))
    except Exception:  # of a user's function, which need not take such rows
        return None
    if not takes_weights:
        return None  # how it counts many rows is not known

    def one_by_one(tables):
        return np.array([call(table) for table in tables])

    return CountedScore(one_by_one, _unit(expected))


class _Call:
    """A scorer's function, called with one row for each entry of a matrix of whole numbers."""

    def __init__(self, scorer, classes, takes_weights):
        self.scorer, self.classes, self.takes_weights = scorer, classes, takes_weights

    def __call__(self, table):
        true, predicted = np.nonzero(table)
        options = dict(self.scorer._kwargs)
        if self.takes_weights:
            options["sample_weight"] = table[true, predicted]
        else:
            times = table[true, predicted].astype(int)
            true, predicted = np.repeat(true, times), np.repeat(predicted, times)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of predictions that nobody has made
            value = self.scorer._score_func(self.classes[true], self.classes[predicted], **options)
        return float(self.scorer._sign * value)


def _examples(n_classes):
    """Return matrices of whole numbers, some with classes that nobody has or predicts."""
    rng = np.random.default_rng(0)
    tables = rng.integers(1, 9, (N_CHECKS, n_classes, n_classes)).astype(float)
    tables[1, :, 0] = 0.0
    tables[2, -1, :] = 0.0
    tables[3, :, 1:] = 0.0
    tables[4, 0, :] = tables[4, :, 0] = 0.0
    return tables


def _forms(call, n_classes) -> Iterator[Callable[[Array], FloatArray]]:
    yield from _linear_forms(call, n_classes)
    for sign in (1.0, -1.0):
        yield _signed(sign, _balanced)
        for rate, column in itertools.product(CLASS_RATES, range(n_classes)):
            yield _signed(sign, _of_class(rate, column))
        for rate, mean in itertools.product(CLASS_RATES, (_macro, _by_support)):
            yield _signed(sign, _over_classes(rate, mean))


def _linear_forms(call, n_classes):
    """Yield the mean and the sum of what single rows score."""
    single = np.eye(n_classes**2).reshape(-1, n_classes, n_classes)
    worth = np.array([call(table) for table in single]).reshape(n_classes, n_classes)
    yield lambda tables: (tables * worth).sum(axis=(1, 2)) / tables.sum(axis=(1, 2))
    yield lambda tables: (tables * worth).sum(axis=(1, 2))


def _signed(sign, form):
    return lambda tables: sign * form(tables)


def _balanced(tables):
    return divide(*RATES["balanced_accuracy"][0](tables))[:, 0]


def _of_class(rate, column):
    return lambda tables: divide(*(part[..., column] for part in RATES[rate][0](tables)))


def _over_classes(rate, mean):
    return lambda tables: mean(tables, divide(*RATES[rate][0](tables)))


def _macro(tables, values):
    seen = (tables.sum(axis=1) + tables.sum(axis=2)) > 0
    return (values * seen).sum(axis=1) / seen.sum(axis=1)


def _by_support(tables, values):
    support = tables.sum(axis=2)
    return (values * support).sum(axis=1) / support.sum(axis=1)


def _size(values):
    return max(float(np.abs(values).max()), 1e-300)


def _unit(expected):
    """Return what compares to an accuracy of 1: 1 of all that lies between -1 and 1."""
    return 1.0 if np.abs(expected).max() <= 1.0 else float(np.ptp(expected))
