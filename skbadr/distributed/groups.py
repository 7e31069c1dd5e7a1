"""Sensitive features as Dask arrays: coded on the workers, of which labels alone return."""

from __future__ import annotations

from typing import Any

import numpy as np

from skbadr.distributed.collections import (
    as_array,
    blocks_of,
    in_blocks,
    is_dask,
    keep_on_workers,
    run_on_blocks,
    tasks_of,
)
from skbadr.partition.groups import Groups, make_groups, sort_labels


def read_groups(features: Any, lengths: tuple[int, ...], argument: str) -> tuple[Groups, list[Any]]:
    """Code sensitive features where they are.

    Parameters
    ----------
    features : Dask collection or array-like of shape (n,) or (n, m)
    lengths : tuple of int
        Rows of each block of X.
    argument : str
        What the features were given by, for messages.

    Returns
    -------
    groups : Groups
        Labels and names; no code for any row.
    codes : list of Delayed or of ndarray
        Of each block.

    Raises
    ------
    ValueError
        As `make_groups`, or if there is not one value per row of X.
    """
    if not is_dask(features):
        groups = make_groups(features, argument=argument)
        if len(groups) != sum(lengths):
            raise ValueError(
                f"{argument} has {len(groups)} rows but X has {sum(lengths)}: give one per sample, "
                "in the order of X."
            )
        codes = np.split(groups.codes, np.cumsum(lengths)[:-1])
        return Groups(np.empty(0, dtype=np.intp), groups.labels, groups.names), codes
    names = getattr(features, "columns", None)
    blocks = blocks_of(in_blocks(as_array(features, argument), lengths, argument))
    found = keep_on_workers(tasks_of(_named, (blocks,), names, argument))
    known = run_on_blocks(_labels_of, (found,))
    labels = sort_labels({label for own, _ in known for label in own})
    place = {label: code for code, label in enumerate(labels)}
    tables = [np.array([place[label] for label in own], dtype=np.intp) for own, _ in known]
    groups = Groups(np.empty(0, dtype=np.intp), labels, known[0][1])
    return groups, tasks_of(_recoded, (found, tables))


def _named(features, names, argument):
    if names is not None:
        columns = features.T if features.ndim == 2 else [features]
        features = {str(name): column for name, column in zip(names, columns, strict=True)}
    return make_groups(features, argument=argument)


def _labels_of(groups):
    return groups.labels, groups.names


def _recoded(groups, table):
    return table[groups.codes]
