"""The convex proxy: a numeric encoding of any features, and what it says of refits."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from estimator_data import classifier, make_people, make_wages, regressor
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skbadr.partition import make_cells, make_groups
from skbadr.solvers import AlternatingSolver
from skbadr.solvers import proposals as module
from skbadr.solvers.features import MAX_CATEGORIES, MAX_COLUMNS, encode_features
from skbadr.solvers.proxy import choose_rows

X, Y, GROUP = make_people(600)
ROWS = np.arange(100)
TARGETS = np.eye(2)[Y[:100]]


def columns_of(values, n=100):
    encoded = encode_features(values, np.arange(n), np.eye(2)[np.arange(n) % 2])
    assert encoded.dtype == np.float32
    assert np.isfinite(encoded).all()
    return encoded


def test_numbers_are_standardised():
    encoded = encode_features(X, ROWS, TARGETS)
    expected = (X[:100] - X[:100].mean(axis=0)) / X[:100].std(axis=0)
    np.testing.assert_allclose(encoded, np.clip(expected, -4, 4), rtol=1e-5)
    as_list = encode_features(X.tolist(), ROWS, TARGETS)
    np.testing.assert_allclose(as_list, encoded, rtol=1e-5)
    as_sparse = encode_features(sparse.csr_matrix(X), ROWS, TARGETS)
    np.testing.assert_allclose(as_sparse, encoded, rtol=1e-4, atol=1e-5)


def test_missing_numbers_get_a_column():
    values = X[:100].copy()
    values[:10, 1], values[50, 2] = np.nan, np.inf
    encoded = columns_of(values)
    assert encoded.shape == (100, 6)
    assert np.unique(encoded[:10, 4]).size == 1
    assert abs(encoded[:10, 1]).max() < 1e-5  # the mean


@pytest.mark.parametrize("library", [pd, pl])
def test_data_frames(library):
    frame = library.DataFrame(
        {
            "number": np.arange(100.0),
            "name": ["a", "b", None, "c"] * 25,
            "flag": [True, False] * 50,
            "same": ["x"] * 100,
            "many": [f"id{i}" for i in range(100)],
            "day": np.arange("2020-01-01", "2020-04-10", dtype="datetime64[D]"),
        }
    )
    encoded = columns_of(frame)
    assert encoded.shape[1] == 1 + 4 + 1 + 0 + MAX_CATEGORIES + 1


def test_categories_and_objects():
    frame = pd.DataFrame({"a": pd.Categorical(["u", "v"] * 50), "b": [1, None] * 50})
    assert columns_of(frame).shape[1] == 2 + 1
    mixed = np.array([[1, "u"], [2.5, "v"]] * 50, dtype=object)
    assert columns_of(mixed).shape[1] == 1 + 2


def test_wide_data_keep_what_tells_the_target():
    rng = np.random.default_rng(0)
    wide = (rng.random((100, 2 * MAX_COLUMNS)) < 0.05).astype(float)
    wide[:, 7] = np.arange(100) % 2
    for values in (wide, sparse.csr_matrix(wide)):
        encoded = columns_of(values)
        assert encoded.shape[1] <= MAX_COLUMNS
        correlation = np.abs(np.corrcoef(encoded.T, np.arange(100) % 2)[-1, :-1])
        assert correlation.max() > 0.999


def test_what_is_no_table_has_no_encoding():
    assert encode_features(["one text", "another"] * 50, ROWS, TARGETS) is None
    assert encode_features(np.ones((100, 3)), ROWS, TARGETS) is None
    assert encode_features(sparse.csr_matrix((100, 3)), ROWS, TARGETS) is None


def test_rows_keep_small_cells_whole():
    codes = np.r_[np.zeros(5000), np.ones(80), np.full(900, 2)].astype(int)
    weight = np.ones(len(codes))
    weight[:500] = 0.0
    cells = make_cells("group", codes, make_groups(codes), weight)
    rows = choose_rows(cells, 1000)
    counts = np.bincount(codes[rows])
    assert counts[1] == 80
    assert counts[2] >= 100
    assert 800 < len(rows) < 1200
    assert weight[rows].all()
    assert (np.diff(rows) > 0).all()


def guide_of(model, X=X, y=Y, group=GROUP):
    """Return the proposals of a fit of the estimator."""
    made = []

    class Recorded(module.Proposals):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skbadr.solvers.alternating.Proposals", Recorded)
        model.fit(X, y, sensitive_features=group)
    return made[0]


@pytest.mark.parametrize("partition", ["group", "group_target"])
def test_proxy_of_a_logistic_regression_foresees_it(partition):
    """Its own proxy differs by the encoding alone."""
    solver = AlternatingSolver(6, guides=["proxy"])
    model = classifier(
        LogisticRegression(), solver=solver, partition=partition, bound=0.1, max_iter=None
    )
    with np.errstate(all="raise"):
        proposals = guide_of(model, *make_people(3000, seed=1))
    guide = proposals.guides["proxy"]
    visited = proposals.archive.evaluations
    weights = np.array([e.cell_weights for e in visited])
    statistics, score = guide.predict(weights)
    exact = np.array([e.statistics for e in visited])
    np.testing.assert_allclose(statistics[0], exact[0], atol=1e-6)
    np.testing.assert_allclose(statistics / 3000, exact / 3000, atol=0.01)
    np.testing.assert_allclose(score, [e.score for e in visited], atol=0.02)


def test_proxy_steers_where_no_other_guide_applies():
    """Groups without classes, and a classifier without probabilities."""
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    assert set(guide_of(classifier(tree)).guides) == {"proxy"}
    assert set(guide_of(classifier(tree, partition="group_target")).guides) == {
        "score_shift", "proxy",
    }  # fmt: skip
    baseline = classifier(Perceptron(random_state=0), partition="group_target")
    assert set(guide_of(baseline).guides) == {"proxy"}
    XR, yr, group = make_wages(400)
    wages = regressor(DecisionTreeRegressor(max_depth=4), partition="group_target")
    assert set(guide_of(wages, XR, yr, group).guides) == {"density_shift", "proxy"}


def test_proxy_of_folds_and_of_more_classes():
    forest = RandomForestClassifier(10, max_depth=4, random_state=0)
    X3, y3, group = make_people(500, n_classes=3)
    model = classifier(forest, cv=3, partition="group_target", max_iter=3)
    assert "proxy" in guide_of(model, X3, y3, group).guides


def test_proxy_of_frames_text_and_missing_values():
    frame = pd.DataFrame(X, columns=list("abcd")).assign(kind=np.where(GROUP == "a", "u", "v"))
    frame["kind"] = frame["kind"].astype("category")
    frame.loc[::7, "a"] = np.nan
    boosting = HistGradientBoostingClassifier(
        max_iter=5, categorical_features="from_dtype", random_state=0
    )
    assert "proxy" in guide_of(classifier(boosting), frame).guides
    words = np.array([" ".join(["word"] * (1 + i % 3) + [f"g{g}"]) for i, g in enumerate(GROUP)])
    text = make_pipeline(CountVectorizer(), DecisionTreeClassifier(max_depth=3))
    assert "proxy" in guide_of(classifier(text), words).guides


def test_metrics_of_unknown_cost_have_no_proxy():
    def slow(y_true, y_pred, *, sensitive_features):
        return abs(np.mean(y_pred) - 0.5)

    assert not guide_of(classifier(metric=slow)).guides
