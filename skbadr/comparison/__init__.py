"""Compare BADR with the baseline and with fairlearn's algorithms, on one split or many."""

from ._protocol import compare
from ._splits import compare_splits
from ._table import format_group_table, format_splits_table, format_table, format_verdicts
from ._words import format_headline

__all__ = [
    "compare",
    "compare_splits",
    "format_group_table",
    "format_headline",
    "format_splits_table",
    "format_table",
    "format_verdicts",
]
