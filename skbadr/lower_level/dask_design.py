"""The design matrix as a Dask array: blocks are summed where they are."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from skbadr._typing import Array, FloatArray, IntArray
from skbadr.lower_level.design import Design, make_design


class DaskDesign(Design):
    """Rows of a Dask array, whose blocks stay on the workers.

    What travels are vectors of the length of the data, and sums of the size of the parameters: each
    product is one task per block of rows, and sums are returned block by block, then added here.

    Parameters
    ----------
    matrix : dask array of shape (n, d)
        In one block of columns; numbers, dense or sparse.
    """

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
        self._parts = matrix.to_delayed()[:, 0]
        edges = np.cumsum((0, *matrix.chunks[0])).tolist()
        self._rows = [slice(*pair) for pair in itertools.pairwise(edges)]

    def forward(self, coef: Array) -> Array:  # noqa: D102
        parts = self._map(_forward, [(coef,)] * len(self._rows))
        return np.concatenate(parts).astype(self.dtype, copy=False)

    def backward(self, values: Array) -> FloatArray:  # noqa: D102
        return self._sum_of(_backward, [(values[rows],) for rows in self._rows])

    def squared_backward(self, values: Array) -> FloatArray:  # noqa: D102
        return self._sum_of(_squared_backward, [(values[rows],) for rows in self._rows])

    def gram(self, weight: FloatArray) -> FloatArray:  # noqa: D102
        return self._sum_of(_gram, [(weight[rows],) for rows in self._rows])

    def by_cell(self, values: Array, codes: IntArray, n_cells: int) -> FloatArray:  # noqa: D102
        arguments = [(values[rows], codes[rows], n_cells) for rows in self._rows]
        return self._sum_of(_by_cell, arguments)

    def take(self, rows: Any) -> Design:
        """Return the design matrix of some rows, which do travel."""
        rows = np.arange(self.shape[0])[rows]
        block = np.searchsorted([part.stop for part in self._rows], rows, side="right")
        wanted = [rows[block == i] - part.start for i, part in enumerate(self._rows)]
        parts = self._map(_take, [(own,) for own in wanted])
        position = np.argsort(np.argsort(block, kind="stable"), kind="stable")
        stacked = np.concatenate([part for part in parts if len(part)])
        return make_design(stacked[position])

    def _sum_of(self, function, arguments):
        return sum(self._map(function, arguments))

    def _map(self, function, arguments):
        """Return the results of a function of each block, computed where the block is."""
        import dask

        tasks = [
            dask.delayed(function, pure=False)(part, *own)
            for part, own in zip(self._parts, arguments, strict=True)
        ]
        return dask.compute(*tasks)


def _forward(X, coef):
    return make_design(X).forward(coef)


def _backward(X, values):
    return make_design(X).backward(values)


def _squared_backward(X, values):
    return make_design(X).squared_backward(values)


def _gram(X, weight):
    return make_design(X).gram(weight)


def _by_cell(X, values, codes, n_cells):
    return make_design(X).by_cell(values, codes, n_cells)


def _take(X, rows):
    return X[rows]
