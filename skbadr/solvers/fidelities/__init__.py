"""Coarser problems: samples of the rows, and combinations of the columns."""
