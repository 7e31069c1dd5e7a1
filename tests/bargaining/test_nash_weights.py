"""Bargaining weights against their defining equations, and against known solutions."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linprog

from skbadr.bargaining import agreement, nash_direction, nash_weights

ROOT3 = np.sqrt(3.0)


@pytest.mark.parametrize(
    ("gains", "alpha", "direction"),
    [
        ([[4, 0], [-0.5, ROOT3 / 2]], [0.353553, 1.414214], [0.707107, 1.224745]),
        ([[1, 0], [0, 1], [1, 1]], [0.816497, 0.816497, 0.408248], [1.224745, 1.224745]),
        (np.diag([1, 2, 5]), [1, 0.5, 0.2], [1, 1, 1]),
        ([[3, 4]], [0.2], [0.6, 0.8]),
        ([[1, 0], [np.cos(3.1), np.sin(3.1)]], [34.003974] * 2, None),
        ([[2, 0], [2, 0]], [0.5 / np.sqrt(2)] * 2, [np.sqrt(2), 0]),
    ],
)
def test_known_solutions(gains, alpha, direction):
    gains = np.array(gains, dtype=float)
    found = nash_weights(gains)
    np.testing.assert_allclose(found, alpha, atol=1e-6)
    np.testing.assert_allclose(gains @ gains.T @ found, 1 / found, rtol=1e-9)
    assert np.linalg.norm(gains.T @ found) ** 2 == pytest.approx(len(gains))
    if direction is not None:
        np.testing.assert_allclose(gains.T @ found, direction, atol=1e-6)


@pytest.mark.parametrize(
    "gains",
    [
        [[1, 0], [-1, 0]],
        [[1, 0], [-1e-6, 0]],
        [[np.cos(t), np.sin(t)] for t in (0, 2 * np.pi / 3, 4 * np.pi / 3)],
        # A third player does not reconcile two opposed ones.
        [[1, 0], [-1, 0], [0, 1]],
        # At a player's optimum: stationary, and no NaN.
        [[0, 0], [1, 0]],
        [[0.0]],
    ],
)
def test_no_agreement(gains):
    assert nash_weights(gains) is None
    distance, direction = nash_direction(gains)
    assert distance < 1e-9 and direction is None


def cone(rng, n_players, dimension, slack=0.1):
    """Return gains of players that all gain along the first axis."""
    gains = rng.normal(size=(n_players, dimension))
    gains[:, 0] = np.abs(gains[:, 0]) + slack
    return gains


@pytest.mark.parametrize("n_players", [1, 2, 7, 40])
@pytest.mark.parametrize("dimension", [2, 5, 60])
def test_definition_holds_at_any_rank_and_scale(n_players, dimension):
    rng = np.random.default_rng(n_players + dimension)
    gains = cone(rng, n_players, dimension)
    direction = gains.T @ nash_weights(gains)
    scales = 10.0 ** rng.uniform(-8, 8, size=n_players)
    scaled = scales[:, None] * gains
    alpha = nash_weights(scaled)
    np.testing.assert_allclose(alpha * (scaled @ (scaled.T @ alpha)), 1.0, rtol=1e-9)
    # A player who measures gains in other units gets the same.
    np.testing.assert_allclose(scaled.T @ alpha, direction, rtol=1e-7, atol=1e-9)
    # All units together far from one, even where squares overflow.
    for unit in (1e-8, 1e8, 1e-200, 1e200):
        np.testing.assert_allclose(unit * nash_weights(unit * gains), nash_weights(gains))


@pytest.mark.parametrize("angle", [1e-2, 1e-3, 1e-5])
def test_nearly_opposed_players_agree(angle):
    gains = np.array([[1.0, 0.0], [-np.cos(angle), np.sin(angle)]])
    # By symmetry x bisects: alpha (1 - cos(angle)) = 1 / alpha.
    expected = 1.0 / (np.sqrt(2.0) * np.sin(angle / 2))
    np.testing.assert_allclose(nash_weights(gains), [expected] * 2, rtol=1e-5)


finite = st.floats(-10, 10).map(lambda x: round(x, 3))


@given(hnp.arrays(float, st.tuples(st.integers(1, 6), st.integers(1, 4)), elements=finite))
def test_agreement_exists_where_a_linear_program_finds_one(gains):
    lengths = np.linalg.norm(gains, axis=1)
    alpha, (distance, direction) = nash_weights(gains), agreement(gains)
    if not lengths.all():
        assert alpha is None and distance == 0
        return
    unit = gains / lengths[:, None]
    # max t subject to unit @ x >= t, |x| <= 1
    n_players, d = unit.shape
    program = linprog(
        np.r_[np.zeros(d), -1.0],
        A_ub=np.column_stack([-unit, np.ones(n_players)]),
        b_ub=np.zeros(n_players),
        bounds=[(-1, 1)] * d + [(None, 1)],
    )
    if program.x[-1] > 1e-4:
        np.testing.assert_allclose(alpha * (gains @ (gains.T @ alpha)), 1.0, rtol=1e-6)
        assert (unit @ direction >= distance**2 * (1 - 1e-6)).all()
    elif program.x[-1] < 1e-9:
        assert alpha is None and distance < 1e-6


def test_powers_are_those_of_the_asymmetric_solution():
    # Orthogonal players share the length of x by their powers.
    alpha = nash_weights(np.eye(2), power=[1.0, 3.0])
    np.testing.assert_allclose(alpha**2, [1, 3])
    for power in ([1.0], [1.0, 0.0], [1.0, np.inf]):
        with pytest.raises(ValueError, match="one positive number for each row"):
            nash_weights(np.eye(2), power=power)


@pytest.mark.parametrize("seed", range(20))
def test_direction_respects_floors(seed):
    rng = np.random.default_rng(seed)
    n_players, dimension = rng.integers(1, 4), 5
    gains = rng.normal(size=(n_players, dimension))
    gains -= gains.mean(axis=1, keepdims=True)
    low = rng.choice(dimension, rng.integers(1, 4), replace=False)
    floors = np.eye(dimension)[low] - 1 / dimension
    distance, direction = nash_direction(gains, floors / np.linalg.norm(floors[0]))
    program = linprog(
        np.r_[np.zeros(dimension), -1.0],
        A_ub=np.column_stack([-gains, np.ones(n_players)]),
        b_ub=np.zeros(n_players),
        A_eq=[[1.0] * dimension + [0.0]],
        b_eq=[0.0],
        bounds=[(0 if k in low else -1, 1) for k in range(dimension)] + [(None, 1)],
    )
    if direction is None:
        assert program.x[-1] < 1e-9 and distance < 1e-6
    else:
        assert program.x[-1] > 0
        assert (gains @ direction > 0).all() and (direction[low] >= 0).all()
        assert abs(direction.sum()) < 1e-9


def test_two_hundred_players_take_less_than_a_second():
    rng = np.random.default_rng(0)
    for dimension in (10, 200, 400):
        gains = cone(rng, 200, dimension, slack=0.02)
        begin = time.perf_counter()
        alpha = nash_weights(gains)
        assert time.perf_counter() - begin < 1.0
        np.testing.assert_allclose(alpha * (gains @ (gains.T @ alpha)), 1.0, rtol=1e-9)


@pytest.mark.parametrize("gains", [[], [1.0, 2.0], [[np.nan, 1.0]], [[]], [[np.inf]]])
def test_bad_gains_are_refused(gains):
    with pytest.raises(ValueError, match="gains must be a finite matrix"):
        nash_weights(gains)
