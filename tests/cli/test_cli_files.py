"""Files of any dialect, encoding and format, and the class that counts as positive."""

import bz2
import csv
import gzip
import json
import lzma
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from data import PEOPLE, check_people, to_text

from skbadr.cli import main
from skbadr.cli._errors import UsageError
from skbadr.cli._tables import load_csv

JOBS = PEOPLE.assign(job=["cook, chef", "driver", "a;b|c", "x\ty", "driver"] * 24)
CITIES = ["Köln", "Málaga", "Zürich", "Paris"]


def with_cities(names):
    return PEOPLE.assign(city=[names[i % len(names)] for i in range(len(PEOPLE))])


@pytest.mark.parametrize("sep", list(",;\t|:^~ ") + ["\x1f"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_any_separator_with_texts_that_hold_others(load_table, sep, quoting):
    for columns in (list(JOBS), ["job", "ok", "sex", "age", "income"]):
        table = load_table(to_text(JOBS[columns], sep, quoting=quoting))
        assert table.X["job"].tolist() == JOBS["job"].tolist()
        check_people(table)


def test_separators_in_the_header_and_in_numbers(load_table):
    people = PEOPLE.assign(**{"pay, net": [f"{v:.2f}".replace(".", ",") for v in PEOPLE["income"]]})
    people.loc[::7, "pay, net"] = ""
    table = load_table(to_text(people.rename(columns={"ok": "ok, or not"}), ";"),
                       target="ok, or not")  # fmt: skip
    expected = PEOPLE["income"].where(people["pay, net"] != "")
    np.testing.assert_array_equal(table.X["pay, net"], expected)
    by_two = load_table(to_text(people.rename(columns={"sex": "sex, at birth"})), "sex, at birth")
    assert by_two.groups.tolist() == PEOPLE["sex"].tolist()


@pytest.mark.parametrize(
    "options",
    [
        {"quotechar": "'"},
        {"escapechar": "\\", "doublequote": False},
        {"quotechar": '"'},
    ],
)
def test_quotes_of_other_kinds(load_table, options):
    people = PEOPLE.assign(said=['the "old" town, x', "one, two", 'say "hi", you'] * 40)
    table = load_table(to_text(people, quoting=csv.QUOTE_ALL, **options))
    assert table.X["said"].tolist() == people["said"].tolist()
    check_people(table)


def test_quotes_that_are_never_closed(load_table):
    inches = [f'"{i}" pipe' if i % 9 else f'"{i} pipe' for i in range(len(PEOPLE))]
    rows = to_text(PEOPLE).splitlines()
    text = "\n".join(f"{row};{part}" for row, part in zip(rows, ["part", *inches], strict=True))
    check_people(load_table(text.replace(",", ";")))


@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_byte_order_marks(load_table, sep, encoding, quoting):
    for columns in (["age", "sex", "income", "ok"], ["ok", "sex", "age", "income"]):
        table = load_table(to_text(PEOPLE[columns], sep, quoting=quoting), encoding=encoding)
        check_people(table)
        assert table.notes == []


@pytest.mark.parametrize(
    ("header", "sensitive"),
    [
        (["age", "sex", "income", "ok"], "sex "),
        (["age", " sex", "income ", " ok "], "sex"),
        (["age", "sex\u00a0", "income", "\tok"], "sex"),
        (["\u200bage", "sex", "income", "ok"], "sex"),
    ],
)
def test_headers_with_spaces(load_table, header, sensitive):
    body = to_text(PEOPLE).partition("\n")[2]
    check_people(load_table(",".join(header) + "\n" + body, sensitive))


def test_headers_that_differ_by_spaces_or_not_at_all(load_table):
    people = PEOPLE.assign(other=PEOPLE["age"] % 3)[["age", "ok", "sex", "other"]]
    body = to_text(people).partition("\n")[2]
    back = to_text(people[["age", "ok", "other", "sex"]]).partition("\n")[2]
    for names, rows in ((["sex", "sex "], body), (["sex", "sex"], body), (["sex", " sex"], body),
                        (["sex\u00a0", "sex"], back), (["sex ", "sex"], back)):  # fmt: skip
        table = load_table(",".join(["age", "ok", *names]) + "\n" + rows)
        assert table.groups.tolist() == PEOPLE["sex"].tolist()
        assert table.X["sex.1"].tolist() == people["other"].tolist()
        assert any(note.startswith("'sex' names several columns") for note in table.notes)
    twice = ",".join(["age", "sex", "ok ", "ok"]) + "\n" + to_text(PEOPLE).partition("\n")[2]
    assert load_table(twice).y.tolist() == PEOPLE["ok"].tolist()


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1252", CITIES),
        ("latin-1", CITIES),
        ("cp1252", ["café", "bar", "plain"]),
        ("cp1252", ["€100", "“quoted”", "it’s"]),
        ("cp1252", ["Élève", "garçon", "été"]),
        ("cp1252", ["Peña", "Muñoz", "José"]),
        ("cp1251", ["Москва", "Казань", "Омск"]),
        ("cp932", ["東京", "大阪", "京都"]),
        ("gb18030", ["北京", "上海", "工程师"]),
        ("utf-16-le", CITIES),
        ("utf-16-be", CITIES),
    ],
)
def test_encodings_are_recognised(load_table, encoding, names):
    pytest.importorskip("charset_normalizer")
    for sep in ",;":
        people = with_cities(names)
        table = load_table(to_text(people, sep), "city", encoding=encoding)
        assert table.groups.tolist() == people["city"].tolist()
        assert any("is not UTF-8" in note and "--encoding" in note for note in table.notes)


