"""Which cells stand for a missing value, and which hold an answer that looks like one."""

import numpy as np

from ._numbers import FEW_NUMBERS, is_plain, read_numbers
from ._rows import QUOTED, bare

# Missing in every column: what Excel, SQL, pandas and the tables of UCI write for no answer.
_ALWAYS = {"", "?", "#N/A", "\\N", "<NA>"}
# Missing among numbers, in upper or lower case. Among texts they are answers: a religion, say.
_AMONG_NUMBERS = {
    *("na", "n/a", "n.a.", "nan", "null", "none", "nil", "missing", "unknown"),
    *("inf", "-inf", "+inf", "infinity", "-infinity", "-", "--", ".", "..", "..."),
    *("#div/0!", "#value!", "#ref!", "#num!"),
}
# What programs write: one that does among numbers does so among texts.
_BY_PROGRAMS = {"na", "nan", "null"}


class Column:
    """The distinct cells of a column, their texts, and which one each row has.

    Attributes
    ----------
    name : str
    cells : list of str
        Marked if quoted.
    odd : dict of str to str
        The cells whose texts are no plain numbers, with these texts.
    answers : list of str
        The distinct texts of the cells that do not stand for a missing value.
    """

    def __init__(self, name, values):
        import pandas as pd

        array = np.empty(len(values), dtype=object)
        array[:] = values
        self.name = name
        self._codes, cells = pd.factorize(array)
        self.cells = cells.tolist()
        self._texts = list(map(bare, self.cells))
        pairs = zip(self.cells, self._texts, strict=True)
        self.odd = {cell: text for cell, text in pairs if not is_plain(text)}
        self.set_missing(())

    def set_missing(self, missing):
        """Settle which cells stand for a missing value, and with them `answers`."""
        index = {}
        self._missing = frozenset(missing)
        pairs = zip(self.cells, self._texts, strict=True)
        places = [
            -1 if cell in self._missing else index.setdefault(text, len(index))
            for cell, text in pairs
        ]
        self.answers = list(index)
        self._places = np.array(places, dtype=np.intp)

    def spread(self, values, dtype):
        """Return the values of `answers`, one per row, and NaN where there is no answer."""
        found = np.empty(len(values) + 1, dtype=dtype)
        found[:-1] = values
        if (self._places < 0).any():
            found[-1] = np.nan
        return found[self._places[self._codes]]

    @property
    def is_complete(self):
        """Whether every row has an answer."""
        return not (self._places < 0).any()

    @property
    def odd_answers(self):
        """The answers that are no plain numbers."""
        return [text for cell, text in self.odd.items() if cell not in self._missing]

    def has_spaces(self):
        """Whether cells of the same text differ, by the spaces around it say."""
        return len({cell.replace(QUOTED, "") for cell in self.cells}) > len(set(self._texts))

    def count_words(self, *, missing):
        """Return in how many rows each word stands that may or may not mean a missing value."""
        counts = dict(zip(self.cells, np.bincount(self._codes).tolist(), strict=True))
        found = {}
        for cell, text in self.odd.items():
            if text and (cell in self._missing) == missing and (missing or _is_word(text)):
                found[text] = found.get(text, 0) + counts[cell]
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
            column.set_missing(cell for cell in column.cells if bare(cell) in gaps)
        return [column for column in columns if _can_be_read(column.answers)]
    numeric = [column for column in columns if _is_numeric(column, column.name in by_name)]
    by_programs = {
        cell
        for column in numeric
        for cell, text in column.odd.items()
        if text.casefold() in _BY_PROGRAMS
    }
    for column in columns:
        words = {cell for cell, text in column.odd.items() if _is_word(text)}
        if column not in numeric:
            words = {c for c in words if c in by_programs or _is_unquoted(c, column, separator)}
        column.set_missing(words | {cell for cell, text in column.odd.items() if text in _ALWAYS})
    return numeric


def _is_word(text):
    return text.casefold() in _AMONG_NUMBERS


def _can_be_read(texts):
    return bool(texts) and any(read_numbers(texts, decimal) is not None for decimal in ".,")


def _is_numeric(column, makes_groups):
    numbers = [t for t in column.answers if not (t in _ALWAYS or _is_word(t))]
    words = [text.casefold() for text in column.odd.values() if _is_word(text)]
    by_people = not _BY_PROGRAMS.issuperset(words)
    if makes_groups and by_people and len(numbers) <= FEW_NUMBERS:  # a word is one more of these
        return False
    return _can_be_read(numbers)


def _is_unquoted(cell, column, separator):
    """Whether it is not quoted though the column's texts are, and without need: R writes NA so."""
    if cell.startswith(QUOTED):
        return False
    others = [other for other in column.cells if bare(other) and not _is_word(bare(other))]
    return all(other.startswith(QUOTED) for other in others) and any(
        not {separator, '"', "\n"} & set(other) for other in others
    )
