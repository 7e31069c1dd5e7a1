"""Cells and the sample weights that weights on the simplex stand for."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skbadr._rows import STEP_ROWS
from skbadr.partition import Cells, make_cells, make_groups
from skbadr.partition.cells import cells_of_pairs, target_bins

GROUPS = make_groups(["f", "m", "m", "f", "m"])
Y = np.array([0, 1, 0, 0, 1])
ONES = np.ones(5)
CLASSES = np.array(["no", "yes"])


def test_cells_of_groups():
    cells = make_cells("group", Y, GROUPS, ONES, classes=CLASSES)
    assert cells.labels == ["f", "m"]
    assert cells.codes.tolist() == [0, 1, 1, 0, 1]
    assert cells.totals.tolist() == [2.0, 3.0]
    assert cells.shares.tolist() == [0.4, 0.6]
    assert cells.group_of_cell.tolist() == [0, 1]
    assert cells.target_of_cell is None


def test_cells_of_groups_and_classes():
    cells = make_cells("group_target", Y, GROUPS, np.arange(1.0, 6.0), classes=CLASSES)
    assert cells.labels == [("f", "no"), ("m", "no"), ("m", "yes")]  # no (f, yes) occurs
    assert cells.codes.tolist() == [0, 2, 1, 0, 2]
    assert cells.totals.tolist() == [5.0, 3.0, 7.0]
    assert cells.group_of_cell.tolist() == [0, 1, 1]
    assert cells.target_of_cell.tolist() == [0, 0, 1]


def test_labels_of_crossed_groups_are_flat():
    groups = make_groups({"sex": ["f", "m", "f"], "age": [1, 1, 2]})
    cells = make_cells("group_target", np.array([0, 1, 1]), groups, np.ones(3), classes=CLASSES)
    assert cells.labels == [("f", 1, "no"), ("f", 2, "yes"), ("m", 1, "yes")]


def test_cells_of_groups_and_bins():
    y = np.array([1.0, 5.0, 2.0, 4.0, 3.0])
    cells = make_cells("group_target", y, GROUPS, ONES)
    assert cells.labels == [("f", "<= 3"), ("f", "> 3"), ("m", "<= 3"), ("m", "> 3")]
    assert cells.codes.tolist() == [0, 3, 2, 1, 2]
    three = make_cells("group_target", y, GROUPS, ONES, n_target_bins=3)
    assert {label[-1] for label in three.labels} == {"<= 2", "(2, 4]", "> 4"}


@pytest.mark.parametrize("container", [list, np.array, pd.Series])
def test_callable_partition(container):
    seen = {}

    def partition(y, groups):
        seen["y"], seen["groups"] = y, groups
        return container([f"{g}-{label}" for g, label in zip(groups, y, strict=True)])

    cells = make_cells(partition, Y, GROUPS, ONES, classes=CLASSES)
    assert seen["y"].tolist() == ["no", "yes", "no", "no", "yes"]
    assert seen["groups"].tolist() == ["f", "m", "m", "f", "m"]
    assert cells.labels == ["f-no", "m-no", "m-yes"]
    assert cells.codes.tolist() == [0, 2, 1, 0, 2]
    assert cells.group_of_cell is None


def test_callable_partition_sees_crossed_groups_as_tuples():
    groups = make_groups({"sex": ["f", "m", "f"], "age": [1, 1, 2]})
    cells = make_cells(lambda y, g: [sex for sex, _ in g], np.zeros(3), groups, np.ones(3))
    assert cells.labels == ["f", "m"]


@pytest.mark.parametrize("returned", [None, "f", [1, 2], np.ones((5, 2)), np.ones(4)])
def test_callable_partition_of_a_wrong_shape(returned):
    with pytest.raises(ValueError, match=r"one cell label per sample \(5\)"):
        make_cells(lambda y, groups: returned, Y, GROUPS, ONES, classes=CLASSES)


def test_callable_partition_with_missing_labels():
    with pytest.raises(ValueError, match="partition callable returned has 1 missing value"):
        make_cells(lambda y, groups: ["a", None, "b", "a", "b"], Y, GROUPS, ONES, classes=CLASSES)


@pytest.mark.parametrize("partition", ["groups", None, 3])
def test_unknown_partition(partition):
    with pytest.raises(ValueError, match="partition must be one of .*'group_target'"):
        make_cells(partition, Y, GROUPS, ONES, classes=CLASSES)


def test_single_cell():
    with pytest.raises(ValueError, match="leaves a single cell"):
        make_cells(lambda y, groups: ["all"] * 5, Y, GROUPS, ONES, classes=CLASSES)
    with pytest.raises(ValueError, match="partition='group' leaves a single cell"):
        make_cells("group", Y[:2], make_groups(["f", "f"]), np.ones(2), classes=CLASSES)


def test_cells_without_weight_are_named():
    weight = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    for partition, name in (("group", "'f'"), ("group_target", r"\('f', 'no'\)")):
        with pytest.raises(ValueError, match=f"zero for every sample of the cell {name}"):
            make_cells(partition, Y, GROUPS, weight, classes=CLASSES)


def test_bins_have_equal_mass():
    rng = np.random.default_rng(0)
    y, weight = rng.normal(size=4000), rng.random(4000)
    for n_bins in (2, 3, 7):
        codes, labels = target_bins(y, weight, n_bins)
        assert len(labels) == n_bins
        mass = np.bincount(codes, weights=weight) / weight.sum()
        np.testing.assert_allclose(mass, 1 / n_bins, atol=1e-3)


def test_bins_of_close_values_have_distinct_labels():
    _, labels = target_bins(1e6 + np.arange(12) * 1e-3, np.ones(12), 4)
    assert len(set(labels)) == 4


@pytest.mark.parametrize(
    ("y", "weight", "labels"),
    [
        ([2.0, 2.0, 2.0], [1, 1, 1], ["all"]),
        ([1.0, 1.0, 1.0, 9.0], [1, 1, 1, 1], ["<= 1", "> 1"]),
        ([1.0, 9.0, 9.0, 9.0], [1, 1, 1, 1], ["all"]),  # both quartile and median are 9
        ([1.0, 9.0], [3, 1], ["<= 1", "> 1"]),
        ([1.0, 1.0, 9.0], [1, 1, 0], ["all"]),  # 9 has no weight
        ([0.0, 1.0, 2.0, 3.0, 9.0], [1, 1, 1, 1, 0], ["<= 1", "> 1"]),
        ([-9.0, 0.0, 1.0], [0, 1, 1], ["<= 0", "> 0"]),
    ],
)
def test_bins_with_ties_and_weights(y, weight, labels):
    codes, found = target_bins(np.array(y), np.array(weight, dtype=float), 2)
    assert found == labels
    assert codes.max() < len(labels)


samples = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        hnp.arrays(float, n, elements=st.integers(-4, 4).map(float)),
        hnp.arrays(int, n, elements=st.integers(0, 3)),
    )
)


@given(samples, st.integers(2, 5))
def test_bins_respect_order_and_repetition(sample, n_bins):
    """Ties share a bin, bins are ordered, and a weight of two is a sample twice."""
    y, weight = sample
    if not weight.any():
        weight = weight + 1
    codes, labels = target_bins(y, weight.astype(float), n_bins)
    order = np.argsort(y, kind="stable")
    steps = np.diff(codes[order])
    assert (steps >= 0).all()
    assert (steps[np.diff(y[order]) == 0] == 0).all()
    assert 1 <= len(labels) <= n_bins
    assert set(codes[weight > 0]) == set(range(len(labels)))

    repeated = np.repeat(y, weight)
    codes_repeated, labels_repeated = target_bins(repeated, np.ones(len(repeated)), n_bins)
    assert labels_repeated == labels
    assert codes_repeated.tolist() == np.repeat(codes, weight).tolist()


def random_cells(seed, n_cells, base):
    """Return cells with every cell present."""
    rng = np.random.default_rng(seed)
    n = len(base)
    codes = np.concatenate([np.arange(n_cells), rng.integers(0, n_cells, n)])[-n:]
    codes[:n_cells] = np.arange(n_cells)
    totals = np.bincount(codes, weights=base, minlength=n_cells)
    return Cells(codes, list(range(n_cells)), base, totals)


problems = st.tuples(
    st.integers(0, 10**6),
    st.integers(2, 8),
    hnp.arrays(float, st.integers(8, 60), elements=st.floats(1e-8, 1e8)),
)


@given(problems)
def test_shares_give_back_the_base_weights_bit_for_bit(problem):
    cells = random_cells(*problem)
    assert cells.is_baseline(cells.shares)
    assert cells.sample_weight(cells.shares).tobytes() == cells.base_weight.tobytes()


@given(problems)
def test_sample_weight_is_the_formula(problem):
    cells = random_cells(*problem)
    lam = np.random.default_rng(problem[0]).dirichlet(np.ones(cells.n_cells)) + 1e-9
    lam /= lam.sum()
    weight = cells.sample_weight(lam)
    total = cells.base_weight.sum()
    expected = [
        total * lam[c] * s / cells.base_weight[cells.codes == c].sum()
        for c, s in zip(cells.codes, cells.base_weight, strict=True)
    ]
    np.testing.assert_allclose(weight, expected, rtol=1e-12)
    np.testing.assert_allclose(weight.sum(), total, rtol=1e-12)
    by_cell = np.bincount(cells.codes, weights=weight) / weight.sum()
    np.testing.assert_allclose(by_cell, lam, rtol=1e-10)
    assert not cells.is_baseline(lam) or np.array_equal(lam, cells.shares)


def test_baseline_weights_are_ones_without_sample_weight():
    rng = np.random.default_rng(0)
    for n in (7, 1000, 12345):
        groups = make_groups(rng.integers(0, 7, n))
        cells = make_cells("group", np.zeros(n), groups, np.ones(n))
        assert (cells.sample_weight(cells.shares) == 1.0).all()


def test_rows_taken():
    cells = make_cells("group_target", Y, GROUPS, np.arange(1.0, 6.0), classes=CLASSES)
    part = cells.take(np.array([1, 4, 3]))
    assert part.labels == cells.labels
    assert part.codes.tolist() == [2, 2, 0]
    assert part.totals.tolist() == [4.0, 0.0, 7.0]
    # A cell that lost all its rows weighs nothing, and nothing is divided by zero.
    weight = part.sample_weight(np.array([0.5, 0.25, 0.25]))
    np.testing.assert_allclose(weight, 11 * np.array([0.25 * 2 / 7, 0.25 * 5 / 7, 0.5]))


def test_means_of_more_rows_than_a_step():
    rng = np.random.default_rng(0)
    n = 2 * STEP_ROWS + 5
    groups, weight, values = make_groups(rng.integers(0, 3, n)), rng.random(n), rng.normal(size=n)
    cells = make_cells("group", np.zeros(n, int), groups, weight, classes=CLASSES)
    expected = [
        np.average(values[cells.codes == k], weights=weight[cells.codes == k]) for k in range(3)
    ]
    np.testing.assert_allclose(cells.means(values), expected)


def test_only_rows_that_weigh_are_seen():
    weight = np.array([0.0, 2.0, 0.0, 1.0, 3.0])
    cells = make_cells("group", Y, GROUPS, weight, classes=CLASSES)
    assert cells.n_seen == 3
    assert cells.take(slice(0, 2)).n_seen == 1


def test_rows_by_cell_are_a_shuffled_list_of_those_that_weigh():
    """Every tenth of them is a tenth of each cell, also of data that repeat themselves."""
    n = 3000
    groups = make_groups(np.arange(n) % 3)
    weight = np.where(np.arange(n) % 7 == 0, 0.0, 2.0)
    cells = make_cells("group", np.zeros(n, int), groups, weight, classes=CLASSES)
    rows = cells.by_cell
    assert np.sort(rows).tolist() == np.flatnonzero(weight).tolist()
    assert (np.diff(cells.codes[rows]) >= 0).all()
    tenth = rows[::10]
    np.testing.assert_allclose(np.bincount(cells.codes[tenth]), len(rows) / 30, atol=1)
    for k in range(3):
        own = tenth[cells.codes[tenth] == k]
        assert 0.3 < np.mean(own < n / 2) < 0.7 and (np.diff(own) < 0).any()
    again = make_cells("group", np.zeros(n, int), groups, weight, classes=CLASSES)
    assert again.by_cell.tolist() == rows.tolist()
    heavy = make_cells("group", np.zeros(n, int), groups, np.ones(n), classes=CLASSES)
    assert np.sort(heavy.by_cell).tolist() == list(range(n))


@pytest.mark.parametrize("partition", ["group", "group_target"])
def test_cells_of_pairs_are_those_of_the_samples(partition):
    """As where rows are elsewhere, and only the weights of group and class are known."""
    weight = np.arange(1.0, 6.0)
    expected = make_cells(partition, Y, GROUPS, weight, classes=CLASSES)
    table, present = np.zeros((2, 2)), np.zeros((2, 2), dtype=bool)
    np.add.at(table, (GROUPS.codes, Y), weight)
    present[GROUPS.codes, Y] = True
    cell_of, cells = cells_of_pairs(partition, GROUPS, CLASSES.tolist(), table, present)
    assert cells.labels == expected.labels
    assert cells.totals.tolist() == expected.totals.tolist()
    assert cell_of[2 * GROUPS.codes + Y].tolist() == expected.codes.tolist()
    assert cell_of[1] == -1  # no (f, yes) occurs
    with pytest.raises(ValueError, match="zero for every sample of the cell"):
        cells_of_pairs(partition, GROUPS, CLASSES.tolist(), 0 * table, present)


def test_a_mean_of_an_empty_cell_is_nan():
    cells = make_cells("group", Y, GROUPS, ONES, classes=CLASSES).take(np.array([1, 2]))
    np.testing.assert_array_equal(cells.means(np.array([1.0, 3.0])), [np.nan, 2.0])
