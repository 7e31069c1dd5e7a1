"""Dependence and fairness between pairs by definition; probabilities as one column or as two."""

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


@pytest.mark.parametrize("weighted", [False, True])
def test_errors_of_many_classes_count_by_their_margin(weighted):
    """The score of the true class less the largest other, of samples where that is negative."""
    rng = np.random.default_rng(1)
    y, scores = rng.integers(0, 4, 60), rng.normal(size=(60, 4))
    margin = [min(0.0, s[c] - max(np.delete(s, c))) for c, s in zip(y, scores, strict=True)]
    weight = WEIGHT if weighted else np.ones(60)
    indicators = np.eye(3)[GROUP]
    mean = weight @ indicators / weight.sum()
    covariance = (weight * margin) @ (indicators - mean) / weight.sum()
    found = get_metric("disparate_mistreatment")(
        y, scores, sensitive_features=GROUP, sample_weight=WEIGHT if weighted else None
    )
    assert found == pytest.approx(np.sum(covariance**2))


def test_errors_of_one_kind_are_for_two_classes():
    metric = get_metric("disparate_mistreatment", errors="false_positive")
    with pytest.raises(ValueError, match="errors='false_positive' is for two classes"):
        metric(np.arange(60) % 3, np.ones((60, 3)), sensitive_features=GROUP)
    with pytest.raises(ValueError, match="errors must be one of .*'false_negative'"):
        get_metric("disparate_mistreatment", errors="both")


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("name", ["hsic", "covariance"])
def test_the_hilbert_schmidt_criterion(name, n_outputs):
    """tr(K H L H) / n^2, of which integer weights are repeated rows."""
    rng = np.random.default_rng(2)
    task = "regression" if n_outputs == 1 else "classification"
    y, scores = rng.integers(0, 3, 60), rng.normal(size=(60, n_outputs))
    weight = rng.integers(0, 3, 60)
    rows = np.repeat(np.arange(60), weight)
    kernel, center = scores[rows] @ scores[rows].T, np.eye(len(rows)) - 1 / len(rows)
    alike = GROUP[rows][:, None] == GROUP[rows]
    expected = np.trace(kernel @ center @ alike @ center) / len(rows) ** 2
    found = get_metric(name, task)(
        y, scores.squeeze(), sensitive_features=GROUP, sample_weight=weight
    )
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale", [0.0, 1.0, 300.0, 1e5])
def test_individual_fairness_is_a_mean_over_pairs(scale, weighted):
    """Of pairs of different groups; scale 0 are classes, the others real targets of any range."""
    rng = np.random.default_rng(3)
    n_outputs = 1 if scale else 3
    y = rng.normal(scale=scale, size=60).round(2) if scale else rng.integers(0, 3, 60)
    y[30:40] = y[:10]
    scores, weight = rng.normal(size=(60, n_outputs)), rng.integers(0, 3, 60).astype(float)
    options = {"sample_weight": weight} if weighted else {}
    weight = weight if weighted else np.ones(60)
    distance = np.abs(y[:, None] - y) if scale else (y[:, None] != y) * 1.0
    pairs = np.outer(weight, weight) * (GROUP[:, None] != GROUP)
    squares = ((scores[:, None] - scores) ** 2).sum(axis=-1)
    expected = (pairs * np.exp(-distance) * squares).sum() / pairs.sum()
    metric = get_metric("individual", "regression" if scale else "classification")
    found = metric(y, scores.squeeze(), sensitive_features=GROUP, **options)
    assert found == pytest.approx(expected)


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
