"""Sensitive groups, and the cells that carry the weights."""

from skbadr.partition.cells import Cells, make_cells
from skbadr.partition.columns import select_columns
from skbadr.partition.dask_groups import read_groups
from skbadr.partition.dask_rows import DaskRows, read_rows
from skbadr.partition.groups import (
    Groups,
    encode_labels,
    is_missing,
    label_array,
    make_groups,
    sort_labels,
)

__all__ = [
    "Cells",
    "DaskRows",
    "Groups",
    "encode_labels",
    "is_missing",
    "label_array",
    "make_cells",
    "make_groups",
    "read_groups",
    "read_rows",
    "select_columns",
    "sort_labels",
]
