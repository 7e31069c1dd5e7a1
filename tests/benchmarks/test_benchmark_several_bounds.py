"""The benchmark of several bounds: its dense search, and what a short run of it shows."""

import json

import numpy as np
import pytest
import several_bounds as benchmark
from _dense_weights import dense_weights
from sklearn.linear_model import LogisticRegression


def test_the_dense_search_finds_the_optimum_within_several_bounds():
    # Error |t - (1, 2)|^2 within t_0 <= .5 and t_1 <= 1; a third weight makes up the mean.
    def judge(t):
        return float((t[0] - 1) ** 2 + (t[1] - 2) ** 2), t[:2]

    targets = [np.array([0.5, 1.0]), np.array([0.5, np.inf]), np.array([-50.0, 0.0])]
    (both, one, none), visited = dense_weights(judge, 3, targets, starts=[np.zeros(3)])
    assert both.error == pytest.approx(1.25, abs=0.02)
    assert one.error == pytest.approx(0.25, abs=0.02)
    assert none is None
    assert len(visited) == 40 * (1 + 8 * 3) + 1
    assert min(v.error for v in visited) < 0.3


def test_the_judge_agrees_with_fairlearn():
    rng = np.random.default_rng(0)
    X, group = rng.normal(size=(300, 3)), rng.choice(["a", "b", "c"], 300)
    y = (X[:, 0] + (group == "a") + rng.normal(size=300) > 0).astype(int)
    judge = benchmark.Judge(LogisticRegression(), X, y, group, None)
    log_weights = rng.normal(size=6)
    error, values = judge(log_weights)
    shown = judge.predict(log_weights)
    known = benchmark.disparities(y, shown, group)
    assert error == pytest.approx(np.mean(shown != y))
    np.testing.assert_allclose(values * [1, 1, -1], list(known.values()))
    assert benchmark.keeps(known, known)
    assert not benchmark.keeps(known, {name: 0.5 * v for name, v in list(known.items())[:2]})


@pytest.mark.slow
def test_a_short_run(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(benchmark.REPEATS, "linear", 1)
    path = tmp_path / "records.json"
    options = ["--problems", "tune", "--every", "36", "--rows", "1500", "--visits", "40"]
    records = benchmark.main([*options, "--output", str(path)])
    assert json.loads(path.read_text()) == records and records
    assert f"met or warned: {2 * len(records)} of {2 * len(records)}" in capsys.readouterr().out
    for record in records:
        for fit in (record["fits"]["two"], record["fits"]["three"]):
            assert fit["met"] == (fit["said"] <= 1.0) and (fit["met"] or fit["warned"])
