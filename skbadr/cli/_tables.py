"""Read the user's table: pick target, groups and features, and say what was changed."""

import difflib
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skbadr.comparison._groups import group_labels
from skbadr.partition.groups import MANY_VALUES

from ._errors import UsageError
from ._features import make_features
from ._numbers import FEW_NUMBERS, read_number
from ._reading import read_table
from ._rows import bare, n_rows

# Every class and every group has rates and weights of its own.
_MAX_LABELS = 100
_MIN_ROWS = 20
# Digits that say more than a number.
_CODE = r"0\d+"
# Pairs of labels whose greater one needs no explanation.
_ANSWERS = {("no", "yes"), ("n", "y"), ("false", "true")}


@dataclass
class Table:
    """Features, target and groups of a table; `notes` say what was done to get them.

    `positive` is the label that rates are of, None where there are more than two or none.
    `classes` are the labels of y = 0 and 1, where y holds these numbers in their stead. `columns`
    are the sensitive columns that `groups` cross, `control` the control columns.
    """

    X: Any
    y: np.ndarray
    groups: np.ndarray
    task: str
    numbers: list
    categories: list
    name: str
    notes: list = field(default_factory=list)
    positive: Any = None
    classes: list | None = None
    columns: np.ndarray | None = None
    control: np.ndarray | None = None


def load_demo():
    """Return the UCI Adult table, grouped by sex."""
    from skbadr.datasets import load_adult

    data, target = load_adult(return_X_y=True)
    groups = data["sex"].to_numpy(dtype=str)
    # Text as objects: what every version of the encoders understands.
    categories = data.columns[data.dtypes == "category"].tolist()
    return Table(
        X=data.astype(dict.fromkeys(categories, object)),
        y=target.to_numpy(),
        groups=groups,
        task="classification",
        numbers=[name for name in data.columns if name not in categories],
        categories=categories,
        name="UCI Adult: who earned more than 50,000 dollars in 1994, groups by sex",
        positive=1,
    )


def load_csv(
    path,
    target,
    sensitive,
    *,
    task="auto",
    pos_label=None,
    drop_sensitive=False,
    merge_groups=None,
    control=None,
    **reading,
):
    """Read a table and split it into features, target and groups.

    Parameters
    ----------
    path : str
        A text file with a header, maybe compressed, or a Parquet file.
    target : str
        Name of the column to predict.
    sensitive : str
        Name(s) of the columns that define the groups, separated by commas.
    task : {"auto", "classification", "regression"}, default="auto"
        What is predicted.
    pos_label : str, default=None
        The class whose rates are compared; None: the greater of two.
    drop_sensitive : bool, default=False
        Whether the features go without the sensitive columns.
    merge_groups : int, default=None
        Groups of fewer rows than this become one.
    control : str, default=None
        Name(s) of the columns within whose values groups are compared, separated by commas.
    **reading : dict
        The arguments `encoding`, `missing` and `decimal` of `read_table`.

    Returns
    -------
    Table
        The data, with notes on all that was changed.
    """
    notes = []
    parts = [bare(name) for name in sensitive.split(",") if name.strip()]
    names = [{bare(target), bare(sensitive)}, {bare(target), *parts}]
    frame, texts = read_table(str(path), names, notes, **reading)
    target = _find_column(frame, bare(target), path)
    sensitive = _find_sensitive(frame, bare(sensitive), parts, path)
    if target in sensitive:
        raise UsageError(f"column {target!r} cannot be the target and sensitive at once.")
    control = [_find_column(frame, bare(name), path) for name in (control or "").split(",") if name]
    for name in control:
        if name in (target, *sensitive):
            raise UsageError(f"column {name!r} cannot be both --control and target or sensitive.")
    frame, texts = _drop_incomplete(frame, texts, [target, *sensitive, *control], notes)
    if len(frame) < _MIN_ROWS:
        raise UsageError(f"{path} has {len(frame)} usable rows, at least {_MIN_ROWS} are needed.")

    y, task = _target(frame[target], task, notes)
    y, positive, classes = _choose_positive(y, task, pos_label, target, notes)
    columns = np.column_stack([_group_column(frame[c], texts.get(c), notes) for c in sensitive])
    groups = group_labels(columns)
    if merge_groups is not None:
        groups = _merge_small(groups, merge_groups, notes)
    _check_groups(groups, sensitive)
    drop = [target, *sensitive] if drop_sensitive else [target]
    X, numbers, categories = make_features(frame.drop(columns=drop), notes)
    if not numbers and not categories:
        raise UsageError(f"{path} has no column left to predict {target!r} from.")
    name = f"{os.path.basename(path)}: {target}, groups by {_listed(sensitive)}"
    strata = [_group_column(frame[c], texts.get(c), notes) for c in control]
    return Table(
        X,
        y,
        groups,
        task,
        numbers,
        categories,
        name,
        notes,
        positive,
        classes,
        columns,
        np.column_stack(strata) if strata else None,
    )


