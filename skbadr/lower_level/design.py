"""The design matrix as the lower level reads it: products that are sums over blocks of rows."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from scipy import linalg, sparse

from skbadr._rows import STEP_ROWS, steps
from skbadr._typing import Array, FloatArray, IntArray

# Bytes of X that one product reads: enough for BLAS, little beside the vectors of length n.
BLOCK = 1 << 24
# Bytes of X that stay in the processor's cache, for sums of products.
CACHED = 1 << 22
# Cells times outputs up to which sums by cell are a product of dense matrices.
DENSE_CELLS_TIMES_OUTPUTS = 16


def make_design(X: Any) -> Design:
    """Return the design matrix behind any form of training data that products can be taken of.

    Parameters
    ----------
    X : array-like, memmap, sparse matrix or Design of shape (n, d)
        Numbers; those that are not floats become double precision.

    Returns
    -------
    design : Design
    """
    if isinstance(X, Design):
        return X
    if sparse.issparse(X):
        X = X.tocsr()
        return SparseDesign(X if X.dtype.kind == "f" else X.astype(float))
    if X.dtype.kind == "f" and is_shared_map(X):
        return MappedDesign(X)
    X = np.asarray(X)
    return DenseDesign(X if X.dtype.kind == "f" else X.astype(float))


def release(X: Any) -> None:
    """Give the pages of a memory map back to the system, which can read them again.

    Nothing where X is anything else, or pages of a private map hold changes.
    """
    if is_shared_map(X) and hasattr(mmap, "MADV_DONTNEED"):
        X._mmap.madvise(mmap.MADV_DONTNEED)


def is_shared_map(X: Any) -> bool:
    """Whether X is a memory map of which nothing in memory differs from the file."""
    return isinstance(X, np.memmap) and X.mode in ("r", "r+") and X._mmap is not None  # type: ignore[attr-defined]


class Design:
    """A design matrix that is only ever read, block of rows by block of rows.

    Products are taken in the precision of X and summed over blocks in double precision, and
    nothing of the size of X is copied: X may be a memory map larger than memory.

    Parameters
    ----------
    matrix : ndarray or csr_matrix of shape (n, d), of floats

    Attributes
    ----------
    shape : tuple (n, d)
    dtype : numpy dtype
    is_sparse : bool
    in_memory : bool
        Whether the matrix is, so that some vectors with an entry per row are little beside it.
    """

    is_sparse = False
    in_memory = True

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix
        self.shape, self.dtype = matrix.shape, matrix.dtype

    def __len__(self):
        return self.shape[0]

    def take(self, rows: Array | slice) -> Design:
        """Return the design matrix of some rows, which are copied."""
        return type(self)(_take(self.matrix, rows))

    def forward(self, coef: Array) -> Array:
        """Return ``X coef`` in the precision of X.

        Parameters
        ----------
        coef : ndarray of shape (d, m)

        Returns
        -------
        product : ndarray of shape (n, m)
        """
        raise NotImplementedError

    def backward(self, values: Array) -> FloatArray:
        """Return ``X' values`` in double precision, of shape (d, m), for values of (n, m)."""
        return self._sum(lambda X, rows: X.T @ self._part(values, rows), values.shape[1:])

    def squared_backward(self, values: Array) -> FloatArray:
        """Return ``(X * X)' values`` in double precision, for values of shape (n, m)."""
        return self._sum(lambda X, rows: _square(X).T @ self._part(values, rows), values.shape[1:])

    def gram(self, weight: FloatArray) -> FloatArray:
        """Return ``X' diag(weight) X`` in double precision, of shape (d, d)."""
        return self._sum(
            lambda X, rows: _weighted_gram(X, self._part(weight, rows)), (self.shape[1],)
        )

    def by_cell(self, values: Array, codes: IntArray, n_cells: int) -> FloatArray:
        """Return the sums over each cell of the products of rows of X and values.

        One pass, at a cost that does not depend on the number of cells.

        Parameters
        ----------
        values : ndarray of shape (n, m)
        codes : ndarray of shape (n,), intp
            Cell of each row, in ``0..K-1``.
        n_cells : int

        Returns
        -------
        sums : ndarray of shape (K, d, m)
        """
        n_outputs, d = values.shape[1], self.shape[1]
        sums = np.zeros((n_cells * n_outputs, d))
        for block in self._blocks():
            X = self._block(block)
            # Of more rows at once, indicators would not stay in the cache.
            size = block.stop - block.start if self.is_sparse else STEP_ROWS
            for part in steps(block.stop - block.start, size):
                rows = slice(block.start + part.start, block.start + part.stop)
                indicator = self._indicator(self._part(values, rows), codes[rows], n_cells)
                product = indicator @ (X if self.is_sparse else X[part])
                sums += product.toarray() if sparse.issparse(product) else product
        return np.moveaxis(sums.reshape(n_cells, n_outputs, d), 1, 2)

    def _indicator(self, values, codes, n_cells):
        """Return the matrix, of shape (K m, rows), whose product with X is the sums by cell."""
        n, n_outputs = values.shape
        if n_cells * n_outputs <= DENSE_CELLS_TIMES_OUTPUTS and not self.is_sparse:
            dense = np.empty((n_cells, n_outputs, n), dtype=self.dtype)
            for k, own in enumerate(dense):
                np.multiply(values.T, codes == k, out=own)
            return dense.reshape(-1, n)
        rows = codes[:, None] * n_outputs + np.arange(n_outputs)
        pointers = np.arange(n + 1) * n_outputs
        shape = (n_cells * n_outputs, n)
        columns = sparse.csc_matrix((values.ravel(), rows.ravel(), pointers), shape=shape)
        # A product of sparse matrices would convert X to the format of the first.
        return columns.tocsr() if self.is_sparse else columns

    def _sum(self, product, trailing):
        """Return the sum of a product of each block, of shape (d, ...)."""
        total = np.zeros((self.shape[1], *trailing))
        for rows in self._blocks():
            total += product(self._block(rows), rows)
        return total

    def _part(self, values, rows):
        """Return some of the values in the precision of X, of which products are taken."""
        return values[rows].astype(self.dtype, copy=False)

    def _block(self, rows):
        return self.matrix[rows]

    def _blocks(self):
        """Yield slices that cover all rows."""
        n = self.shape[0]
        size = max(1, int(BLOCK // max(self._row_bytes(), 1)))
        for start in range(0, n, size):
            yield slice(start, min(start + size, n))

    def _row_bytes(self):
        """Return the mean number of bytes of a row of X."""
        raise NotImplementedError


class DenseDesign(Design):
    """Rows of an array, which may be a memory map."""

    def forward(self, coef: Array) -> Array:  # noqa: D102
        coef = coef.astype(self.dtype, copy=False)
        product = np.empty((self.shape[0], coef.shape[1]), dtype=self.dtype)
        for rows in self._blocks():
            np.matmul(self.matrix[rows], coef, out=product[rows])
        return product

    def _row_bytes(self):
        return self.shape[1] * self.dtype.itemsize


class MappedDesign(DenseDesign):
    """Rows of a memory map, of which no more than a block stays in memory."""

    in_memory = False

    def __init__(self, matrix: Any) -> None:
        super().__init__(np.asarray(matrix))
        self._whole = matrix

    def take(self, rows: Array | slice) -> Design:  # noqa: D102
        taken = _take(self.matrix, rows)
        release(self._whole)
        return DenseDesign(taken)

    def _blocks(self):
        for rows in super()._blocks():
            yield rows
            release(self._whole)


class SparseDesign(Design):
    """Rows of a matrix in compressed sparse row format."""

    is_sparse = True

    def forward(self, coef: Array) -> Array:  # noqa: D102
        return np.asarray(self.matrix @ coef.astype(self.dtype, copy=False))

    def backward(self, values: Array) -> FloatArray:  # noqa: D102
        # The transpose shares the arrays of X, which slices would copy.
        product = self.matrix.T @ values.astype(self.dtype, copy=False)
        return np.asarray(product).astype(float)

    def _block(self, rows):
        """Return some rows; their numbers are views, not copies."""
        X = self.matrix
        start, stop = X.indptr[rows.start], X.indptr[rows.stop]
        pointers = X.indptr[rows.start : rows.stop + 1] - start
        parts = (X.data[start:stop], X.indices[start:stop], pointers)
        return sparse.csr_matrix(parts, shape=(rows.stop - rows.start, X.shape[1]), copy=False)

    def _row_bytes(self):
        stored = self.matrix.data.itemsize + self.matrix.indices.itemsize
        return stored * self.matrix.nnz / max(self.shape[0], 1)


def _take(X, rows):
    # Of an array, four times as fast as by an index.
    return X[rows] if sparse.issparse(X) else X.take(rows, axis=0)


def _square(X):
    if sparse.issparse(X):
        return sparse.csr_matrix((np.square(X.data), X.indices, X.indptr), shape=X.shape)
    return np.square(X)


def _weighted_gram(X, weight):
    """Return ``X' diag(weight) X``, by half the work where no weight is negative."""
    if sparse.issparse(X):
        return (X.T @ sparse.diags_array(weight, format="csr") @ X).toarray()
    if weight.min(initial=0.0) < 0 or not X.flags.c_contiguous:
        return X.T @ (weight[:, None] * X)
    n, d = X.shape
    root = np.sqrt(weight)[:, None]
    size = max(1, CACHED // (d * X.itemsize))
    block = np.empty((min(size, n), d), dtype=X.dtype)
    syrk = linalg.get_blas_funcs("syrk", (block,))
    lower = np.zeros((d, d), dtype=X.dtype, order="F")
    for start in range(0, n, size):
        rows = slice(start, min(start + size, n))
        part = np.multiply(root[rows], X[rows], out=block[: rows.stop - start])
        lower = syrk(1.0, part.T, beta=1.0, c=lower, lower=1, overwrite_c=1)
    full = lower + lower.T
    full[np.arange(d), np.arange(d)] *= 0.5
    return full
