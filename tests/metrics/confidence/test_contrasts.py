"""Limits of groups' estimates and of their comparisons: against published formulas and draws."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from skbadr.metrics.confidence.contrasts import compare_groups, largest_error
from skbadr.metrics.confidence.intervals import Proportions

Z = norm.ppf(0.95)
RNG = np.random.default_rng(0)
# Two models, two rates, four groups.
SHARE = RNG.uniform(0.1, 0.9, (2, 2, 4))
ROWS = RNG.integers(30, 400, (2, 2, 4)).astype(float)
RATES = Proportions(SHARE, ROWS)
PAIRS = [(a, b) for a in range(4) for b in range(4) if a != b]


def each(function):
    """Return a function of one model's rates of one kind, for all, of shape (T, m, K)."""
    return np.array([[function(t, m) for m in range(2)] for t in range(2)])


def test_limits_of_differences_are_newcombes():
    """Newcombe (1998), method 10, with these limits of each rate."""
    found, low, high = compare_groups(RATES, "difference", "between_groups"), *(
        RATES.lower(Z), RATES.upper(Z)
    )  # fmt: skip

    def upper(t, m):
        p, below, above = SHARE[t, m], low[t, m], high[t, m]
        return [p[a] - p[b] + np.hypot(above[a] - p[a], p[b] - below[b]) for a, b in PAIRS]

    def lower(t, m):
        p, below, above = SHARE[t, m], low[t, m], high[t, m]
        return [p[a] - p[b] - np.hypot(p[a] - below[a], above[b] - p[b]) for a, b in PAIRS]

    np.testing.assert_allclose(found.limit(Z, upper=True), each(upper))
    np.testing.assert_allclose(found.limit(Z, upper=False), each(lower))
    gaps = each(lambda t, m: [SHARE[t, m, a] - SHARE[t, m, b] for a, b in PAIRS])
    np.testing.assert_allclose(found.centers(), gaps)
    np.testing.assert_allclose(found.extreme(gaps), np.ptp(SHARE, axis=-1))


def test_limits_of_ratios_are_those_of_donner_and_zou():
    """Donner and Zou (2012), equation 9, no more than 1."""
    found = compare_groups(RATES, "ratio", "between_groups")
    low, high = RATES.lower(Z), RATES.upper(Z)

    def limit(a, b, own, other, sign):
        root = np.sqrt((a * b) ** 2 - own * other * (2 * a - own) * (2 * b - other))
        return min((a * b + sign * root) / (other * (2 * b - other)), 1.0)

    def all_limits(t, m, sign):
        p, below, above = SHARE[t, m], low[t, m], high[t, m]
        own, other = (above, below) if sign > 0 else (below, above)
        return [limit(p[a], p[b], own[a], other[b], sign) for a, b in PAIRS]

    for sign in (1, -1):
        expected = each(lambda t, m, sign=sign: all_limits(t, m, sign))
        np.testing.assert_allclose(found.limit(Z, upper=sign > 0), expected, atol=1e-8)
    ratios = each(lambda t, m: [SHARE[t, m, a] / SHARE[t, m, b] for a, b in PAIRS])
    np.testing.assert_allclose(found.centers(), ratios)
    np.testing.assert_allclose(found.extreme(ratios), SHARE.min(axis=-1) / SHARE.max(axis=-1))
    nobody = compare_groups(Proportions(np.array([[[0.0, 0.0, 0.2]]]), np.full(3, 9.0)), "ratio",
                            "between_groups")  # fmt: skip
    expected = [[[np.nan, 0.0, np.nan, 0.0, np.inf, np.inf]]]
    expected = np.where(np.isinf(expected), np.nan, expected)  # to a rate of 0 there is no ratio
    np.testing.assert_array_equal(nobody.centers(), expected)


