"""Smooth confusion matrices, means and distances of distributions: against loops and grids."""

import itertools

import numpy as np
import pytest
from fairlearn.metrics import make_derived_metric, mean_prediction
from scipy.special import expit, logsumexp, softmax
from sklearn.metrics import mean_absolute_error

from skbadr.metrics import EvaluationSet, get_metric
from skbadr.metrics.scores.predictions import GroupMeanMetric
from skbadr.metrics.smooth.soft_tables import SoftPredictions
from skbadr.partition import Groups

METHODS = ["between_groups", "to_overall"]


@pytest.mark.parametrize("n_classes", [2, 4])
def test_tables_share_rows_out_by_probabilities_at_a_temperature(n_classes):
    rng = np.random.default_rng(0)
    scores, y = rng.normal(size=(50, n_classes)), rng.integers(0, n_classes, 50)
    if n_classes == 2:
        scores = scores[:, :1]
    rows = np.column_stack([0 * scores, scores]) if n_classes == 2 else scores
    expected = softmax(1.7 * rows, axis=1)
    soft = SoftPredictions(scores, 1.7)
    codes, weight = rng.integers(0, 3, 50), rng.random(50)
    for own in (None, weight):
        data = EvaluationSet(y, Groups(codes, [*"abc"], ("g",)), np.arange(n_classes), own)
        tables = soft.tables(data)
        own = np.ones(50) if own is None else own
        for g, c in itertools.product(range(3), range(n_classes)):
            cell = (codes == g) & (y == c)
            np.testing.assert_allclose(tables[g, c], own[cell] @ expected[cell], atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("temperature", [1.0, 30.0])
def test_smooth_distance_of_distributions_is_the_largest_of_a_fine_grid(
    temperature, method, weighted
):
    rng = np.random.default_rng(0)
    for _ in range(5):
        n_groups = rng.integers(2, 5)
        codes, n = rng.integers(0, n_groups, 300), 300
        predicted = rng.normal(codes, 1.0 + codes) * rng.choice([0.1, 1.0, 10.0])
        weight = rng.random(n) * (rng.random(n) < 0.9) if weighted else None
        data = EvaluationSet(predicted, Groups(codes, [*range(n_groups)], ("g",)), None, weight)
        own = np.ones(n) if weight is None else weight
        blur = 8.0 / temperature
        grid = np.linspace(predicted.min() - blur, predicted.max() + blur, 4000)
        steps = expit(temperature * (grid - predicted[:, None]))
        shares = np.array([np.average(steps[codes == g], axis=0, weights=own[codes == g])
                           for g in range(n_groups)])  # fmt: skip
        overall = np.average(steps, axis=0, weights=own)
        far = np.ptp(shares, axis=0) if method == "between_groups" else np.abs(shares - overall)
        metric = get_metric("kolmogorov_smirnov", "regression", method=method)
        found = metric.surrogate(temperature).value(data, predicted)
        # Steps as sharp as those of the exact metric have maxima between the thresholds.
        assert found == pytest.approx(far.max(), abs=1e-3 if temperature == 1.0 else 1e-2)
        again = metric.surrogate(7.0).surrogate(temperature)  # as annealing goes on
        assert again.value(data, predicted) == found


def test_kinks_of_means_of_predictions():
    """Those of maxima are softened by rho, that of the absolute error is not."""
    parity = get_metric("demographic_parity", "regression")
    error = get_metric(make_derived_metric(metric=mean_absolute_error, transform="difference"),
                       "regression")  # fmt: skip
    assert parity.kinked and error.kinked
    assert parity.surrogate(rho=5.0).kinked is False
    assert error.surrogate(rho=5.0).kinked is True
    assert parity.surrogate().rho is None


def test_ratios_of_means_are_undefined_where_one_is_not_positive():
    metric = get_metric("demographic_parity_ratio", "regression")
    groups = Groups(np.array([0, 0, 1, 1]), ["f", "m"], ("g",))
    data = EvaluationSet(np.zeros(4), groups)
    assert metric.undefined_value(data, np.array([1.0, 2.0, 3.0, 4.0])) == []
    for mean in (0.0, -1.0):
        predicted = np.array([1.0, 2.0, mean, mean])
        (sentence,) = metric.undefined_value(data, predicted)
        assert f"group 'm' has the mean {mean:g}; ratios" in sentence
        soft = metric.surrogate(rho=5.0)
        assert np.isnan(soft.value(data, predicted))
        value, gradient = soft.value_and_gradient(data, predicted[:, None])
        assert np.isnan(value) and not gradient.any()
    gap = get_metric("demographic_parity", "regression")
    assert gap.undefined_value(data, np.array([1.0, 2.0, -3.0, -4.0])) == []


@pytest.mark.parametrize("transform", ["difference", "ratio", "group_min", "group_max"])
def test_softened_means_follow_the_means_of_all_samples(transform):
    """Weighted, with a group that is absent: against log-sum-exp of the groups' means."""
    rng = np.random.default_rng(0)
    codes, predicted, weight = rng.integers(0, 3, 60), rng.gamma(2.0, size=60), rng.random(60)
    data = EvaluationSet(predicted, Groups(codes, [*"abc", "absent"], ("g",)), None, weight)
    metric = get_metric(
        make_derived_metric(metric=mean_prediction, transform=transform), "regression"
    )
    metric = GroupMeanMetric(
        metric.quantity, transform=transform, method="to_overall", rho=9.0, name="soft"
    )
    means = [np.average(predicted[codes == g], weights=weight[codes == g]) for g in range(3)]
    overall = np.average(predicted, weights=weight)

    def largest(values):
        return logsumexp(9.0 * np.array(values)) / 9.0

    deviation = np.array(means) - overall
    logs = np.log(means) - np.log(overall)
    expected = {
        "difference": largest([*deviation, *-deviation]),
        "ratio": np.exp(-largest([*logs, *-logs])),
        "group_min": -largest(-np.array(means)),
        "group_max": largest(means),
    }[transform]
    assert metric.value(data, predicted) == pytest.approx(expected)
    assert metric.value_and_gradient(data, predicted[:, None])[0] == pytest.approx(expected)
