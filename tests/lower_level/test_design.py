"""The design matrix in blocks: every form of X gives the products of the dense array."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from skbadr import BADRClassifier
from skbadr.lower_level import LinearLowerLevel, design, find_family
from skbadr.lower_level.design import make_design
from skbadr.metrics import get_metric
from skbadr.partition import make_cells, make_groups


def as_memmap(X, folder):
    path = folder / "X.dat"
    X.tofile(path)
    return np.memmap(path, dtype=X.dtype, mode="r", shape=X.shape)


FORMS = {
    "dense": lambda X, folder: X,
    "fortran": lambda X, folder: np.asfortranarray(X),
    "memmap": as_memmap,
    "sparse": lambda X, folder: sparse.csr_matrix(X),
    "sparse array": lambda X, folder: sparse.csc_array(X),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_cells", [3, 40])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_products_of_every_form(form, dtype, n_cells, n_outputs, tmp_path, monkeypatch):
    monkeypatch.setattr(design, "BLOCK", 700)  # many blocks, the last of them shorter
    rng = np.random.default_rng(0)
    n, d = 203, 6
    X = (rng.normal(size=(n, d)) * (rng.random((n, d)) < 0.5)).astype(dtype)
    X[17] = 0.0
    values, weight = rng.normal(size=(n, n_outputs)), rng.random(n)
    codes = rng.integers(0, n_cells, n)
    own = make_design(FORMS[form](X, tmp_path))
    assert own.dtype == dtype and own.shape == (n, d) and len(own) == n
    tol = {"rtol": 1e-5, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}

    coef = rng.normal(size=(d, n_outputs))
    forward = own.forward(coef)
    assert forward.dtype == dtype  # single precision stays single
    np.testing.assert_allclose(forward, X @ coef, **tol)
    for product, expected in [
        (own.backward(values), X.T @ values),
        (own.squared_backward(values), (X**2).T @ values),
        (own.gram(weight), X.T @ (weight[:, None] * X)),
        (own.gram(weight - 0.5), X.T @ ((weight - 0.5)[:, None] * X)),
    ]:
        assert product.dtype == np.float64
        np.testing.assert_allclose(product, expected, **tol)
    by_cell = own.by_cell(values, codes, n_cells)
    expected = [X[codes == k].T @ values[codes == k] for k in range(n_cells)]
    np.testing.assert_allclose(by_cell, expected, **tol)
    rows = np.arange(0, n, 7)
    np.testing.assert_allclose(own.take(rows).forward(coef), X[rows] @ coef, **tol)


def test_integers_become_floats_and_designs_stay():
    own = make_design(np.arange(6).reshape(3, 2))
    assert own.dtype == np.float64 and make_design(own) is own
    assert make_design(sparse.csr_matrix(np.arange(6).reshape(3, 2))).dtype == np.float64


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 4000), st.integers(0, 100))
def test_blocks_change_nothing(n, d, size, seed):
    rng = np.random.default_rng(seed)
    X, values, codes = rng.normal(size=(n, d)), rng.normal(size=(n, 1)), rng.integers(0, 2, n)
    whole = make_design(X)
    expected = whole.backward(values), whole.by_cell(values, codes, 2), whole.gram(values[:, 0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(design, "BLOCK", size)
        found = whole.backward(values), whole.by_cell(values, codes, 2), whole.gram(values[:, 0])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def test_a_memory_map_is_trained_on_without_a_copy(tmp_path):
    rng = np.random.default_rng(0)
    n = 20_000
    X = as_memmap(rng.normal(size=(n, 50)).astype(np.float32), tmp_path)
    before = X.tobytes()
    y, group = (X[:, 0] + rng.logistic(size=n) > 0).astype(int), rng.integers(0, 2, n)
    cells = make_cells("group", y, make_groups(group), np.ones(n), classes=np.arange(2))
    level = LinearLowerLevel(find_family(LogisticRegression(), np.arange(2)), X, y, cells)
    assert np.shares_memory(level.X.matrix, X)
    state = level.solve(cells.shares)
    assert state.scores.dtype == np.float32
    expected = LogisticRegression(tol=1e-8).fit(np.asarray(X, dtype=float), y)
    np.testing.assert_allclose(state.coef[:-1, 0], expected.coef_[0], atol=1e-4)
    assert X.tobytes() == before


def test_beside_a_memory_map_no_codes_of_rows_are_held_during_fits(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    X = as_memmap(rng.normal(size=(3_000, 4)).astype(np.float32), tmp_path)
    y, group = (X[:, 0] + rng.logistic(size=3_000) > 0).astype(int), rng.integers(0, 3, 3_000)
    metric, seen, held, fit = get_metric("individual"), {}, [], LogisticRegression.fit

    class Watching(type(metric)):
        def value_and_gradient(self, evaluation_set, scores):
            seen[len(evaluation_set.y)] = evaluation_set
            return super().value_and_gradient(evaluation_set, scores)

    def watched(self, X, y, sample_weight=None):
        held.append(3_000 in seen and "pair" in vars(seen[3_000]))
        return fit(self, X, y, sample_weight)

    monkeypatch.setattr(LogisticRegression, "fit", watched)
    model = BADRClassifier(LogisticRegression(), Watching(), solver="gd")
    model.fit(X, y, sensitive_features=group)
    assert held and not any(held)
    expected = metric.value(seen[3_000], model.estimator_.decision_function(X))
    assert model.metric_value_ == pytest.approx(expected)
