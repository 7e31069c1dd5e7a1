"""Estimators that train on Dask arrays: neither X nor y is collected, results are as in memory."""

import os
import signal
import threading

import numpy as np
import pytest
from cluster_logs import OutgoingLog
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skbadr import BADRClassifier, BADRRegressor
from skbadr.distributed.quantiles import weighted_quantiles
from skbadr.metrics import EvaluationSet, get_metric, get_metric_names
from skbadr.partition import make_groups
from skbadr.partition.cells import target_bins

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.filterwarnings("ignore")  # of clusters that start and stop


def grow(tree, X, y, weight):
    return tree.fit(X, y, sample_weight=weight)


def mean_response(X, trees, method):
    return np.mean([getattr(tree, method)(X) for tree in trees], axis=0)


class BlockTrees(BaseEstimator):
    """A tree of each block, grown where the block is, as libraries for clusters train."""

    def fit(self, X, y, sample_weight=None):
        arrays = [X, y] if sample_weight is None else [X, y, sample_weight]
        assert all(isinstance(array, da.Array) for array in arrays)
        assert all(array.chunks[0] == X.chunks[0] for array in arrays)
        parts = [list(array.to_delayed().ravel()) for array in arrays]
        parts += [[None] * len(parts[0])] * (3 - len(parts))
        grown = [dask.delayed(grow)(self._tree(), *own) for own in zip(*parts, strict=True)]
        self.trees_ = dask.compute(*grown)
        return self


class BlockForestClassifier(ClassifierMixin, BlockTrees):
    def _tree(self):
        return DecisionTreeClassifier(max_depth=4, random_state=0)

    @property
    def classes_(self):
        return self.trees_[0].classes_

    def predict_proba(self, X):
        if not isinstance(X, da.Array):
            return mean_response(X, self.trees_, "predict_proba")
        chunks = X.chunks[0], (len(self.classes_),)
        return X.map_blocks(mean_response, self.trees_, "predict_proba", chunks=chunks, dtype=float)

    def predict(self, X):
        classes, proba = self.classes_, self.predict_proba(X)
        if not isinstance(X, da.Array):
            return classes[proba.argmax(axis=1)]
        return proba.map_blocks(
            lambda p: classes[p.argmax(axis=1)], drop_axis=1, dtype=classes.dtype
        )


class BlockForestRegressor(RegressorMixin, BlockTrees):
    def _tree(self):
        return DecisionTreeRegressor(max_depth=4, random_state=0)

    def predict(self, X):
        if not isinstance(X, da.Array):
            return mean_response(X, self.trees_, "predict")
        return X.map_blocks(mean_response, self.trees_, "predict", drop_axis=1, dtype=float)


class InMemory:
    """The same estimators with arrays in memory, which they cut as the blocks are."""

    size = 1000

    def fit(self, X, y, sample_weight=None):
        arrays = [X, y] if sample_weight is None else [X, y, sample_weight]
        blocks = [da.from_array(a, chunks=(self.size, *a.shape[1:])) for a in arrays]
        return super().fit(*blocks)


class LocalClassifier(InMemory, BlockForestClassifier):
    pass


class LocalRegressor(InMemory, BlockForestRegressor):
    pass


def people(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    code = rng.integers(0, 3, n)
    X = rng.normal(size=(n, 5)) + 0.3 * code[:, None]
    signal = X[:, 0] + 0.6 * code * X[:, 3] + rng.logistic(size=n)
    weight = rng.integers(0, 3, n).astype(float)
    return X, signal, np.array(["a", "b", "c"])[code], weight


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster):
    with distributed.Client(cluster) as client:
        client.run(os.getpid)
        yield client


def as_blocks(*arrays, size=1000):
    return [da.from_array(a, chunks=(size, *a.shape[1:])) for a in arrays]


