"""From cells to values: numbers, true or false, and text."""

import numpy as np

from skbadr.comparison._notes import MOST_LISTED

from ._missing import Column, find_missing
from ._numbers import is_plain, mix_units, read_number, read_numbers, unknown_unit
from ._rows import n_rows

_TRUTH = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


def read_cells(columns, separator, *, by_name=(), missing=None, decimal=None, notes):
    """Turn cells into numbers, booleans and texts.

    Parameters
    ----------
    columns : dict of str to sequence of str
        What `split_rows` returned.
    separator : str
        What separated the cells.
    by_name : collection of str
        Columns that make groups or classes.
    missing : collection of str, default=None
        What stands for a missing value besides an empty cell; None: what the file tells.
    decimal : {".", ","}, default=None
        What separates decimals; None: what the numbers tell.
    notes : list of str
        Gets what the reader of the results should know.

    Returns
    -------
    frame : DataFrame
        Columns of float64, Int64, boolean, or objects for texts.
    texts : DataFrame
        The columns `by_name` as they are written, NaN where missing.
    """
    import pandas as pd

    table = [Column(name, values) for name, values in columns.items()]
    numeric = find_missing(table, separator, by_name, missing)
    numbers = _read_numeric(numeric, separator, decimal, notes)
    frame = {column.name: _typed(column, numbers.get(column.name)) for column in table}
    texts = {c.name: c.spread(c.answers, object) for c in table if c.name in by_name}
    _note_words(table, by_name if missing is None else (), notes)
    _note_texts([column for column in table if column.name not in numbers], by_name, notes)
    return pd.DataFrame(frame), pd.DataFrame(texts, dtype=object)


def _typed(column, numbers):
    """Return a column as numbers, where these are given, as booleans or as texts."""
    import pandas as pd

    if numbers is None:
        answers = set(column.answers)
        if not answers or not answers <= set(_TRUTH):
            return pd.Series(column.spread(column.answers, object), dtype=object)
        truth = [_TRUTH[text] for text in column.answers]
        return pd.Series(column.spread(truth, object), dtype=object).astype("boolean")
    if isinstance(numbers[0], int):
        values = column.spread(numbers, np.int64 if column.is_complete else object)
        return pd.Series(values).astype("Int64")
    values = column.spread(numbers, float)
    values[np.isinf(values)] = np.nan  # 1e999
    return pd.Series(values)


def _read_numeric(columns, separator, decimal, notes):
    """Return the numbers of columns by their names, with the decimals that the file tells."""
    readings = {c.name: tuple(read_numbers(c.answers, d) for d in ".,") for c in columns}
    told = {"." if comma is None else "," for point, comma in readings.values()
            if point is None or comma is None}  # fmt: skip
    read, shown, doubtful = {}, [], []
    for column in columns:
        point, comma = readings[column.name]
        used = "." if comma is None else ","
        is_open = point is not None and comma is not None
        if is_open:
            usual = _usual_decimal(column.answers, separator)
            used = decimal or (told.copy().pop() if len(told) == 1 else usual)
            is_open = point != comma
        read[column.name] = comma if used == "," else point
        # Points are what Python writes, unless they may mean thousands and nothing tells.
        every = used == "," or (is_open and "." not in told)
        texts = column.answers if every else column.odd_answers
        example = next((text for text in texts if not is_plain(text) or "." in text), None)
        if example is not None:
            value = read_number(example, used)
            shown.append(f"{example!r} in {column.name!r} as {value:.15g}")
            doubtful += [column.name] * (is_open and decimal is None)
    if shown:
        notes.append(f"numbers are read so: {_some(shown)}.")
    if doubtful:
        notes.append(
            f"what separates decimals in {_some(map(repr, doubtful))} is not sure: give --decimal "
            "if it is read wrongly."
        )
    return read


def _usual_decimal(texts, separator):
    """Return what separates decimals in 1,234 or 1.234, where nothing else in the file tells."""
    # 950 beside 1,050: who writes three decimals or none at all means thousands.
    if any("," in text for text in texts):
        return "," if all("," in text for text in texts) and separator != "," else "."
    # A program that drops the decimals of 950 would write 1.05, not 1.050.
    some_have_none = not all("." in text for text in texts)
    ends_in_zero = any("." in text and text.endswith("0") for text in texts)
    return "," if some_have_none and ends_in_zero else "."


def _note_words(table, by_name, notes):
    taken, left = [], []
    for column in table:
        words = column.count_words(missing=True)
        taken += [f"{w!r} in {column.name!r} ({n_rows(n)})" for w, n in words.items()]
        if column.name in by_name:
            words = column.count_words(missing=False)
            left += [f"{w!r} in {column.name!r} ({n_rows(n)})" for w, n in words.items()]
    if taken:
        notes.append(f"taken for missing: {_some(taken)}.")
    if left:
        notes.append(f"taken for an answer: {_some(left)}; if it is missing, give --missing.")


def _note_texts(columns, by_name, notes):
    """Say what may be a slip of the pen: numbers that are none, spaces, upper and lower case."""
    for column in columns:
        answers = column.answers
        no_numbers = min(([t for t in answers if read_number(t, d) is None] for d in ".,"), key=len)
        if 0 < 2 * len(no_numbers) < len(answers):  # most are numbers
            notes.append(
                f"column {column.name!r} is text because of {_some(map(repr, no_numbers))}: its "
                "other values are numbers."
            )
        if len(no_numbers) == len(answers) and (example := unknown_unit(answers)):
            notes.append(
                f"column {column.name!r} is text, because the unit of {example!r} is not known: "
                "write the numbers alone to have them read."
            )
        if not no_numbers and mix_units(answers):
            notes.append(f"column {column.name!r} is text because it has several units.")
        if column.name in by_name and column.has_spaces():
            notes.append(f"spaces around the values of {column.name!r} make no difference.")
        by_case = {}
        for text in answers:
            by_case.setdefault(" ".join(text.split()).casefold(), []).append(text)
        alike = [" and ".join(map(repr, texts)) for texts in by_case.values() if len(texts) > 1]
        if alike:
            notes.append(
                f"values of {column.name!r} that differ by upper and lower case, or by spaces "
                f"within, are kept apart: {_some(alike)}."
            )


def _some(items):
    items = list(items)
    listed = items[:MOST_LISTED]
    rest = [f"{len(items) - len(listed)} more"] if len(items) > len(listed) else []
    return ", ".join(listed + rest)
