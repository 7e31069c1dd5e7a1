"""Keys of rows by what is in them, and samples that no order of rows decides."""

import itertools
import tracemalloc
from dataclasses import replace

import dask.array as da
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from skbadr import BADRClassifier, BADRRegressor
from skbadr.partition import in_canonical_order, make_cells, make_groups
from skbadr.partition.row_keys import key_order, row_keys
from skbadr.problem.sampling import StratifiedSampler

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(200, 3)) * (RNG.random((200, 3)) < 0.7)
NUMBERS[:, 2] = np.round(NUMBERS[:, 2])
NUMBERS[NUMBERS == 0] = 0.0  # no negative zeros


@pytest.mark.parametrize(
    "container",
    [
        np.asfortranarray,
        np.ndarray.tolist,
        pd.DataFrame,
        pl.DataFrame,
        sparse.csr_array,
        sparse.csc_matrix,
        lambda X: da.from_array(X, chunks=(70, 3)),
        lambda X: pd.DataFrame(X).astype({2: int}),
    ],
)
def test_containers_of_the_same_numbers_have_the_same_keys(container):
    np.testing.assert_array_equal(row_keys(container(NUMBERS)), row_keys(NUMBERS))


@pytest.mark.parametrize(
    "X",
    [
        ["a b", "c", "a b"],
        [["a", 1], ["b", 1], ["a", 1]],
        [[1], [1, 2], [1]],
        np.array([["x", 1.0], ["x", None], ["x", 1.0]], dtype=object),
        np.array([[{1: 2}], [{1: 3}], [{1: 2}]], dtype=object),
        np.array([[True], [False], [True]]),
        np.array([[np.nan, 1.0], [np.nan, 2.0], [np.nan, 1.0]]),
        np.array([[[1.0, 2.0]], [[2.0, 1.0]], [[1.0, 2.0]]]),
        pd.Series(["p", "q", "p"]),
        pd.DataFrame({"a": pd.Categorical(["x", None, "x"])}),
        pd.DataFrame({"a": pd.array([1, None, 1], dtype="Int64")}),
        pd.DataFrame({"a": pd.to_datetime(["2020", "2021", "2020"])}),
        pd.DataFrame([[1, "u"], [1, "v"], [1, "u"]], columns=["a", "a"]),
        pl.DataFrame({"a": ["x", None, "x"]}),
    ],
    ids=lambda X: type(X).__name__,
)
def test_equal_rows_alone_share_a_key(X):
    first, second, third = row_keys(X)
    assert first == third != second


@pytest.mark.parametrize(
    "column",
    [
        np.array([1, 1.0, True, "no"], dtype=object),
        1.7e9 + np.arange(4.0),  # of which single precision tells none apart
        np.array([{"a": 1, "b": 2}, {"b": 2, "a": 1}, [1], [2]], dtype=object),
        np.array([0.5, 1e300, -1e300, np.inf], dtype=object),
    ],
    ids=["equal", "seconds", "dicts", "large"],
)
def test_keys_do_not_depend_on_the_order_of_rows(column):
    keys = row_keys(column[:, None])
    for order in itertools.permutations(range(4)):
        rows = list(order)
        np.testing.assert_array_equal(row_keys(column[rows][:, None]), keys[rows])


def test_seconds_and_large_numbers_have_keys_of_their_own():
    for column in (1.7e9 + np.arange(50.0), 1e8 + np.arange(50) / 8):
        assert len(np.unique(row_keys(column[:, None]))) == 50


def test_objects_without_contents_are_left_out():
    X = [[object(), 1.0], [object(), 1.0], [{1, 2}, 2.0]]
    first, second, third = row_keys(X)
    assert first == second != third


def test_long_texts_take_the_room_they_need():
    X = [["a" * 100_000, "b"], *([["c", "d"]] * 2000)]
    tracemalloc.start()
    row_keys(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.filterwarnings("ignore")
def test_blocks_of_columns_are_taken_together():
    X, groups, score = table(12_000)
    split = da.from_array(X, chunks=(4000, 2))
    np.testing.assert_array_equal(row_keys(split), row_keys(X))
    model = BADRClassifier(LOGISTIC, "group_loss_variance", solver="gd", max_iter=5)
    weights = [model.fit(data, score > 0, sensitive_features=groups).cell_weights_
               for data in (split, X)]  # fmt: skip
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-4)


class Pile:
    """A container of rows that is no array."""

    shape = (6,)

    def __len__(self):
        return 6


def test_other_containers_are_no_obstacle():
    groups, y = make_groups([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 0, 1, 2])
    cells = make_cells("group", y, groups, np.ones(6), classes=np.arange(3))
    ordered, _ = in_canonical_order(cells, groups, y, Pile(), n_classes=3)
    assert len(np.unique(ordered.keys)) == 6  # by targets and groups


@pytest.mark.filterwarnings("ignore")
def test_huge_values_in_rows_of_weight_zero_change_nothing():
    X, groups, score = table(110_000)
    weight = np.r_[np.zeros(1000), np.ones(109_000)]
    wide = np.array(X)
    wide[:1000, 2] = 1e39
    model = BADRClassifier(LOGISTIC, "group_loss_variance", solver="gd", max_iter=5)
    weights = [
        model.fit(data, score > 0, sensitive_features=groups, sample_weight=weight).cell_weights_
        for data in (X, wide)
    ]
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-6)