def assert_same(one, other):
    assert other.cells_.tolist() == one.cells_.tolist()
    np.testing.assert_allclose(other.cell_weights_, one.cell_weights_, rtol=1e-6)
    for name in ("metric", "score", "cell_losses"):
        np.testing.assert_allclose(other.results_[name], one.results_[name], rtol=1e-6)
    for name in (
        "metric_standard_error_", "constant_scoring_value_", "scoring_value_",
        "baseline_metric_value_",
    ):  # fmt: skip
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=1e-6)
    assert other.small_groups_ == one.small_groups_


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"partition": "group_target", "bound": 0.03},
        {"metric": "worst_group_loss"},
        {"metric": "equalized_odds", "partition": "group_target", "trade_off": 1.0},
    ],
)
def test_a_classifier_is_that_in_memory(options, weighted):
    X, signal, group, weight = people()
    y = np.array(["no", "yes"])[(signal > 0).astype(int)]
    given = {"sensitive_features": group, "sample_weight": weight if weighted else None}
    one = BADRClassifier(LocalClassifier(), max_iter=4, solver="alternating", cv=None, **options)
    one.fit(X, y, **given)
    blocks, labels, features, weights = as_blocks(X, y, group, weight)
    given = {"sensitive_features": features, "sample_weight": weights if weighted else None}
    other = BADRClassifier(BlockForestClassifier(), max_iter=4, **options)
    other.fit(blocks, labels, **given)
    assert_same(one, other)
    found = other.compute_sample_weight(blocks, labels, **given)
    assert isinstance(found, da.Array)
    refit = BlockForestClassifier().fit(blocks, labels, sample_weight=found)
    np.testing.assert_array_equal(refit.predict(X), other.estimator_.predict(X))
    np.testing.assert_array_equal(other.predict(X), one.predict(X))


def test_groups_bargain_over_blocks():
    X, signal, group, _ = people()
    blocks, labels = as_blocks(X, (signal > 0).astype(int))
    model = BADRClassifier(BlockForestClassifier(), "group_loss_gap", init="nash", max_iter=4)
    with pytest.warns(UserWarning, match="init='nash' starts from the Nash product"):
        model.fit(blocks, labels, sensitive_features=group)
    assert model.bargaining_.method == "nash_product"
    assert model.metric_value_ <= model.baseline_metric_value_


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"partition": "group_target", "n_target_bins": 3, "bound": 0.3},
        {"metric": "group_loss_variance"},
        {"metric": "kolmogorov_smirnov", "partition": "group_target"},  # no sum over rows
    ],
)
def test_a_regressor_is_that_in_memory(options, weighted):
    X, y, group, weight = people(seed=1)
    y[:800] = np.round(y[:800])  # ties
    one = BADRRegressor(LocalRegressor(), max_iter=4, solver="alternating", cv=None, **options)
    one.fit(X, y, sensitive_features=group, sample_weight=weight if weighted else None)
    blocks, targets, weights = as_blocks(X, y, weight)
    other = BADRRegressor(BlockForestRegressor(), max_iter=4, **options)
    other.fit(
        blocks, targets, sensitive_features=group, sample_weight=weights if weighted else None
    )
    assert_same(one, other)


def test_what_is_measured_is_of_all_rows_where_guides_see_some(monkeypatch):
    monkeypatch.setattr("skbadr.distributed.rows.SEEN_ROWS", 900)
    monkeypatch.setattr("skbadr.distributed.rows.LEAST_ROWS", 50)
    X, signal, group, weight = people(n=6000, seed=2)
    y = (signal > 0).astype(int)
    blocks, labels, features, weights = as_blocks(X, y, group, weight)
    model = BADRClassifier(BlockForestClassifier(), partition="group_target", bound=0.02)
    model.fit(blocks, labels, sensitive_features=features, sample_weight=weights)
    metric = get_metric("demographic_parity")
    predicted = model.predict(X)
    expected = metric(y, predicted, sensitive_features=group, sample_weight=weight)
    assert model.metric_value_ == pytest.approx(expected, abs=1e-12)
    assert model.scoring_value_ == pytest.approx(np.average(y == predicted, weights=weight))
    assert model.metric_value_ < model.baseline_metric_value_


def test_neither_x_nor_y_is_collected(client, monkeypatch):
    monkeypatch.setattr("skbadr.distributed.rows.SEEN_ROWS", 400)
    monkeypatch.setattr("skbadr.distributed.rows.LEAST_ROWS", 20)
    X, signal, group, weight = people(n=40_000)
    kept = client.persist(as_blocks(X, (signal > 0).astype(int), group, weight, size=10_000))
    distributed.wait(kept)
    log = OutgoingLog(client)

    def collected(self, *args, **kwargs):
        raise AssertionError("an array was collected")

    monkeypatch.setattr(da.Array, "__array__", collected)
    blocks, labels, features, weights = kept
    model = BADRClassifier(
        BlockForestClassifier(), partition="group_target", bound=0.03, max_iter=4
    )
    model.fit(blocks, labels, sensitive_features=features, sample_weight=weights)
    assert model.metric_value_ < model.baseline_metric_value_
    assert log.results() and not log.blocks_of(*kept)
    # Rows of the sample and models; a vector of a block would have 80,000 bytes.
    assert log.largest() < 40_000
    client.gather(distributed.futures_of(labels))
    assert log.blocks_of(*kept) and log.largest() > 40_000  # which the log does show


