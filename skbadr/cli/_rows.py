"""From text to columns: the separator, the header, and rows that are longer or shorter than it."""

import csv
import io
import itertools
import re
from unicodedata import category, normalize

# Tried first; then whatever else stands in the header.
_SEPARATORS = ",;\t|"
# How cells that hold a separator are written, the usual way first; then what breaks its rules.
_QUOTINGS = (
    {"quotechar": '"', "strict": True},
    {"quotechar": '"', "escapechar": "\\", "strict": True},
    {"quotechar": "'", "strict": True},
    {"quotechar": '"'},
    {"quoting": csv.QUOTE_NONE},
)
# Rows in which the header is looked for, as titles may stand above it.
_MAX_TITLES = 30
# Characters of the file in which it is.
_MAX_HEADER = 1_000_000
# Stands before a cell that was quoted; from the private use area of Unicode.
QUOTED = "\ue000"


def split_rows(text, names, notes):
    """Split a text into named columns.

    The separator is the one under which the header has the columns that the user named. No
    property of the text alone could tell it as surely.

    Parameters
    ----------
    text : str
        What the file holds.
    names : list of set of str
        The header has all columns of at least one of these sets.
    notes : list of str
        Gets what the reader of the results should know.

    Returns
    -------
    columns : dict of str to sequence of str
        The cells of each column, `QUOTED` before those that were quoted. A cell that a short row
        lacks is empty.
    separator : str
        What separates the cells.

    Raises
    ------
    ValueError
        If there is no row, or one has more cells than the header.
    """
    if not text.strip():
        raise ValueError("it is empty.")
    limit = csv.field_size_limit(len(text))
    try:
        separator, names = _find_separator(text, names)
        rows, place = _parse_best(text, separator, names)
    finally:
        csv.field_size_limit(limit)
    header, body = _cells(rows[place]), [row for row in rows[place + 1 :] if any(row)]
    if place:
        notes.append(f"left out {n_rows(place)} above the header.")
    empty = len(rows) - place - 1 - len(body)
    if empty:
        notes.append(f"left out {n_rows(empty)} without a value.")
    kept = [row for row in body if row[0] != rows[place][0] or _cells(row) != header]
    if len(kept) < len(body):
        notes.append(f"left out {n_rows(len(body) - len(kept))} equal to the header.")
    header, kept = _fit_to_header(header, kept, place, notes)
    columns = zip(*kept, strict=True) if kept else [()] * len(header)
    return dict(zip(unique_names(header, notes), columns, strict=True)), separator


def _parse(text, separator, quoting):
    """Iterate over the rows that are not blank."""
    lines = io.StringIO(text, newline="")
    return filter(None, csv.reader(lines, delimiter=separator, skipinitialspace=True, **quoting))


def bare(cell):
    """Return a cell without its mark and what shows nothing around it, accents composed."""
    cell = cell.replace(QUOTED, "").strip()
    if cell.isascii() and cell.isprintable():
        return cell
    first, end = 0, len(cell)
    while first < end and _shows_nothing(cell[first]):
        first += 1
    while end > first and _shows_nothing(cell[end - 1]):
        end -= 1
    return normalize("NFC", cell[first:end])


def _shows_nothing(character):
    """Whether it is a space, or a control or format character such as a zero-width joiner."""
    return character.isspace() or category(character) in ("Cc", "Cf")


def _cells(row):
    return [cell.replace(QUOTED, "") for cell in row]


def _find_header(rows, names):
    """Return the place of the first of some rows that has the named columns, or None."""
    for place, row in enumerate(itertools.islice(rows, _MAX_TITLES)):
        cells = set(map(bare, row))
        if any(cells >= some for some in names):
            return place
    return None


def _find_separator(text, names):
    """Return the separator and those of the sets of names that a header has under it."""
    start = text[:_MAX_HEADER]
    lines = [line for line in start.splitlines() if line.strip()][:_MAX_TITLES]
    others = {char for line in lines for char in line if not char.isalnum()}
    separators = [*_SEPARATORS, *sorted(others - set(f"{_SEPARATORS}\"'_\\"))]
    # If one of the names is misspelled, the others still tell the separator.
    for wanted in (names, [{name} for name in set().union(*names)]):
        for separator, quoting in itertools.product(separators, _QUOTINGS):
            try:
                if _find_header(_parse(start, separator, quoting), wanted) is not None:
                    return separator, wanted
            except csv.Error:
                continue
    return max(_SEPARATORS, key=lines[0].count), names


