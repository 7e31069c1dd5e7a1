"""Real tables for the benchmarks, read from a folder of CSV files that the user has."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

# name -> (target, sensitive column, task)
TABLES = {
    "adult": ("income", "sex", "classification"),
    "compas": ("two_year_recid", "sex", "classification"),
    "german": ("good_credit", "sex", "classification"),
    "law_school": ("pass_bar", "race", "classification"),
    "parkinsons": ("total_UPDRS", "sex", "regression"),
    "student_math": ("G3", "sex", "regression"),
}


class Table(NamedTuple):
    """Features, target and groups, ready for a linear model."""

    name: str
    X: np.ndarray
    y: np.ndarray
    group: np.ndarray
    task: str


def read_table(folder, name):
    """Return ``name.csv`` or ``name.csv.gz`` of a folder as a data frame."""
    for path in (Path(folder) / f"{name}.csv", Path(folder) / f"{name}.csv.gz"):
        if path.exists():
            return pd.read_csv(path)
    raise FileNotFoundError(f"neither {name}.csv nor {name}.csv.gz is in {folder}")


def encode(frame, target, *, drop_first=False, ddof=0):
    """Return one-hot encoded, standardised features; columns without variation are left out."""
    X = pd.get_dummies(frame.drop(columns=target), drop_first=drop_first).astype(float)
    X = X.loc[:, X.std() > 0]
    return ((X - X.mean()) / X.std(ddof=ddof)).to_numpy()


def load_table(
    folder, name, *, target=None, sensitive=None, largest=None, task=None, drop_sensitive=False
):
    """Return a `Table`.

    Several sensitive columns are crossed; `largest` keeps the rows of that many values of the
    first of them. With `drop_sensitive` they are no features.
    """
    known_target, known_sensitive, known_task = TABLES[name]
    target, columns = target or known_target, sensitive or known_sensitive
    columns = [columns] if isinstance(columns, str) else list(columns)
    frame = read_table(folder, name)
    if largest is not None:
        kept = frame[columns[0]].value_counts().index[:largest]
        frame = frame[frame[columns[0]].isin(kept)].reset_index(drop=True)
    group = frame[columns].astype(str).agg(" ".join, axis=1).to_numpy()
    y = frame[target].to_numpy(float)
    task = task or known_task
    if task == "classification":
        y = y.astype(int)
    dropped = [target, *columns] if drop_sensitive else target
    return Table(name, encode(frame, dropped), y, group, task)
