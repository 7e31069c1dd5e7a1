"""The benchmark of the metrics runs, and compares equal values."""

import json
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "benchmarks" / "metrics.py"


@pytest.mark.slow
def test_benchmark_runs(tmp_path, capsys):
    output = tmp_path / "benchmarks_metrics.json"
    main = runpy.run_path(SCRIPT)["main"]
    main(["--rows", "400", "--repeats", "1", "--output", str(output)])
    results = json.loads(output.read_text(encoding="utf-8"))["results"]
    assert {row["groups"] for row in results} == {"integers", "strings", "two string columns"}
    for row in results:
        assert row["difference_of_values"] < 1e-12
        assert row["skbadr_ms"] > 0
        assert row["fairlearn_ms"] > 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(results) + 3
