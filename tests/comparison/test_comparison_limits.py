"""What a comparison says of the test rows: limits, verdicts, sentences, progress."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_comparison import make_data

from skbadr import audit
from skbadr.comparison import compare, format_headline, format_table, format_verdicts
from skbadr.comparison._groups import stratified_split
from skbadr.comparison._words import format_reach
from skbadr.plotting import plot_comparison


@pytest.fixture(scope="module")
def full():
    """Return data and one comparison with all methods."""
    X, y, _, groups = make_data()
    model = make_pipeline(StandardScaler(), LogisticRegression())
    options = {"sensitive_features": groups, "peers": True, "max_iter": 4}
    return X, y, groups, model, compare(model, X, y, **options)


def test_limits_are_those_of_an_audit(full):
    X, y, groups, model, result = full
    _, X_test, _, y_test, _, g_test = stratified_split(
        X, y, groups, test_size=0.3, random_state=0, stratify_by_class=True
    )
    np.testing.assert_array_equal(result.test["y"], y_test)
    np.testing.assert_array_equal(result.test["groups"], g_test)
    for row in result.rows:
        found = result.audits[row["key"]]
        assert found.value == pytest.approx(row["metric_test"])
        assert found.lower <= found.value <= found.upper
        accuracy = (result.test["predictions"][row["key"]] == y_test).mean()
        assert accuracy == pytest.approx(row["accuracy_test"])
    key = "badr_group_target"
    expected = audit(
        result.models[key], X_test, y_test, sensitive_features=g_test,
        bound=result.settings["bound"],
    )  # fmt: skip
    found = result.audits[key]
    assert (found.lower, found.upper) == (expected.lower, expected.upper)
    assert found.verdict == expected.verdict
    assert result.rows[2]["verdict"] == expected.verdict
    assert f"BADR group x target    {expected.verdict}" in format_verdicts(result)
    np.testing.assert_array_equal(found.by_group["rows"], expected.by_group["rows"])


@pytest.mark.parametrize("metric", ["worst_group_loss", "individual"])
def test_limits_of_metrics_of_probabilities(metric):
    X, y, _, groups = make_data()
    model = LogisticRegression()
    result = compare(model, X, y, sensitive_features=groups, metric=metric, max_iter=2)
    for row in result.rows:
        assert result.audits[row["key"]].value == pytest.approx(row["metric_test"])
    without = compare(model, X, y, sensitive_features=groups, metric=metric, limits=False,
                      max_iter=2)  # fmt: skip
    assert without.audits == {} and "test limits" not in format_table(without)


def test_limits_of_regressors():
    X, _, score, groups = make_data()
    result = compare(Ridge(), X, score, sensitive_features=groups, max_iter=2)
    for row in result.rows:
        assert result.audits[row["key"]].value == pytest.approx(row["metric_test"])


def test_some_peers():
    X, y, _, groups = make_data()
    result = compare(LogisticRegression(), X, y, sensitive_features=groups, partitions=["group"],
                     peers=["threshold_optimizer"], max_iter=2)  # fmt: skip
    assert [row["key"] for row in result.rows] == ["baseline", "badr_group", "threshold_optimizer"]
    with pytest.raises(ValueError, match="peers must be .*'grid_search'.*'grid'"):
        compare(LogisticRegression(), X, y, sensitive_features=groups, peers=["grid"])


def test_progress_is_told():
    X, y, _, groups = make_data()
    events = []
    result = compare(
        LogisticRegression(), X, y, sensitive_features=groups, max_iter=2,
        progress=lambda *event: events.append(event),
    )  # fmt: skip
    labels = [row["method"] for row in result.rows]
    assert [event[:2] for event in events] == [
        (label, done) for i, label in enumerate(labels) for done in (i, i + 1)
    ]
    assert {event[2] for event in events} == {3}
    assert [event[3] for event in events[1::2]] == result.rows
    assert {event[3] for event in events[::2]} == {None}


def test_the_headline_says_what_was_found(full):
    *_, result = full
    text = format_headline(result)
    rows = {row["key"]: row for row in result.rows}
    assert "On the 90 test rows" in text
    for key in ("baseline", "badr_group_target", "exponentiated_gradient"):
        assert f"{rows[key]['metric_test']:.3f}" in text
        assert f"{result.audits[key].lower:.3f} to {result.audits[key].upper:.3f}" in text
    assert f"{100 * rows['badr_group_target']['accuracy_test']:.1f} %" in text
    assert "GridSearch" in text and "draws predictions at random" in text
    X, y, _, groups = make_data()
    without = compare(LogisticRegression(), X, y, sensitive_features=groups, partitions=[])
    assert format_headline(without) == ""


def test_which_value_would_show_that_the_bound_holds():
    """With the limits as far from the value as they are, the limit then lies on the bound."""
    X, y, _, groups = make_data()
    said = {}
    for metric, bound in (("demographic_parity", 0.2), ("demographic_parity_ratio", 0.7)):
        result = compare(LogisticRegression(), X, y, sensitive_features=groups, metric=metric,
                         bound=bound, partitions=["group_target"], max_iter=2)  # fmt: skip
        found = result.audits["badr_group_target"]
        limits = {"value": 0.3, "lower": 0.25, "upper": 0.34, "bound": 0.2, "holds": None}
        for key, values in {"open": limits, "few": limits | {"upper": 0.6}}.items():
            result.audits["badr_group_target"] = replace(found, **values)
            said[metric, key] = format_reach(result)
        result.audits["badr_group_target"] = replace(found, holds=True)
        assert format_reach(result) == ""
    assert "a value of about 0.16 or less would show" in said["demographic_parity", "open"]
    assert "no value can show that the bound holds" in said["demographic_parity", "few"]
    assert "about 0.25 or more would show" in said["demographic_parity_ratio", "open"]


def test_picture_shows_limits_on_test_rows(full):
    figure_module = pytest.importorskip("matplotlib.figure")
    *_, result = full
    _, test = plot_comparison(result, figure=figure_module.Figure()).axes
    drawn = [tuple(line.get_ydata()) for line in test.lines]
    low, high = test.get_ylim()
    for found in result.audits.values():
        assert (found.lower, found.upper) in drawn
        assert low < found.lower and found.upper < high
