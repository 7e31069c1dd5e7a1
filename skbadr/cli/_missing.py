"""Which cells stand for a missing value, and which hold an answer that looks like one."""

from dataclasses import dataclass, field

import numpy as np

from ._numbers import read_numbers
from ._rows import QUOTED, bare

# Missing in every column: what Excel, SQL, pandas and the tables of UCI write for no answer.
_ALWAYS = {"", "?", "#N/A", "\\N", "<NA>"}
# Missing among numbers, in upper or lower case. Among texts they are answers: a religion, say.
_AMONG_NUMBERS = {
    *("na", "n/a", "n.a.", "nan", "null", "none", "nil", "missing", "unknown"),
    *(
        "inf",
        "-inf",
        "+inf",
        "infinity",
        "-infinity",
        "-",
        "--",
        ".",
        "..",
        "...",
        "#div/0!",
        "#value!",
        "#ref!",
        "#num!",
    ),
}
# What programs write: one that does among numbers does so among texts.
_BY_PROGRAMS = {"na", "nan", "null"}
# Beside as few different numbers that make groups or classes, a word is one more of these.
_FEW_NUMBERS = 10


@dataclass(eq=False)
class Column:
    """The distinct cells of a column (marked if quoted), their texts, and which one rows have."""

    name: str
    codes: np.ndarray
    cells: list
    texts: list
    counts: np.ndarray
    missing: set = field(default_factory=set)  # of cells

    @classmethod
    def of(cls, name, values):
        """Return the column of one cell per row."""
        import pandas as pd

        array = np.empty(len(values), dtype=object)
        array[:] = values
        codes, cells = pd.factorize(array)
        counts = np.bincount(codes, minlength=len(cells))
        return cls(name, codes, cells.tolist(), [bare(cell) for cell in cells], counts)

    def pairs(self):
        """Iterate over the distinct cells, each with its text."""
        return zip(self.cells, self.texts, strict=True)

    @property
    def answers(self):
        """The distinct texts that are not missing, in the order they come."""
        return list(dict.fromkeys(text for cell, text in self.pairs() if cell not in self.missing))

    def spread(self, values):
        """Return the values of the answers, one per row, and NaN where there is no answer."""
        by_text = dict(zip(self.answers, values, strict=True))
        found = np.empty(len(self.cells), dtype=object)
        for i, (cell, text) in enumerate(self.pairs()):
            found[i] = np.nan if cell in self.missing else by_text[text]
        return found[self.codes]

    def has_spaces(self):
        """Whether cells of the same text differ, by the spaces around it say."""
        return len({cell.replace(QUOTED, "") for cell in self.cells}) > len(set(self.texts))

    def count_words(self, *, missing):
        """Return in how many rows each word stands that may or may not mean a missing value."""
        found = {}
        for (cell, text), count in zip(self.pairs(), self.counts, strict=True):
            if text and (cell in self.missing) == missing and (missing or _is_word(text)):
                found[text] = found.get(text, 0) + int(count)
        return found


def find_missing(columns, separator, by_name, missing=None):
    """Decide in every column which cells stand for a missing value.

    Parameters
    ----------
    columns : list of Column
        Their `missing` is set.
    separator : str
        What separated the cells.
    by_name : collection of str
        Columns that make groups or classes.
    missing : collection of str, default=None
        What stands for a missing value besides an empty cell; None: what the file tells.

    Returns
    -------
    list of Column
        Those that hold nothing but numbers.
    """
    if missing is not None:
        gaps = {"", *missing}
        for column in columns:
            column.missing = {cell for cell, text in column.pairs() if text in gaps}
        return [column for column in columns if _can_be_read(column.answers)]
    numeric = [column for column in columns if _is_numeric(column, column.name in by_name)]
    by_programs = {
        cell
        for column in numeric
        for cell, text in column.pairs()
        if text.casefold() in _BY_PROGRAMS
    }
    for column in columns:
        words = {cell for cell, text in column.pairs() if _is_word(text)}
        if column not in numeric:
            words = {c for c in words if c in by_programs or _is_unquoted(c, column, separator)}
        column.missing = words | {cell for cell, text in column.pairs() if text in _ALWAYS}
    return numeric


def _is_word(text):
    return text.casefold() in _AMONG_NUMBERS


def _can_be_read(texts):
    return bool(texts) and any(read_numbers(texts, decimal) is not None for decimal in ".,")


def _is_numeric(column, makes_groups):
    texts = [text for text in dict.fromkeys(column.texts) if text not in _ALWAYS]
    numbers = [text for text in texts if not _is_word(text)]
    by_people = any(_is_word(text) and text.casefold() not in _BY_PROGRAMS for text in texts)
    if makes_groups and by_people and len(numbers) <= _FEW_NUMBERS:
        return False
    return _can_be_read(numbers)


def _is_unquoted(cell, column, separator):
    """Whether it is not quoted though the column's texts are, and without need: R writes NA so."""
    if cell.startswith(QUOTED):
        return False
    others = [other for other, text in column.pairs() if text and not _is_word(text)]
    return all(other.startswith(QUOTED) for other in others) and any(
        not {separator, '"', "\n"} & set(other) for other in others
    )
