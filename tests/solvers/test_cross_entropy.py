"""The cross-entropy method."""

import numpy as np
import pytest

from skbadr.solvers.steps.cross_entropy import CrossEntropy

BOX = np.full(3, -4.0), np.full(3, 4.0)


def minimise(loss):
    rng = np.random.default_rng(0)
    return CrossEntropy(draws=64).minimise(loss, np.zeros(3), 1.0, BOX, rng)


def test_it_finds_the_lowest_point():
    point, value = minimise(lambda points: np.square(points - [0.5, -1.0, 1.5]).sum(axis=1))
    np.testing.assert_allclose(point, [0.5, -1.0, 1.5], atol=0.05)
    assert value < 0.01


@pytest.mark.parametrize("seed", range(5))
def test_rounding_does_not_choose_among_points_that_are_alike(seed):
    rng = np.random.default_rng(seed)

    def steps(points):
        return np.floor(4.0 * np.abs(points - 1.0)).sum(axis=1) / 7.0

    def rounded_otherwise(points):
        return steps(points) + 1e-15 * rng.standard_normal(len(points))

    expected, value = minimise(steps)
    point, other = minimise(rounded_otherwise)
    np.testing.assert_array_equal(point, expected)
    assert other == value
