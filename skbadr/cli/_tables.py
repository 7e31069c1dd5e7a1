"""Read the user's table: pick target, groups and features, and say what was changed."""

import difflib
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skbadr.comparison._groups import group_labels

from ._errors import UsageError

# A number with more distinct values than this is predicted by regression.
_MAX_CLASSES = 20
# From this many on, whole numbers that are taken for classes deserve a word, as they may be marks.
_MANY_NUMBERED_CLASSES = 5
# Every class has rates and weights of its own.
_MAX_TARGET_CLASSES = 100
# A sensitive number with more distinct values than this is cut in two.
_MAX_NUMERIC_GROUPS = 10
_MAX_GROUPS = 50
_MIN_ROWS = 20
# Texts that differ more often than this in a hundred rows are said to be many.
_MANY_TEXTS = 20
_ISO_DATE = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}"
_DOTTED_DATE = r"\d{1,2}\.\d{1,2}\.\d{4}"  # the day comes first wherever dots are written
_DECIMAL_COMMA = r"\s*[-+]?\d+(,\d+)?\s*"


@dataclass
class Table:
    """Features, target and groups of a table; `notes` say what was done to get them."""

    X: Any
    y: np.ndarray
    groups: np.ndarray
    task: str
    numbers: list
    categories: list
    name: str
    notes: list = field(default_factory=list)


def load_demo():
    """Return scikit-learn's diabetes data, the disease progression cut at its median."""
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    sex = data.data[:, data.feature_names.index("sex")]
    return Table(
        X=data.data,
        y=(data.target > np.median(data.target)).astype(int),
        groups=np.array([f"sex={value:.0f}" for value in sex]),
        task="classification",
        numbers=list(range(data.data.shape[1])),
        categories=[],
        name="diabetes data of scikit-learn: progression above its median, groups by sex",
    )


def load_csv(path, target, sensitive, *, task="auto", drop_sensitive=False, merge_groups=None):
    """Read a table and split it into features, target and groups.

    Parameters
    ----------
    path : str
        A .csv or .csv.gz file.
    target : str
        Name of the column to predict.
    sensitive : str
        Name(s) of the columns that define the groups, separated by commas.
    task : {"auto", "classification", "regression"}, default="auto"
        What is predicted.
    drop_sensitive : bool, default=False
        Whether the features go without the sensitive columns.
    merge_groups : int, default=None
        Groups of fewer rows than this become one.

    Returns
    -------
    Table
        The data, with notes on all that was changed.
    """
    frame = _read(path)
    target = _find_column(frame, target, path)
    sensitive = _find_sensitive(frame, sensitive, path)
    if target in sensitive:
        raise UsageError(f"column {target!r} cannot be the target and sensitive at once.")

    notes = []
    complete = frame[[target, *sensitive]].notna().all(axis=1)
    if not complete.all():
        named = [name for name in (target, *sensitive) if frame[name].isna().any()]
        notes.append(
            f"dropped {(~complete).sum()} of {len(frame)} rows where "
            f"{' or '.join(map(repr, named))} is missing."
        )
        frame = frame[complete].reset_index(drop=True)
    if len(frame) < _MIN_ROWS:
        raise UsageError(f"{path} has {len(frame)} usable rows, at least {_MIN_ROWS} are needed.")

    y, task = _target(frame[target], task, notes)
    groups = group_labels(np.column_stack([_group_column(frame[c], notes) for c in sensitive]))
    if merge_groups is not None:
        groups = _merge_small(groups, merge_groups, notes)
    _check_groups(groups, sensitive)
    drop = [target, *sensitive] if drop_sensitive else [target]
    X, numbers, categories = _features(frame.drop(columns=drop), notes)
    if not numbers and not categories:
        raise UsageError(f"{path} has no column left to predict {target!r} from.")
    name = f"{os.path.basename(path)}: {target}, groups by {_listed(sensitive)}"
    return Table(X, y, groups, task, numbers, categories, name, notes)


def _read(path):
    try:
        import pandas as pd
    except ImportError:
        raise UsageError("reading a table needs pandas: pip install pandas.") from None
    if not os.path.isfile(path):
        raise UsageError(f"there is no file {path!r}.")
    # "?" is how several public tables write a missing value.
    options = {"na_values": ["?"], "skipinitialspace": True}
    try:
        frame = pd.read_csv(path, low_memory=False, **options)
        if frame.shape[1] == 1:
            # One column is rather another separator: let the csv module guess it.
            frame = _with_decimal_points(pd.read_csv(path, sep=None, engine="python", **options))
    except (ValueError, OSError, EOFError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(f"{path!r} cannot be read as a table: {reason}") from None
    # Headers are often written with a space after the comma.
    frame.columns = [str(column).strip() for column in frame.columns]
    return frame


def _with_decimal_points(frame):
    """Read "3,5" as a number, where a comma does not separate columns."""
    import pandas as pd

    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column):
            continue
        text = column.dropna().astype(str)
        if len(text) and text.str.fullmatch(_DECIMAL_COMMA).all():
            frame[name] = pd.to_numeric(column.str.replace(",", ".", regex=False))
    return frame


