"""Dask arrays: sums are taken on the workers, with the results of data in memory."""

import os
import signal
import threading

import numpy as np
import pytest
from cluster_logs import OutgoingLog
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skbadr import BADRClassifier
from skbadr.distributed.design import DaskDesign
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
    own, local = DaskDesign(da.from_array(X, chunks=(20, 2))), make_design(X)
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
        DaskDesign(X[X[:, 0] > 3])


def test_solutions_and_hypergradients_on_a_cluster(client):
    X, y, group = people(n=2100)
    local = level_of(X, y, group)
    blocks = client.persist(da.from_array(X, chunks=(700, 6)))
    remote = level_of(DaskDesign(blocks), y, group)
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
    expected = model.fit(X, y, sensitive_features=group).cell_weights_
    with joblib.parallel_backend("dask"):
        found = model.fit(X, y, sensitive_features=group).cell_weights_
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["implicit", "gd", "sgd"])
def test_same_model_as_in_memory(client, solver):
    X, y, group = people(n=24_000)
    estimator = LogisticRegression(solver="newton-cholesky", tol=1e-10)
    local = BADRClassifier(estimator, "individual", solver=solver)
    local.fit(X, y, sensitive_features=group)
    blocks = client.persist(da.from_array(X, chunks=(8000, 6)))
    distributed.wait(blocks)
    remote = BADRClassifier(estimator, "individual", solver=solver)
    remote.fit(blocks, da.from_array(y, chunks=8000), sensitive_features=group)
    np.testing.assert_allclose(remote.cell_weights_, local.cell_weights_, atol=1e-6)
    np.testing.assert_allclose(remote.estimator_.coef_, local.estimator_.coef_, atol=1e-5)
    np.testing.assert_array_equal(remote.predict(X), local.predict(X))


def test_x_stays_on_the_workers(client, monkeypatch):
    X, y, group = people(n=24_000)
    blocks = client.persist(da.from_array(X, chunks=(8000, 6)))
    distributed.wait(blocks)

    def collected(self, *args, **kwargs):
        raise AssertionError("X was collected")

    monkeypatch.setattr(da.Array, "__array__", collected)
    model = BADRClassifier(metric="individual", solver="gd")
    model.fit(blocks, y, sensitive_features=group)
    assert model.metric_value_ < model.baseline_metric_value_


@pytest.mark.slow
def test_the_log_of_transfers_shows_vectors_and_no_block_of_x(client):
    X, y, group = people(n=8000, d=60)
    blocks = client.persist(da.from_array(X, chunks=(2000, 60)))
    distributed.wait(blocks)
    size = X.nbytes / 4
    log = OutgoingLog(client)
    model = BADRClassifier(metric="individual", solver="implicit", max_iter=4)
    model.fit(blocks, y, sensitive_features=group)
    assert log.results() and not log.blocks_of(blocks)
    # Sums of the size of the parameters, vectors for each cell, and a sample of 2,000 rows.
    assert log.largest() < size / 3


@pytest.mark.slow
def test_a_worker_that_dies_changes_nothing():
    X, y, group = people(n=24_000)
    estimator = LogisticRegression(solver="newton-cholesky", tol=1e-10)
    expected = BADRClassifier(estimator, "individual", solver="implicit")
    expected.fit(X, y, sensitive_features=group)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        blocks = client.persist(da.from_array(X, chunks=(4000, 6)))
        distributed.wait(blocks)
        victim = next(iter(cluster.workers.values()))
        pid = client.run(os.getpid, workers=[victim.worker_address])[victim.worker_address]
        timer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
        timer.start()
        model = BADRClassifier(estimator, "individual", solver="implicit")
        model.fit(blocks, y, sensitive_features=group)
        timer.join()
    np.testing.assert_allclose(model.cell_weights_, expected.cell_weights_, atol=1e-6)


def test_what_would_collect_x_is_refused():
    X, y, group = people(n=200)
    blocks = da.from_array(X, chunks=(100, 6))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    with pytest.raises(TypeError, match="transformers of a Pipeline would collect"):
        BADRClassifier(pipeline).fit(blocks, y, sensitive_features=group)
    for estimator, options, message in [
        (DecisionTreeClassifier(), {}, "which DecisionTreeClassifier would collect"),
        (LogisticRegression(solver="liblinear"), {"y": group}, "LogisticRegression would collect"),
        (LogisticRegression(), {"scoring": "roc_auc"}, "scoring would collect: leave scoring=None"),
        (LogisticRegression(), {"cv": 3}, "cv would collect rows of it: leave cv=None"),
        (LogisticRegression(), {"memory": "folder"}, "memory recognises data by their values"),
    ]:
        target = options.pop("y", y)
        with pytest.raises(TypeError, match=message):
            BADRClassifier(estimator, **options).fit(blocks, target, sensitive_features=group)
