"""Tables as users have them: each kind of oddity in several variations, with its values."""

import csv
import unicodedata

import numpy as np
import pytest
from data import PEOPLE, check_people, to_text

from skbadr.cli._errors import UsageError


def with_line_ends(text, ends):
    head, *lines = text.splitlines()
    return "\n".join([head, *(line + ends[i % len(ends)] for i, line in enumerate(lines))])


@pytest.mark.parametrize(
    ("sep", "ends", "options"),
    [
        (",", [","], {}),
        (";", [";"], {}),
        ("\t", ["\t"], {}),
        (",", [",,"], {}),
        (",", ["", ",", ",,"], {}),
        (";", ["; "], {}),
        (",", [","], {"quoting": csv.QUOTE_ALL}),
    ],
)
def test_rows_that_end_in_separators(load_table, sep, ends, options):
    for columns in (["age", "sex", "income", "ok"], ["ok", "sex", "age", "income"]):
        table = load_table(with_line_ends(to_text(PEOPLE[columns], sep, **options), ends))
        check_people(table)
        assert table.notes == ["rows end in a separator that the header lacks."]
    check_people(load_table("\n".join(line + sep for line in to_text(PEOPLE, sep).splitlines())))


def test_row_names_of_r_and_other_surplus_cells(load_table):
    head, *lines = to_text(PEOPLE).splitlines()
    quoted = ",".join(f'"{name}"' for name in PEOPLE)
    check_people(
        load_table("\n".join([quoted, *(f'"{i}",{line}' for i, line in enumerate(lines, 1))]))
    )
    check_people(
        load_table("\n".join([head, *(f"row {i},{line}" for i, line in enumerate(lines))]))
    )
    check_people(
        load_table("\n".join([f",{head}", *(f"{i},{line}" for i, line in enumerate(lines))]))
    )
    for ends in ([",x"], ["", "", ",x"]):
        with pytest.raises(UsageError, match="row [24] has 5 cells, the header 4"):
            load_table(
                "\n".join([head, *(line + ends[i % len(ends)] for i, line in enumerate(lines))])
            )


def test_rows_around_and_between(load_table):
    text = to_text(PEOPLE)
    head, *lines = text.splitlines()
    above = load_table("Staff, all sites\nMade in 2024\n\n" + text)
    check_people(above)
    assert above.notes == ["left out 2 rows above the header."]
    check_people(load_table("sep=;\n" + to_text(PEOPLE, ";")))
    check_people(load_table(text.replace("\n", "\n\n")))
    check_people(load_table(text.replace("\n", "\r")))
    twice = load_table("\n".join([head, *lines[:50], head, *lines[50:], ",,,"]))
    check_people(twice)
    assert "left out 1 row equal to the header." in twice.notes
    assert "left out 1 row without a value." in twice.notes
    short = load_table("\n".join([head, *lines, "30,f"]))
    check_people(short)
    assert "dropped 1 of 121 rows where 'ok' is missing." in short.notes
    assert "1 row shorter than the header: the rest is missing." in short.notes


@pytest.mark.parametrize(
    "codes",
    [
        ["11001015", "11001025", "22001014"],
        ["1100101", "1100102"],
        ["20230101", "20230201"],
        ["-11001015", "-11001025"],
        ["1234567.25", "1234567.75"],
        ["0.12345671", "0.12345672"],
        ["123456789012345678", "123456789012345679"],
        ["1234567890123456789", "1234567890123456788"],
        ["01234", "1234", "001234"],
        ["2019", "2020"],
    ],
)
@pytest.mark.parametrize("with_gaps", [False, True])
def test_every_code_is_a_group_and_can_be_read_back(load_table, codes, with_gaps):
    people = PEOPLE.assign(code=[codes[i % len(codes)] for i in range(len(PEOPLE))])
    if with_gaps:
        people.loc[::10, "code"] = ""
    table = load_table(to_text(people), "code")
    expected = people["code"][people["code"] != ""]
    assert [label.removeprefix("code=") for label in table.groups] == expected.tolist()


