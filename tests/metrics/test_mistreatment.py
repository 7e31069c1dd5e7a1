"""Disparate mistreatment by its definition, and probabilities given as one column or as two."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from skbadr.metrics import EvaluationSet, get_metric, make_fairness_metric
from skbadr.partition import make_groups

RNG = np.random.default_rng(0)
GROUP = RNG.integers(0, 3, 60)
Y = RNG.integers(0, 2, 60)
SCORES = RNG.normal(size=60)
WEIGHT = RNG.uniform(0.5, 2.0, size=60)


@pytest.mark.parametrize("errors", ["all", "false_positive", "false_negative"])
def test_covariance_of_groups_and_errors(errors):
    margin = np.minimum(0.0, (2 * Y - 1) * SCORES)
    if errors != "all":
        margin = np.where((errors == "false_negative") == Y, margin, 0.0)
    indicators = np.eye(3)[GROUP]
    mean = WEIGHT @ indicators / WEIGHT.sum()
    covariance = (WEIGHT * margin) @ (indicators - mean) / WEIGHT.sum()
    data = EvaluationSet(Y, make_groups(GROUP), classes=np.array([0, 1]), sample_weight=WEIGHT)
    found = get_metric("disparate_mistreatment", errors=errors).value(data, SCORES)
    assert found == pytest.approx(np.sum(covariance**2))


def test_probabilities_as_one_column_or_two():
    positive = 1 / (1 + np.exp(-SCORES))

    def loss(y_true, y_pred):
        return log_loss(y_true, y_pred, labels=[0, 1])

    from fairlearn.metrics import make_derived_metric

    metric = get_metric(make_derived_metric(metric=loss, transform="group_max"))
    assert metric(Y, positive, sensitive_features=GROUP) == pytest.approx(
        max(loss(Y[g == GROUP], positive[g == GROUP]) for g in range(3))
    )
    two = np.column_stack([1 - positive, positive])
    named = get_metric("worst_group_loss", loss="log_loss")
    one = named(Y, positive, sensitive_features=GROUP)
    assert one == pytest.approx(named(Y, two, sensitive_features=GROUP))
    assert one == pytest.approx(metric(Y, positive, sensitive_features=GROUP))
    spread = make_fairness_metric(loss_spread, response_method="predict_proba")
    assert spread(Y, positive, sensitive_features=GROUP) > 0


def loss_spread(y_true, y_pred, *, sensitive_features):
    """Standard deviation of the groups' mean probabilities."""
    return np.std([y_pred[sensitive_features == g].mean() for g in range(3)])
