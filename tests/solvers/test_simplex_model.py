"""Steps on the simplex: the quadratic programme against a general solver, and what is learnt."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from skbadr.solvers.steps.simplex_model import SimplexModel, minimise_in_box


# The reference solver's, in older SciPy.
@pytest.mark.filterwarnings("ignore:Values in x were outside bounds:RuntimeWarning")
@settings(max_examples=60, deadline=None)
@given(st.integers(2, 9), st.integers(0, 10_000), st.booleans())
def test_box_minimum_is_that_of_a_general_solver(n, seed, at_edge):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n))
    curvature, gradient = root @ root.T + 0.1 * np.eye(n), 3.0 * rng.normal(size=n)
    lower, upper = -rng.random(n), rng.random(n)
    if at_edge:
        lower[: n // 2] = 0.0

    def model(step):
        return gradient @ step + 0.5 * step @ curvature @ step

    found = minimise_in_box(curvature, gradient, lower, upper)
    assert abs(found.sum()) < 1e-8
    assert (found >= lower - 1e-9).all() and (found <= upper + 1e-9).all()
    reference = minimize(
        model,
        np.zeros(n),
        jac=lambda step: gradient + curvature @ step,
        bounds=np.column_stack([lower, upper]),
        constraints={"type": "eq", "fun": np.sum, "jac": lambda step: np.ones(n)},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert model(found) <= reference.fun + 1e-6 * (1.0 + abs(reference.fun))


@pytest.mark.parametrize("n_cells", [2, 5, 64])
def test_learns_a_quadratic_on_the_simplex(n_cells):
    rng = np.random.default_rng(n_cells)
    best = rng.dirichlet(np.ones(n_cells))
    scale = np.exp(rng.normal(size=n_cells))
    model = SimplexModel(n_cells, 1e-6)
    weights = np.full(n_cells, 1.0 / n_cells)
    gradient = scale * (weights - best)
    model.start(weights, gradient, 0.3)
    for _ in range(6 * n_cells + 20):
        moved, predicted = model.step(weights, gradient, 1.0)
        assert predicted >= 0 and moved.sum() == pytest.approx(1.0) and moved.min() >= 1e-6
        new = scale * (moved - best)
        model.update(moved - weights, new - gradient)
        weights, gradient = moved, new
    np.testing.assert_allclose(weights, best, atol=2e-3)


def test_residual_is_zero_at_a_vertex_that_gradients_point_to():
    model = SimplexModel(3, 1e-6)
    vertex = np.array([1 - 2e-6, 1e-6, 1e-6])
    assert model.residual(vertex, np.array([-1.0, 2.0, 0.5])) == pytest.approx(0.0, abs=1e-12)
    assert model.residual(vertex, np.array([1.0, -2.0, 0.5])) > 0.01
