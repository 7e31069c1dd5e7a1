"""Columns as features: numbers, dates in days, and texts as categories."""

import numpy as np

# A one-hot column per rare category would cost more than it tells.
MAX_CATEGORIES = 50
_ISO_DATE = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}"
_DOTTED_DATE = r"\d{1,2}\.\d{1,2}\.\d{4}"  # the day comes first wherever dots are written


def make_features(frame, notes):
    """Choose and convert the columns that a model can learn from.

    Parameters
    ----------
    frame : DataFrame
        Columns of numbers, booleans and texts.
    notes : list of str
        Gets what was done to the columns.

    Returns
    -------
    X : DataFrame
        Floats, and texts as objects; NaN where missing.
    numbers, categories : list of str
        The columns of each kind.
    """
    import pandas as pd

    columns, numbers, categories, useless = {}, [], [], []
    for name in frame.columns:
        column = frame[name]
        n_distinct = column.nunique()
        is_number = pd.api.types.is_numeric_dtype(column)
        if not is_number:
            dates = _as_dates(column)
            if dates is not None:
                column, is_number = dates, True
                notes.append(f"column {name!r} is read as dates, in days.")
        all_distinct = n_distinct == len(column)
        is_key = all_distinct and (not is_number or _looks_like_key(column))
        if n_distinct < 2 or is_key:
            useless.append(f"{name!r} ({'one value' if n_distinct < 2 else 'all distinct'})")
        elif is_number:
            number = column.astype("Float64") if column.dtype == "boolean" else column
            columns[name] = number.astype(float).replace([np.inf, -np.inf], np.nan)
            numbers.append(name)
        else:
            # Text as objects and NaN for missing: what every version of the encoders understands.
            text = column.astype(str).astype(object)
            columns[name] = text.where(column.notna(), np.nan)
            categories.append(name)
            if n_distinct > MAX_CATEGORIES:
                notes.append(
                    f"column {name!r} has {n_distinct} different texts in {len(column)} rows: the "
                    "rare ones count as one category. Leave it out if they mean nothing."
                )
    if useless:
        notes.append(f"left out columns that tell nothing: {', '.join(useless)}.")
    return pd.DataFrame(columns), numbers, categories


def _looks_like_key(column):
    """Tell a row number or identifier from a quantity, by its name and whole values."""
    name = str(column.name).lower()
    is_named_so = name in ("id", "index", "key") or name.endswith("_id")
    return (is_named_so or name.startswith("unnamed")) and bool((column == column.round()).all())


def _as_dates(column):
    """Return a column of dates (2024-01-31 or 31.1.2024) as days, or None if it is not one."""
    import pandas as pd

    text = column.dropna().astype(str)
    dotted = bool(text.str.match(_DOTTED_DATE).all())
    if text.empty or not (dotted or text.str.match(_ISO_DATE).all()):
        return None
    dates = pd.to_datetime(column, errors="coerce", utc=True, format="mixed", dayfirst=dotted)
    if dates.notna().sum() < len(text):
        return None
    return (dates - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)
