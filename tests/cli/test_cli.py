"""The command: what it prints, what it writes, and how it refuses."""

import io
import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from skbadr._sklearn import _get_threadpool_controller
from skbadr.cli import main
from skbadr.cli._errors import UsageError
from skbadr.cli._estimators import estimator_names, make_estimator
from skbadr.cli._tables import load_csv

BUDGET = ["--max-iter", "3"]


def make_people(n=400, seed=0):
    """Return a table with numbers, text, missing values, and columns that tell nothing."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], n)
    job = rng.choice(["clerk", "smith", "nurse"], n)
    age = rng.integers(18, 70, n).astype(float)
    skill = rng.normal(size=n) + (sex == "m")
    score = skill + 0.02 * age + (job == "nurse") + 0.5 * rng.normal(size=n)
    people = pd.DataFrame(
        {
            "person": [f"p{i}" for i in range(n)],
            "planet": "earth",
            "start": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "sex": sex,
            "race": rng.choice(["a", "b"], n, p=[0.7, 0.3]),
            "member": rng.random(n) > 0.5,
            "job": job,
            "age": age,
            "skill": skill,
            "hired": np.where(score > np.median(score), "yes", "no"),
            "wage": 10 + 3 * score,
            "grade": np.digitize(score, np.quantile(score, [0.3, 0.7])),
        }
    )
    people["start"] = people["start"].dt.strftime("%Y-%m-%d")
    people.loc[::9, "job"] = np.nan
    people.loc[::7, "age"] = np.nan
    people.loc[[3, 5], "sex"] = np.nan
    return people


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "people.csv"
    make_people().to_csv(path, index=False)
    return str(path)


def run(capsys, folder, *options):
    """Run the command and return its output and the JSON."""
    code = main([*options, "--output", str(folder)])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    with open(folder / "skbadr_results.json", encoding="utf-8") as file:
        return captured.out, json.load(file)


def rows_by_key(content):
    return {row["key"]: row for row in content["rows"]}


@pytest.mark.slow
def test_without_options_runs_adult_offline_and_writes_its_folder(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    out = capsys.readouterr().out
    for line in (
        "UCI Adult",
        "30162 rows, 2 groups",
        "baseline estimator",
        "BADR group x target",
        "ExponentiatedGradient",
        "worst group error",
        "On the 9,049 test rows, which no model was trained on, BADR group x target lowers",
        "points of accuracy",
        "The fit promises demographic_parity <= 0.05 on new rows of the same population",
        "Does the bound hold on new rows?",
    ):
        assert line in out
    folder = tmp_path / "skbadr_output"
    with open(folder / "skbadr_results.json", encoding="utf-8") as file:
        content = json.load(file)
    rows, limits = rows_by_key(content), content["limits"]
    assert list(rows) == ["baseline", "badr_group_target", "exponentiated_gradient"]
    # The gap falls on test rows, by more than its limits leave to chance.
    assert limits["badr_group_target"]["upper"] < limits["baseline"]["lower"]
    for key, row in rows.items():
        assert limits[key]["lower"] < row["metric_test"] < limits[key]["upper"]
    lost = rows["baseline"]["accuracy_test"] - rows["badr_group_target"]["accuracy_test"]
    assert 0 < lost < 0.02
    assert content["settings"]["confidence"] == 0.9
    assert (folder / "skbadr_front.png").read_bytes()[1:4] == b"PNG"


def test_methods_tell_that_they_are_done(capsys, tmp_path, people):
    options = ["--csv", people, "--target", "hired", "--sensitive", "sex", *BUDGET, "--no-report"]
    out, _ = run(capsys, tmp_path, *options)
    for method in ("baseline estimator", "BADR groups", "BADR group x target"):
        (line,) = [line for line in out.splitlines() if line.startswith(f"{method}: ")]
        assert re.search(r"\d\.\d s, \d+ fits?$", line)
    out, _ = run(capsys, tmp_path, *options, "--splits", "2", "--bounds", "0.1,0.2")
    for number in range(1, 5):
        assert f"[{number} of 4] BADR group x target: " in out


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_instead(capsys, tmp_path, people, monkeypatch):
    pytest.importorskip("tqdm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    options = ["--csv", people, "--target", "hired", "--sensitive", "sex", "--no-report"]
    assert main([*options, "--metric", "equal_opportunity", "--output", str(tmp_path)]) == 0
    shown = terminal.getvalue()
    assert "baseline estimator: 0 of 3" in shown
    assert re.search(r"BADR group x target: 2 of 3 .*fit \d+", shown)
    assert not re.search("^BADR groups: .* fit", capsys.readouterr().out, re.MULTILINE)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert main([*options, *BUDGET, "--output", str(tmp_path)]) == 0
    assert re.search("^BADR groups: .* fit", capsys.readouterr().out, re.MULTILINE)


def test_module_is_runnable():
    done = subprocess.run(
        [sys.executable, "-m", "skbadr", "--help"], capture_output=True, text=True, check=True
    )
    assert "--sensitive" in done.stdout
    assert "hist_gradient_boosting" in done.stdout


def test_a_reader_that_leaves_sees_no_traceback(tmp_path):
    command = [sys.executable, "-m", "skbadr", "--max-iter", "2", "--output", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_table_with_text_and_missing_values_and_peers(capsys, tmp_path, people):
    out, content = run(
        capsys, tmp_path, "--csv", people, "--target", "hired", "--sensitive", "sex", "--compare",
        *BUDGET,
    )  # fmt: skip
    assert "dropped 2 of 400 rows" in out
    assert "'person' (all distinct)" in out
    assert "'planet' (one value)" in out
    assert "'start' is read as dates" in out
    assert "positive class 'yes'" in out
    assert content["n_rows"] == 398
    rows = rows_by_key(content)
    assert list(rows) == [
        "baseline",
        "badr_group",
        "badr_group_target",
        "exponentiated_gradient",
        "grid_search",
        "threshold_optimizer",
    ]
    assert all(row["method"] in out for row in rows.values())
    assert rows["exponentiated_gradient"]["refits"] > 1
    assert not rows["exponentiated_gradient"]["deterministic"]
    assert rows["baseline"]["accuracy_test"] > 0.7
    assert set(rows["baseline"]["group_errors_test"]) == {"f", "m"}
    # The default bound, its reason, and what came of it.
    assert content["settings"]["bound"] == pytest.approx(0.2 * rows["baseline"]["metric_train"])
    assert "constant" in out
    assert f"{content['settings']['bound']:.4g}" in out
    kept = rows["badr_group_target"]["metric_train"] <= content["settings"]["bound"] + 1e-9
    assert kept or any(note.startswith("BADR group x target:") for note in content["notes"])


def test_json_has_the_front_and_the_weights(capsys, tmp_path, people):
    _, content = run(
        capsys, tmp_path, "--csv", people, "--target", "hired", "--sensitive", "sex", *BUDGET
    )
    for key, n_cells in (("badr_group", 2), ("badr_group_target", 4)):
        front = content["fronts"][key]
        assert len(front["metric"]) == len(front["score"]) == len(front["pareto_optimal"]) > 0
        assert len(front["cell_weights"][0]) == n_cells
        assert sum(content["cell_weights"][key].values()) == pytest.approx(1)
    assert content["options"]["target"] == "hired"


def test_bound_is_kept_by_both_partitions_or_reported(capsys, tmp_path, people):
    out, content = run(
        capsys, tmp_path, "--csv", people, "--target", "hired", "--sensitive", "sex",
        "--bound", "0.5",
    )  # fmt: skip
    assert "keep demographic_parity <= 0.5" in out
    rows = rows_by_key(content)
    assert rows["badr_group"]["metric_train"] <= 0.5
    assert rows["badr_group_target"]["metric_train"] <= 0.5


def test_splits_have_means_errors_and_hypervolumes(capsys, tmp_path, people):
    options = ["--csv", people, "--target", "hired", "--sensitive", "sex", *BUDGET]
    output, content = run(capsys, tmp_path, *options, "--splits", "2", "--bounds", "0.1,0.2")
    assert "Means over 2 splits" in output and "hypervolume" in output
    assert [row["bound"] for row in content["rows"]] == [None, 0.1, 0.2, 0.1, 0.2]
    assert all(row["accuracy_test_error"] >= 0 for row in content["rows"])
    assert content["hypervolumes"].keys() == {"baseline", "badr_group", "badr_group_target"}
    assert [len(split) for split in content["splits"]] == [2, 2]


def test_regression_is_recognised(capsys, tmp_path, people):
    out, content = run(
        capsys, tmp_path, "--csv", people, "--target", "wage", "--sensitive", "sex", "--compare",
        *BUDGET,
    )  # fmt: skip
    assert content["settings"]["task"] == "regression"
    assert "RMSE" in out
    assert "R2" in out
    assert "BoundedGroupLoss" in out
    rows = rows_by_key(content)
    assert "grid_search" in rows
    assert "threshold_optimizer" not in rows
    assert rows["baseline"]["r2_test"] > 0.5


def test_multiclass_leaves_peers_out_with_a_word(capsys, tmp_path, people):
    out, content = run(
        capsys, tmp_path, "--csv", people, "--target", "grade", "--sensitive", "sex", "--compare",
        "--estimator", "decision_tree", *BUDGET,
    )  # fmt: skip
    assert "3 classes" in out
    assert "ExponentiatedGradient, GridSearch, ThresholdOptimizer left out" in out
    assert list(rows_by_key(content)) == ["baseline", "badr_group", "badr_group_target"]


@pytest.mark.slow
def test_intersectional_groups_from_a_compressed_table(capsys, tmp_path):
    make_people().to_csv(tmp_path / "people.csv.gz", index=False)
    _, content = run(
        capsys, tmp_path, "--csv", str(tmp_path / "people.csv.gz"), "--target", "hired",
        "--sensitive", "sex,race", "--estimator", "hist_gradient_boosting", *BUDGET,
    )  # fmt: skip
    assert set(content["settings"]["groups"]) == {"f & a", "f & b", "m & a", "m & b"}


def test_metric_that_is_better_when_greater_on_held_out_rows(capsys, tmp_path, people):
    out, content = run(
        capsys, tmp_path, "--csv", people, "--target", "hired", "--sensitive", "sex",
        "--metric", "demographic_parity_ratio", "--cv", "0.4", *BUDGET,
    )  # fmt: skip
    baseline = rows_by_key(content)["baseline"]["metric_train"]
    assert content["settings"]["bound"] == pytest.approx(1 - 0.2 * (1 - baseline))
    assert "demographic_parity_ratio >=" in out
    assert "held out" in out


def test_without_matplotlib_there_is_a_sentence_instead(capsys, tmp_path, people, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    out, _ = run(
        capsys, tmp_path, "--csv", people, "--target", "hired", "--sensitive", "sex", *BUDGET
    )
    assert "pip install 'skbadr[plot]'" in out
    assert not (tmp_path / "skbadr_front.png").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--target", "hired"], ["--csv"]),
        (["--csv", "nowhere.csv", "--target", "a", "--sensitive", "b"], ["nowhere.csv"]),
        (["--csv", "TABLE", "--target", "hired"], ["--sensitive"]),
        (["--csv", "TABLE", "--target", "Hird", "--sensitive", "sex"], ["'Hird'", "'hired'"]),
        (["--csv", "TABLE", "--target", "hired", "--sensitive", "sx"], ["'sx'", "'sex'"]),
        (["--csv", "TABLE", "--target", "sex", "--sensitive", "sex"], ["at once"]),
        (["--csv", "TABLE", "--target", "hired", "--sensitive", "planet"], ["one group"]),
        (["--csv", "TABLE", "--target", "planet", "--sensitive", "sex"], ["one value"]),
        (["--csv", "TABLE", "--target", "person", "--sensitive", "sex"], ["too many"]),
        (["--csv", "TABLE", "--target", "hired", "--sensitive", "person"], ["groups", "merge"]),
        (
            ["--csv", "TABLE", "--target", "hired", "--sensitive", "sex", "--task", "regression"],
            ["not a number"],
        ),
        (["--metric", "parity"], ["parity", "demographic_parity", "equalized_odds"]),
        (["--estimator", "svm"], ["svm", "logistic_regression", "random_forest"]),
        (["--bound", "-0.1"], ["--bound", "-0.1"]),
        (["--test-size", "2"], ["--test-size"]),
        (["--max-iter", "0"], ["--max-iter"]),
        (["--cv", "1"], ["--cv"]),
        (["--splits", "0"], ["--splits"]),
        (["--bounds", "0.1,x"], ["--bounds", "x"]),
        (["--bounds", "0.1,0.2", "--bound", "0.1"], ["--bounds", "--bound"]),
        (["--nonsense"], ["--nonsense"]),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(capsys, tmp_path, people, options, words):
    options = [people if option == "TABLE" else option for option in options]
    assert main([*options, "--output", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert len(captured.err.strip().splitlines()) == 1
    for word in words:
        assert word in captured.err
    assert not (tmp_path / "skbadr_results.json").exists()


def test_output_that_is_a_file_is_refused(capsys, people):
    assert main(["--output", people]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_unreadable_tables_are_refused(capsys, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "short.csv").write_text("a,b,c\n1,2,3\n1,3,4\n")
    (tmp_path / "fake.csv.gz").write_text("a,b\n1,2\n")
    for name, word in [("empty", "read"), ("short", "rows"), ("fake", "read")]:
        path = next(tmp_path.glob(f"{name}.*"))
        assert main(["--csv", str(path), "--target", "a", "--sensitive", "b"]) == 2
        assert word in capsys.readouterr().err


def test_sensitive_columns_are_features_unless_dropped(people):
    assert "sex" in load_csv(people, "hired", "sex").X
    dropped = load_csv(people, "hired", "sex,race", drop_sensitive=True)
    assert not {"sex", "race"} & set(dropped.X)
    assert "hired" not in dropped.X


def test_task_is_told_from_the_target(tmp_path):
    n = 200
    table = pd.DataFrame(
        {
            "x": np.arange(n) % 7,
            "g": np.arange(n) % 2,
            "float_labels": (np.arange(n) % 3 > 0).astype(float),
            "halves": (np.arange(n) % 5) / 2,
            "count": np.arange(n) % 30,
            "flag": np.arange(n) % 2 == 0,
        }
    )
    path = tmp_path / "tasks.csv"
    table.to_csv(path, index=False)
    assert load_csv(path, "float_labels", "g").y.dtype.kind == "i"
    assert load_csv(path, "flag", "g").task == "classification"
    assert load_csv(path, "halves", "g").task == "regression"
    assert load_csv(path, "count", "g").task == "regression"
    assert load_csv(path, "count", "g", task="classification").task == "classification"


def test_a_quantity_taken_for_classes_is_said(tmp_path):
    n = 400
    table = pd.DataFrame({"x": np.arange(n) % 7, "g": np.arange(n) % 2, "mark": np.arange(n) % 18})
    table.to_csv(tmp_path / "marks.csv", index=False)
    read = load_csv(tmp_path / "marks.csv", "mark", "g")
    assert read.task == "classification"
    assert any("18 values" in note and "--task regression" in note for note in read.notes)
    asked = load_csv(tmp_path / "marks.csv", "mark", "g", task="classification")
    assert asked.notes == []


def test_a_target_of_hundreds_of_texts_is_refused(tmp_path):
    days = pd.date_range("2024-01-01", periods=150).astype(str)
    table = pd.DataFrame({"x": np.arange(900) % 7, "g": np.arange(900) % 2, "day": [*days] * 6})
    table.to_csv(tmp_path / "days.csv", index=False)
    with pytest.raises(UsageError, match="'day' has 150 distinct values .* too many for classes"):
        load_csv(tmp_path / "days.csv", "day", "g")


def test_groups_from_numbers_and_small_groups(tmp_path, people):
    by_age = load_csv(people, "hired", "age")
    low, high = sorted(set(by_age.groups))
    assert low.replace("<=", ">") == high
    assert 0.4 < (by_age.groups == low).mean() < 0.6
    assert any("median" in note for note in by_age.notes)
    assert set(load_csv(people, "hired", "member").groups) == {"member=False", "member=True"}
    table = make_people()
    table.loc[:3, "race"] = "c"
    table.loc[4:9, "race"] = "d"
    table.to_csv(tmp_path / "small.csv", index=False)
    merged = load_csv(tmp_path / "small.csv", "hired", "race", merge_groups=20)
    assert set(merged.groups) == {"a", "b", "(small groups)"}
    assert any("c, d" in note for note in merged.notes)


def test_other_separators_and_spaces_in_the_header(tmp_path):
    people = make_people()
    people.to_csv(tmp_path / "semicolon.csv", index=False, sep=";")
    assert load_csv(tmp_path / "semicolon.csv", "hired", "race").task == "classification"
    text = people[["race", "age", "hired"]].to_csv(index=False).replace(",", ", ")
    (tmp_path / "spaces.csv").write_text(text.replace("a, ", "a, ?", 1))
    table = load_csv(tmp_path / "spaces.csv", "hired", "race")
    assert table.numbers == ["age"]


def test_decimal_commas_dotted_dates_and_many_texts(tmp_path):
    rows = ["size;pay;since;group;remark"]
    for i in range(100):
        day, month = 1 + i % 28, 1 + i % 12
        rows.append(f"{i % 9},25;{i % 3},5;{day:02d}.{month:02d}.2024;{'ab'[i % 2]};n{i % 60}")
    rows[5] = rows[5].replace("4,25", "")  # one is missing
    (tmp_path / "commas.csv").write_text("\n".join(rows))
    table = load_csv(tmp_path / "commas.csv", "pay", "group", task="regression")
    assert set(table.y) == {0.5, 1.5, 2.5}
    assert table.numbers == ["size", "since"]
    assert table.X["size"][1] == 1.25
    assert table.X["size"].isna().sum() == 1
    assert table.X["since"][1] - table.X["since"][0] == 32  # the second of February
    assert any("'remark' has 60 different texts" in note for note in table.notes)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_estimator_takes_text_missing_and_new_values(people, task):
    table = load_csv(people, {"classification": "hired", "regression": "wage"}[task], "sex")
    new = table.X.copy()
    new.loc[0, table.categories] = "never seen"
    new.loc[1, :] = np.nan
    for name in estimator_names(task):
        model = make_estimator(name, task, table.numbers, table.categories)
        last = model.steps[-1][0]
        if name == "mlp":
            model.set_params(**{f"{last}__max_iter": 300})
        model.fit(table.X, table.y, **{f"{last}__sample_weight": np.ones(len(table.y))})
        assert len(model.predict(new)) == len(new)
        again = make_estimator(name, task, table.numbers, table.categories)
        if name == "mlp":
            again.set_params(**{f"{last}__max_iter": 300})
        again.fit(table.X, table.y, **{f"{last}__sample_weight": np.ones(len(table.y))})
        np.testing.assert_array_equal(model.predict(new), again.predict(new))


def test_blas_has_one_thread_while_the_command_runs(monkeypatch):
    seen = []

    def threads():
        pools = _get_threadpool_controller().info()
        return [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]

    before = threads()
    monkeypatch.setattr("skbadr.cli._main._run", lambda options: seen.extend(threads()))
    assert main([]) == 0
    assert seen == [1] * len(before) and threads() == before
