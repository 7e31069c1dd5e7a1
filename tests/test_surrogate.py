"""The Gaussian process on refits: its algebra, its encodings, and what it makes of guides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern

from skbadr.metrics import EvaluationSet, get_metric
from skbadr.partition import make_groups
from skbadr.problem import UpperObjective
from skbadr.result import Evaluation
from skbadr.solvers.gaussian_process import LENGTH, Process, log_likelihoods
from skbadr.solvers.surrogate import (
    PSEUDO_ROWS,
    DirectEncoding,
    Surrogate,
    TableEncoding,
    log_coordinates,
    shrink_small_cells,
)


def make_set(n=400, n_classes=2, n_groups=3, seed=0, weighted=False):
    rng = np.random.default_rng(seed)
    weight = rng.integers(1, 4, n) / 2.0 if weighted else None
    groups = make_groups(rng.integers(0, n_groups, n))
    return EvaluationSet(rng.integers(0, n_classes, n), groups, np.arange(n_classes), weight)


def test_process_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    inputs, targets, new = rng.normal(size=(7, 3)), rng.normal(size=(7, 2)), rng.normal(size=(5, 3))
    process = Process(inputs, targets, 0.3, 0.15, 0.06, np.zeros(2))
    kernel = ConstantKernel(0.15**2) * Matern(LENGTH, nu=2.5)
    kernel += ConstantKernel(0.3**2) * DotProduct(1e-9)
    expected = GaussianProcessRegressor(kernel, alpha=0.06**2, optimizer=None).fit(inputs, targets)
    mean, deviation = process.predict(new)
    expected_mean, expected_deviation = expected.predict(new, return_std=True)
    np.testing.assert_allclose(mean, expected_mean, atol=1e-8)
    np.testing.assert_allclose(deviation**2, expected_deviation**2 + 0.06**2, atol=1e-8)
    constant = 2 * 3.5 * np.log(2 * np.pi)
    total = np.sum(expected.log_marginal_likelihood_value_)
    priors = np.array([[0.1, 0.5, 0.2], [0.3, 0.15, 0.06]])
    likelihood = log_likelihoods(inputs, targets, np.zeros(2), priors)[1]
    assert likelihood - constant == pytest.approx(total)


def test_noise_of_one_output_leaves_the_others():
    rng = np.random.default_rng(1)
    inputs, targets = rng.normal(size=(6, 3)), rng.normal(size=(6, 3))
    together = Process(inputs, targets, 0.3, 0.15, 0.06, np.array([0.5, 0.0, 0.5]))
    for column, extra in enumerate([0.5, 0.0, 0.5]):
        alone = Process(inputs, targets[:, [column]], 0.3, 0.15, 0.06, np.array([extra]))
        for one, other in zip(together.predict(inputs), alone.predict(inputs), strict=True):
            np.testing.assert_allclose(one[:, column], other[:, 0])
    prior, extra = np.array([[0.3, 0.15, 0.06]]), np.array([0.5, 0.0, 0.5])
    parts = [log_likelihoods(inputs, targets[:, [j]], extra[[j]], prior) for j in range(3)]
    assert log_likelihoods(inputs, targets, extra, prior) == pytest.approx(sum(parts))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 4), st.booleans())
def test_tables_survive_their_encoding(seed, n_classes, weighted):
    data = make_set(n_classes=n_classes, seed=seed, weighted=weighted)
    predicted = np.random.default_rng(seed).integers(0, n_classes, (3, 400))
    tables = np.array([data.confusion(row).ravel() for row in predicted])
    encoding = TableEncoding(data)
    decoded = encoding.decode(encoding.encode(tables))
    np.testing.assert_allclose(decoded, tables, atol=1e-9 * tables.sum())
    assert (encoding.noise(tables[0]) > 0).all()


def test_baseline_statistics_survive_their_encoding():
    statistics = np.random.default_rng(0).normal(size=(4, 3))
    for encoding in (DirectEncoding(statistics), DirectEncoding(statistics[:1]), DirectEncoding()):
        np.testing.assert_allclose(encoding.decode(encoding.encode(statistics)), statistics)


def test_small_cells_lean_on_all_groups():
    codes = np.r_[np.zeros(600), np.ones(40)].astype(int)
    y = np.r_[np.arange(600) % 2, np.arange(40) % 2]
    data = EvaluationSet(y, make_groups(codes), np.array([0, 1]))
    predicted = np.where(codes == 1, 1, y)
    table = data.confusion(predicted)
    shrunk = shrink_small_cells(data, table.reshape(1, -1)).reshape(table.shape)
    np.testing.assert_array_equal(shrunk[0], table[0])
    np.testing.assert_allclose(shrunk.sum(axis=2), table.sum(axis=2))
    # Of class 0, 20 rows of the small group are all selected, 20 of 320 of both groups.
    expected = (20 * 1.0 + PSEUDO_ROWS * 20 / 320) / (20 + PSEUDO_ROWS)
    assert shrunk[1, 0, 1] / 20 == pytest.approx(expected)
    large = make_set(2000)
    tables = large.confusion(large.y).reshape(1, -1)
    assert shrink_small_cells(large, tables) is tables


class Line:
    """A guide that says the log odds of selection follow one direction of the weights."""

    def __init__(self, encoding, baseline, shares, slope):
        self.encoding, self.baseline, self.shares, self.slope = encoding, baseline, shares, slope

    def predict(self, weights):
        t = log_coordinates(weights, self.shares)[:, :1]
        outputs = self.encoding.encode(self.baseline[None]) + self.slope * t
        return self.encoding.decode(outputs), np.full(len(weights), 0.8)


def make_refits(slope, n=5):
    data = make_set(3000)
    encoding, shares = TableEncoding(data), np.full(4, 0.25)
    predicted = np.random.default_rng(1).integers(0, 2, 3000)
    baseline = data.confusion(predicted).ravel()
    truth = Line(encoding, baseline, shares, slope)
    t = np.vstack([np.zeros(4), 0.5 * np.random.default_rng(2).normal(size=(n - 1, 4))])
    weights = shares * np.exp(t)
    weights /= weights.sum(axis=1, keepdims=True)
    statistics, _ = truth.predict(weights)
    metric = get_metric("demographic_parity")
    refits = [
        Evaluation(w, metric=metric.from_statistics(data, s), score=0.8, statistics=s)
        for w, s in zip(weights, statistics, strict=True)
    ]
    return data, shares, refits, lambda slope: Line(encoding, baseline, shares, slope)


def test_refits_choose_the_guide():
    data, shares, refits, line = make_refits(slope=1.0)
    objective = UpperObjective(get_metric("demographic_parity"))
    guides = {"reversed": line(-1.0), "right": line(1.0)}
    first = Surrogate(objective, data, shares, guides).fit(refits[:1])
    assert first.guide == "reversed"  # nothing tells them apart, so the order does
    assert Surrogate(objective, data, shares, guides).fit(refits).guide == "right"
    # Without response at all, "nothing changes" explains more than any guide.
    data, shares, refits, line = make_refits(slope=0.0)
    assert Surrogate(objective, data, shares, {"right": line(1.0)}).fit(refits).guide is None


def test_prediction_passes_through_refits():
    data, shares, refits, line = make_refits(slope=1.0)
    objective = UpperObjective(get_metric("demographic_parity"), bound=0.1)
    surrogate = Surrogate(objective, data, shares, {"right": line(0.7)}).fit(refits)
    weights = np.array([e.cell_weights for e in refits])
    metric, score = surrogate.predict(weights)
    np.testing.assert_allclose(metric, [e.metric for e in refits], atol=0.01)
    np.testing.assert_allclose(score, 0.8, atol=1e-3)
    normal = np.random.default_rng(0).standard_normal((50, surrogate.n_outputs))
    drawn, scores = surrogate.draw(weights, normal)
    assert drawn.shape == scores.shape == (5, 50)
    np.testing.assert_allclose(np.median(scores, axis=1), 0.8, atol=5e-3)
    new = (weights[1:2] + weights[2:3]) / 2
    before = surrogate.predict(new)
    deviation = surrogate._statistics.predict(log_coordinates(new, shares))[1]
    surrogate.believe(new)
    np.testing.assert_allclose(surrogate.predict(new)[0], before[0], atol=1e-3)
    assert (surrogate._statistics.predict(log_coordinates(new, shares))[1] < deviation).all()
