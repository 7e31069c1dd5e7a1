"""A short run of the benchmark of the search by refits against a dense one."""

import json

import dense_refits as benchmark
import numpy as np
import pytest


@pytest.mark.slow
def test_a_short_run(tmp_path, capsys, monkeypatch):
    for counts in (benchmark.OF_POPULATION, benchmark.OF_FOLDS):
        monkeypatch.setitem(counts, "per_round", 5)
    monkeypatch.setattr(benchmark, "ESTIMATOR", benchmark.ESTIMATOR.set_params(max_iter=5))
    monkeypatch.setattr(benchmark, "ROWS", 600)
    path = tmp_path / "records.json"
    options = ["--split", "tune", "--every", "40", "--first", "5", "--population", "2000"]
    records = benchmark.main([*options, "--output", str(path)])
    assert json.loads(path.read_text()) == records and records
    for record in records:
        for who in (record["skbadr"], record["by_folds"]):
            assert who["above"] == pytest.approx(who["error"] - who["least_error"])
            assert who["above"] >= 0
    above = np.mean([record["skbadr"]["above"] for record in records])
    assert f"{above:.4f}" in capsys.readouterr().out.split("skbadr")[1]
