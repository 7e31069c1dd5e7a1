"""Short runs of the benchmarks of bounds, and of numbers of rows, on new rows."""

import json
import sys

import new_rows
import numpy as np
import pandas as pd
import pytest
import rows_needed


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    sex = rng.choice(["female", "male"], 400)
    score = rng.normal(size=400) + (sex == "male")
    good = (score + rng.normal(size=400) > 0).astype(int)
    frame = pd.DataFrame({"score": score, "sex": sex, "good_credit": good})
    frame.to_csv(tmp_path / "german.csv", index=False)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("column", [[], ["--without-column"]])
def test_bounds_on_the_other_half(folder, capsys, column):
    path = folder / "records.json"
    options = ["--tables", str(folder), "--only", "german", "--splits", "1", "--bounds", "0.1"]
    records = new_rows.main([*options, *column, "--output", str(path)])
    assert json.loads(path.read_text()) == records
    assert len(records) == 2 * 4
    baseline = [r for r in records if r["method"] == "baseline"]
    assert all(r["rise"] == 0.0 and r["violated"] == r["hard"] for r in baseline)
    printed = capsys.readouterr().out
    assert "OxonFair is left out" in printed
    new_rows.main(["--show", str(path)])
    assert capsys.readouterr().out in printed


def test_that_an_interpreter_without_the_other_package_is_named():
    with pytest.raises(SystemExit, match="does not run OxonFair.*oxonfair"):
        new_rows.decide(sys.executable, [])


@pytest.mark.slow
def test_rows_that_audits_and_fits_ask_for(tmp_path, capsys):
    path = tmp_path / "found.json"
    options = ["--cases", "1", "--samples", "20", "--audits", "5", "--fits", "2"]
    found = rows_needed.main([*options, "--split", "tune", "--output", str(path)])
    assert json.loads(path.read_text()) == found
    assert [len(found[kind]) for kind in ("audits", "fits")] == [1, 1]
    (audits,) = found["audits"]
    assert 0.2 < audits["ratio"] < 5
    assert found["fits"][0]["asked"] > 1_000
    assert len(capsys.readouterr().out.splitlines()) == 6
