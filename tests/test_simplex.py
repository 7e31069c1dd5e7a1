"""Projection onto the simplex with a floor."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import minimize

from skbadr._simplex import from_log_coordinates, log_coordinates, project_simplex


def project_by_enumeration(point, minimum):
    """Return the projection onto the one face that meets the optimality conditions.

    On the face all coordinates move by the same shift; off it the shift would take none above
    the floor. Comparing distances instead would lose faces that differ in the eighth digit.
    """
    n = len(point)
    for size in range(1, n + 1):
        for active in map(list, itertools.combinations(range(n), size)):
            candidate = np.full(n, minimum)
            mass = 1.0 - minimum * (n - size)
            shift = (mass - point[active].sum()) / size
            candidate[active] = point[active] + shift
            others = np.delete(point, active) + shift
            if (candidate >= minimum - 1e-12).all() and (others <= minimum + 1e-12).all():
                return candidate
    raise AssertionError("no face meets the optimality conditions")


points = hnp.arrays(float, st.integers(1, 6), elements=st.floats(-4, 4))
fractions = st.sampled_from([0.0, 1e-6, 0.1, 0.5, 1.0])


@given(points, fractions)
def test_equals_the_nearest_point(point, fraction):
    minimum = fraction / len(point)
    projection = project_simplex(point, minimum=minimum)
    np.testing.assert_allclose(projection, project_by_enumeration(point, minimum), atol=1e-9)


@given(
    hnp.arrays(float, st.integers(1, 40), elements=st.floats(-1e307, 1e307)),
    fractions,
)
def test_is_on_the_simplex_and_stays(point, fraction):
    """Feasible, idempotent, order-preserving, whatever the size of the coordinates."""
    minimum = fraction / len(point)
    projection = project_simplex(point, minimum=minimum)
    assert (projection >= minimum).all()
    assert projection.sum() == pytest.approx(1.0, abs=1e-12)
    again = project_simplex(projection, minimum=minimum)
    np.testing.assert_allclose(again, projection, atol=1e-14)
    order = np.argsort(point, kind="stable")
    assert (np.diff(projection[order]) >= 0).all()


@given(points, st.floats(-100, 100))
def test_a_common_offset_changes_nothing(point, offset):
    np.testing.assert_allclose(project_simplex(point + offset), project_simplex(point), atol=1e-12)


# From SciPy 1.12 and before, whose iterates may leave the bounds by a rounding error.
@pytest.mark.filterwarnings("ignore:Values in x were outside bounds:RuntimeWarning")
@pytest.mark.parametrize("minimum", [0.0, 0.01, 0.05])
def test_equals_a_quadratic_programme(minimum):
    point = np.random.default_rng(1).normal(size=12)
    solution = minimize(
        lambda x: ((x - point) ** 2).sum(),
        np.full(12, 1 / 12),
        jac=lambda x: 2 * (x - point),
        bounds=[(minimum, None)] * 12,
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-14},
    )
    np.testing.assert_allclose(project_simplex(point, minimum=minimum), solution.x, atol=1e-6)


def test_huge_coordinates_do_not_overflow():
    point = np.array([1.7e308, -1.7e308, 1.7e308])
    assert project_simplex(point).tolist() == [0.5, 0.0, 0.5]
    np.testing.assert_allclose(project_simplex([1e16, 1e16 - 2.0]), [1.0, 0.0])


@given(
    hnp.arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.floats(-3, 3))
)
def test_rows_are_projected_one_by_one(rows):
    projections = project_simplex(rows)
    assert projections.shape == rows.shape
    for row, projection in zip(rows, projections, strict=True):
        assert projection.tolist() == project_simplex(row).tolist()


def test_floor_of_all():
    for n in (1, 2, 3, 49, 1000):
        np.testing.assert_allclose(project_simplex(np.arange(n), minimum=1 / n), 1 / n)


@pytest.mark.parametrize("minimum", [-0.1, 0.6, np.nextafter(0.5, 1.0)])
def test_impossible_floor(minimum):
    with pytest.raises(ValueError, match=r"minimum must lie in \[0, 1/K\]"):
        project_simplex([0.3, 0.7], minimum=minimum)


def test_input_is_not_changed():
    point = np.array([3.0, 1.0])
    assert project_simplex(point).tolist() == [1.0, 0.0]
    assert point.tolist() == [3.0, 1.0]


positive = hnp.arrays(float, (3, 5), elements=st.floats(1e-6, 1.0))


@given(positive, hnp.arrays(float, 5, elements=st.floats(1e-3, 1.0)))
def test_log_coordinates_are_a_chart_of_the_simplex(weights, shares):
    """Centred logarithms of odds against the shares, of one point or of one per row, and back."""
    weights = weights / weights.sum(axis=1, keepdims=True)
    shares = shares / shares.sum()
    t = log_coordinates(weights, shares)
    for own, coordinates in zip(weights, t, strict=True):
        logs = [math.log(w / s) for w, s in zip(own, shares, strict=True)]
        np.testing.assert_allclose(coordinates, np.subtract(logs, np.mean(logs)), atol=1e-9)
        np.testing.assert_allclose(log_coordinates(own, shares), coordinates, atol=1e-12)
        np.testing.assert_allclose(from_log_coordinates(coordinates, shares), own, rtol=1e-9)
    np.testing.assert_allclose(from_log_coordinates(t, shares), weights, rtol=1e-9)
    np.testing.assert_allclose(log_coordinates(shares, shares), 0.0, atol=1e-12)


def test_log_coordinates_hold_at_the_border_and_far_away():
    shares = np.array([0.2, 0.3, 0.5])
    t = log_coordinates(np.array([0.0, 0.4, 0.6]), shares)
    assert np.isfinite(t).all() and t[0] < t[1:].min() - 100
    np.testing.assert_allclose(from_log_coordinates(t, shares), [0.0, 0.4, 0.6], atol=1e-12)
    far = from_log_coordinates(np.array([[900.0, -900.0, 900.0], [-900.0, -900.0, -901.0]]), shares)
    last = 0.5 * np.exp(-1)
    expected = [[2 / 7, 0.0, 5 / 7], np.array([0.2, 0.3, last]) / (0.5 + last)]
    np.testing.assert_allclose(far, expected, rtol=1e-9)