@pytest.mark.parametrize("encoding", ["cp850", "mac_roman", "cp1252", "utf-16", "utf-8"])
def test_encodings_are_given(tmp_path, encoding):
    people = with_cities(CITIES)
    (tmp_path / "t.csv").write_bytes(to_text(people).encode(encoding))
    table = load_csv(tmp_path / "t.csv", "ok", "city", encoding=encoding)
    assert table.groups.tolist() == people["city"].tolist()
    assert table.notes == []


def test_encodings_that_are_wrong(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_bytes(to_text(with_cities(CITIES)).encode("cp1252"))
    with pytest.raises(UsageError, match="not written in utf-8.*--encoding"):
        load_csv(tmp_path / "t.csv", "ok", "city", encoding="utf-8")
    with pytest.raises(UsageError, match="'klingon' is not known"):
        load_csv(tmp_path / "t.csv", "ok", "city", encoding="klingon")
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    with pytest.raises(UsageError, match=r"not UTF-8: .*--encoding.*pip install 'skbadr\[cli\]'"):
        load_csv(tmp_path / "t.csv", "ok", "city")


def test_without_pandas_there_is_a_sentence(load_table, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"needs pandas: pip install 'skbadr\[cli\]'"):
        load_table("sex,ok\nf,yes\n")


def test_compressed_files(load_table, tmp_path):
    data = to_text(PEOPLE).encode()
    for ending, compress in ((".gz", gzip.compress), (".bz2", bz2.compress),
                             (".xz", lzma.compress)):  # fmt: skip
        check_people(load_table(compress(data), name="t.csv" + ending))
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("people.csv", data)
    check_people(load_csv(tmp_path / "t.zip", "ok", "sex"))
    for name in ("t.csv.xz", "t.csv.zip", "t.xlsx"):
        with pytest.raises(UsageError, match="cannot be read"):
            load_table(data, name=name)


def typed_people():
    """Return the people as Parquet keeps them: with types, and with nulls."""
    people = PEOPLE.assign(
        age=PEOPLE["age"].astype("Int64"),
        sex=PEOPLE["sex"].astype("category"),
        faith=pd.Series([["None", "NA", "null"][i % 3] for i in range(len(PEOPLE))], dtype=object),
        member=pd.Series([bool(i % 3) for i in range(len(PEOPLE))], dtype="boolean"),
        since=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(PEOPLE)) % 7, "D"),
    )
    people.loc[::10, ["faith", "member", "age"]] = [None, pd.NA, pd.NA]
    return people


def check_typed(load):
    table = load("sex")
    assert table.numbers == ["age", "income", "member", "since"]
    assert table.X["age"].isna().sum() == 12
    np.testing.assert_array_equal(table.X["income"], PEOPLE["income"])
    by_faith = load("faith")
    assert set(by_faith.groups) == {"None", "NA", "null"}
    assert by_faith.notes[0] == "dropped 12 of 120 rows where 'faith' is missing."
    assert set(load("member").groups) == {"member=False", "member=True"}


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    typed_people().to_parquet(tmp_path / "t.parquet")
    check_typed(lambda sensitive: load_csv(tmp_path / "t.parquet", "ok", sensitive))


def test_typed_columns_as_parquet_gives_them(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"")
    monkeypatch.setattr(pd, "read_parquet", lambda path: typed_people())
    check_typed(lambda sensitive: load_csv(tmp_path / "t.parquet", "ok", sensitive))

    def refuse(path):
        raise ImportError("no engine")

    monkeypatch.setattr(pd, "read_parquet", refuse)
    with pytest.raises(UsageError, match="needs pyarrow"):
        load_csv(tmp_path / "t.parquet", "ok", "sex")