def _drop_incomplete(frame, texts, names, notes):
    """Return the rows that have target and groups, and say how many went and why."""
    complete = frame[names].notna().all(axis=1)
    if complete.all():
        return frame, texts
    missing = [(name, frame[name].isna().sum()) for name in names if frame[name].isna().any()]
    why = " or ".join(
        repr(name) + (f" ({n_rows(number)})" if len(missing) > 1 else "")
        for name, number in missing
    )
    notes.append(f"dropped {(~complete).sum()} of {len(frame)} rows where {why} is missing.")
    return tuple(each[complete.to_numpy()].reset_index(drop=True) for each in (frame, texts))


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


def _find_sensitive(frame, whole, parts, path):
    if whole in frame.columns:  # a name that has a comma in it
        return [whole]
    if not parts:
        raise UsageError("--sensitive needs the name of at least one column.")
    return list(dict.fromkeys(_find_column(frame, name, path) for name in parts))


def _target(column, task, notes):
    """Return the target as an array, and the task."""
    import pandas as pd

    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    n_distinct = column.nunique()
    if n_distinct < 2:
        raise UsageError(f"target {column.name!r} has only one value, there is nothing to predict.")
    is_whole = is_number and bool((column == column.round()).all())
    if task == "auto":
        is_classes = not is_number or (is_whole and n_distinct <= MANY_VALUES)
        task = "classification" if is_classes else "regression"
        if is_classes and is_number and n_distinct > 2:
            notes.append(
                f"target {column.name!r} is a whole number of {n_distinct} values, taken for as "
                "many classes; if it is a quantity, give --task regression."
            )
    if task == "regression":
        if not is_number:
            raise UsageError(f"target {column.name!r} is not a number, so it has no regression.")
        return column.to_numpy(dtype=float), task
    if n_distinct > min(len(column) / 4, _MAX_LABELS):
        raise UsageError(
            f"target {column.name!r} has {n_distinct} distinct values in {len(column)} rows: too "
            "many for classes" + (", try --task regression." if is_number else ".")
        )
    if is_number:
        return column.to_numpy(dtype=int if is_whole else str), task
    return column.astype(str).to_numpy(dtype=str), task


def _choose_positive(y, task, pos_label, target, notes):
    """Return y, the label whose rates are compared, and both labels if y is 0 and 1 for them.

    Metrics take the greater of two labels for the positive one.
    """
    labels = np.unique(y).tolist() if task == "classification" else []
    if pos_label is None:
        if len(labels) != 2:
            return y, None, None
        low, high = labels
        if isinstance(high, str) and (low.casefold(), high.casefold()) not in _ANSWERS:
            notes.append(
                f"{high!r} counts as positive, as the last by alphabet; to compare the rates of "
                f"{low!r} instead, give --pos-label {low!r}."
            )
        return y, high, None
    if len(labels) != 2:
        found = f"{len(labels)} classes" if labels else "no classes, as it is a quantity"
        raise UsageError(f"--pos-label needs a target of two classes, {target!r} has {found}.")
    chosen = [label for label in labels if _is_label(label, bare(pos_label))]
    if not chosen:
        raise UsageError(
            f"--pos-label {pos_label!r} is no value of {target!r}, which has {_listed(labels)}."
        )
    positive = chosen[0]
    if positive == labels[1]:
        return y, positive, None
    return (y == positive).astype(int), positive, [labels[1], positive]


def _is_label(label, text):
    if isinstance(label, str):
        return label == text
    return read_number(text, ".") == label


def _group_column(column, texts, notes):
    """Return the labels of one sensitive column; numbers carry the name of the column."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(column):
        return [f"{column.name}={value}" for value in column]
    if not pd.api.types.is_numeric_dtype(column):
        return column.astype(str).to_numpy(dtype=object)
    if texts is not None:
        if texts.str.fullmatch(_CODE).any():
            return [f"{column.name}={text}" for text in texts]
        _note_same_numbers(column, texts, notes)
    if column.nunique() > FEW_NUMBERS:
        middle = float(column.median())
        if not (column > middle).any():
            middle = float(column[column < middle].max())
        cut = f"{middle:.15g}"
        notes.append(f"sensitive {column.name!r} is cut in two at {cut}, its median.")
        low, high = f"{column.name}<={cut}", f"{column.name}>{cut}"
        return np.where(column <= middle, low, high).astype(object)
    return [f"{column.name}={_as_label(value)}" for value in column.tolist()]


def _note_same_numbers(column, texts, notes):
    """Say which texts, such as 1.1 and 1.10, are one group because they are one number."""
    distinct = column.groupby(texts).first()
    same = [group.index.tolist() for _, group in distinct.groupby(distinct) if len(group) > 1]
    if same:
        notes.append(f"{_listed(same[0])} are one group, as {column.name!r} is a number.")


def _as_label(number):
    """Return the shortest text that reads as this number, so that no two share one."""
    return str(int(number)) if number == int(number) else repr(number)


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
            f"{_listed(sensitive)} has only one group, {str(groups[0])!r}: fairness needs two or "
            "more."
        )
    if n_groups > _MAX_LABELS:
        raise UsageError(
            f"{_listed(sensitive)} has {n_groups} groups, more than {_MAX_LABELS}: merge the "
            "small ones with --merge-groups ROWS."
        )


def _listed(names, word="and"):
    names = [repr(name) for name in names]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