@pytest.mark.parametrize("transform", ["group_min", "group_max"])
def test_the_extreme_group_has_its_own_limits(transform):
    found = compare_groups(RATES, transform, "between_groups")
    np.testing.assert_allclose(found.limit(Z, upper=True), RATES.upper(Z))
    np.testing.assert_allclose(found.limit(Z, upper=False), RATES.lower(Z))
    extreme = SHARE.min(axis=-1) if transform == "group_min" else SHARE.max(axis=-1)
    np.testing.assert_allclose(found.extreme(found.centers()), extreme)


WEIGHT = np.array([0.1, 0.2, 0.3, 0.4])
TOTAL = np.array([[300.0, 500.0], [700.0, 900.0]])


def overall_limit(t, m, group, ratio, upper, turned):
    """Return a limit of one group's rate less the overall one's, times ratio; or turned round."""
    p, low, high = SHARE[t, m], RATES.lower(Z)[t, m], RATES.upper(Z)[t, m]
    overall = WEIGHT @ p
    coefficient = -ratio * WEIGHT if not turned else WEIGHT.copy()
    coefficient[group] += 1.0 if not turned else -ratio
    square = 0.0
    for x, rate, below, above in zip(coefficient, p, low, high, strict=True):
        square += (x * (above - rate if (x > 0) == upper else rate - below)) ** 2
    # The overall rate also errs by the shares of the groups in a sample.
    square += (Z * (1.0 if turned else ratio)) ** 2 * WEIGHT @ (p - overall) ** 2 / TOTAL[t, m]
    return coefficient @ p + (1 if upper else -1) * np.sqrt(square)


@pytest.mark.parametrize("upper", [True, False])
def test_limits_of_comparisons_with_all_samples(upper):
    both = [(g, turned) for turned in (False, True) for g in range(4)]
    found = compare_groups(RATES, "difference", "to_overall", WEIGHT, TOTAL)
    expected = each(lambda t, m: [overall_limit(t, m, g, 1.0, upper, turn) for g, turn in both])
    np.testing.assert_allclose(found.limit(Z, upper=upper), expected)
    gaps = SHARE - (SHARE @ WEIGHT)[..., None]
    np.testing.assert_allclose(found.centers(), np.concatenate([gaps, -gaps], axis=-1))
    ratios = compare_groups(RATES, "ratio", "to_overall", WEIGHT, TOTAL)

    def root(t, m, group, turned):
        def holds(ratio):
            return overall_limit(t, m, group, ratio, upper, turned)

        return 1.0 if holds(1.0) >= 0 else brentq(holds, 0.0, 1.0, xtol=1e-12)

    expected = each(lambda t, m: [root(t, m, g, turned) for g, turned in both])
    np.testing.assert_allclose(ratios.limit(Z, upper=upper), expected, atol=1e-8)


@pytest.mark.parametrize("transform", ["difference", "ratio", "group_max"])
def test_errors_are_as_correlated_as_those_of_samples(transform):
    """Drawn from the groups, the comparisons' errors have the correlations that are drawn."""
    share, rows = np.array([0.3, 0.4, 0.6]), np.array([2000, 4000, 1000])
    rates = Proportions(np.tile(share, (1, 2, 1)), np.tile(rows.astype(float), (1, 2, 1)))
    found = compare_groups(rates, transform, "between_groups")
    drawn = found.errors(np.random.default_rng(0), 20_000)
    assert drawn.shape == (20_000, 2, 3 if transform == "group_max" else 6)
    rng = np.random.default_rng(1)
    samples = rng.binomial(rows, share, size=(20_000, 3)) / rows
    pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
    if transform == "group_max":
        values = samples
    elif transform == "difference":
        values = np.stack([samples[:, a] - samples[:, b] for a, b in pairs], axis=1)
    else:
        values = np.stack([np.log(samples[:, a] / samples[:, b]) for a, b in pairs], axis=1)
    for rate in (0, 1):
        np.testing.assert_allclose(
            np.cov(drawn[:, rate].T), np.corrcoef(values.T), atol=0.03
        )  # so that each has a variance of 1
    assert abs(np.mean(drawn[:, 0] * drawn[:, 1])) < 0.03  # those of two rates are independent