def test_further_columns_count():
    y, groups = np.tile([0, 1], 100), np.repeat([0, 1], 100)
    keys = row_keys(np.zeros((200, 2)), y, groups)
    assert len(np.unique(keys)) == 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keys_are_spread_evenly_and_rarely_shared(dtype):
    X = np.indices((100, 100)).reshape(2, -1).T.astype(dtype)  # few different words
    keys = row_keys(X)
    assert len(np.unique(keys)) == len(X)
    counts = np.histogram(keys.astype(float) / 2.0**64, 10, (0, 1))[0]
    assert np.abs(counts - 1000).max() < 150


def cells_of(rows, weight):
    """Return cells of three groups of some rows, with the keys of these."""
    cells = make_cells("group", None, make_groups(rows[:, 2]), weight)
    return replace(cells, keys=row_keys(rows))


def test_samples_hold_the_same_rows_in_any_order():
    rng = np.random.default_rng(1)
    rows = np.column_stack([rng.normal(size=(5000, 2)), rng.integers(0, 3, 5000)])
    order, zeros = rng.permutation(5000), rng.integers(0, 5000, 500)
    wide = np.vstack([rows[order], rows[zeros] + [1.0, 0.0, 0.0]])
    weight = np.r_[np.ones(5000), np.zeros(500)]
    drawn = []
    for own, base in ((rows, np.ones(5000)), (rows[order], np.ones(5000)), (wide, weight)):
        sampler = StratifiedSampler(cells_of(own, base))
        drawn.append(own[sampler.draw(700, np.random.default_rng(0))])
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[0], drawn[2])


def table(n):
    """Return numbers, groups and scores of a table of three groups."""
    rng = np.random.default_rng(2)
    groups = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    X = rng.normal(size=(n, 4))
    X[:, 0] += 0.5 * groups
    score = X @ [1.5, -1.0, 0.7, 0.4] + 0.6 * groups * X[:, 1] - 0.3 * groups
    return X, groups, score + rng.logistic(size=n)


LOGISTIC = LogisticRegression(tol=1e-8, max_iter=500)
RATE = {"metric": "demographic_parity", "partition": "group_target"}
GOALS = (
    {"metric": "group_loss_variance"},
    {"metric": "group_loss_variance", "cv": 0.3},
    RATE,
    {**RATE, "bound": 0.05},
    {**RATE, "bound": 0.05, "cv": 2},
)
SEARCHES = [
    (solver, 12_000, dtype, goal)
    for solver in ("implicit", "gd", "sgd")
    for dtype in (np.float32, np.float64)
    for goal in GOALS
    # In single precision the estimator's own fit feels the order of rows.
    if dtype is np.float64 or "cv" not in goal
]
SEARCHES += [
    (solver, 90_000, np.float32, goal)
    for solver in ("implicit", "gd", "sgd")
    for goal in (GOALS[0], GOALS[3])
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("solver", "n", "dtype", "goal"), SEARCHES)
def test_order_of_many_rows_changes_no_search(solver, n, dtype, goal):
    """Where samples are drawn, of which the order of rows decides nothing."""
    X, groups, score = table(n)
    model = BADRClassifier(LOGISTIC, solver=solver, max_iter=8, random_state=0, **goal)
    check_rows_do_not_matter(model, X.astype(dtype), score > 0, groups)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("goal", GOALS[:1] + GOALS[2:])
@pytest.mark.parametrize("estimator", [GaussianNB(), LOGISTIC, DecisionTreeClassifier(max_depth=4)])
def test_order_of_many_rows_changes_no_search_of_refits(estimator, goal):
    X, groups, score = table(4000)
    model = BADRClassifier(estimator, solver="alternating", max_iter=8, random_state=0, **goal)
    # GaussianNB looks at the variance of all rows, whatever they weigh.
    zeros = not isinstance(estimator, GaussianNB)
    check_rows_do_not_matter(model, X, score > 0, groups, zeros=zeros)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("solver", ["auto", "alternating"])
@pytest.mark.parametrize("goal", [{"bound": 0.3}, {"bound": 0.3, "cv": 0.3}])
def test_order_of_many_rows_changes_no_search_of_regressors(solver, goal):
    X, groups, score = table(4000)
    model = BADRRegressor(
        Ridge(), solver=solver, max_iter=8, random_state=0, n_target_bins=3, **RATE, **goal
    )
    check_rows_do_not_matter(model, X, score, groups)


def check_rows_do_not_matter(model, X, y, groups, *, zeros=True):
    """Another order, and rows of weight zero, give the same weights."""
    n, rng = len(y), np.random.default_rng(3)
    close = {"rtol": 1e-6} if X.dtype == float else {"rtol": 0.0, "atol": 1e-3}
    one = model.fit(X, y, sensitive_features=groups).cell_weights_
    order, extra = rng.permutation(n), rng.integers(0, n, n // 10)
    other = model.fit(X[order], y[order], sensitive_features=groups[order]).cell_weights_
    np.testing.assert_allclose(other, one, **close)
    if zeros:
        rows, weight = np.append(order, extra), np.r_[np.ones(n), np.zeros(len(extra))]
        wide = X[rows] + np.float32(7) * (weight == 0)[:, None]
        model.fit(wide, y[rows], sensitive_features=groups[rows], sample_weight=weight)
        np.testing.assert_allclose(model.cell_weights_, one, **close)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 1000])
@pytest.mark.parametrize("most", [1, 7, 2**12, 2**64 - 1])
def test_keys_are_ordered_whatever_their_lowest_bits(n, most):
    rng = np.random.default_rng(0)
    keys = rng.integers(0, most, n, dtype=np.uint64, endpoint=True)
    order = key_order(keys)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    np.testing.assert_array_equal(keys[order], np.sort(keys))
