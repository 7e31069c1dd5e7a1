"""Scores that are counted: equal to scikit-learn's, and on the fast path of every solver."""

import warnings

import numpy as np
import pytest
from data import make_people
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    confusion_matrix,
    fbeta_score,
    get_scorer,
    make_scorer,
    matthews_corrcoef,
)

from skbadr import BADRClassifier
from skbadr.metrics.rates.counted_score import CountedScore, counted_score

X, Y, GROUP = make_people(600)


def cost(y, predicted):
    """A false negative costs five times as much as a false positive; without weights."""
    return float(5 * np.sum((y == 1) & (predicted == 0)) + np.sum((y == 0) & (predicted == 1)))


def mean_cost(y, predicted, sample_weight=None):
    table = confusion_matrix(y, predicted, labels=[0, 1], sample_weight=sample_weight)
    return (5 * table[1, 0] + table[0, 1]) / table.sum()


SCORERS = {
    name: get_scorer(name)
    for name in [
        "accuracy", "balanced_accuracy", "f1", "f1_macro", "f1_weighted", "precision", "recall",
        "recall_macro", "precision_weighted", "jaccard", "matthews_corrcoef",
    ]
} | {
    "cost": make_scorer(cost, greater_is_better=False),
    "mean_cost": make_scorer(mean_cost, greater_is_better=False),
    "f2": make_scorer(fbeta_score, beta=2),
    "recall_of_0": make_scorer(fbeta_score, beta=1, pos_label=0),
}  # fmt: skip


class Predicted:
    """A fitted classifier that has predicted already."""

    _estimator_type = "classifier"
    classes_ = np.arange(2)

    def __init__(self, predicted):
        self.predicted = predicted

    def predict(self, X):
        return self.predicted


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(sorted(SCORERS)))
def test_equal_to_the_scorer(seed, name):
    rng = np.random.default_rng(seed)
    y = np.r_[0, 1, rng.integers(0, 2, 40)]
    predicted = np.where(rng.random(42) < rng.random(), y, rng.integers(0, 2, 42))
    scorer = SCORERS[name]
    score = counted_score(scorer, np.arange(2), weighted=False)
    table = confusion_matrix(y, predicted).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        value = scorer._sign * scorer._score_func(y, predicted, **scorer._kwargs)
    assert score.of_tables(table[None])[0] == pytest.approx(value)


@pytest.mark.parametrize("name", ["f1_macro", "f1_weighted", "balanced_accuracy", "recall_macro"])
def test_several_classes(name):
    rng = np.random.default_rng(0)
    y, predicted, weight = *rng.integers(0, 4, (2, 60)), rng.uniform(0.5, 2.0, 60)
    scorer = get_scorer(name)
    labels = np.array(["a", "b", "c", "d"])
    score = counted_score(scorer, labels, weighted=True)
    table = confusion_matrix(y, predicted, sample_weight=weight)
    value = scorer._score_func(labels[y], labels[predicted], sample_weight=weight, **scorer._kwargs)
    assert score.of_tables(table[None])[0] == pytest.approx(value)


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_gradients(name):
    score = counted_score(SCORERS[name], np.arange(2), weighted=False)
    table = np.array([[30.0, 10.0], [8.0, 22.0]])
    value, gradient = score.value_and_gradient(table)
    assert value == pytest.approx(score.of_tables(table[None])[0])
    for place in np.ndindex(2, 2):
        step = np.zeros((2, 2))
        step[place] = 1e-4
        ahead, behind = score.of_tables(np.stack([table + step, table - step]))
        assert gradient[place] == pytest.approx((ahead - behind) / 2e-4, rel=1e-3, abs=1e-6)


def test_many_tables_of_known_scores_take_one_pass():
    calls = []

    def counted(y, predicted, sample_weight=None):
        calls.append(1)
        return get_scorer("balanced_accuracy")._score_func(
            y, predicted, sample_weight=sample_weight
        )

    score = counted_score(make_scorer(counted), np.arange(2), weighted=True)
    n_calls = len(calls)
    score.of_tables(np.random.default_rng(0).random((5_000, 2, 2)))
    assert len(calls) == n_calls


def test_what_is_not_counted():
    assert counted_score(get_scorer("roc_auc"), np.arange(2), weighted=False) is None
    assert counted_score(get_scorer("neg_log_loss"), np.arange(2), weighted=False) is None
    assert counted_score(lambda model, X, y: 1.0, np.arange(2), weighted=False) is None
    # It takes no weights: which rows count how often is not known.
    assert counted_score(SCORERS["cost"], np.arange(2), weighted=True) is None

    def order(y, predicted):
        return float(np.mean(np.cumsum(y == predicted)))

    assert counted_score(make_scorer(order), np.arange(2), weighted=False) is None
    assert isinstance(
        counted_score(make_scorer(matthews_corrcoef), np.arange(2), weighted=True), CountedScore
    )


@pytest.mark.parametrize("solver", ["implicit", "alternating", "gd"])
@pytest.mark.parametrize("name", ["balanced_accuracy", "f1", "recall", "cost"])
def test_every_solver(solver, name):
    model = BADRClassifier(
        LogisticRegression(), bound=0.15, scoring=SCORERS[name], solver=solver, cv=None
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y, sensitive_features=GROUP)
    missed = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    assert model.metric_value_ <= 0.15 or missed
    assert model.scoring_value_ == pytest.approx(SCORERS[name](model, X, Y))
    plain = LogisticRegression().fit(X, Y)
    assert model.baseline_scoring_value_ == pytest.approx(SCORERS[name](plain, X, Y))


def test_what_is_asked_for_is_what_grows():
    rare = (X[:, 0] + np.random.default_rng(1).normal(size=len(X)) > 1.5).astype(int)
    fitted = {}
    for name in ("accuracy", "balanced_accuracy"):
        model = BADRClassifier(LogisticRegression(), bound=0.3, scoring=name, cv=None)
        fitted[name] = model.fit(X, rare, sensitive_features=GROUP)
    for name, other in (("accuracy", "balanced_accuracy"), ("balanced_accuracy", "accuracy")):
        score = get_scorer(name)
        assert score(fitted[name], X, rare) > score(fitted[other], X, rare)


def test_weights_and_folds():
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(Y))
    model = BADRClassifier(LogisticRegression(), bound=0.2, scoring="f1", cv=None)
    model.fit(X, Y, sensitive_features=GROUP, sample_weight=weight)
    value = get_scorer("f1")(model, X, Y, sample_weight=weight)
    assert model.scoring_value_ == pytest.approx(value)
    estimator = HistGradientBoostingClassifier(max_iter=10, random_state=0)
    model = BADRClassifier(estimator, bound=0.2, scoring="f1", cv=3)
    model.fit(X, Y, sensitive_features=GROUP)
    assert model.metric_value_ <= 0.2


def test_scores_of_constant_predictions():
    model = BADRClassifier(LogisticRegression(), bound=0.2, scoring="balanced_accuracy", cv=None)
    model.fit(X, Y, sensitive_features=GROUP)
    assert model.constant_scoring_value_ == pytest.approx(0.5)
