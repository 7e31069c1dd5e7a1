"""Limits of models that were chosen by them, and the metric that a search bounds."""

import numpy as np
import pytest
from scipy.special import ndtri

from skbadr.metrics import EvaluationSet, get_metric
from skbadr.metrics.confidence.chosen_limits import (
    QuickProportions,
    _where_chances_add_up,
    chosen_limits,
    many_chosen_limits,
)
from skbadr.metrics.confidence.confident import ConfidentMetric
from skbadr.metrics.confidence.intervals import Proportions
from skbadr.metrics.confidence.limits import many_worst_limits, worst_limit
from skbadr.partition import make_groups

RATES = [
    "demographic_parity",
    "equalized_odds",
    "demographic_parity_ratio",
    "equalized_odds_ratio",
    "recall_score_group_min",
    "zero_one_loss_group_max",
    "selection_rate_difference",
]


def draw(n=3000, n_groups=3, seed=0, weight=None):
    rng = np.random.default_rng(seed)
    groups = rng.integers(n_groups, size=n)
    y = rng.integers(2, size=n)
    predicted = (rng.random(n) < 0.3 + 0.1 * groups + 0.2 * y).astype(int)
    data = EvaluationSet(y, make_groups(groups), np.arange(2), weight)
    return data, predicted


@pytest.mark.parametrize("share", [0.0, 0.03, 0.4, 1.0])
@pytest.mark.parametrize("n_rows", [30.0, 1000.0])
def test_that_closed_limits_are_near_those_of_jeffreys(share, n_rows):
    count = np.round(share * n_rows)
    args = np.array([[[count / n_rows]]]), np.array([[[n_rows]]])
    for z in (0.3, 1.28, 2.0):
        quick, exact = QuickProportions(*args), Proportions(*args)
        width = exact.upper(z) - exact.lower(z)
        assert abs(quick.upper(z) - exact.upper(z)) <= 0.15 * width
        assert abs(quick.lower(z) - exact.lower(z)) <= 0.15 * width
    unknown = QuickProportions(np.zeros((1, 1, 1)), np.zeros((1, 1, 1)))
    assert unknown.upper(1.0) == 1.0
    assert unknown.lower(1.0) == 0.0


def test_that_a_gap_that_stands_out_keeps_its_own_limit():
    centers, errors = np.array([[0.3, 0.0, -0.3]]), np.array([[0.02, 0.02, 0.02]])
    found = _where_chances_add_up(centers, errors, 0.1)
    np.testing.assert_allclose(found, 0.3 + 0.02 * ndtri(0.9))


@pytest.mark.parametrize("n_alike", [1, 2, 6, 30])
@pytest.mark.parametrize("chance", [0.5, 0.1, 0.01])
def test_that_gaps_alike_share_the_chance(n_alike, chance):
    found = _where_chances_add_up(np.full((2, n_alike), 0.1), np.full((2, n_alike), 0.02), chance)
    np.testing.assert_allclose(found, 0.1 - 0.02 * ndtri(chance / n_alike), atol=2e-5)


def test_that_gaps_that_do_not_exist_count_for_nothing():
    centers, errors = np.array([[0.1, np.nan], [np.nan, np.nan]]), np.full((2, 2), 0.02)
    found = _where_chances_add_up(centers, errors, 0.1)
    np.testing.assert_allclose(found[0], 0.1 - 0.02 * ndtri(0.1))
    assert np.isnan(found[1])


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_that_it_is_no_less_safe_than_the_limit_of_a_given_model(name, confidence):
    data, predicted = draw()
    metric = get_metric(name, "classification")
    table = metric.statistics(data, predicted)[None]
    given = many_worst_limits(metric, data, table, confidence)[0]
    chosen = many_chosen_limits(metric, data, table, confidence)[0]
    sign = -1 if metric.greater_is_better else 1
    slack = 2e-3  # closed forms of the limits of rates are not quite Jeffreys'
    assert sign * chosen >= sign * given - slack
    assert sign * chosen >= sign * metric.value(data, predicted)
    np.testing.assert_allclose(chosen_limits(metric, data, predicted, confidence), chosen)


