"""The comparison as a function: its numbers, its bounds, and its notes."""

import warnings

import fairlearn.reductions
import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import demographic_parity_difference
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skbadr.comparison import compare, format_group_table, format_table
from skbadr.comparison._bounds import default_bound
from skbadr.comparison._groups import group_labels, stratified_split
from skbadr.metrics import get_metric, make_fairness_metric
from skbadr.plotting import plot_comparison


def make_data(n=300, seed=0):
    rng = np.random.default_rng(seed)
    groups = np.where(rng.random(n) < 0.4, "blue", "green")
    X = rng.normal(size=(n, 3)) + 0.6 * (groups == "blue")[:, None]
    score = X.sum(axis=1) + rng.normal(size=n)
    return X, np.where(score > 0.5, "good", "bad"), score, groups


@pytest.fixture(scope="module")
def full():
    """Return data and one comparison with all methods."""
    X, y, _, groups = make_data()
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return X, y, groups, model, compare(
        model, X, y, sensitive_features=groups, peers=True, max_iter=4
    )  # fmt: skip


def test_scores_are_those_of_the_models(full):
    X, y, groups, model, result = full
    X_train, X_test, y_train, y_test, g_train, g_test = stratified_split(
        X, y, groups, test_size=0.3, random_state=0, stratify_by_class=True
    )
    baseline = clone(model).fit(X_train, y_train)
    expected = {"baseline": baseline, "badr_group": result.models["badr_group"]}
    for row in result.rows[:2]:
        for part, X_part, y_part, g_part in [
            ("train", X_train, y_train, g_train),
            ("test", X_test, y_test, g_test),
        ]:
            y_pred = expected[row["key"]].predict(X_part)
            assert row[f"accuracy_{part}"] == pytest.approx(accuracy_score(y_part, y_pred))
            parity = demographic_parity_difference(
                y_part == "good", y_pred == "good", sensitive_features=g_part
            )
            assert row[f"metric_{part}"] == pytest.approx(parity)
            losses = row[f"group_errors_{part}"]
            for group in ("blue", "green"):
                wrong = (y_part != y_pred)[g_part == group].mean()
                assert losses[group] == pytest.approx(wrong)
            assert row[f"worst_group_error_{part}"] == max(losses.values())
    sizes = result.settings["groups"]
    assert sizes["blue"] == {"train": (g_train == "blue").sum(), "test": (g_test == "blue").sum()}


def test_peers_predict_the_users_labels_and_count_refits(full):
    *_, result = full
    rows = {row["key"]: row for row in result.rows}
    for key in ("exponentiated_gradient", "grid_search", "threshold_optimizer"):
        # Labels that were not mapped back would all be wrong.
        assert rows[key]["accuracy_train"] > 0.6
    assert rows["baseline"]["refits"] == rows["threshold_optimizer"]["refits"] == 1
    assert 1 < rows["grid_search"]["refits"] <= 10
    assert rows["exponentiated_gradient"]["refits"] > 1
    assert [row["key"] for row in result.rows if not row["deterministic"]] == [
        "exponentiated_gradient",
        "threshold_optimizer",
    ]
    assert all(row["seconds"] > 0 for row in result.rows)


def test_peers_get_the_same_bound(full):
    X, y, groups, model, result = full
    bound = result.settings["bound"]
    assert result.models["exponentiated_gradient"].constraints.eps == pytest.approx(bound / 2)
    # fairlearn before 0.13 has no tolerance: the table says that the bound does not matter.
    tol = getattr(result.models["threshold_optimizer"], "tol", None)
    if tol is None:
        assert any("whatever the bound" in note for note in result.notes)
    else:
        assert tol == pytest.approx(bound)
    ratio = compare(
        model, X, y, sensitive_features=groups, metric="demographic_parity_ratio", bound=0.64,
        peers=True, max_iter=2,
    )  # fmt: skip
    assert ratio.models["exponentiated_gradient"].constraints.ratio == pytest.approx(0.8)
    to_overall = compare(
        model, X, y, sensitive_features=groups, bound=0.1, peers=True, max_iter=2,
        metric=get_metric("demographic_parity", method="to_overall"),
    )  # fmt: skip
    assert to_overall.models["exponentiated_gradient"].constraints.eps == pytest.approx(0.1)


