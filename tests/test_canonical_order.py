"""Cells and groups in an order that their names have no part in."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from skbadr import BADRClassifier, BADRRegressor
from skbadr.metrics import get_metric
from skbadr.partition import in_canonical_order, make_cells, make_groups
from skbadr.partition.order import canonical_order


def contents(codes, order):
    """Return the part of each sample, by its place in an order."""
    return np.argsort(order)[codes]


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, pd.DataFrame])
@pytest.mark.parametrize("n_classes", [None, 2])
def test_order_follows_contents(container, n_classes):
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(4), 25)  # as large as each other
    y = rng.normal(size=100) if n_classes is None else np.tile([0, 1], 50)
    weight, X = np.ones(100), rng.normal(size=(100, 3))
    place = contents(codes, canonical_order(codes, 4, weight, y, n_classes=n_classes,
                                            X=container(X)))  # fmt: skip
    for _ in range(5):
        rows, names = rng.permutation(100), rng.permutation(4)
        order = canonical_order(names[codes[rows]], 4, weight, y[rows], n_classes=n_classes,
                                X=container(X[rows]))  # fmt: skip
        np.testing.assert_array_equal(contents(names[codes[rows]], order), place[rows])


def test_largest_comes_first_then_what_its_targets_are():
    codes = np.array([0, 1, 1, 1, 2, 2, 2, 3])
    y = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    order = canonical_order(codes, 4, np.ones(8), y, n_classes=2)
    assert order.tolist() == [2, 1, 3, 0]


def test_rows_of_weight_zero_and_copies_change_nothing():
    rng = np.random.default_rng(1)
    codes, y, X = np.tile(np.arange(3), 20), rng.normal(size=60), rng.normal(size=(60, 2))
    counts = np.tile([1, 1, 1, 2, 2, 2], 10)
    order = canonical_order(codes, 3, counts.astype(float), y, X=X)
    rows = np.repeat(np.arange(60), counts)
    copied = canonical_order(codes[rows], 3, np.ones(90), y[rows], X=X[rows])
    assert order.tolist() == copied.tolist()
    X[5:10] = np.nan
    weight = np.where((np.arange(60) >= 5) & (np.arange(60) < 10), 0.0, 1.0)
    kept = weight > 0
    assert (
        canonical_order(codes, 3, weight, y, X=X).tolist()
        == canonical_order(codes[kept], 3, np.ones(55), y[kept], X=X[kept]).tolist()
    )


@pytest.mark.parametrize("X", [None, np.array([["a"], ["b"]] * 4, dtype=object), [[[1]]] * 8])
def test_what_nothing_tells_apart_keeps_the_order_of_labels(X):
    codes, y = np.tile([0, 1, 2, 3], 2), np.repeat([0, 1], 4)
    assert canonical_order(codes, 4, np.ones(8), y, n_classes=2, X=X).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "partition", ["group", "group_target", lambda y, groups: np.char.add(groups.astype(str), y)]
)
def test_cells_hold_the_same_samples(partition):
    rng = np.random.default_rng(2)
    y, names = rng.integers(0, 2, 200), np.array(["b", "a", "c"])[rng.integers(0, 3, 200)]
    weight, classes = rng.random(200), np.array(["no", "yes"])
    groups = make_groups(names)
    cells = make_cells(partition, y, groups, weight, classes=classes)
    other, other_groups = in_canonical_order(cells, groups, y, y[:, None], n_classes=2)
    assert other.sorted_labels == cells.labels
    assert [other.labels[c] for c in other.codes] == [cells.labels[c] for c in cells.codes]
    assert [other_groups.labels[g] for g in other_groups.codes] == names.tolist()
    np.testing.assert_array_equal(other.shares, cells.shares[other.order])
    np.testing.assert_array_equal(other.sample_weight(other.shares), weight)
    if other.group_of_cell is not None:
        np.testing.assert_array_equal(other.group_of_cell[other.codes], other_groups.codes)
    if other.target_of_cell is not None:
        np.testing.assert_array_equal(other.target_of_cell[other.codes], y)


def test_users_see_the_order_of_labels():
    """Weights given by `init` and those that come back belong to `cells_`, sorted."""
    rng = np.random.default_rng(3)
    group = np.repeat(["small", "large", "middle"], [20, 200, 80])
    X = rng.normal(size=(300, 2)) + (group == "large")[:, None]
    y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)
    init = np.array([0.2, 0.3, 0.5])
    model = BADRClassifier(init=init, cv=None, max_iter=3, solver="alternating")
    model.fit(X, y, sensitive_features=group)
    assert model.cells_.tolist() == ["large", "middle", "small"]
    np.testing.assert_allclose(model.results_["cell_weights"][0], [200 / 300, 80 / 300, 20 / 300])
    origin = model.results_["origin"].tolist()
    np.testing.assert_allclose(model.results_["cell_weights"][origin.index("init")], init)


def test_disagreement_is_given_in_the_order_of_labels():
    rng = np.random.default_rng(4)
    group = np.repeat(["a", "b"], [20, 100])
    X = rng.normal(size=(120, 2))
    y = X[:, 0] + (group == "a") * rng.normal(size=120)
    metric = get_metric("nash_welfare", "regression", disagreement=[50.0, 5.0])
    model = BADRRegressor(metric=metric, max_iter=3).fit(X, y, sensitive_features=group)
    expected = metric(y, model.predict(X), sensitive_features=group)
    np.testing.assert_allclose(model.metric_value_, expected, rtol=1e-10)