def test_the_positive_class(load_table):
    people = PEOPLE.replace({"ok": {"yes": "approved", "no": "denied"}})
    usual = load_table(to_text(people))
    assert usual.positive == "denied"
    assert any("'denied' counts as positive" in n and "--pos-label" in n for n in usual.notes)
    chosen = load_table(to_text(people), pos_label="approved")
    assert (chosen.positive, chosen.classes) == ("approved", ["denied", "approved"])
    np.testing.assert_array_equal(chosen.y, PEOPLE["ok"] == "yes")
    np.testing.assert_array_equal(load_table(to_text(people), pos_label="denied").y, people["ok"])
    assert load_table(to_text(PEOPLE)).notes == []  # yes needs no explanation
    for labels, positive in ((["1", "2"], "1"), (["True", "False"], "False"), (["0", "1"], "0"),
                             (["-1", "1"], "-1"), (["10", "9"], "9.0")):  # fmt: skip
        coded = PEOPLE.assign(ok=np.where(PEOPLE["ok"] == "yes", *labels))
        table = load_table(to_text(coded), pos_label=positive)
        np.testing.assert_array_equal(table.y == 1, coded["ok"] == positive.removesuffix(".0"))


@pytest.mark.parametrize(
    ("target", "label", "words"),
    [
        ("ok", "granted", "'granted' is no value of 'ok', which has 'no' and 'yes'"),
        ("age", "30", "needs a target of two classes, 'age' has no classes"),
        ("grade", "b", "needs a target of two classes, 'grade' has 3 classes"),
    ],
)
def test_positive_classes_that_are_none(load_table, target, label, words):
    with pytest.raises(UsageError, match=words):
        load_table(to_text(PEOPLE.assign(grade=["a", "b", "c"] * 40)), target=target,
                   pos_label=label)  # fmt: skip


def run(capsys, folder, text, *options):
    (folder / "t.csv").write_text(text, encoding="utf-8")
    code = main(["--csv", str(folder / "t.csv"), "--output", str(folder / "out"), *options])
    captured = capsys.readouterr()
    if code:
        return captured.err, None
    with open(folder / "out" / "skbadr_results.json", encoding="utf-8") as file:
        return captured.out, json.load(file)


@pytest.mark.slow
def test_rates_are_of_the_positive_class(capsys, tmp_path):
    people = PEOPLE.replace({"ok": {"yes": "approved", "no": "denied"}})
    options = ["--target", "ok", "--sensitive", "sex", "--metric", "demographic_parity_ratio",
               "--max-iter", "2", "--compare"]  # fmt: skip
    _, expected = run(capsys, tmp_path, to_text(PEOPLE), *options)
    out, found = run(capsys, tmp_path, to_text(people), *options, "--pos-label", "approved")
    assert "positive class 'approved'" in out
    assert found["positive_class"] == "approved"
    for row, other in zip(found["rows"], expected["rows"], strict=True):
        assert row["metric_test"] == pytest.approx(other["metric_test"])
    cells = {"f | approved", "f | denied", "m | approved", "m | denied"}
    assert set(found["cell_weights"]["badr_group_target"]) == cells


@pytest.mark.parametrize("metric", ["log_loss_group_max", "roc_auc_score_group_min"])
@pytest.mark.parametrize("more", [[], ["--splits", "2"], ["--bound", "0.5"], ["--compare"]])
def test_probabilities_of_an_estimator_that_has_none(capsys, tmp_path, metric, more):
    err, _ = run(capsys, tmp_path, to_text(PEOPLE), "--target", "ok", "--sensitive", "sex",
                 "--estimator", "ridge", "--metric", metric, *more)  # fmt: skip
    assert len(err.splitlines()) == 1
    assert f"--metric {metric} needs probabilities, which ridge does not have" in err
    assert "logistic_regression" in err


def test_options_of_the_file_reach_the_reader(capsys, tmp_path):
    people = PEOPLE.assign(faith=["None", "x", "y"] * 40, pay=["1,250", "2,500", "3,750"] * 40)
    options = ["--target", "ok", "--sensitive", "faith", "--max-iter", "1"]
    out, content = run(capsys, tmp_path, to_text(people), *options, "--missing", "None,-",
                       "--decimal", ",", "--encoding", "utf-8")  # fmt: skip
    assert set(content["settings"]["groups"]) == {"x", "y"}
    assert "dropped 40 of 120 rows where 'faith' is missing." in content["notes"]
    assert "numbers are read so: '1,250' in 'pay' as 1.25." in content["notes"]
    err, _ = run(capsys, tmp_path, to_text(people), *options, "--decimal", ";")
    assert "--decimal" in err


def test_wide_headers_long_cells_and_stray_zero_bytes(load_table):
    wide = {f"a column of a long name, number {i}": PEOPLE["age"] for i in range(3000)}
    people = pd.DataFrame(wide).assign(**PEOPLE)
    assert load_table(to_text(people)).X.shape == (120, 3003)
    long = PEOPLE.assign(said=["x" * 200_000, *["y"] * 119])
    check_people(load_table(to_text(long)))
    assert csv.field_size_limit() == 131072
    check_people(load_table(to_text(PEOPLE.assign(said=["Zürich\0", *["y"] * 119]))))
