"""Limits of groups' rates and means before they are compared: against their definitions."""

import numpy as np
import pytest
from scipy.stats import beta, norm, skew, t

from skbadr.metrics import EvaluationSet
from skbadr.metrics.confidence.intervals import (
    Averaged,
    Means,
    Proportions,
    Transformed,
    effective_rows,
    effective_total,
    group_means,
)
from skbadr.partition import Groups

Z = norm.ppf(0.95)
COUNT = np.array([[[0.0, 3.0, 20.0, 40.0], [1.0, 7.0, 39.0, 20.0]]])
RATES = Proportions(COUNT / 40.0, np.full((1, 2, 4), 40.0))


def test_variances_are_of_the_posterior_for_one_more_sample():
    """Jeffreys' posterior has the variance p (1 - p) / (n + 2), a sample p (1 - p) / n."""
    expected = beta.var(COUNT + 0.5, 40.0 - COUNT + 0.5) * 42.0 / 40.0
    np.testing.assert_allclose(RATES.variance, expected)
    assert (RATES.variance > 0).all()
    nothing = Proportions(np.zeros(2), np.array([0.0, 0.5]))
    assert np.isfinite(nothing.variance).all() and (nothing.variance > 0.1).all()


@pytest.mark.parametrize("z", [1e-3, 0.1, Z, 4.0])
def test_limits_enclose_the_rates_and_stay_within_what_they_can_be(z):
    low, high = RATES.lower(z), RATES.upper(z)
    assert (low <= RATES.center).all() and (RATES.center <= high).all()
    assert (low >= RATES.lowest).all() and (high <= RATES.highest).all()
    assert low[0, 0, 0] == 0.0 and high[0, 0, 3] == 1.0
    assert 0 < high[0, 0, 0] < 1 and 0 < low[0, 0, 3] < 1
    count = COUNT[..., 1]
    quantile = beta.ppf(norm.cdf(-z), count + 0.5, 40.5 - count)
    np.testing.assert_allclose(low[..., 1], np.minimum(quantile, count / 40.0))
    quantile = beta.ppf(norm.cdf(z), count + 0.5, 40.5 - count)
    np.testing.assert_allclose(high[..., 1], np.maximum(quantile, count / 40.0))


def test_one_of_several_rates():
    for estimates in (RATES, Proportions(RATES.share, np.full(4, 40.0))):
        for number in (0, 1):
            own = estimates.of_rate(number)
            assert own.center.shape == (1, 1, 4)
            np.testing.assert_array_equal(own.center[:, 0], RATES.center[:, number])
            np.testing.assert_allclose(own.upper(Z)[:, 0], RATES.upper(Z)[:, number])


def test_less_than_one_row_of_a_kind_is_not_none():
    """Weighted rows count by an effective number, of which a share need not be a whole one."""
    few = Proportions(np.array([0.5]), np.array([1.6]))
    assert 0 < few.lower(Z)[0] < 0.5 < few.upper(Z)[0] < 1


def test_functions_of_rates():
    f1 = Transformed(RATES, lambda q: 2 * q / (1 + q), lambda q: 2 / (1 + q) ** 2)
    np.testing.assert_allclose(f1.center, 2 * COUNT / (40 + COUNT))
    np.testing.assert_allclose(f1.lower(Z), 2 * RATES.lower(Z) / (1 + RATES.lower(Z)))
    np.testing.assert_allclose(f1.upper(Z), 2 * RATES.upper(Z) / (1 + RATES.upper(Z)))
    np.testing.assert_allclose(f1.of_rate(1).upper(Z), f1.upper(Z)[:, 1:])
    assert (f1.lowest, f1.highest) == (0.0, 1.0)
    # The delta method, of rates that are known well.
    precise = Proportions(np.full((1, 1, 1), 0.3), np.full((1, 1, 1), 1e4))
    f1 = Transformed(precise, f1.function, f1.slope)
    drawn = np.random.default_rng(0).binomial(10_000, 0.3, 40_000) / 1e4
    assert f1.variance[0, 0, 0] == pytest.approx(np.var(f1.function(drawn)), rel=0.05)


def test_means_of_rates():
    weight = np.array([[0.5, 0.25, 1.0, 0.0], [0.5, 0.75, 0.0, 1.0]])
    mean, low, high = Averaged(RATES, weight), RATES.lower(Z), RATES.upper(Z)
    assert mean.of_rate(0) is mean
    for g in range(4):
        p, w = RATES.share[0, :, g], weight[:, g]
        assert mean.center[0, 0, g] == pytest.approx(np.average(p, weights=w))
        assert mean.variance[0, 0, g] == pytest.approx(
            sum((w[c]) ** 2 * RATES.variance[0, c, g] for c in (0, 1))
        )
        down, up = (np.hypot(*(w * (limit[0, :, g] - p))) for limit in (low, high))
        assert mean.lower(Z)[0, 0, g] == pytest.approx(w @ p - down)
        assert mean.upper(Z)[0, 0, g] == pytest.approx(w @ p + up)
    # A mean of one rate has that rate's limits.
    assert mean.upper(Z)[0, 0, 2] == pytest.approx(high[0, 0, 2])
    assert (mean.lowest, mean.highest) == (0.0, 1.0)


