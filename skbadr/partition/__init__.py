"""Sensitive groups, and the cells that carry the weights."""

from skbadr.partition.cells import Cells, in_canonical_order, make_cells
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
from skbadr.partition.order import by_label, from_labels, settled, sorted_labels

__all__ = [
    "Cells",
    "DaskRows",
    "Groups",
    "by_label",
    "encode_labels",
    "from_labels",
    "in_canonical_order",
    "is_missing",
    "label_array",
    "make_cells",
    "make_groups",
    "read_groups",
    "read_rows",
    "select_columns",
    "settled",
    "sort_labels",
    "sorted_labels",
]
