"""Confidence limits contain the population's value, and agree however they are asked for."""

import numpy as np
import pytest
from scipy.stats import beta, binom, norm

from skbadr.metrics import GroupLossMetric, RateMetric, get_metric
from skbadr.metrics.confidence.chosen_limits import chosen_limits
from skbadr.metrics.confidence.confident import ConfidentMetric
from skbadr.metrics.confidence.intervals import Means, Proportions
from skbadr.metrics.confidence.limits import (
    comparisons,
    limits,
    lower_limit,
    many_worst_limits,
    one_side,
    upper_limit,
    worst_limit,
)
from skbadr.metrics.confidence.sample_size import rows_for_limit, rows_needed
from skbadr.metrics.inputs.encoding import encode
from skbadr.result import Evaluation

TABLES = np.array([[[40, 10], [20, 30]], [[80, 20], [10, 40]], [[20, 3], [4, 8]]])


def encoded(metric, tables, weight=None):
    """Encode the rows of confusion matrices of shape (G, C, C)."""
    cells = np.indices(tables.shape).reshape(3, -1)
    group, y, predicted = np.repeat(cells, tables.ravel(), axis=1)
    return encode(metric, y, predicted, group, weight, task="classification")


def test_limits_of_rates_are_jeffreys():
    share, n_rows = np.array([[[0.0, 0.1, 0.5, 1.0]]]), np.array([[[30.0, 30.0, 200.0, 30.0]]])
    rates, turned = Proportions(share, n_rows), Proportions(1 - share, n_rows)
    count, z = share * n_rows, norm.ppf(0.95)
    expected = beta.ppf(0.95, count + 0.5, n_rows - count + 0.5)
    np.testing.assert_allclose(rates.upper(z)[..., :3], expected[..., :3])
    assert rates.upper(z)[0, 0, 3] == 1.0
    np.testing.assert_allclose(rates.lower(z), 1 - turned.upper(z))
    nothing = Proportions(np.zeros((1, 1, 1)), np.zeros((1, 1, 1)))
    assert (nothing.lower(z), nothing.upper(z)) == (0.0, 1.0)