def test_ratios_to_nobody_have_errors():
    rates = Proportions(np.array([[[0.0, 0.0, 0.5]]]), np.full((1, 1, 3), 50.0))
    drawn = compare_groups(rates, "ratio", "between_groups").errors(np.random.default_rng(0), 5000)
    assert np.isfinite(drawn).all()
    np.testing.assert_allclose(drawn.std(axis=0), 1.0, atol=0.05)


def test_the_largest_error_of_independent_groups():
    """P(all of G errors < z) = Phi(z)^G."""
    rates = Proportions(np.full((1, 2, 5), 0.4), np.full((1, 2, 5), 500.0))
    part = compare_groups(rates, "group_max", "between_groups")
    for parts, kept, number in (
        ([part], None, 10),
        ([part, part], None, 20),
        ([part], [np.arange(10).reshape(2, 5) < 3], 3),
        ([part, part], [np.eye(2, 5) > 0, np.zeros((2, 5), dtype=bool)], 2),
    ):
        expected = norm.ppf(norm.cdf(Z) ** (1 / number))
        assert largest_error(parts, Z, kept) == pytest.approx(expected, abs=0.07)
    alone = [np.arange(10).reshape(2, 5) == 3]
    assert largest_error([part], Z, alone) == pytest.approx(Z)
    assert largest_error([part], Z, [np.zeros((2, 5), dtype=bool)]) == pytest.approx(Z)
    # Of one error many times, as many as there are, and of too many to be drawn: Bonferroni.
    many = Proportions(np.full((1, 1, 33), 0.4), np.full((1, 1, 33), 500.0))
    part = compare_groups(many, "difference", "between_groups")
    expected = -norm.ppf(norm.cdf(-Z) / (33 * 32))
    assert largest_error([part], Z) == pytest.approx(expected)
    few = Proportions(np.full((1, 1, 2), 0.4), np.full((1, 1, 2), 500.0))
    part = compare_groups(few, "difference", "between_groups")
    assert largest_error([part], Z) == pytest.approx(-norm.ppf(norm.cdf(-Z) / 2), abs=0.07)
    assert Z <= largest_error([part] * 2, Z) <= -norm.ppf(norm.cdf(-Z) / 4)


def test_the_weakest_group_adds_most_to_the_extreme_limit():
    share, rows = np.array([0.1, 0.5, 0.8, 0.45]), np.array([900.0, 20.0, 100.0, 15.0])
    rates = Proportions(
        np.stack([np.full(4, 0.5), share])[None], np.stack([np.full(4, 1e6), rows])[None]
    )
    for transform, expected in (
        ("difference", 2),
        ("ratio", 2),
        ("group_min", 3),
        ("group_max", 2),
    ):
        part = compare_groups(rates, transform, "between_groups")
        limits = part.limit(Z, upper=part.takes_largest)[0]
        if transform == "group_min":
            limits = np.where(np.arange(4) == 0, np.nan, limits)  # its rate is not known
        weakest = part.weakest_group(limits, Z)
        if transform == "ratio":  # of .1 and .8 the former matters more, at equal rows
            assert weakest in (0, 2)
        else:
            assert weakest == expected
    # The largest gap is that of groups 0 and 2; with rows turned round, group 0 adds most.
    turned = Proportions(rates.share, np.stack([rows, np.array([20.0, 900, 900, 900])])[None])
    part = compare_groups(turned, "difference", "between_groups")
    assert part.weakest_group(part.limit(Z, upper=True)[0], Z) == 0


def test_a_single_group_differs_from_nobody():
    single = Proportions(np.full((1, 1, 1), 0.3), np.full((1, 1, 1), 40.0))
    for method, options in (("between_groups", ()), ("to_overall", (np.ones(1), np.full(1, 40.0)))):
        part = compare_groups(single, "difference", method, *options)
        np.testing.assert_allclose(part.limit(Z, upper=True), 0.0, atol=1e-12)
