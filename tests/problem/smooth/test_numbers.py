"""How smooth problems hold X: its precision, dense or sparse."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from skbadr import BADRClassifier
from skbadr.partition import make_cells, make_groups
from skbadr.problem.smooth.numbers import for_search


def cells_of(X, weight=None):
    """Return cells of two groups of the rows of X."""
    n = X.shape[0]
    groups = make_groups(np.arange(n) % 2)
    return make_cells("group", None, groups, np.ones(n) if weight is None else weight)


def test_single_precision_leaves_out_values_of_rows_of_weight_zero():
    X = np.random.default_rng(0).normal(size=(1000, 3))
    weight = np.where(np.arange(1000) < 10, 0.0, 1.0)
    X[0] = 1e39
    numbers = for_search(X, cells_of(X, weight), True)
    assert numbers.dtype == np.float32 and not numbers[:10].any()
    np.testing.assert_array_equal(numbers[10:], X[10:].astype(np.float32))


def test_double_precision_is_taken_as_it_is():
    X = np.random.default_rng(0).normal(size=(1000, 3))
    assert for_search(X, cells_of(X), False) is X


def test_offsets_that_single_precision_would_lose_stay_double():
    X = np.random.default_rng(0).normal(size=(1000, 3)) + [0.0, 1e9, 0.0]
    assert for_search(X, cells_of(X), True) is X


@pytest.mark.parametrize(
    ("width", "density", "dense"), [(20, 0.2, True), (20, 0.01, False), (2000, 0.3, False)]
)
def test_sparse_data_become_dense_where_that_takes_little_room(width, density, dense):
    X = sparse.random(500, width, density, format="csr", random_state=0)
    numbers = for_search(X, cells_of(X), False)
    assert sparse.issparse(numbers) is not dense
    if dense:
        np.testing.assert_array_equal(numbers, X.toarray())


@pytest.mark.parametrize("n", [600, 12_000])
@pytest.mark.parametrize("solver", ["implicit", "gd", "sgd"])
def test_encoded_categories_are_searched_as_if_dense(solver, n):
    rng = np.random.default_rng(1)
    categories = rng.integers(0, 4, (n, 6))
    group = rng.integers(0, 3, n)
    y = categories[:, 0] + (group + 1) * (categories[:, 1] > 1) + rng.logistic(size=n) > 2.5
    X = OneHotEncoder().fit_transform(categories)
    model = BADRClassifier(
        LogisticRegression(tol=1e-8, max_iter=500),
        "group_loss_variance",
        solver=solver,
        random_state=0,
    )
    weights = [
        model.fit(data, y, sensitive_features=group).cell_weights_ for data in (X, X.toarray())
    ]
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-4)