@pytest.mark.parametrize("name", ["equalized_odds", "equalized_odds_ratio"])
@pytest.mark.parametrize("n_groups", [2, 4])
def test_that_models_driven_to_the_bound_keep_it(name, n_groups):
    """A search drives all gaps to the bound; rows then show the population plus chance."""
    rng = np.random.default_rng(0)
    metric, confidence, size = get_metric(name, "classification"), 0.9, 400
    y = np.tile(np.repeat([0, 1], size), n_groups)
    groups = np.repeat(np.arange(n_groups), 2 * size)
    data = EvaluationSet(y, make_groups(groups), np.arange(2))
    sign = -1 if metric.greater_is_better else 1
    # Rates of groups apart by as much, in both classes.
    shown = np.linspace(0.4, 0.48, n_groups)
    table = np.zeros((n_groups, 2, 2))
    table[:, :, 1] = size * shown[:, None]
    table[:, :, 0] = size - table[:, :, 1]
    bound = many_chosen_limits(metric, data, table.reshape(1, -1), confidence)[0]
    errors = rng.normal(size=(4000, n_groups, 2)) * np.sqrt(shown * (1 - shown) / size)[:, None]
    drawn = np.repeat(table[None], 4000, axis=0)
    drawn[..., 1] -= size * errors
    drawn[..., 0] += size * errors
    values = metric.from_many_statistics(data, drawn.reshape(4000, -1))
    kept = np.mean(sign * values <= sign * bound)
    assert confidence - 0.01 <= kept <= confidence + 0.06


@pytest.mark.parametrize("agg", ["worst_case", "mean"])
def test_means_over_rates(agg):
    from skbadr.metrics import RateMetric

    data, predicted = draw()
    metric = RateMetric(["true_positive_rate", "false_positive_rate"], agg=agg)
    table = metric.statistics(data, predicted)[None]
    limit = many_chosen_limits(metric, data, table, 0.9)[0]
    assert limit > metric.value(data, predicted)


def test_that_weights_count_by_their_effective_number():
    rng = np.random.default_rng(1)
    metric = get_metric("demographic_parity", "classification")
    plain, predicted = draw()
    limits = [chosen_limits(metric, plain, predicted)]
    for weight in (np.full(3000, 5.0), rng.exponential(size=3000)):
        data, predicted = draw(weight=weight)
        value = metric.value(data, predicted)
        limits.append(chosen_limits(metric, data, predicted))
        assert limits[-1] > value
    assert limits[0] == pytest.approx(limits[1])


def test_that_tables_of_some_rows_stand_for_all():
    data, predicted = draw(n=4000)
    metric = get_metric("equalized_odds", "classification")
    confident = ConfidentMetric(metric, 0.9, data)
    whole = confident.value(data, predicted)
    some = data.take(slice(None, None, 4))
    part = confident.value(some, predicted[::4])
    of_few = chosen_limits(metric, some, predicted[::4], 0.9)
    shown = metric.value(some, predicted[::4])
    assert part - shown < 0.65 * (of_few - shown)
    assert whole - metric.value(data, predicted) == pytest.approx(part - shown, rel=0.25)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("worst_group_loss", "classification"),
        ("group_loss_gap", "regression"),
        ("group_loss_ratio", "regression"),
        ("demographic_parity", "regression"),
        ("hsic", "regression"),
    ],
)
def test_that_other_metrics_keep_their_last_distance(name, task):
    rng = np.random.default_rng(0)
    n = 600
    classes = np.arange(2) if task == "classification" else None
    y = rng.integers(2, size=n) if classes is not None else rng.normal(size=n)
    data = EvaluationSet(y, make_groups(rng.integers(2, size=n)), classes)
    metric = get_metric(name, task)
    shape = {"predict": n, "predict_proba": (n, 2)}[metric.response_method]
    response = rng.integers(2, size=n) if classes is not None else rng.random(shape)
    if response.ndim == 2:
        response /= response.sum(axis=1, keepdims=True)
    confident = ConfidentMetric(metric, 0.9, data)
    statistics = confident.statistics(data, response)
    limit, value = confident.from_statistics(data, statistics), confident.value_of(statistics)
    assert value == metric.value(data, response)
    assert limit > value
    other = response[::-1]
    assert confident.value(data, other) - metric.value(data, other) == pytest.approx(limit - value)
    one_sided = worst_limit(metric, data, confidence=0.9, response=response)
    assert limit >= one_sided - 1e-9 * abs(one_sided)