@pytest.mark.parametrize("n_rows", [30, 80])
@pytest.mark.parametrize("rates", [(0.01, 0.05), (0.02, 0.3), (0.4, 0.5), (0.5, 0.97)])
@pytest.mark.parametrize("name", ["demographic_parity", "demographic_parity_ratio"])
def test_exact_coverage_of_two_groups(name, rates, n_rows):
    """Over every sample that there is, weighted by its probability."""
    metric, sizes = get_metric(name), (n_rows, 2 * n_rows)
    counts = np.stack(np.meshgrid(*(np.arange(n + 1) for n in sizes), indexing="ij"), axis=-1)
    counts = counts.reshape(-1, 2)
    mass = np.prod([binom.pmf(counts[:, g], sizes[g], rates[g]) for g in (0, 1)], axis=0)
    counts, mass = counts[mass > 1e-7], mass[mass > 1e-7]
    tables = np.zeros((len(counts), 2, 2, 2))
    tables[:, :, 0, 1], tables[:, :, 0, 0] = counts, sizes - counts
    data, _ = encoded(metric, tables[len(tables) // 2].astype(int))
    parts = comparisons(metric, data, tables.reshape(len(tables), -1))
    likely = comparisons(metric, data, tables[mass.argmax()].ravel())
    value = rates[0] / rates[1] if metric.greater_is_better else rates[1] - rates[0]
    for upper in (False, True):
        found = one_side(parts, 0.95, upper=upper, like=likely)
        covered = found >= value if upper else found <= value
        assert mass @ covered >= 0.93


def draw_case(rng):
    n_groups = rng.integers(2, 6)
    sizes = np.exp(rng.uniform(np.log(30), np.log(1000), n_groups)).astype(int)
    base = rng.uniform(0.2, 0.6, n_groups)
    true = np.clip(rng.uniform(0.3, 0.8) * np.exp(0.2 * rng.normal(size=n_groups)), 0.01, 0.99)
    false = np.clip(rng.uniform(0.01, 0.3) * np.exp(0.2 * rng.normal(size=n_groups)), 0.01, 0.99)
    law = np.array([(1 - base) * (1 - false), (1 - base) * false, base * (1 - true), base * true])
    return sizes, law.T


@pytest.mark.parametrize(
    "metric",
    [
        get_metric("equalized_odds"),
        get_metric("equalized_odds_ratio"),
        get_metric("demographic_parity", method="to_overall"),
        RateMetric("f1", transform="group_min"),
        RateMetric("balanced_accuracy"),
        get_metric("zero_one_loss_group_max"),
    ],
    ids=lambda metric: metric.name,
)
def test_limits_cover_the_population(metric):
    rng, covered = np.random.default_rng(0), []
    for _ in range(150):
        sizes, law = draw_case(rng)
        tables = np.array([rng.multinomial(n, own) for n, own in zip(sizes, law, strict=True)])
        tables = tables.reshape(-1, 2, 2)
        data, response = encoded(metric, tables)
        whole = law.reshape(-1, 2, 2) * sizes[:, None, None]
        value = metric(
            *(axis.ravel() for axis in np.indices(whole.shape)[1:]),
            sensitive_features=np.indices(whole.shape)[0].ravel(),
            sample_weight=whole.ravel(),
        )
        low, high = limits(metric, data, confidence=0.95, response=response)
        assert low <= metric.value(data, response) <= high
        covered.append((low <= value, high >= value))
    # Three standard errors of 150 cases below 95 %.
    assert np.mean(covered, axis=0).min() >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 150)


@pytest.mark.parametrize("name", ["equalized_odds", "equalized_odds_ratio", "accuracy_parity"])
def test_one_engine_answers_every_question(name):
    metric = get_metric(name)
    data, response = encoded(metric, TABLES)
    statistics = TABLES.ravel().astype(float)
    low, high = limits(metric, data, statistics, 0.9)
    assert limits(metric, data, confidence=0.9, response=response) == (low, high)
    assert lower_limit(metric, data, statistics, 0.9) == low
    assert upper_limit(metric, data, statistics, 0.9) == high
    worst = low if metric.greater_is_better else high
    assert worst_limit(metric, data, statistics, 0.9) == worst
    many = many_worst_limits(metric, data, np.stack([statistics, 2 * statistics]), 0.9)
    assert many[0] == pytest.approx(worst)
    assert many[1] > many[0] if metric.greater_is_better else many[1] < many[0]


def test_limits_narrow_with_rows_and_widen_with_confidence():
    metric = get_metric("equalized_odds")
    data, _ = encoded(metric, TABLES)
    widths = [
        np.ptp(limits(metric, data, factor * TABLES.ravel(), confidence))
        for factor, confidence in ((1, 0.99), (1, 0.9), (1, 0.6), (20, 0.6), (2000, 0.6))
    ]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.02


def test_weighted_rows_count_by_their_effective_number():
    metric = get_metric("equalized_odds")
    data, response = encoded(metric, TABLES)
    expected = limits(metric, data, confidence=0.9, response=response)
    # Weights of one size mean nothing, copies at half the weight do not help.
    same, response = encoded(metric, TABLES, np.full(TABLES.sum(), 0.3))
    assert limits(metric, same, confidence=0.9, response=response) == pytest.approx(expected)
    rng = np.random.default_rng(0)
    uneven, response = encoded(metric, 50 * TABLES, rng.exponential(size=50 * TABLES.sum()))
    even, other = encoded(metric, 25 * TABLES)  # of exponential weights half of the rows remain
    found = limits(metric, uneven, confidence=0.9, response=response)
    expected = limits(metric, even, confidence=0.9, response=other)
    assert np.ptp(found) == pytest.approx(np.ptp(expected), rel=0.1)


def test_group_without_the_class_tells_nothing():
    metric, tables = get_metric("equal_opportunity"), TABLES.copy()
    tables[2, 1] = 0
    data, response = encoded(metric, tables)
    low, high = limits(metric, data, confidence=0.9, response=response)
    assert metric.value(data, response) == pytest.approx(0.8)  # the group's rate counts as 0
    assert low < 0.1  # the gap of the others is .2
    assert high > 0.8


def test_ratio_without_any_positive_is_anything():
    metric = get_metric("demographic_parity_ratio")
    data, response = encoded(metric, np.array([[[9, 0], [9, 0]]] * 2))
    assert limits(metric, data, confidence=0.9, response=response) == (0.0, 1.0)


@pytest.mark.parametrize(
    "metric",
    [
        get_metric("demographic_parity", "regression"),
        get_metric("demographic_parity", "regression", method="to_overall"),
        get_metric("worst_group_loss", "regression"),
        get_metric("group_loss_ratio", "regression"),
        get_metric("kolmogorov_smirnov", "regression"),
        get_metric("kolmogorov_smirnov", "regression", method="to_overall"),
    ],
    ids=lambda metric: f"{metric.name}-{getattr(metric, 'method', '')}",
)
def test_limits_of_means_cover_the_population(metric):
    rng, covered = np.random.default_rng(0), []

    def draw(sizes, shift):
        group = np.repeat([0, 1, 2], sizes)
        predicted = 2 + shift * group + rng.normal(size=len(group))
        return predicted + (1 + 0.3 * group) * rng.normal(size=len(group)), predicted, group

    for shift in (0.0, 0.2, 0.8):
        y, predicted, group = draw([40_000, 80_000, 120_000], shift)
        value = metric(y, predicted, sensitive_features=group)
        for _ in range(50):
            y, predicted, group = draw([40, 80, 120], shift)
            data, response = encode(metric, y, predicted, group, task="regression")
            low, high = limits(metric, data, confidence=0.95, response=response)
            covered.append((low <= value + 0.005, high >= value - 0.005))
    assert np.mean(covered, axis=0).min() >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 150)


