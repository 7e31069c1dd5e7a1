"""What linearised scores say of nearby weights: on all rows, and on those that matter."""

import numpy as np
import pytest
from data import bilevel_problem, make_people
from sklearn.linear_model import LogisticRegression

from skbadr.problem import SmoothProblem
from skbadr.solvers.steps.candidate_moves import CandidateMoves, near_moves


@pytest.fixture(params=[False, True], ids=["unweighted", "weighted"])
def problem(request):
    X, y, group = make_people(4000)
    weight = np.random.default_rng(1).random(len(y)) if request.param else None
    options = {"partition": "group_target", "metric": "demographic_parity"}
    problem = bilevel_problem(LogisticRegression(), X, y, group, sample_weight=weight, **options)
    smooth = SmoothProblem(problem)
    states = smooth.solve(problem.shares, tol=1e-10)
    states[0].factor = None  # that of the last step but one
    every = CandidateMoves(smooth, smooth.scores(states), smooth.sensitivities(states)[0])
    return smooth, states, every


def moves_of(smooth, radius, n=20):
    moves = np.random.default_rng(0).uniform(-radius, radius, (n, smooth.problem.n_cells))
    moves[0] = 0.0
    return moves


def test_rows_that_cannot_change_sign_do_not_count(problem):
    smooth, states, every = problem
    moves = moves_of(smooth, 0.3)
    near, _ = near_moves(smooth, states, 0.3)
    np.testing.assert_allclose(near(moves), every(moves), atol=1e-6)
