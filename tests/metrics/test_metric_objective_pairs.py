"""Pairs of a metric and an objective on a real table, with the values of other libraries."""

import warnings
from functools import partial

import fairlearn.metrics as flm
import numpy as np
import pytest
from scipy.stats import wasserstein_distance
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    get_scorer,
    log_loss,
    make_scorer,
    precision_score,
    recall_score,
    roc_auc_score,
    zero_one_loss,
)

from skbadr import BADRClassifier
from skbadr.metrics import get_metric

DATA = load_diabetes()
X = DATA.data / DATA.data.std(axis=0)
Y = (DATA.target > np.median(DATA.target)).astype(int)
SEX = (X[:, 1] > 0).astype(int)


def derived(base, transform, y, predicted):
    metric = flm.make_derived_metric(metric=base, transform=transform)
    return metric(y, predicted, sensitive_features=SEX)


def by_fairlearn(function, y, predicted):
    return function(y, predicted, sensitive_features=SEX)


def gap(function, y, scores):
    return abs(function(y[SEX == 1], scores[SEX == 1]) - function(y[SEX == 0], scores[SEX == 0]))


def distance(y, scores):
    return wasserstein_distance(scores[SEX == 1], scores[SEX == 0])


# Metric, its bound, what it is by another library, of which output of the model.
METRICS = {
    "demographic_parity": (
        0.1, partial(by_fairlearn, flm.demographic_parity_difference), "predict"
    ),
    "demographic_parity_ratio": (
        0.7, partial(by_fairlearn, flm.demographic_parity_ratio), "predict"
    ),
    "equal_opportunity": (0.1, partial(by_fairlearn, flm.equal_opportunity_difference), "predict"),
    "equalized_odds": (0.15, partial(by_fairlearn, flm.equalized_odds_difference), "predict"),
    "accuracy_parity": (0.1, partial(gap, zero_one_loss), "predict"),
    "predictive_parity": (0.1, partial(gap, precision_score), "predict"),
    "selection_rate_group_min": (
        0.4, partial(derived, flm.selection_rate, "group_min"), "predict"
    ),
    "recall_score_group_min": (0.6, partial(derived, recall_score, "group_min"), "predict"),
    "worst_group_error": (0.3, partial(derived, zero_one_loss, "group_max"), "predict"),
    "auc_parity": (0.1, partial(gap, roc_auc_score), "decision_function"),
    "score_parity": (0.12, distance, "predict_proba"),
}  # fmt: skip


def cost(y, predicted):
    return 3.0 * np.mean((y == 1) & (predicted == 0)) + np.mean((y == 0) & (predicted == 1))


OBJECTIVES = {name: get_scorer(name) for name in ("accuracy", "balanced_accuracy", "f1")} | {
    "cost": make_scorer(cost, greater_is_better=False)
}
assert len(METRICS) * len(OBJECTIVES) >= 40


def response_of(model, method):
    response = getattr(model, method)(X)
    return response[:, 1] if response.ndim == 2 else response


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
@pytest.mark.parametrize("name", sorted(METRICS))
def test_pair(name, objective):
    bound, by_others, method = METRICS[name]
    scorer = OBJECTIVES[objective]
    model = BADRClassifier(LogisticRegression(), name, bound=bound, scoring=scorer, cv=None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y, sensitive_features=SEX)
    missed = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    value = by_others(Y, response_of(model, method))
    assert model.metric_value_ == pytest.approx(value, rel=1e-6, abs=1e-9)
    assert model.scoring_value_ == pytest.approx(scorer(model, X, Y), rel=1e-6)
    met = value >= bound if get_metric(name).greater_is_better else value <= bound + 1e-12
    assert met or missed
    plain = LogisticRegression().fit(X, Y)
    assert model.baseline_scoring_value_ == pytest.approx(scorer(plain, X, Y), rel=1e-6)


@pytest.mark.parametrize("objective", ["roc_auc", "average_precision", "neg_log_loss"])
@pytest.mark.parametrize("name", ["demographic_parity", "equal_opportunity"])
def test_scores_of_probabilities(name, objective):
    model = BADRClassifier(
        LogisticRegression(), name, bound=0.15, scoring=objective, cv=None, max_iter=6
    )
    model.fit(X, Y, sensitive_features=SEX)
    scorer = get_scorer(objective)
    assert model.scoring_value_ == pytest.approx(scorer(model, X, Y))
    assert model.metric_value_ <= 0.15
    value = METRICS[name][1](Y, model.predict(X))
    assert model.metric_value_ == pytest.approx(value)
    if objective == "neg_log_loss":
        assert model.scoring_value_ == pytest.approx(-log_loss(Y, model.predict_proba(X)))