def test_skewed_means_have_longer_limits_above():
    shape = (1, 1, 1)
    plain = Means(np.ones(shape), np.ones(shape), np.zeros(shape), np.full(shape, 50.0))
    skewed = Means(np.ones(shape), np.ones(shape), np.full(shape, 2.0), np.full(shape, 50.0))
    z = norm.ppf(0.95)
    assert plain.upper(z) - 1 == pytest.approx(1 - plain.lower(z), rel=1e-4)
    assert skewed.upper(z) > plain.upper(z)
    assert skewed.lower(z) > plain.lower(z)
    single = Means(np.ones(shape), np.zeros(shape), np.zeros(shape), np.ones(shape))
    assert single.upper(z) > 1e50


def half_gap(y_true, y_pred, *, sensitive_features):
    groups = np.asarray(sensitive_features)
    return 0.5 * np.ptp([y_pred[groups == g].mean() for g in np.unique(groups)])


@pytest.mark.parametrize("metric", ["individual", "covariance", "hsic", "roc_auc_score_group_min"])
def test_other_metrics_are_resampled(metric):
    metric = get_metric(metric)
    rng = np.random.default_rng(0)
    group, y = rng.integers(2, size=300), rng.integers(2, size=300)
    proba = np.clip(0.3 + 0.3 * y + 0.1 * rng.normal(size=300), 0.01, 0.99)
    data, response = encode(metric, y, proba, group, task="classification")
    low, high = limits(metric, data, confidence=0.9, response=response)
    assert low < metric.value(data, response) < high
    assert limits(metric, data, confidence=0.9, response=response) == (low, high)
    assert np.ptp(limits(metric, data, confidence=0.99, response=response)) > high - low
    with pytest.raises(ValueError, match="pass response"):
        limits(metric, data, confidence=0.9)


