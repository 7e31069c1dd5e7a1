"""What is asked of fitted classifiers."""

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from skbadr import BADRClassifier
from skbadr.metrics import get_metric
from skbadr.metrics.inputs.responses import predicts_likeliest

ESTIMATORS = [
    HistGradientBoostingClassifier(max_iter=5),
    RandomForestClassifier(4, max_depth=4, random_state=0),
    ExtraTreesClassifier(4, max_depth=2, random_state=0),  # with many ties
    MLPClassifier((4,), max_iter=20, random_state=0),
]


def make_data(n_classes, n=300):
    rng = np.random.default_rng(n_classes)
    X = rng.integers(0, 3, (n, 3)).astype(float)
    y = (X[:, 0] + rng.integers(0, 2, n)).astype(int) % n_classes
    return X, y, rng.integers(0, 2, n)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_likeliest_classes_are_the_predictions(estimator, n_classes):
    X, y, _ = make_data(n_classes)
    model = estimator.fit(X, y)
    assert predicts_likeliest(model)
    np.testing.assert_array_equal(model.predict_proba(X).argmax(axis=1), model.predict(X))


class Contrary(HistGradientBoostingClassifier):
    def predict(self, X):
        return self.classes_[1] - super().predict(X)


@pytest.mark.parametrize("estimator", [Contrary(max_iter=5), SVC(probability=False)])
def test_others_are_asked_for_their_predictions(estimator):
    assert not predicts_likeliest(estimator)


@pytest.mark.parametrize("estimator", [ESTIMATORS[0], Contrary(max_iter=5)])
def test_metric_is_that_of_the_predictions(estimator):
    X, y, group = make_data(2)
    model = BADRClassifier(estimator, partition="group_target", trade_off=0.5, cv=None, max_iter=3)
    model.fit(X, y, sensitive_features=group)
    metric = get_metric("demographic_parity")(y, model.predict(X), sensitive_features=group)
    assert model.metric_value_ == pytest.approx(metric)
    assert model.scoring_value_ == pytest.approx(np.mean(model.predict(X) == y))
