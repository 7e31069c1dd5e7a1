"""Everything that knows Dask: rows, fits and evaluations where the blocks of X are.

`skbadr.estimators.inputs.table` alone imports it, and chooses between it and data in memory.
"""

__all__: list[str] = []  # nothing here is public