def test_same_seed_same_rows(full):
    X, y, groups, model, result = full
    again = compare(model, X, y, sensitive_features=groups, peers=True, max_iter=4)
    for row, row_again in zip(result.rows, again.rows, strict=True):
        assert {**row, "seconds": 0} == {**row_again, "seconds": 0}


def test_dataframes_with_an_index_of_their_own(full):
    X, y, groups, model, result = full
    index = np.arange(len(y))[::-1] + 1000
    again = compare(
        model,
        pd.DataFrame(X, index=index, columns=list("abc")),
        pd.Series(y, index=index),
        sensitive_features=pd.Series(groups, index=index + 7),
        max_iter=4,
    )
    for row, row_again in zip(result.rows[:3], again.rows, strict=True):
        assert row["accuracy_test"] == pytest.approx(row_again["accuracy_test"])


def test_regression(full):
    X, _, score, groups = make_data()
    result = compare(Ridge(), X, score, sensitive_features=groups, peers=True, max_iter=3)
    rows = {row["key"]: row for row in result.rows}
    assert list(rows) == [
        "baseline",
        "badr_group",
        "badr_group_target",
        "exponentiated_gradient",
        "grid_search",
    ]
    limit = result.models["exponentiated_gradient"].constraints.upper_bound
    assert limit == pytest.approx(rows["baseline"]["rmse_train"] ** 2)
    worst = max(rows["baseline"]["group_errors_test"].values())
    assert rows["baseline"]["worst_group_error_test"] == worst
    assert any("BoundedGroupLoss" in note for note in result.notes)
    assert any(note.startswith("ThresholdOptimizer left out") for note in result.notes)


def test_metric_without_constraint_leaves_peers_out():
    X, y, _, groups = make_data()
    result = compare(
        LogisticRegression(), X, y, sensitive_features=groups, metric="worst_group_loss",
        partitions=("group", "auto", "group_target"), peers=True, max_iter=3,
    )  # fmt: skip
    assert [row["key"] for row in result.rows] == ["baseline", "badr_group", "badr_group_target"]
    assert result.settings["partitions"] == ["group", "group_target"]  # "auto" is "group" here
    assert "no constraint for the metric 'worst_group_loss'" in result.notes[0]
    assert result.settings["bound"] is None


def test_metric_of_probabilities():
    def calibration_gap(y_true, y_pred, *, sensitive_features):
        residual = y_pred - (np.asarray(y_true) == "good")
        return np.ptp([residual[sensitive_features == g].mean() for g in ("blue", "green")])

    X, y, _, groups = make_data()
    metric = make_fairness_metric(calibration_gap, response_method="predict_proba")
    result = compare(
        LogisticRegression(), X, y, sensitive_features=groups, metric=metric, max_iter=3
    )
    assert result.settings["metric"] == "calibration_gap"
    assert all(0 <= row["metric_test"] < 0.5 for row in result.rows)


def test_failing_peer_is_a_note(monkeypatch):
    def fit(self, X, y, **kwargs):
        raise RuntimeError("no solution\nand many details")

    monkeypatch.setattr(fairlearn.reductions.GridSearch, "fit", fit)
    X, y, _, groups = make_data()
    result = compare(LogisticRegression(), X, y, sensitive_features=groups, peers=True, max_iter=2)
    assert "GridSearch failed: no solution" in result.notes
    assert "grid_search" not in [row["key"] for row in result.rows]


