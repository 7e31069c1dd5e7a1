"""Dask arrays: sums are taken on the workers, with the results of data in memory."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skbadr import BADRClassifier
from skbadr.lower_level import LinearLowerLevel, find_family
from skbadr.lower_level.design import make_design
from skbadr.metrics import EvaluationSet, get_metric
from skbadr.partition import make_cells, make_groups

da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.filterwarnings("ignore")  # of clusters that start and stop


def people(n=4000, d=6, seed=0):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n)
    X = rng.normal(size=(n, d)) + 0.3 * group[:, None] * rng.normal(size=d)
    signal = X @ np.linspace(1, -1, d) + 0.6 * group * X[:, 3] + rng.logistic(size=n)
    return X, (signal > 0).astype(int), group


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def level_of(X, y, group):
    cells = make_cells("group", y, make_groups(group), np.ones(len(y)), classes=np.arange(2))
    return LinearLowerLevel(find_family(LogisticRegression(), np.arange(2)), X, y, cells)


def test_products_equal_those_in_memory():
    rng = np.random.default_rng(0)
    X, values, codes = rng.normal(size=(103, 4)), rng.normal(size=(103, 2)), rng.integers(0, 3, 103)
    own, local = make_design(da.from_array(X, chunks=(20, 2))), make_design(X)
    coef = rng.normal(size=(4, 2))
    rows = rng.permutation(103)[:30]
    for one, other in [
        (own.forward(coef), local.forward(coef)),
        (own.backward(values), local.backward(values)),
        (own.squared_backward(values), local.squared_backward(values)),
        (own.gram(values[:, 0] ** 2), local.gram(values[:, 0] ** 2)),
        (own.by_cell(values, codes, 3), local.by_cell(values, codes, 3)),
        (own.take(rows).matrix, X[rows]),
    ]:
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_unknown_lengths_are_refused():
    X = da.from_array(np.arange(20.0).reshape(10, 2), chunks=(5, 2))
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        make_design(X[X[:, 0] > 3])


def test_solutions_and_hypergradients_on_a_cluster(client):
    X, y, group = people()
    local = level_of(X, y, group)
    remote = level_of(client.persist(da.from_array(X, chunks=(700, 6))), y, group)
    weights = np.array([0.2, 0.5, 0.3])
    one, other = local.solve(weights), remote.solve(weights)
    np.testing.assert_allclose(other.coef, one.coef, atol=1e-9)
    metric, data = get_metric("individual"), EvaluationSet(y, make_groups(group), np.arange(2))
    _, slope = metric.value_and_gradient(data, one.scores)
    expected = local.hypergradient(one, local.pull_back(slope))
    np.testing.assert_allclose(
        remote.hypergradient(other, remote.pull_back(slope)), expected, rtol=1e-6
    )


def test_refits_on_a_cluster_equal_those_here(client):
    import joblib

    X, y, group = people(n=400)
    model = BADRClassifier(solver="alternating", max_iter=4, n_jobs=2, random_state=0)
    expected = model.fit(X, y, sensitive_features=group).group_weights_
    with joblib.parallel_backend("dask"):
        found = model.fit(X, y, sensitive_features=group).group_weights_
    np.testing.assert_array_equal(found, expected)