def test_numbers_are_cut_at_a_median_that_can_be_read_back(load_table):
    codes = 11001000 + np.arange(len(PEOPLE)) % 12
    table = load_table(to_text(PEOPLE.assign(code=codes)), "code")
    assert set(table.groups) == {"code<=11001005.5", "code>11001005.5"}
    np.testing.assert_array_equal(table.groups == "code<=11001005.5", codes <= 11001005)


def test_crossed_groups_are_told_apart(load_table):
    people = PEOPLE.assign(p=["a", "a & b", "a"] * 40, q=["b & c", "c", "c"] * 40)
    table = load_table(to_text(people), "p,q")
    assert set(table.groups) == {"'a' & 'b & c'", "'a & b' & 'c'", "'a' & 'c'"}


@pytest.mark.parametrize(
    "answers",
    [
        ["None", "Christian", "Muslim"],
        ["null", "mother", "father"],
        ["n/a", "visual", "other"],
        ["NA", "ZA", "DE"],
        ["nan", "mum"],
        ["none", "some"],
        ["NULL", "NaN", "N/A"],
        ["-", "+"],
        ["None", "1", "2"],
        ["missing", "found"],
    ],
)
def test_words_are_answers(load_table, answers):
    values = [answers[i % len(answers)] for i in range(len(PEOPLE))]
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
        text = to_text(PEOPLE.assign(what=values), quoting=quoting)
        table = load_table(text, "what")
        assert table.groups.tolist() == values
        assert any(f"taken for an answer: {answers[0]!r}" in note for note in table.notes)
        assert table.X["what"].tolist() == values
        assert load_table(text, target="what").y.tolist() == values
        told = load_table(text, "what", missing=[answers[0]]) if len(answers) > 2 else None
        assert told is None or answers[0] not in told.groups


@pytest.mark.parametrize(
    "word", ["", "?", "NA", "NaN", "nan", "NULL", "null", "#N/A", "\\N", "<NA>"]
)
def test_missing_is_what_the_file_says(load_table, word):
    # In the numbers nothing but a missing value can be meant, hence in the texts too.
    people = PEOPLE.astype({"age": object})
    people.loc[::10, "age"] = None
    people.loc[::6, "sex"] = None
    people.loc[::40, "ok"] = None
    table = load_table(to_text(people, na_rep=word))
    gone = len(PEOPLE[::6]) + len(PEOPLE[::40]) - len(PEOPLE[::120])
    assert f"dropped {gone} of 120 rows where 'ok' (3 rows) or 'sex' (20 rows) is missing." in (
        table.notes
    )
    assert set(table.groups) == {"f", "m"}
    assert table.X["age"].isna().sum() == people.dropna(subset=["sex", "ok"])["age"].isna().sum()
    if word:
        assert any(note.startswith("taken for missing: ") and repr(word) in note
                   for note in table.notes)  # fmt: skip


@pytest.mark.parametrize("word", ["None", "-", "n/a", "unknown", ".", "inf", "#DIV/0!"])
def test_words_among_numbers_are_missing(load_table, word):
    people = PEOPLE.astype({"age": str})
    people.loc[::10, "age"] = word
    table = load_table(to_text(people))
    assert table.numbers == ["age", "income"]
    assert table.X["age"].isna().sum() == 12
    assert f"taken for missing: {word!r} in 'age' (12 rows)." in table.notes


def test_unquoted_na_among_quoted_texts_is_missing(load_table):
    # As R writes: NA is missing, "NA" is North America.
    rows = ['"age","sex","income","ok","continent"']
    for i, row in enumerate(PEOPLE.itertuples()):
        continent = "NA" if i % 10 == 0 else ['"NA"', '"EU"'][i % 2]
        rows.append(f'{row.age},"{row.sex}",{row.income},"{row.ok}",{continent}')
    table = load_table("\n".join(rows), "continent")
    assert (table.groups == "NA").sum() == 48
    assert "dropped 12 of 120 rows where 'continent' is missing." in table.notes
    assert "taken for missing: 'NA' in 'continent' (12 rows)." in table.notes
    # Quotes of texts with a separator say nothing about the others.
    places = [["Paris, FR", "None"][i % 2] for i in range(len(PEOPLE))]
    assert load_table(to_text(PEOPLE.assign(place=places)), "place").groups.tolist() == places