def _parse_best(text, separator, names):
    """Return the rows by the quoting under which most have the header's length, and its place."""
    found = []
    for quoting in _QUOTINGS:
        try:
            rows = list(_parse(text, separator, quoting))
        except csv.Error as error:
            problem = error
            continue
        place = _find_header(rows, names)
        misfits = _count_misfits(rows, place or 0)
        found.append((place is None, misfits, -len(rows), len(found)))
        # A quote that is never closed makes one row of many: more rows are better.
        if min(found) == found[-1]:
            best, its_quoting = (rows, place or 0), quoting
        if found[-1][:2] == (False, 0) and (quoting.get("strict") or '"' not in text):
            break
    if not found:
        raise problem
    if its_quoting == _QUOTINGS[0] and '"' in text:
        marked = _mark_quoted(text, separator)
        best = list(_parse(marked, separator, {"quotechar": '"'})), best[1]
    return best


def _mark_quoted(text, separator):
    """Put `QUOTED` into each quoted cell: an unquoted NA is missing, a quoted one may be a text."""
    # An empty cell needs no mark, and two quotes in a row are one that belongs to the text.
    return re.sub(rf'(^|[\n\r{re.escape(separator)}]) *"(?!")', rf'\1"{QUOTED}', text)


def _count_misfits(rows, place):
    n_columns, body = len(rows[place]), rows[place + 1 :]
    if set(map(len, body)) == {n_columns}:
        return 0
    if _have_row_names(n_columns, body):
        return 0.5  # worse than a header that fits
    too_long = sum(any(map(bare, row[n_columns:])) for row in body)
    return too_long + sum(len(row) < n_columns for row in body)


def _have_row_names(n_columns, rows):
    """Whether the rows begin with names that have no header, all different, as R writes them."""
    if any(len(row) != n_columns + 1 for row in rows) or not any(bare(row[-1]) for row in rows):
        return False
    return len({row[0] for row in rows}) == len(rows)


def _fit_to_header(header, rows, place, notes):
    """Give every row the header's length, or refuse."""
    if bare(header[-1]) and set(map(len, rows)) == {len(header)}:
        return header, rows
    named = len(header)
    while named and not bare(header[named - 1]):
        named -= 1
    if not any(any(map(bare, row[named:])) for row in rows):
        # The lines end in separators.
        if any(len(row) > len(header) for row in rows):
            notes.append("rows end in a separator that the header lacks.")
        header, rows = header[:named], [row[:named] for row in rows]
    elif _have_row_names(len(header), rows):
        notes.append(
            f"left out the names of the rows, such as {bare(rows[0][0])!r}, which have no header."
        )
        rows = [row[1:] for row in rows]
    for number, row in enumerate(rows, start=place + 2):
        if any(map(bare, row[len(header) :])):
            raise ValueError(
                f"row {number} has {len(row)} cells, the header {len(header)}: a cell that holds "
                "the separator must be in quotes."
            )
    n_short = sum(len(row) < len(header) for row in rows)
    if n_short:
        notes.append(f"{n_rows(n_short)} shorter than the header: the rest is missing.")
    blank = [""] * len(header)
    return header, [row[: len(header)] + blank[len(row) :] for row in rows]


def unique_names(header, notes):
    """Return the names of columns without spaces around them, numbered where several share one.

    Parameters
    ----------
    header : list of str
    notes : list of str
        Says which columns were numbered.

    Returns
    -------
    list of str
    """
    names = [bare(cell) or f"Unnamed: {i}" for i, cell in enumerate(header)]
    taken = set(names)
    for name in list(dict.fromkeys(names)):
        places = [i for i, other in enumerate(names) if other == name]
        # The column that is called so to the letter keeps the name.
        for i in sorted(places, key=lambda i: header[i] != name)[1:]:
            names[i] = next(new for n in itertools.count(1) if (new := f"{name}.{n}") not in taken)
            taken.add(names[i])
            notes.append(f"{name!r} names several columns: number {i + 1} is {names[i]!r} here.")
    return names


def n_rows(number):
    """Return a number of rows in words."""
    return f"{number} row{'s' if number != 1 else ''}"
