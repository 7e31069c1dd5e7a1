"""The benchmark of other scores and of bounds on plain functions: definitions, and short runs."""

import json
from inspect import signature

import numpy as np
import other_scores as benchmark
import pandas as pd
import pytest
from fairlearn.metrics import demographic_parity_difference, true_positive_rate_difference
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.linear_model import LogisticRegression


def make_rows(n_rows):
    rng = np.random.default_rng(0)
    sex = rng.choice(["female", "male"], n_rows)
    score = rng.normal(size=n_rows) + (sex == "male")
    good = (score + rng.normal(size=n_rows) > 0).astype(int)
    return pd.DataFrame({"score": score, "sex": sex, "good_credit": good})


@pytest.fixture
def folder(tmp_path):
    make_rows(400).to_csv(tmp_path / "german.csv", index=False)
    return tmp_path


def test_the_functions_are_what_they_say():
    frame = make_rows(300)
    y, group = frame["good_credit"].to_numpy(), frame["sex"].to_numpy()
    predicted = (frame["score"].to_numpy() > 0.3).astype(int)
    options = {"sensitive_features": group}
    gap = true_positive_rate_difference(y, predicted, **options)
    assert benchmark.recall_gap(y, predicted, **options) == pytest.approx(gap)
    selected = demographic_parity_difference(y, predicted, **options)
    of_all = demographic_parity_difference(y, y, **options)
    assert benchmark.amplification(y, predicted, **options) == pytest.approx(selected - of_all)
    before = benchmark.recalls(y, predicted, group)
    assert benchmark.largest_misses(y, predicted, **options) == pytest.approx(1 - before.min())
    assert benchmark.LargestFall(before + [0.1, 0.2])(y, predicted, **options) == pytest.approx(0.2)
    wrong = ((y == 0) & (predicted == 1)).sum()
    rate = benchmark.false_positive_rate(y, predicted, **options)
    assert rate == pytest.approx(wrong / (y == 0).sum())
    cost = (3 * ((y == 1) & (predicted == 0)).sum() + wrong) / len(y)
    assert benchmark.negative_cost(y, predicted) == pytest.approx(-cost)
    model = LogisticRegression().fit(frame[["score"]], y)
    plain = benchmark.plain_scorer(model, frame[["score"]], y)
    assert plain == pytest.approx(benchmark.SCORES["cost"][0](model, frame[["score"]], y))


@pytest.mark.slow
@pytest.mark.skipif(
    "tol" not in signature(ThresholdOptimizer).parameters,
    reason="this ThresholdOptimizer knows no bound above 0",
)
def test_a_short_run_of_scores(folder, capsys):
    path = folder / "records.json"
    options = ["--tables", str(folder), "--names", "german", "--splits", "1"]
    chosen = ["--scores", "balanced_accuracy", "--max-iter", "2"]
    records = benchmark.main([*options, *chosen, "--output", str(path)])
    assert json.loads(path.read_text()) == records
    assert len(records) == 2 * 3
    assert all(0 <= r["disparity"] <= 1 and 0 < r["value"] < 1 for r in records)
    assert "at most .005 behind in" in capsys.readouterr().out


@pytest.mark.slow
def test_a_short_run_of_functions(folder, capsys):
    path = folder / "records.json"
    options = ["--tables", str(folder), "--names", "german", "--functions", "--visits", "8"]
    records = benchmark.main([*options, "--estimators", "linear", "--output", str(path)])
    assert json.loads(path.read_text()) == records
    assert len(records) == 2 * 4
    for record in records:
        within = (np.array(record["values"]) <= np.array(record["bounds"]) + 1e-9).all()
        assert record["met"] == within == record["promised"]
    assert "at most .005 behind it" in capsys.readouterr().out