@pytest.mark.parametrize(
    "vary",
    [
        lambda text, i: text + " " * (i % 3),
        lambda text, i: " " * (i % 2) + text,
        lambda text, i: text + "\u00a0" * (i % 2),
        lambda text, i: "\t" * (i % 2) + text,
        lambda text, i: text + "\u200b" * (i % 2),
        lambda text, i: ["\u200e", "\u2060", "\u00ad"][i % 3] + text + "\u200d" * (i % 2),
        lambda text, i: unicodedata.normalize(["NFC", "NFD"][i % 2], text),
    ],
)
def test_spaces_make_no_class_and_no_group(load_table, vary):
    people = PEOPLE.replace({"f": "fém", "yes": "sí"})
    varied = people.copy()
    for name in ("sex", "ok"):
        varied[name] = [vary(text, i) for i, text in enumerate(people[name])]
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
        table = load_table(to_text(varied, quoting=quoting))
        assert table.groups.tolist() == people["sex"].tolist()
        assert table.y.tolist() == people["ok"].tolist()
        noted = "spaces around the values of 'sex' make no difference." in table.notes
        assert noted or (quoting == csv.QUOTE_MINIMAL and vary("x", 1) == " x")


def test_upper_and_lower_case_get_a_note(load_table):
    people = PEOPLE.assign(sex=PEOPLE["sex"].where(PEOPLE.index % 5 > 0, "F"))
    table = load_table(to_text(people))
    assert set(table.groups) == {"F", "f", "m"}
    assert any("'F' and 'f'" in note or "'f' and 'F'" in note for note in table.notes)


SWAPPED = str.maketrans(",.", ".,")


@pytest.mark.parametrize(
    ("write", "sep"),
    [
        (lambda v: f"{v:,.2f}", ","),
        (lambda v: f"{v:,.2f}".translate(SWAPPED), ";"),
        (lambda v: f"{v:.2f}".replace(".", ","), ","),
        (lambda v: f"${v:,.2f}", ","),
        (lambda v: f"{v:,.2f}".replace(",", "\u00a0").replace(".", ","), ";"),
        (lambda v: f"{v:,.2f}".replace(",", "\u202f").replace(".", ",") + "\u00a0€", "\t"),
        (lambda v: f"{v:,.2f}".replace(",", "'"), ","),
        (lambda v: f"EUR {v:,.2f}".translate(SWAPPED), "|"),
        (lambda v: f"{v:.2f} %", ","),
        (lambda v: f"R$ {v:,.2f}".translate(SWAPPED), ","),
        (lambda v: f" {v:.2f} ", ","),
    ],
)
def test_numbers_as_people_write_them(load_table, write, sep):
    written = PEOPLE.assign(income=PEOPLE["income"].map(write))
    check_people(load_table(to_text(written, sep)))
    as_target = load_table(to_text(written, sep), target="income")
    np.testing.assert_array_equal(as_target.y, PEOPLE["income"])
    assert as_target.task == "regression"


@pytest.mark.parametrize("write", ["-{:,.2f}", "({:,.2f})", "−{:.2f}", "{:.2f}-", "-${:,.2f}"])
def test_negative_numbers(load_table, write):
    table = load_table(to_text(PEOPLE.assign(income=PEOPLE["income"].map(write.format))))
    np.testing.assert_array_equal(table.X["income"], -PEOPLE["income"])


def test_a_dash_for_no_decimals_is_no_sign(load_table):
    for write, sep in (("{},-", ";"), ("{}.-", ","), ("€ {},–", ";"), ("CHF {}.–", ",")):
        pay = [write.format(500 + i % 9) for i in range(len(PEOPLE))]
        table = load_table(to_text(PEOPLE.assign(pay=pay), sep))
        assert table.X["pay"].tolist() == [500 + i % 9 for i in range(len(PEOPLE))]
    assert set(load_table(to_text(PEOPLE.assign(pay=["1.234,-", "5,-"] * 60), ";")).X["pay"]) == {
        1234.0,
        5.0,
    }


