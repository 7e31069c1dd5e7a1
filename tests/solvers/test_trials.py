"""What linearised scores say of nearby weights: on all rows, on those that matter, on a sample."""

import numpy as np
import pytest
from data import bilevel_problem, make_people
from sklearn.linear_model import LogisticRegression

from skbadr.problem import SmoothProblem
from skbadr.problem.sampling import StratifiedSampler
from skbadr.solvers.trials import Trials, near_trials, sampled_trials


@pytest.fixture(params=[False, True], ids=["unweighted", "weighted"])
def problem(request):
    X, y, group = make_people(4000)
    weight = np.random.default_rng(1).random(len(y)) if request.param else None
    options = {"partition": "group_target", "metric": "demographic_parity"}
    problem = bilevel_problem(LogisticRegression(), X, y, group, sample_weight=weight, **options)
    smooth = SmoothProblem(problem)
    states = smooth.solve(problem.shares, tol=1e-10)
    states[0].factor = None  # that of the last step but one
    every = Trials(smooth, smooth.scores(states), smooth.sensitivities(states)[0])
    return smooth, states, every


def moves_of(smooth, radius, n=20):
    moves = np.random.default_rng(0).uniform(-radius, radius, (n, smooth.problem.n_cells))
    moves[0] = 0.0
    return moves


def test_rows_that_cannot_change_sign_do_not_count(problem):
    smooth, states, every = problem
    moves = moves_of(smooth, 0.3)
    for sample in (None, smooth.sample([smooth.levels[0].cells.by_cell])):
        near, _ = near_trials(smooth, states, 0.3, sample)
        np.testing.assert_allclose(near(moves), every(moves), atol=1e-6)


def test_a_sample_of_all_rows_says_the_same(problem):
    smooth, states, every = problem
    sampled, parameters = sampled_trials(
        smooth, states, smooth.sample([smooth.levels[0].cells.by_cell])
    )
    moves = moves_of(smooth, 0.3)
    np.testing.assert_allclose(sampled(moves), every(moves), atol=1e-6)
    (expected,) = smooth.sensitivities(states)[1]
    np.testing.assert_allclose(parameters[0], expected, rtol=1e-6, atol=1e-9)


def test_a_sample_counts_from_where_all_rows_are(problem):
    smooth, states, every = problem
    sampler, moves, errors = StratifiedSampler(smooth.levels[0].cells), moves_of(smooth, 0.05), []
    metric, score = every(moves)
    for seed in range(10):
        part = smooth.sample([sampler.draw(1000, np.random.default_rng(seed))])
        sampled, _ = sampled_trials(smooth, states, part)
        found = sampled(moves)
        np.testing.assert_allclose([f[0] for f in found], [metric[0], score[0]])
        alone = Trials(part, sampled.scores[:, None], sampled.sensitivities[:, None, :])
        errors.append([found[0] - metric, alone(moves)[0] - metric])
    # A sample's own metric is off by more than its changes are.
    changes, values = np.sqrt(np.square(errors).mean(axis=(0, 2)))
    assert changes < 0.25 * values
