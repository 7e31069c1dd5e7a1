"""The comparison over splits and bounds: means, standard errors, hypervolumes."""

import numpy as np
import pytest
from data import make_people, make_wages
from sklearn.linear_model import LogisticRegression, Ridge

from skbadr.comparison import compare, compare_splits, format_splits_table
from skbadr.result import hypervolume

BOUNDS = [0.1, 0.3]


@pytest.fixture(scope="module")
def data():
    return make_people(300)


@pytest.fixture(scope="module")
def result(data):
    X, y, group = data
    return compare_splits(
        LogisticRegression(),
        X,
        y,
        sensitive_features=group,
        bounds=BOUNDS,
        n_splits=3,
        random_state=5,
        partitions=["group_target"],
    )


def test_means_and_errors_are_those_of_single_comparisons(data, result):
    X, y, group = data
    singles = [
        compare(
            LogisticRegression(),
            X,
            y,
            sensitive_features=group,
            bound=0.1,
            random_state=seed,
            partitions=["group_target"],
        )
        for seed in (5, 6, 7)
    ]
    row = next(r for r in result.rows if r["key"] == "badr_group_target" and r["bound"] == 0.1)
    for name in ("accuracy_train", "metric_test", "worst_group_error_test", "refits"):
        values = [single.rows[1][name] for single in singles]
        assert row[name] == pytest.approx(np.mean(values))
        assert row[f"{name}_error"] == pytest.approx(np.std(values, ddof=1) / np.sqrt(3))
    assert [(r["key"], r["bound"]) for r in result.rows[:3]] == [
        ("baseline", None),
        ("badr_group_target", 0.1),
        ("badr_group_target", 0.3),
    ]


def test_hypervolumes_are_those_of_the_points(result):
    volumes = []
    for split in result.splits:
        baseline, constant = split[0].rows[0], split[0].settings["constant_error"]["test"]
        points = np.array([[1 - r.rows[1]["accuracy_test"], r.rows[1]["metric_test"]]
                           for r in split])  # fmt: skip
        reference = constant, max(baseline["metric_test"], max(BOUNDS))
        volumes.append(hypervolume(*points.T, reference=reference))
    assert result.hypervolumes["badr_group_target"]["test"] == pytest.approx(np.mean(volumes))
    # More bounds never make a front smaller.
    assert result.hypervolumes["badr_group_target"]["train"] > 0


def test_table_has_every_line_and_the_hypervolume_once(result):
    lines = format_splits_table(result).splitlines()
    assert len(lines) == 3 + len(result.rows)
    assert "hypervolume" in lines[0]
    ours = [line for line in lines if line.startswith("BADR group x target")]
    assert len(ours) == 2 and len(ours[1].rstrip()) > len(ours[0].rstrip())


def test_regression_on_one_split_has_no_errors():
    X, y, group = make_wages(300)
    result = compare_splits(
        Ridge(), X, y, sensitive_features=group, n_splits=1, partitions=["group_target"]
    )
    row = result.rows[1]
    assert np.isnan(row["rmse_test_error"]) and row["rmse_test"] > 0
    assert result.hypervolumes["badr_group_target"]["train"] > 0
    assert "nan" not in format_splits_table(result)


def test_refusals(data):
    X, y, group = data
    for options, word in (
        ({"n_splits": 0}, "n_splits"),
        ({"bounds": [np.inf]}, "bounds"),
        ({"bounds": []}, "bounds"),
        ({"bound": 0.1}, "bounds"),
    ):
        with pytest.raises(ValueError, match=word):
            compare_splits(LogisticRegression(), X, y, sensitive_features=group, **options)