@pytest.mark.parametrize("sep", [",", ";", "\t"])
def test_points_that_may_mean_thousands(load_table, sep):
    people = PEOPLE.drop(columns="income")  # whose decimals would tell
    for texts, numbers in (
        (["1.050", "950", "12.345"], [1050, 950, 12345]),
        (["1.050", "9.500", "12.345"], [1.05, 9.5, 12.345]),
        (["1.125", "2", "3.375"], [1.125, 2, 3.375]),
    ):
        table = load_table(to_text(people.assign(pay=texts * 40), sep))
        assert table.X["pay"].tolist() == numbers * 40
        assert any("what separates decimals in 'pay' is not sure" in n for n in table.notes)
    for told in (["0.123", "1.234", "2.5"], ["1.5", "2.25", "3"]):
        table = load_table(
            to_text(people.assign(pay=["1.050", "9.500", "2.345"] * 40, b=told * 40), sep)
        )
        assert table.X["pay"].tolist() == [1.05, 9.5, 2.345] * 40
        assert table.notes == []


def test_thousands_or_decimals(load_table):
    pay = [f"{v:,}" for v in range(400, 400 + 15 * len(PEOPLE), 15)]  # 985, 1,000
    plain = [v.replace(",", "") for v in pay]
    for sep in ",;":
        table = load_table(to_text(PEOPLE.assign(pay=pay), sep))
        np.testing.assert_array_equal(table.X["pay"], np.array(plain, dtype=float))
        assert any("what separates decimals in 'pay' is not sure" in n for n in table.notes)
    # Other columns of the file tell that the comma separates decimals, so the point does not.
    german = PEOPLE.assign(pay=[v.replace(",", ".") for v in pay])
    german["income"] = [f"{v:.2f}".replace(".", ",") for v in PEOPLE["income"]]
    np.testing.assert_array_equal(load_table(to_text(german, ";")).X["pay"], np.array(plain, float))
    whole = PEOPLE.assign(pay=[v.replace(",", ".") for v in pay])
    np.testing.assert_array_equal(
        load_table(to_text(whole, ";"), decimal=",").X["pay"], np.array(plain, dtype=float)
    )
    indian = PEOPLE.assign(pay=["1,23,456.50", "12,345.25"] * 60)
    assert set(load_table(to_text(indian)).X["pay"]) == {123456.5, 12345.25}


@pytest.mark.parametrize("unit", ["SGD {}", "{} eur", "{} kg", "￥{}", "руб. {}", "Room {}", "A{}"])
def test_numbers_of_an_unknown_unit_are_said_to_be_text(load_table, unit):
    texts = [unit.format(n // 3) for n in range(len(PEOPLE))]
    table = load_table(to_text(PEOPLE.assign(fee=texts)))
    assert "fee" in table.categories
    assert ("is text, because the unit of" in " ".join(table.notes)) == (unit != "A{}")
    grades = [unit.format(n % 5) for n in range(len(PEOPLE))]
    assert "the unit of" not in " ".join(load_table(to_text(PEOPLE.assign(fee=grades))).notes)


def test_numbers_that_are_text_are_said_to_be(load_table):
    people = PEOPLE.astype({"income": str})
    people.loc[3, "income"] = "ca. 500"
    table = load_table(to_text(people))
    assert "column 'income' is text because of 'ca. 500': its other values are numbers." in (
        table.notes
    )
    for units in (["$5", "€5", "$7"], ["5 %", "0.05", "7 %"], ["EUR 1.50", "USD 1.50", "1.50"]):
        table = load_table(to_text(PEOPLE.assign(pay=units * 40)))
        assert "pay" in table.categories
        assert "column 'pay' is text because it has several units." in table.notes
    for text in ("12:30", "A1", "1.2.3", "1 2", "2024-01"):
        codes = [f"{text}{i}" for i in range(10)] * 12
        assert "code" in load_table(to_text(PEOPLE.assign(code=codes))).categories


def test_texts_of_one_number_are_one_group_with_a_note(load_table):
    table = load_table(to_text(PEOPLE.assign(code=["1.1", "1.10", "2.5"] * 40)), "code")
    assert set(table.groups) == {"code=1.1", "code=2.5"}
    assert "'1.1' and '1.10' are one group, as 'code' is a number." in table.notes