@pytest.mark.slow
def test_a_worker_that_dies_in_the_middle_changes_nothing():
    X, signal, group, _ = people(n=8000)
    y = (signal > 0).astype(int)
    options = {"partition": "group_target", "bound": 0.02, "max_iter": 6}
    expected = BADRClassifier(BlockForestClassifier(), **options)
    expected.fit(*as_blocks(X, y), sensitive_features=group)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        arrays = client.persist(as_blocks(X, y))
        distributed.wait(arrays)
        victim = next(iter(cluster.workers.values()))
        pid = client.run(os.getpid, workers=[victim.worker_address])[victim.worker_address]
        refits = []

        class Killed(BlockForestClassifier):
            def fit(self, X, y, sample_weight=None):
                refits.append(sample_weight)
                if len(refits) == 3:  # right while its blocks are trained on
                    threading.Timer(0.02, os.kill, (pid, signal_to_kill)).start()
                return super().fit(X, y, sample_weight)

        model = BADRClassifier(Killed(), **options)
        model.fit(*arrays, sensitive_features=group)
    assert len(refits) > 3
    np.testing.assert_array_equal(model.results_["metric"], expected.results_["metric"])
    np.testing.assert_array_equal(model.cell_weights_, expected.cell_weights_)


signal_to_kill = signal.SIGKILL


@pytest.mark.slow
def test_gradient_boosting_on_a_cluster(client):
    boosting = pytest.importorskip("xgboost.dask")
    X, signal, group, _ = people(n=8000)
    arrays = client.persist(as_blocks(X, (signal > 0).astype(int), size=2000))
    estimator = boosting.DaskXGBClassifier(n_estimators=10, max_depth=3)
    model = BADRClassifier(estimator, partition="group_target", bound=0.03)
    model.fit(*arrays, sensitive_features=group)
    assert model.metric_value_ <= 0.03 < model.baseline_metric_value_
    weight = model.compute_sample_weight(*arrays, sensitive_features=group)
    refit = boosting.DaskXGBClassifier(n_estimators=10, max_depth=3)
    refit.fit(*arrays, sample_weight=weight)
    # Its histograms depend on which worker holds which blocks.
    alike = refit.predict(arrays[0]) == model.predict(arrays[0])
    assert alike.compute().mean() > 0.9


def test_groups_may_be_columns_of_x_and_crossed():
    X, signal, group, _ = people(n=2000)
    rng = np.random.default_rng(0)
    X[:, 1], X[:, 2] = rng.integers(0, 2, 2000), rng.integers(0, 3, 2000)
    y = (signal > 0).astype(int)
    one = BADRClassifier(LocalClassifier(), sensitive_columns=[1, 2], cv=None, max_iter=3)
    one.fit(X, y)
    other = BADRClassifier(BlockForestClassifier(), sensitive_columns=[1, 2], max_iter=3)
    other.fit(*as_blocks(X, y))
    assert_same(one, other)


