"""Sensitive groups, and the cells that carry the weights."""

from skbadr.partition.cells import (
    Cells as Cells,
)
from skbadr.partition.cells import (
    make_cells as make_cells,
)
from skbadr.partition.columns import select_columns as select_columns
from skbadr.partition.groups import (
    Groups,
)
from skbadr.partition.groups import (
    check_sizes as check_sizes,
)
from skbadr.partition.groups import (
    cross_with_control as cross_with_control,
)
from skbadr.partition.groups import (
    encode_labels as encode_labels,
)
from skbadr.partition.groups import (
    is_missing as is_missing,
)
from skbadr.partition.groups import (
    label_array as label_array,
)
from skbadr.partition.groups import (
    make_groups as make_groups,
)
from skbadr.partition.groups import (
    sort_labels as sort_labels,
)

# What else is imported above is for the other packages alone.
__all__ = ["Groups"]