@pytest.mark.parametrize(
    ("name", "baseline_value", "expected"),
    [
        ("demographic_parity", 0.3, 0.06),
        ("demographic_parity_ratio", 0.5, 0.9),
        ("group_loss_ratio", 2.0, 1.2),
        ("worst_group_loss", 0.3, None),
        ("accuracy_score_group_min", 0.7, None),
        ("demographic_parity", np.nan, None),
    ],
)
def test_default_bound(name, baseline_value, expected):
    bound = default_bound(get_metric(name), name, baseline_value)
    assert bound == (None if expected is None else pytest.approx(expected))


def test_bound_within_chance_is_pointed_out():
    X, y, _, groups = make_data()
    options = {"sensitive_features": groups, "partitions": ["group"], "max_iter": 2}
    tight = compare(LogisticRegression(), X, y, bound=0.001, **options)
    assert 0.01 < tight.settings["chance_level"] < 0.15
    assert any("drawn at random" in note for note in tight.notes)
    loose = compare(LogisticRegression(), X, y, bound=0.3, **options)
    assert not any("drawn at random" in note for note in loose.notes)


class Complaining(LogisticRegression):
    """Warn of what users should read and of what developers should."""

    def fit(self, X, y, sample_weight=None):
        warnings.warn("these rows are odd\nin a way", UserWarning, stacklevel=2)
        warnings.warn("an argument is renamed", FutureWarning, stacklevel=2)
        return super().fit(X, y, sample_weight=sample_weight)


def test_warnings_become_notes():
    X, y, _, groups = make_data()
    result = compare(Complaining(), X, y, sensitive_features=groups, max_iter=2)
    assert result.notes.count("baseline estimator: these rows are odd") == 1
    assert result.notes.count("BADR groups: these rows are odd") == 1
    assert not any("renamed" in note for note in result.notes)


def test_split_keeps_groups_and_classes():
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b", "c"], [700, 280, 20])
    y = rng.random(1000) < np.where(groups == "a", 0.5, 0.1)
    y[-20:] = [True] + 19 * [False]
    rows = np.arange(1000)
    options = {"test_size": 0.3, "random_state": 1}
    train, test, y_train, y_test, *_ = stratified_split(
        rows, y, groups, stratify_by_class=True, **options
    )
    assert set(train) | set(test) == set(rows)
    assert len(test) == 300
    assert abs(y_train.mean() - y_test.mean()) < 0.005
    for part in (train, test):
        assert np.unique(groups[part]).tolist() == ["a", "b", "c"]


def test_split_without_enough_rows_to_stratify():
    groups = np.array([f"g{i}" for i in range(12)])
    parts = stratified_split(
        np.arange(12), np.arange(12) % 2, groups, test_size=0.25, random_state=0,
        stratify_by_class=True,
    )  # fmt: skip
    assert len(parts[0]) == 9


def test_labels_of_groups():
    frame = pd.DataFrame({"sex": ["f", "m", "f"], "level": [1.0, 2.0, 2.0]})
    assert group_labels(frame).tolist() == ["f & 1", "m & 2", "f & 2"]
    assert group_labels([True, False]).tolist() == ["True", "False"]
    with pytest.raises(ValueError, match="missing"):
        group_labels(["a", None])


def test_text_tables(full):
    *_, result = full
    lines = format_table(result).splitlines()
    assert len(lines) == 3 + len(result.rows)
    assert len({len(line) for line in lines[1:]}) == 1
    assert lines[0].split() == ["accuracy", "demographic_parity", "worst", "group", "error"]
    for row, line in zip(result.rows, lines[3:], strict=True):
        assert line.startswith(row["method"])
        assert f"{row['accuracy_test']:.4f}" in line
    group_lines = format_group_table(result).splitlines()
    assert [line.split()[0] for line in group_lines[2:]] == ["blue", "green"]
    assert (format_table(result) + format_group_table(result)).isascii()


def test_small_groups_are_pointed_out():
    X, y, _, groups = make_data()
    groups = groups.astype("<U8")
    groups[:20] = "red"
    result = compare(LogisticRegression(), X, y, sensitive_features=groups, max_iter=2)
    note = next(note for note in result.notes if "30 test rows" in note)
    assert "red" in note
    assert "green" not in note


