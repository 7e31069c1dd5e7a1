"""One number from the groups: against its definition, its gradient against differences."""

import numpy as np
import pytest
from scipy.special import logsumexp

from skbadr.metrics.aggregate import (
    METHODS,
    TRANSFORMS,
    aggregate_groups,
    aggregate_with_gradient,
    combine,
    largest,
    smallest,
)

RNG = np.random.default_rng(0)
VALUES = RNG.uniform(0.1, 1.0, size=(4, 6))
VALUES[1, 2] = VALUES[3, 2] = VALUES[0, 5] = np.nan
OVERALL = RNG.uniform(0.3, 0.7, size=6)


def definition(values, overall, transform):
    """What `aggregate_groups` is of one column."""
    values = values[~np.isnan(values)]
    if transform == "group_min":
        return min(values)
    if transform == "group_max":
        return max(values)
    if transform == "difference":
        far = values - values[:, None] if overall is None else values - overall
        return np.abs(far).max()
    ratios = values / values[:, None] if overall is None else values / overall
    return np.minimum(ratios, 1 / ratios).min()


def differences(function, at, step=1e-6):
    """Return central differences, column by column, of a function of an array that has none."""
    gradient = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        if not np.isnan(at[index]):
            up, down = at.copy(), at.copy()
            up[index] += step
            down[index] -= step
            gradient[index] = (function(up) - function(down))[index[-1]] / (2 * step)
    return gradient


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("method", METHODS)
def test_values(transform, method):
    overall = OVERALL if method == "to_overall" else None
    expected = [
        definition(VALUES[:, j], None if overall is None else overall[j], transform)
        for j in range(6)
    ]
    np.testing.assert_allclose(aggregate_groups(VALUES, overall, transform), expected)
    np.testing.assert_allclose(aggregate_with_gradient(VALUES, overall, transform)[0], expected)


@pytest.mark.parametrize("rho", [None, 20.0])
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("method", METHODS)
def test_gradients(transform, method, rho):
    overall = OVERALL if method == "to_overall" else None

    def value(by_group, total=overall):
        return aggregate_with_gradient(by_group, total, transform, rho)[0]

    _, by_group, by_overall = aggregate_with_gradient(VALUES, overall, transform, rho)
    np.testing.assert_allclose(by_group, differences(value, VALUES), atol=1e-7)
    assert by_overall.shape == (6,)
    if overall is None or transform.startswith("group"):
        assert not by_overall.any()
    else:
        of_total = differences(lambda total: value(VALUES, total), OVERALL)
        np.testing.assert_allclose(by_overall, of_total, atol=1e-7)


@pytest.mark.parametrize("rho", [5.0, 50.0])
def test_softened_extremes(rho):
    kept = [VALUES[~np.isnan(VALUES[:, j]), j] for j in range(6)]
    high, low = largest(VALUES, rho)[0], smallest(VALUES, rho)[0]
    np.testing.assert_allclose(high, [logsumexp(rho * v) / rho for v in kept])
    np.testing.assert_allclose(low, [-logsumexp(-rho * v) / rho for v in kept])
    soft = aggregate_with_gradient(VALUES, None, "ratio", rho)[0]
    logs = [rho * np.log(v) for v in kept]
    np.testing.assert_allclose(soft, [np.exp(-(logsumexp(x) + logsumexp(-x)) / rho) for x in logs])


@pytest.mark.parametrize("rho", [None, 10.0])
def test_columns_without_a_value(rho):
    empty = np.full((3, 2), np.nan)
    for function in (largest, smallest):
        value, gradient = function(empty, rho)
        assert np.isnan(value).all()
        assert not gradient.any()
    assert np.isnan(aggregate_with_gradient(empty, None, "ratio", rho)[0]).all()


def test_the_first_of_equal_values_has_the_gradient():
    value, gradient = largest(np.array([[1.0], [3.0], [3.0]]))
    assert value.tolist() == [3.0]
    assert gradient.ravel().tolist() == [0.0, 1.0, 0.0]


def test_ratios_of_zeros():
    zeros = np.zeros((2, 1))
    assert np.isnan(aggregate_groups(zeros, None, "ratio")).all()
    for rho in (None, 10.0):
        value, gradient, _ = aggregate_with_gradient(zeros, None, "ratio", rho)
        assert np.isnan(value).all()
        assert not gradient.any()
    some = aggregate_with_gradient(np.array([[0.0], [0.5]]), None, "ratio", 1e4)
    assert some[0] == pytest.approx(0.0, abs=1e-9)
    assert some[1][0] == 0.0  # below what has a logarithm


@pytest.mark.parametrize("rho", [None, 30.0])
@pytest.mark.parametrize("how", ["worst_case", "mean"])
@pytest.mark.parametrize("greater", [True, False])
def test_combined(how, greater, rho):
    value, gradient = combine(VALUES, how, greater_is_better=greater, rho=rho)
    if how == "mean":
        expected = np.nanmean(VALUES, axis=0)
    elif rho is None:
        expected = np.nanmin(VALUES, axis=0) if greater else np.nanmax(VALUES, axis=0)
    else:
        expected = (smallest if greater else largest)(VALUES, rho)[0]
    np.testing.assert_allclose(value, expected)
    found = differences(lambda v: combine(v, how, greater_is_better=greater, rho=rho)[0], VALUES)
    np.testing.assert_allclose(gradient, found, atol=1e-7)


def test_one_value_is_itself():
    single = np.array([[0.3, np.nan]])
    value, gradient = combine(single, "worst_case", greater_is_better=True, rho=5.0)
    np.testing.assert_array_equal(value, single[0])
    assert gradient.tolist() == [[1.0, 0.0]]
    value, gradient = combine(np.full((2, 1), np.nan), "mean", greater_is_better=True)
    assert np.isnan(value).all()
    assert not gradient.any()


@pytest.mark.parametrize("rho", [None, 10.0])
def test_ratios_that_are_undefined_move_with_nothing(rho):
    """Neither with the groups' values nor with the overall one; others are not touched."""
    by_group = np.array([[0.0, 0.0, 0.5], [0.0, 0.0, np.nan]])
    overall = np.array([0.0, 0.5, 0.25])
    value, gradient, by_overall = aggregate_with_gradient(by_group, overall, "ratio", rho)
    np.testing.assert_array_equal(value[[0, 2]], [np.nan, value[2]])
    assert not gradient[:, :1].any() and not by_overall[0]
    assert np.isfinite(gradient).all() and np.isfinite(by_overall).all()
    assert gradient[0, 2] < 0 < by_overall[2]
    if rho is not None:
        assert np.isnan(value[1]) and not gradient[:, 1].any() and not by_overall[1]
