"""Random samples of the rows, stratified by cell."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from skbadr._typing import Array, IntArray

if TYPE_CHECKING:
    from skbadr.partition import Cells
    from skbadr.problem.smooth.problem import SmoothProblem


class StratifiedSampler:
    """Draw rows so that every cell, and every group, is there each time.

    Half of a sample is shared out by size, the other half equally: small cells are seen more
    often than their share, for which their weights in the sample make up.

    Parameters
    ----------
    cells : Cells
        Rows of weight zero are never drawn.
    groups : ndarray of shape (n,) or None, default=None
        Group codes to stratify by as well, where cells are no parts of groups.
    """

    def __init__(self, cells: Cells, groups: Array | None = None) -> None:
        rows, codes = cells.by_cell, cells.codes
        if groups is not None and cells.group_of_cell is None:
            codes = codes * (int(groups.max()) + 1) + groups
        codes = codes.astype(np.min_scalar_type(int(codes.max())))[rows]  # which sorts faster
        counts = np.bincount(codes)
        self._order = rows[np.argsort(codes, kind="stable")]
        starts = np.cumsum(counts) - counts
        self._starts, self._counts = starts[counts > 0], counts[counts > 0]

    def draw(self, size: int, rng: np.random.Generator) -> IntArray:
        """Return about `size` distinct rows, at least one of every stratum.

        Parameters
        ----------
        size : int
            All rows are drawn where there are no more.
        rng : numpy.random.Generator

        Returns
        -------
        rows : ndarray of intp
        """
        counts = self._counts
        if size >= counts.sum():
            return self._order.astype(np.intp)
        wanted = 0.5 * size * (counts / counts.sum() + 1.0 / len(counts))
        wanted = np.minimum(np.ceil(wanted).astype(np.intp), counts)
        rows = []
        for start, count, some in zip(self._starts, counts, wanted, strict=True):
            # One row from each of as many equal stretches, so that they are distinct.
            edges = np.arange(some + 1) * count // some
            places = edges[:-1] + (rng.random(some) * np.diff(edges)).astype(np.intp)
            rows.append(self._order[start + places])
        return np.concatenate(rows).astype(np.intp)


class Minibatches:
    """Small problems that stand for a `SmoothProblem`, drawn at random.

    Parameters
    ----------
    smooth : SmoothProblem
    size : int
        Rows of each, about.
    seed : int
    """

    def __init__(self, smooth: SmoothProblem, size: int, seed: int) -> None:
        self.smooth, self.size = smooth, size
        self._rng = np.random.default_rng(seed)
        self._held_out = smooth.held_out[0] is not None
        evaluator = smooth.evaluator
        groups = None if self._held_out else smooth.data.groups.codes
        self._training = [StratifiedSampler(level.cells, groups) for level in smooth.levels]
        self._evaluated = []
        if self._held_out:
            counts = [X.shape[0] for X in smooth.held_out]
            stops = np.cumsum(counts)
            for start, stop in zip(stops - counts, stops, strict=True):
                cells = evaluator.cells.take(np.arange(start, stop))
                groups = smooth.data.groups.codes[start:stop]
                self._evaluated.append(StratifiedSampler(cells, groups))

    def resized(self, size: int) -> Minibatches:
        """Return the same of another size."""
        other = copy.copy(self)
        other.size = size
        return other

    def draw(self) -> SmoothProblem:
        """Return the next one."""
        share = max(1, self.size // len(self._training))
        rows = [sampler.draw(share, self._rng) for sampler in self._training]
        evaluated = None
        if self._held_out:
            evaluated = [sampler.draw(share, self._rng) for sampler in self._evaluated]
        return self.smooth.sample(rows, evaluated)
