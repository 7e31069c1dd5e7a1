"""The design matrix as a Dask array: blocks are summed where they are."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from skbadr._typing import Array, FloatArray, IntArray
from skbadr.distributed.collections import blocks_of, run_on_blocks
from skbadr.lower_level import Design, make_design


class DaskDesign(Design):
    """Rows of a Dask array, whose blocks stay on the workers.

    What travels are vectors of the length of the data, and sums of the size of the parameters: each
    product is one task per block of rows, and sums are returned block by block, then added here.

    Parameters
    ----------
    matrix : dask array of shape (n, d)
        In one block of columns; numbers, dense or sparse.
    """

    in_memory = False

    def __init__(self, matrix: Any) -> None:
        if matrix.numblocks[1] > 1:
            matrix = matrix.rechunk({1: -1})
        if matrix.dtype.kind != "f":
            matrix = matrix.astype(float)
        if np.isnan(matrix.shape[0]):
            raise ValueError(
                "X has blocks of unknown length: call X.compute_chunk_sizes() before fit."
            )
        super().__init__(matrix)
        self._parts = blocks_of(matrix)
        edges = np.cumsum((0, *matrix.chunks[0])).tolist()
        self._rows = [slice(*pair) for pair in itertools.pairwise(edges)]

    def forward(self, coef: Array) -> Array:  # noqa: D102
        parts = self._map("forward", [coef] * len(self._rows))
        return np.concatenate(parts).astype(self.dtype, copy=False)

    def backward(self, values: Array) -> FloatArray:  # noqa: D102
        return self._total("backward", self._cut(values))

    def squared_backward(self, values: Array) -> FloatArray:  # noqa: D102
        return self._total("squared_backward", self._cut(values))

    def gram(self, weight: FloatArray) -> FloatArray:  # noqa: D102
        return self._total("gram", self._cut(weight))

    def by_cell(self, values: Array, codes: IntArray, n_cells: int) -> FloatArray:  # noqa: D102
        counts = [n_cells] * len(self._rows)
        return self._total("by_cell", self._cut(values), self._cut(codes), counts)

    def take(self, rows: Any) -> Design:
        """Return the design matrix of some rows, which do travel."""
        rows = np.arange(self.shape[0])[rows]
        block = np.searchsorted([part.stop for part in self._rows], rows, side="right")
        wanted = [rows[block == i] - part.start for i, part in enumerate(self._rows)]
        parts = run_on_blocks(_take, (self._parts, wanted))
        position = np.argsort(np.argsort(block, kind="stable"), kind="stable")
        stacked = np.concatenate([part for part in parts if len(part)])
        return make_design(stacked[position])

    def _cut(self, values):
        return [values[rows] for rows in self._rows]

    def _total(self, method, *arguments):
        return sum(self._map(method, *arguments))

    def _map(self, method, *arguments):
        """Return what a method of each block's design returns, called where the block is."""
        return run_on_blocks(_call, (self._parts, [method] * len(self._rows), *arguments))


def _call(X, method, *arguments):
    return getattr(make_design(X), method)(*arguments)


def _take(X, rows):
    return X[rows]