def test_callables_are_resampled():
    metric, parity = get_metric(half_gap), get_metric("demographic_parity")
    data, response = encoded(metric, 5 * TABLES)
    low, high = limits(metric, data, confidence=0.9, response=response)
    expected = limits(parity, data, confidence=0.9, response=response)
    np.testing.assert_allclose([2 * low, 2 * high], expected, atol=0.03)


def test_losses_of_one_kind_are_counts():
    metric = GroupLossMetric("worst_group_loss")
    data, response = encoded(metric, TABLES)
    _, high = limits(metric, data, confidence=0.95, response=response)
    assert high == pytest.approx(beta.ppf(0.95, 30.5, 70.5))


@pytest.mark.parametrize("name", ["demographic_parity", "equalized_odds_ratio"])
def test_rows_that_are_asked_for_would_do(name):
    metric = get_metric(name)
    data, response = encoded(metric, TABLES)
    value = metric.value(data, response)
    low, high = limits(metric, data, confidence=0.95, response=response)
    for bound in (value + 0.4 * (high - value), value - 0.4 * (value - low)):
        needed = rows_needed(metric, data, bound, confidence=0.95, response=response)
        factor = needed.total / TABLES.sum()
        assert factor > 1
        assert 0 < needed.group_total < needed.total
        rng, told = np.random.default_rng(1), []
        for _ in range(60):
            sizes = (factor * TABLES.sum(axis=(1, 2))).astype(int)
            drawn = [
                rng.multinomial(n, own.ravel() / own.sum())
                for n, own in zip(sizes, TABLES, strict=True)
            ]
            found = limits(metric, data, np.ravel(drawn), 0.95)
            told.append(found[1] <= bound if bound > value else found[0] > bound)
        assert 0.4 <= np.mean(told) <= 0.9


def test_no_number_of_rows_tells_a_bound_that_is_met_exactly():
    metric = get_metric("demographic_parity")
    data, response = encoded(metric, TABLES)
    value = metric.value(data, response)
    assert rows_needed(metric, data, value, confidence=0.95, response=response) is None


@pytest.mark.parametrize(
    "name, bound", [("demographic_parity", 0.05), ("equalized_odds_ratio", 0.4)]
)
def test_rows_for_a_limit_are_those_of_the_visited_model_that_needs_the_fewest(name, bound):
    of = get_metric(name)
    fair, rare = np.array([[[45, 5], [45, 5]]] * 3), np.array([[[48, 2], [48, 2]]] * 3)
    fair[0], rare[2, 0] = [[43, 7], [43, 7]], [47, 3]
    data, _ = encoded(of, fair)
    metric = ConfidentMetric(of, 0.9, data)
    visited = []
    for table in (TABLES, fair, rare):
        own = np.ravel(table * fair.sum(axis=2, keepdims=True) / table.sum(axis=2, keepdims=True))
        limit = metric.from_statistics(data, own)
        visited.append(Evaluation(np.ones(6), limit, 0.0, metric.value_of(own), statistics=own))
    each = [rows_for_limit(metric, data, bound, [e]) for e in visited]
    known = [needed.total for needed in each if needed is not None]
    needed = rows_for_limit(metric, data, bound, visited)
    assert needed.total == min(known)
    chosen = visited[[n is not None and n.total == needed.total for n in each].index(True)]
    factor, rng = needed.total / data.n_rows, np.random.default_rng(1)
    shares = chosen.statistics.reshape(6, 2)[:, 1] / data.class_totals.ravel()
    sizes = np.rint(factor * data.class_totals.ravel()).astype(int)
    told = []
    for _ in range(100):
        positive = rng.binomial(sizes, shares)
        drawn = np.stack([sizes - positive, positive], axis=1).reshape(fair.shape)
        own, response = encoded(of, drawn)
        limit = chosen_limits(of, own, response, 0.9)
        told.append(limit >= bound if metric.greater_is_better else limit <= bound)
    assert 0.5 <= np.mean(told) <= 0.8
    assert rows_for_limit(metric, data, of.ideal, visited) is None