@pytest.mark.parametrize("level", [0.6, 0.95, 0.999])
def test_means_have_the_limits_of_hall(level):
    """The transformed Student statistic of the mean at its limit is the quantile of Student's."""
    z, n, gamma = norm.ppf(level), np.array([[[12.0, 50.0, 400.0]]]), np.array([[[0.9, -1.5, 3.0]]])
    means = Means(np.full((1, 1, 3), 5.0), np.full((1, 1, 3), 2.0), gamma, n)

    def transformed(limit):
        student, bend = (5.0 - limit) / (2.0 / np.sqrt(n)), gamma / np.sqrt(n)
        return student + bend * student**2 / 3 + bend**2 * student**3 / 27 + bend / 6

    low, high = means.lower(z), means.upper(z)
    assert (low <= 5.0).all() and (high >= 5.0).all()
    for limit, quantile in ((low, t.ppf(level, n - 1)), (high, -t.ppf(level, n - 1))):
        inside = limit != 5.0
        np.testing.assert_allclose(transformed(limit)[inside], quantile[inside])
    assert (high != 5.0).any() and (low != 5.0).any()


def test_means_that_are_not_skewed_have_students_limits():
    n = np.array([[[2.0, 30.0]]])
    means = Means(np.zeros((1, 1, 2)), np.ones((1, 1, 2)), np.zeros((1, 1, 2)), n)
    np.testing.assert_allclose(means.variance, 1 / n)
    np.testing.assert_allclose(means.upper(Z), t.ppf(0.95, n - 1) / np.sqrt(n), rtol=1e-5)
    np.testing.assert_allclose(means.lower(Z), -t.ppf(0.95, n - 1) / np.sqrt(n), rtol=1e-5)
    assert (means.lowest, means.highest) == (-np.inf, np.inf)


def test_one_row_tells_nothing_of_a_mean():
    one = Means(*(np.full((1, 1, 1), value) for value in (5.0, 0.0, 0.0, 1.0)))
    assert one.variance[0, 0, 0] >= 1e100
    assert one.lower(Z)[0, 0, 0] <= -1e50 and one.upper(Z)[0, 0, 0] >= 1e50


def mean_data(codes, weight=None):
    groups = Groups(np.asarray(codes), ["a", "b", "absent", "single"], ("g",))
    return EvaluationSet(np.zeros(len(codes)), groups, None, weight)


def test_moments_of_groups():
    rng = np.random.default_rng(0)
    codes = np.r_[np.repeat([0, 1], [30, 50]), 3]
    values = np.r_[rng.gamma(2.0, size=30), 0.1 * rng.gamma(2.0, size=50), 9.0]
    for weight in (None, np.full(81, 0.3)):
        found = group_means(mean_data(codes, weight), values)
        assert found.center.shape == (1, 1, 3)  # the absent one is left out
        for k, g in enumerate((0, 1)):
            own = values[codes == g]
            assert found.center[0, 0, k] == pytest.approx(own.mean())
            assert found.deviation[0, 0, k] == pytest.approx(own.std(ddof=1))
            assert found.skewness[0, 0, k] == pytest.approx(skew(own))
            assert found.n_rows[0, 0, k] == pytest.approx(len(own))
        assert [part[0, 0, 2] for part in (found.deviation, found.skewness)] == [0.0, 0.0]
        assert found.n_rows[0, 0, 2] == pytest.approx(1.0)
    weight = np.array([1.0, 1.0, 1.0, 3.0])
    pair = group_means(mean_data([0, 0, 1, 1], weight), np.array([0.1, 0.4, 3.0, 9.0]))
    assert pair.deviation[0, 0, 0] == pytest.approx(np.std([0.1, 0.4], ddof=1))
    assert pair.n_rows[0, 0, 1] == pytest.approx(1.6)
    assert pair.variance[0, 0, 1] == pytest.approx(pair.deviation[0, 0, 1] ** 2 / 1.6)
    alike = group_means(mean_data(np.zeros(9, int)), np.full(9, 2.0))
    assert (alike.deviation[0, 0, 0], alike.skewness[0, 0, 0]) == (0.0, 0.0)


def test_effective_rows():
    weight = np.array([1.0, 1.0, 2.0, 4.0, 0.0])
    data = mean_data([0, 0, 1, 1, 3], weight)
    np.testing.assert_allclose(
        effective_rows(data.group_totals, data.squared_totals), [2.0, 36 / 20, 0.0, 0.0]
    )
    assert effective_total(data) == pytest.approx(64 / 22)