def test_frames_and_series_of_dask_are_taken_for_arrays():
    frames = pytest.importorskip("dask.dataframe")
    pandas = pytest.importorskip("pandas")
    X, signal, group, weight = people(n=900)
    table = pandas.DataFrame({"g": group, "h": np.arange(900) % 2, "w": weight, "y": signal > 0})
    lazy = frames.from_pandas(table, npartitions=2)
    (blocks,) = as_blocks(X, size=300)
    for estimator in (BlockForestClassifier(), None):
        given = {"sensitive_features": table[["g", "h"]], "sample_weight": table["w"]}
        one = BADRClassifier(estimator, max_iter=3).fit(blocks, table["y"], **given)
        given = {"sensitive_features": lazy[["g", "h"]], "sample_weight": lazy["w"]}
        other = BADRClassifier(estimator, max_iter=3).fit(blocks, lazy["y"], **given)
        assert_same(one, other)
    with pytest.raises(TypeError, match=r"pass X.to_dask_array\(lengths=True\)"):
        BADRClassifier().fit(lazy, lazy["y"], sensitive_features=lazy["g"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(300)}, "y holds one class"),
        ({"y": np.zeros(299)}, r"y has the shape \(299,\), but X has 300 rows"),
        ({"y": np.linspace(0, 1, 300)}, "continuous"),
        ({"sensitive_features": np.zeros(300)}, "holds the single group 0.0"),
        ({"sensitive_features": np.zeros((200, 2))}, "but X has 300 rows"),
        ({"sensitive_features": np.where(np.arange(300) > 9, 1.0, np.nan)}, "missing value"),
        ({"sample_weight": np.full(300, -1.0)}, "negative values"),
        ({"sample_weight": np.zeros(300)}, "must not be zero for every sample"),
        ({"sample_weight": (np.arange(300) % 2).astype(float)}, "sample_weight is zero for every"),
    ],
)
def test_bad_rows_are_refused(change, message):
    X, signal, _, _ = people(n=300)
    data = {
        "y": (signal > 0).astype(int), "sensitive_features": np.arange(300) % 2,
        "sample_weight": np.ones(300), **change,
    }  # fmt: skip
    data = {name: as_blocks(values, size=100)[0] for name, values in data.items()}
    (blocks,) = as_blocks(X, size=100)
    with pytest.raises(ValueError, match=message):
        BADRClassifier(BlockForestClassifier()).fit(blocks, data.pop("y"), **data)


def test_targets_of_a_regressor_must_be_finite_numbers():
    X, y, group, _ = people(n=300)
    y[7] = np.nan
    with pytest.raises(ValueError, match="1 values that are not finite"):
        BADRRegressor(BlockForestRegressor()).fit(*as_blocks(X, y), sensitive_features=group)
    with pytest.raises(ValueError, match="y must be numeric"):
        BADRRegressor(BlockForestRegressor()).fit(*as_blocks(X, group), sensitive_features=group)


@settings(max_examples=40)
@given(data=st.data())
def test_quantiles_are_those_in_memory(data):
    n, n_bins = data.draw(st.integers(2, 60)), data.draw(st.integers(2, 5))
    numbers = st.integers(-3, 3).map(float) | st.floats(-1e6, 1e6)
    y = np.array(data.draw(st.lists(numbers, min_size=n, max_size=n)))
    counts = st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any)
    weight = np.array(data.draw(counts), dtype=float)
    few = data.draw(st.sampled_from([1, 4, 100]))
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=3)))
    parts = [np.split(values, cuts) for values in (y, weight)]
    codes, labels = target_bins(y, weight, n_bins)
    inside = y[weight > 0]
    with pytest.MonkeyPatch.context() as patch, dask.config.set(scheduler="synchronous"):
        patch.setattr("skbadr.distributed.quantiles.N_CUTS", 100)
        patch.setattr("skbadr.distributed.quantiles.SEEN_ROWS", few)
        edges = weighted_quantiles(*parts, n_bins, inside.min(), inside.max())
    assert len(edges) == len(labels) - 1
    np.testing.assert_array_equal(np.searchsorted(edges, y, side="left"), codes)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_additive_statistics_add_up_over_parts(task):
    rng = np.random.default_rng(0)
    n, classes = 60, np.arange(3) if task == "classification" else None
    y = rng.integers(0, 3, n) if classes is not None else rng.gamma(2.0, size=n)
    data = EvaluationSet(y, make_groups(np.arange(n) % 4), classes, rng.integers(0, 3, n) * 1.0)
    responses = {
        "predict": rng.integers(0, 3, n) if classes is not None else y + rng.random(n),
        "predict_proba": rng.dirichlet(np.ones(3), n),
        "decision_function": rng.normal(size=(n, 3)),
    }
    metrics = [get_metric(name, task) for name in get_metric_names(task)]
    metrics = [metric for metric in metrics if metric.additive]
    assert len(metrics) >= 4
    for metric in metrics:
        response = responses[metric.response_method]
        parts = [
            metric.statistics(
                data.part(y[rows], data.groups.codes[rows], data.sample_weight[rows]),
                response[rows],
            )
            for rows in (slice(0, 7), slice(7, 30), slice(30, n))
        ]
        np.testing.assert_allclose(sum(parts), metric.statistics(data, response), rtol=1e-12)
