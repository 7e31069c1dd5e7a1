"""Generated tables, written as people and programs write them, are read as they were."""

import csv
import io
import os
import string
import tempfile
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import cases

from skbadr.cli._reading import read_table

N_ROWS = 24
NAMES = ["a b", "x,y", 'q"q', "Größe", "z"]
# How numbers are written, by what separates their decimals.
STYLES = {
    ".": ["{:.2f}", "{:,.2f}", "${:,.2f}", "{:.2f} %", "'", "{:.2f} EUR", "{:,.2f} kr"],
    ",": ["{:.2f}", "{:,.2f}", "{:,.2f} €", " ", "-{:,.2f}"],
}
MARKERS = ["", "NA", "NaN", "?", "null", "None", "-", "n/a", "#N/A", "."]
# Answers among texts, unless programs wrote the same word among the numbers.
WORDS = ["None", "null", "n/a", "none", "NA", "nan", "-", "NULL", "missing"]
ALPHABET = string.ascii_letters + string.digits + " ,;|\t\"'\n.:-/\\éüß€"
ENCODINGS = {  # and what the reader has to be told
    "utf-8": None,
    "utf-8-sig": None,
    "utf-16": None,
    "utf-16-le": "utf-16-le",
    "cp1252": "cp1252",
    "cp1250": "cp1250",
}


@dataclass
class Dialect:
    separator: str
    quoting: int
    line_end: str
    encoding: str
    decimal: str
    marker: str  # of a missing number
    titles: list  # above the header
    surplus: list  # cells that end each row, but not the header
    pad: str  # after names and texts


dialects = st.builds(
    Dialect,
    separator=st.sampled_from([",", ";", "\t", "|", ":", "^"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(list(ENCODINGS)),
    decimal=st.sampled_from(".,"),
    marker=st.sampled_from(MARKERS),
    titles=st.sampled_from([[], [], ["A title"], ["Made by us", "2024"]]),
    surplus=st.sampled_from([[], [], [""], ["", ""]]),
    pad=st.sampled_from(["", " "]),
)


def write_number(value, style, decimal):
    if style in "' ":
        return f"{value:,.2f}".replace(",", style).replace(".", decimal)
    text = style.format(value)
    if style.startswith("-"):  # after the number, as some ledgers have it
        text = f"{-value:,.2f}-" if value < 0 else f"{value:,.2f}"
    return text.translate(str.maketrans(".,", ",.")) if decimal == "," else text


def is_answer(text, dialect):
    """Whether a text is one: neither empty, nor a word that means missing everywhere or here."""
    programs = dialect.marker.casefold() in ("na", "nan", "null")
    return text not in ("", "?", ".", "\\N") and not (programs and text == dialect.marker)


@st.composite
def columns(draw, dialect, kind, complete):
    """Return a column as it should be read, and its cells."""
    if kind == "text":
        text = st.text(ALPHABET, max_size=9).map(str.strip) | st.sampled_from(WORDS)
        pool = draw(st.lists(text.filter(lambda t: is_answer(t, dialect)), max_size=4))
        pool, gap, dtype = ["a text", *pool], draw(st.sampled_from(["", "?"])), object
        cells = [text + dialect.pad for text in pool]
    elif kind == "number":
        size = st.floats(-1e6, 1e6).map(lambda value: round(value, 2) + 0.0)
        pool, gap, dtype = draw(st.lists(size, min_size=2, max_size=6)), dialect.marker, float
        style = draw(st.sampled_from(STYLES[dialect.decimal]))
        cells = [write_number(value, style, dialect.decimal) for value in pool]
    else:
        pool, gap, dtype = draw(st.lists(st.integers(0, 10**17), min_size=2)), "", "Int64"
        cells = list(map(str, pool))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    places = np.concatenate([np.arange(len(pool)), rng.integers(0, len(pool), N_ROWS)])[:N_ROWS]
    missing = rng.random(N_ROWS) < draw(st.sampled_from([0.0, 0.2]))
    missing &= not complete
    missing[:2] = False
    values = [np.nan if gone else pool[i] for i, gone in zip(places, missing, strict=True)]
    cells = [gap if gone else cells[i] for i, gone in zip(places, missing, strict=True)]
    return pd.Series(values, dtype=object).astype(dtype), cells


@st.composite
def tables(draw):
    """Return a frame, and the bytes of a file of it."""
    dialect = draw(dialects)
    kinds = {"ok": "text", "sex": "text", "n": "number"}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        kinds[name] = draw(st.sampled_from(["text", "number", "whole"]))
    order = draw(st.permutations(list(kinds)))
    table = {name: draw(columns(dialect, kinds[name], complete=name == "ok")) for name in order}
    out = io.StringIO()
    writer = csv.writer(out, delimiter=dialect.separator, quoting=dialect.quoting,
                        lineterminator=dialect.line_end)  # fmt: skip
    for title in dialect.titles:
        writer.writerow([title])
    writer.writerow([name + dialect.pad for name in order])
    rows = zip(*(cells for _, cells in table.values()), strict=True)
    writer.writerows([*row, *dialect.surplus] for row in rows)
    frame = pd.DataFrame({name: values for name, (values, _) in table.items()})
    return frame, out.getvalue().encode(dialect.encoding), dialect


@pytest.mark.slow
@cases(500)
@given(tables())
def test_tables_are_read_as_they_were(table):
    expected, data, dialect = table
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "t.csv")
        with open(path, "wb") as file:
            file.write(data)
        frame, texts = read_table(path, [{"ok", "sex"}], [], encoding=ENCODINGS[dialect.encoding])
    pd.testing.assert_frame_equal(frame, expected)
    pd.testing.assert_frame_equal(texts[["ok", "sex"]], expected[["ok", "sex"]])
