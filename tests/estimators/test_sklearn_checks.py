"""scikit-learn's own checks of what an estimator must do, around several kinds of models."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import shuffle
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbadr import BADRClassifier, BADRRegressor

EQUIVALENCE = "check_sample_weight_equivalence_on_dense_data"
EQUIVALENCE_SPARSE = "check_sample_weight_equivalence_on_sparse_data"


# The checks' data are small and random.
pytestmark = [
    pytest.mark.filterwarnings("ignore:the chosen model predicts a single value"),
    pytest.mark.filterwarnings("ignore:no weights that were tried changed anything"),
]


class Halves:
    """Two groups that depend on the values of a row alone, and on nothing else.

    The checks shuffle and repeat rows, and have no column to spare for a group.
    """

    def __call__(self, X):
        X = X.toarray() if sparse.issparse(X) else np.asarray(X, dtype=float)
        with np.errstate(invalid="ignore"):
            hashed = np.sin(12.9898 * np.nansum(X, axis=1)) * 43758.5453
        return hashed - np.floor(hashed) > 0.5

    def __repr__(self):  # part of the tests' names, which must not change from run to run
        return "Halves()"


# On training rows: folds cannot keep the copies of a row together, as one check asks of weights.
SETTINGS = {"max_iter": 3, "cv": None}


def classifier(estimator, **params):
    return BADRClassifier(estimator, sensitive_columns=Halves(), **(SETTINGS | params))


def regressor(estimator, **params):
    return BADRRegressor(estimator, sensitive_columns=Halves(), **(SETTINGS | params))


# Few trees and refits: the checks fit each of these some hundred times.
CLEAN = [
    classifier(LogisticRegression(max_iter=1000)),
    classifier(LogisticRegression(max_iter=1000), solver="alternating"),
    # Enough refits for the Gaussian process to choose some.
    classifier(DecisionTreeClassifier(), max_iter=6),
    classifier(RandomForestClassifier(n_estimators=5, bootstrap=False)),
    regressor(Ridge()),
    regressor(GradientBoostingRegressor(n_estimators=20)),
]

BOOTSTRAP = "a bootstrap draws rows, whatever they weigh, so that no forest passes by itself"
MIN_SAMPLES = "min_samples_leaf counts rows, whatever they weigh"
FOREST = classifier(RandomForestClassifier(n_estimators=5))
BOOSTING = classifier(HistGradientBoostingClassifier(max_iter=5))
BOOSTING_LEAVES = classifier(
    HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=1), solver="alternating"
)


def expected_failures(model):
    if isinstance(model.estimator, RandomForestClassifier) and model.estimator.bootstrap:
        return {EQUIVALENCE: BOOTSTRAP, EQUIVALENCE_SPARSE: BOOTSTRAP}
    if getattr(model.estimator, "min_samples_leaf", 1) > 1:
        return {EQUIVALENCE: MIN_SAMPLES}
    return {}


@parametrize_with_checks(
    [*CLEAN, FOREST, BOOSTING, BOOSTING_LEAVES], expected_failed_checks=expected_failures
)
def test_sklearn_check(estimator, check):
    check(estimator)


def check_data(weighted):
    """The data on which the checks compare weights with repetition, where there is a `cv`."""
    rng = np.random.RandomState(42)
    X, y = rng.rand(15, 30), rng.randint(0, 3, size=15)
    weight = rng.randint(0, 5, size=15)
    if weighted:
        first, y_first, weight = shuffle(X, y, weight, random_state=0)
    else:
        first, y_first = X.repeat(weight, axis=0), y.repeat(weight)
        weight = np.ones(len(y_first))
    rows = np.vstack([first, X, X])
    return rows, np.r_[y_first, y, y], np.r_[weight, np.ones(30)]


@pytest.mark.parametrize("model", [FOREST, BOOSTING], ids=["forest", "boosting"])
def test_expected_failures_are_the_wrapped_estimators_own(model):
    predicted = []
    for weighted in (True, False):
        X, y, weight = check_data(weighted)
        options = {"sample_weight": weight} if weighted else {}
        bare = clone(model.estimator).set_params(random_state=0)
        predicted.append(bare.fit(X, y, **options).predict_proba(X[-15:]))
    assert np.abs(predicted[0] - predicted[1]).max() > 1e-4