def test_picture_has_room_for_both_parts(full):
    figure_module = pytest.importorskip("matplotlib.figure")
    *_, result = full
    # Far apart, on one axis.
    rows = [{**row, "metric_train": 0.9, "metric_test": 0.1} for row in result.rows]
    result = type(result)(**{**result, "rows": rows})
    figure = plot_comparison(result, figure=figure_module.Figure())
    low, high = figure.axes[0].get_ylim()
    assert low < 0.1 < 0.9 < high


def test_picture_shows_all_methods_and_the_visited_models(full):
    figure_module = pytest.importorskip("matplotlib.figure")
    *_, result = full
    figure = plot_comparison(result, figure=figure_module.Figure())
    train, test = figure.axes
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[: len(result.rows)] == [row["method"] for row in result.rows]
    assert len(test.collections) == len(result.rows)
    # One more collection for the models each BADR run visited.
    assert len(train.collections) == len(result.rows) + 2
    assert "lower is fairer" in train.get_ylabel()
    for ax, part in ((train, "train"), (test, "test")):
        for row in result.rows:
            low, high = ax.get_xlim()
            assert low <= 1 - row[f"accuracy_{part}"] <= high
            low, high = ax.get_ylim()
            assert low <= row[f"metric_{part}"] <= high


def test_metrics_of_scores_see_the_decision_function():
    X, y, _, groups = make_data()
    result = compare(
        LogisticRegression(), X, y, sensitive_features=groups, metric="covariance", bound=1.0
    )
    X_train, X_test, y_train, y_test, _, g_test = stratified_split(
        X, y, groups, test_size=0.3, random_state=0, stratify_by_class=True
    )
    scores = LogisticRegression().fit(X_train, y_train).decision_function(X_test)
    expected = get_metric("covariance")(y_test, scores, sensitive_features=g_test)
    assert result.rows[0]["metric_test"] == pytest.approx(expected)


def test_goals_are_of_the_estimators_own_loss():
    X, y, _, groups = make_data()
    result = compare(LogisticRegression(), X, y, sensitive_features=groups, metric="forml")
    baseline = result.models["baseline"]
    X_train, _, y_train, _, g_train, _ = stratified_split(
        X, y, groups, test_size=0.3, random_state=0, stratify_by_class=True
    )
    metric = get_metric("group_loss_gap", loss="log_loss")
    value = metric(y_train, baseline.predict_proba(X_train), sensitive_features=g_train)
    assert result.rows[0]["metric_train"] == pytest.approx(value)


def test_less_than_a_single_prediction_is_pointed_out(monkeypatch):
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, 900)
    x = rng.normal(size=900) + 1.2 * group
    y = (x + 1.5 * rng.logistic(size=900) > 0.8).astype(int)
    name = "skbadr.comparison._protocol._constant_error"
    for error, said in ((0.4, True), (0.5, False)):
        monkeypatch.setattr(name, lambda *_, error=error: error)
        result = compare(LogisticRegression(), x[:, None], y, sensitive_features=group, bound=0.03)
        baseline, *_, cells = (1 - row["accuracy_train"] for row in result.rows)
        assert baseline < 0.4 < cells < 0.5
        notes = [note for note in result.notes if "a single prediction for everybody" in note]
        assert bool(notes) == said
        assert not said or "BADR group x target" in notes[0]


def test_steps_that_write_into_their_input_change_no_other_method():
    X, y, _, groups = make_data()

    def tenth(data):
        data[:, 0] /= 10.0
        return data

    tables = []
    for function in (tenth, lambda data: tenth(data.copy())):
        model, data = make_pipeline(FunctionTransformer(function), LogisticRegression()), X.copy()
        result = compare(model, data, y, sensitive_features=groups, max_iter=4, random_state=0)
        np.testing.assert_array_equal(data, X)
        tables.append([(row["accuracy_test"], row["metric_test"]) for row in result.rows])
    assert tables[0] == tables[1]
