"""Dask arrays in blocks of rows; Dask itself is imported by those who pass such arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def is_dask_array(X: Any) -> bool:
    """Whether X is a Dask array, without importing Dask."""
    return type(X).__module__.startswith("dask.array") and hasattr(X, "to_delayed")


def is_dask(values: Any) -> bool:
    """Whether values are a collection of Dask's: an array, a series or a data frame."""
    return type(values).__module__.partition(".")[0] == "dask" and hasattr(values, "to_delayed")


def collect(values: Any) -> Any:
    """Return values in memory; those that are no collection of Dask's as they are."""
    return values.compute() if is_dask(values) else values


def as_array(values: Any, name: str) -> Any:
    """Return a Dask array of known length of a collection of Dask's.

    Raises
    ------
    ValueError
        If its blocks have unknown lengths.
    """
    if hasattr(values, "to_dask_array"):
        values = values.to_dask_array(lengths=True)
    if np.isnan(values.shape[0]):
        raise ValueError(
            f"{name} has blocks of unknown length: call {name}.compute_chunk_sizes() before fit."
        )
    return values


def in_blocks(values: Any, lengths: tuple[int, ...], name: str) -> Any:
    """Return values as a Dask array with the blocks of X.

    Parameters
    ----------
    values : Dask collection or array-like of shape (n,) or (n, m)
    lengths : tuple of int
        Rows of each block of X.
    name : str
        Of the argument, for messages.

    Returns
    -------
    array : dask array of shape (n,) or (n, m)

    Raises
    ------
    ValueError
        If there is not one value (or row) per row of X.
    """
    import dask.array as da

    values = as_array(values, name) if is_dask(values) else np.asarray(values)
    if values.ndim not in (1, 2) or values.shape[0] != sum(lengths):
        raise ValueError(
            f"{name} has the shape {values.shape}, but X has {sum(lengths)} rows: give one value "
            "per row, in the order of X."
        )
    chunks: Any = (tuple(lengths), -1)[: values.ndim]
    if not is_dask_array(values):
        return da.from_array(values, chunks=chunks)
    return values.rechunk(chunks)


def blocks_of(array: Any) -> list[Any]:
    """Return the blocks of rows of a Dask array as a list of Delayed."""
    return list(array.to_delayed().ravel())


def tasks_of(
    function: Callable[..., Any], columns: tuple[Sequence[Any], ...], *shared: Any
) -> list[Any]:
    """Return a Delayed call of a function for each block.

    Parameters
    ----------
    function : callable
        Gets a block's item of each column, then what is shared.
    columns : tuple of lists
        With an item for each block.
    *shared : object
        Further arguments.

    Returns
    -------
    tasks : list of Delayed
    """
    import dask

    call = dask.delayed(function, pure=False)
    return [call(*own, *shared) for own in zip(*columns, strict=True)]


def run_on_blocks(
    function: Callable[..., Any], columns: tuple[Sequence[Any], ...], *shared: Any
) -> tuple[Any, ...]:
    """Return the results of `tasks_of`, computed where the blocks are."""
    import dask

    return dask.compute(*tasks_of(function, columns, *shared))


def keep_on_workers(tasks: Sequence[Any]) -> list[Any]:
    """Return tasks whose results stay where they are computed."""
    import dask

    return list(dask.persist(*tasks))
