"""From a file to a frame: uncompress, decode, split into cells, read these; Parquet as it is."""

import bz2
import codecs
import csv
import gzip
import lzma
import os
import zipfile

import numpy as np

from ._cells import read_cells
from ._errors import UsageError
from ._rows import bare, split_rows, unique_names

_OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_SPREADSHEETS = (".xlsx", ".xls", ".ods")
# What some programs write first. The marks of 32 bits begin as those of 16 bits do.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# One encoding for each script: those of one script differ by a few letters, too few to tell them
# apart in a table.
_RECOGNISED = [
    *("cp1252", "cp1251", "cp1253", "cp1255"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949", "utf_16_le", "utf_16_be"),
]


def read_table(path, names, notes, *, encoding=None, missing=None, decimal=None):
    """Read a file into columns of numbers, booleans and texts.

    Parameters
    ----------
    path : str
        A text file with a header, maybe compressed, or a Parquet file.
    names : list of set of str
        The header has all columns of at least one of these sets; they make groups or classes.
    notes : list of str
        Gets what the reader of the results should know.
    encoding : str, default=None
        Encoding of the text; None: recognised.
    missing : collection of str, default=None
        What stands for a missing value besides an empty cell; None: what the file tells.
    decimal : {".", ","}, default=None
        What separates decimals; None: what the numbers tell.

    Returns
    -------
    frame : DataFrame
        Columns of numbers, booleans, or objects for texts.
    texts : DataFrame
        The named columns as they are written, where the file is a text.
    """
    try:
        import pandas  # noqa: F401
    except ImportError:
        raise UsageError("reading a table needs pandas: pip install 'skbadr[cli]'.") from None
    if not os.path.isfile(path):
        raise UsageError(f"there is no file {path!r}.")
    try:
        if _extension(path) in (".parquet", ".pq"):
            frame = _read_parquet(path, notes)
            return frame, frame.iloc[:, :0]
        text = _decode(_read_bytes(path), path, encoding, notes)
        columns, separator = split_rows(text, names, notes)
    except (ValueError, OSError, EOFError, csv.Error, lzma.LZMAError, zipfile.BadZipFile) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(f"{path!r} cannot be read as a table: {reason}") from None
    by_name = set().union(*names)
    return read_cells(
        columns, separator, by_name=by_name, missing=missing, decimal=decimal, notes=notes
    )


def _extension(path):
    return os.path.splitext(path)[1].lower()


def _read_bytes(path):
    extension = _extension(path)
    if extension in _SPREADSHEETS:
        raise ValueError("it is a spreadsheet: save its sheet as CSV.")
    if extension == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if not name.endswith("/")]
            if len(members) != 1:
                raise ValueError(f"the archive holds {len(members)} files, not one.")
            return archive.read(members[0])
    with _OPENERS.get(extension, open)(path, "rb") as file:
        return file.read()


def _decode(data, path, encoding, notes):
    """Return the text by the encoding given, by the file's mark, or by what its bytes tell."""
    chosen = encoding or next((e for mark, e in _MARKS.items() if data.startswith(mark)), None)
    # UTF-16 without a mark may be valid UTF-8, but has a zero byte beside most letters.
    zeros = data[:1000].count(0)
    if chosen is None and (zeros > 100 or not _is_utf8(data)):
        chosen = _recognise(data, path)
        notes.append(
            f"{os.path.basename(path)} is not UTF-8, it is read as {chosen}: where letters look "
            "wrong, give --encoding."
        )
    try:
        return data.decode(chosen or "utf-8").removeprefix("\ufeff")
    except LookupError:
        raise UsageError(f"--encoding {encoding!r} is not known to Python.") from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path!r} is not written in {chosen}, as its byte {error.start} shows: give another "
            "--encoding."
        ) from None


def _is_utf8(data):
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _recognise(data, path):
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        raise UsageError(
            f"{path!r} is not UTF-8: give its --encoding, such as cp1252, or have it recognised: "
            "pip install 'skbadr[cli]'."
        ) from None
    best = from_bytes(data, cp_isolation=_RECOGNISED).best()
    return "cp1252" if best is None else best.encoding


def _read_parquet(path, notes):
    """Return a frame in which is missing what the file says is missing, and an empty text."""
    import pandas as pd

    try:
        frame = pd.read_parquet(path).reset_index(drop=True)
    except ImportError:
        raise UsageError("reading Parquet needs pyarrow: pip install pyarrow.") from None
    names = unique_names(list(map(str, frame.columns)), notes)
    return pd.DataFrame({name: _typed(frame.iloc[:, place]) for place, name in enumerate(names)})


def _typed(column):
    """Return a column of Parquet in one of the types that `read_cells` returns."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    kind = pd.api.types.infer_dtype(column.dropna())
    if kind == "boolean":
        return column.astype("boolean")
    if kind == "integer":
        return column.astype("UInt64" if column.max() > np.iinfo(np.int64).max else "Int64")
    if kind in ("floating", "decimal", "mixed-integer-float"):
        return column.astype(float)
    texts = [bare(str(value)) for value in column]
    missing = column.isna().to_numpy() | (np.array(texts, dtype=object) == "")
    return pd.Series(texts, dtype=object).mask(missing)