def _find_column(frame, name, path):
    columns = list(frame.columns)
    if name in columns:
        return name
    by_lower = {column.lower(): column for column in columns}
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.5)
    hint = f"did you mean {_listed([by_lower[n] for n in near], 'or')}? " if near else ""
    shown = ", ".join(columns[:30]) + (", ..." if len(columns) > 30 else "")
    raise UsageError(
        f"{path} has no column {name!r}; {hint}{'Its' if hint else 'its'} columns are {shown}."
    )


def _find_sensitive(frame, names, path):
    if names in frame.columns:  # a name that has a comma in it
        return [names]
    names = [name.strip() for name in names.split(",") if name.strip()]
    if not names:
        raise UsageError("--sensitive needs the name of at least one column.")
    return list(dict.fromkeys(_find_column(frame, name, path) for name in names))


def _target(column, task, notes):
    """Return the target as an array, and the task."""
    import pandas as pd

    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    n_distinct = column.nunique()
    if n_distinct < 2:
        raise UsageError(f"target {column.name!r} has only one value, there is nothing to predict.")
    is_whole = is_number and bool((column == column.round()).all())
    if task == "auto":
        is_classes = not is_number or (is_whole and n_distinct <= _MAX_CLASSES)
        task = "classification" if is_classes else "regression"
        if is_classes and is_number and n_distinct >= _MANY_NUMBERED_CLASSES:
            notes.append(
                f"target {column.name!r} is a whole number of {n_distinct} values, taken for as "
                "many classes; if it is a quantity, give --task regression."
            )
    if task == "regression":
        if not is_number:
            raise UsageError(f"target {column.name!r} is not a number, so it has no regression.")
        return column.to_numpy(dtype=float), task
    if n_distinct > min(len(column) / 4, _MAX_TARGET_CLASSES):
        raise UsageError(
            f"target {column.name!r} has {n_distinct} distinct values in {len(column)} rows: too "
            "many for classes" + (", try --task regression." if is_number else ".")
        )
    if is_number:
        return column.to_numpy(dtype=int if is_whole else str), task
    return column.astype(str).to_numpy(dtype=str), task


def _group_column(column, notes):
    """Return the labels of one sensitive column; numbers carry the name of the column."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(column):
        return [f"{column.name}={value}" for value in column]
    if not pd.api.types.is_numeric_dtype(column):
        return column.astype(str).to_numpy(dtype=object)
    if column.nunique() > _MAX_NUMERIC_GROUPS:
        middle = column.median()
        if not (column > middle).any():
            middle = column[column < middle].max()
        notes.append(f"sensitive {column.name!r} is cut in two at {middle:g}, its median.")
        low, high = f"{column.name}<={middle:g}", f"{column.name}>{middle:g}"
        return np.where(column <= middle, low, high).astype(object)
    return [f"{column.name}={value:g}" for value in column]


def _merge_small(groups, n_rows, notes):
    """Give the groups of fewer than `n_rows` rows one label."""
    labels, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
    small = labels[counts < n_rows]
    if len(small) < 2:
        return groups
    notes.append(f"groups of fewer than {n_rows} rows are merged: {', '.join(small)}.")
    # Not simply "other", which the table may have already.
    return np.where(counts[codes] < n_rows, "(small groups)", groups)


def _check_groups(groups, sensitive):
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise UsageError(
            f"{_listed(sensitive)} has only one group, {groups[0]!r}: fairness needs two or more."
        )
    if n_groups > _MAX_GROUPS:
        raise UsageError(
            f"{_listed(sensitive)} has {n_groups} groups, more than {_MAX_GROUPS}: merge the "
            "small ones with --merge-groups ROWS."
        )


def _features(frame, notes):
    """Return the usable features and the names of those that are numbers and categories."""
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
            columns[name] = column.astype(float).replace([np.inf, -np.inf], np.nan)
            numbers.append(name)
        else:
            # Text as objects and NaN for missing: what every version of the encoders understands.
            text = column.astype(str).astype(object)
            columns[name] = text.where(column.notna(), np.nan)
            categories.append(name)
            if n_distinct > len(column) * _MANY_TEXTS / 100:
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


def _listed(names, word="and"):
    names = [repr(name) for name in names]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
