"""Compare BADR with the plain estimator and with fairlearn's algorithms on one train/test split."""

from ._protocol import compare
from ._table import format_group_table, format_table

__all__ = ["compare", "format_group_table", "format_table"]
