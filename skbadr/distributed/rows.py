"""Targets, groups and weights as Dask arrays: coded and counted on the workers, never collected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skbadr._typing import Array, BoolArray, FloatArray, IntArray, PartitionName
from skbadr.distributed.collections import (
    blocks_of,
    in_blocks,
    keep_on_workers,
    run_on_blocks,
    tasks_of,
)
from skbadr.distributed.quantiles import SEEN_ROWS, weighted_quantiles
from skbadr.partition.cells import Cells, bin_labels, cells_of_pairs
from skbadr.partition.groups import Groups, encode_labels

# Distinct values in one block beyond which targets are no classes.
MOST_CLASSES = 5_000
# Rows of each group and target in a sample, where there are so many.
LEAST_ROWS = 200


@dataclass
class BlockRows:
    """Rows of one block, coded, on a worker; or rows of a sample, in memory.

    Attributes
    ----------
    y : ndarray of shape (m,)
        Class codes, or real targets.
    groups, targets : ndarray of shape (m,), intp
        Codes of the group, and of the class or target bin.
    weight : ndarray of shape (m,)
        Base weights.
    """

    y: Array
    groups: IntArray
    targets: IntArray
    weight: FloatArray

    def take(self, rows: Array | slice) -> BlockRows:
        """Return some of the rows."""
        return BlockRows(self.y[rows], self.groups[rows], self.targets[rows], self.weight[rows])


@dataclass
class DaskRows:
    """The rows of all blocks, and what is known of them as a whole.

    Attributes
    ----------
    y : dask array of shape (n,)
        Targets as the user knows them.
    lengths : tuple of int
        Rows of each block.
    parts : list of Delayed
        `BlockRows`, kept on the workers.
    groups : Groups
        Labels and names; no code for any row.
    classes : ndarray of shape (C,) or None
    n_targets : int
        Number of classes, or of target bins.
    totals : Totals
    cell_of : ndarray of shape (n_groups * n_targets,)
        Cell of each group and target; -1 where there is none.
    cells : Cells
        Of one row for each group and target that occur.
    """

    y: Any
    lengths: tuple[int, ...]
    parts: list[Any] = field(repr=False)
    groups: Groups
    classes: Array | None
    n_targets: int
    totals: Totals
    cell_of: IntArray
    cells: Cells

    def sample_weight(self, cell_weights: FloatArray) -> Any:
        """Return the sample weights that stand for weights on the simplex, as a Dask array.

        Parameters
        ----------
        cell_weights : ndarray of shape (K,)

        Returns
        -------
        sample_weight : dask array of shape (n,)
            See `Cells.sample_weight`.
        """
        import dask.array as da

        factor = self.cells.factors(cell_weights)[self.cell_of]
        tasks = tasks_of(_weighted, (self.parts,), factor, self.n_targets)
        arrays = [
            da.from_delayed(task, (length,), dtype=float)
            for task, length in zip(tasks, self.lengths, strict=True)
        ]
        return da.concatenate(arrays)

    def sample(self) -> tuple[list[IntArray], BlockRows]:
        """Return some thousand rows, of every group and target, that stand for all.

        Returns
        -------
        places : list of ndarray
            Rows of each block.
        rows : BlockRows
            Of all blocks, in their order; the weights of each group and target add up to those
            of all rows.
        """
        counts = self.totals.rows.ravel()
        wanted = np.maximum(SEEN_ROWS * counts / counts.sum(), LEAST_ROWS)
        share = np.minimum(wanted / np.maximum(counts, 1), 1.0)
        found = run_on_blocks(_sampled, (self.parts,), share, self.n_targets, self.classes is None)
        parts = [part for _, part in found]
        rows = BlockRows(
            *(np.concatenate([getattr(part, name) for part in parts])
              for name in ("y", "groups", "targets", "weight"))
        )  # fmt: skip
        pair = self._pair(rows)
        drawn = np.bincount(pair, rows.weight, len(share))
        totals = self.totals.weight.ravel()
        rows.weight *= np.divide(totals, drawn, out=np.zeros_like(drawn), where=drawn > 0)[pair]
        return [places for places, _ in found], rows

    def cells_of(self, rows: BlockRows) -> Cells:
        """Return the cells of a sample, which have the totals of all rows."""
        cells = self.cells
        return Cells(
            self.cell_of[self._pair(rows)], cells.labels, rows.weight, cells.totals,
            cells.group_of_cell, cells.target_of_cell,
        )  # fmt: skip

    def _pair(self, rows):
        return rows.groups * self.n_targets + rows.targets


@dataclass
class Totals:
    """Sums over rows.

    Attributes
    ----------
    weight, rows : ndarray of shape (n_groups, n_targets)
        Base weight, and number of rows of positive weight, of each group and target.
    present : ndarray of shape (n_groups, n_targets), bool
        Whether there is any row.
    squares : ndarray of shape (n_groups,)
        Sum of the squared base weights of each group.
    variance : float
        Of real targets, weighted; NaN for classes.
    """

    weight: FloatArray
    rows: FloatArray
    present: BoolArray
    squares: FloatArray
    variance: float


def read_rows(
    y: Any,
    groups: Groups,
    codes: list[Any],
    sample_weight: Any,
    *,
    lengths: tuple[int, ...],
    partition: PartitionName,
    n_target_bins: int,
    encode_classes: Callable[..., Any] | None,
) -> DaskRows:
    """Code targets, groups and weights where they are.

    Parameters
    ----------
    y : Dask collection or array-like of shape (n,)
    groups, codes
        As `read_groups` returns them.
    sample_weight : Dask collection or array-like of shape (n,), or None
    lengths : tuple of int
        Rows of each block of X.
    partition : {"group", "group_target"}
    n_target_bins : int
    encode_classes : callable or None
        Gets the distinct targets and returns the classes; None for regression.

    Returns
    -------
    rows : DaskRows

    Raises
    ------
    ValueError
        For targets or weights that are none, and for whatever `make_cells` and `encode_classes`
        refuse.
    """
    y = _column(y, lengths, "y")
    targets = blocks_of(y)
    weights = [None] * len(lengths)
    if sample_weight is not None:
        weights = blocks_of(_column(sample_weight, lengths, "sample_weight"))
        if not any(run_on_blocks(_checked_weight, (weights,))):
            raise ValueError("sample_weight must not be zero for every sample.")
    classes, edges = None, np.empty(0)
    if encode_classes is not None:
        distinct = run_on_blocks(_distinct, (targets,))
        classes = encode_classes(np.unique(np.concatenate(distinct)))
        target_labels = classes.tolist()
    else:
        low, high = _range_of(y, targets, weights)
        if partition == "group_target":
            edges = weighted_quantiles(targets, weights, n_target_bins, low, high)
        target_labels = bin_labels(edges)
    columns = targets, codes, weights
    parts = keep_on_workers(tasks_of(_coded, columns, classes, edges))
    totals = _totals(parts, (len(groups.labels), len(target_labels)), classes is None)
    cell_of, cells = cells_of_pairs(partition, groups, target_labels, totals.weight, totals.present)
    return DaskRows(y, lengths, parts, groups, classes, len(target_labels), totals, cell_of, cells)


def _column(values, lengths, name):
    """Return values of shape (n,), in the blocks of X."""
    array = in_blocks(values, lengths, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} must have the shape (n,), got {array.shape}.")
    return array


def _checked_weight(weight):
    """Return whether any weight is positive."""
    if not np.isfinite(weight).all():
        raise ValueError("sample_weight has values that are not finite: drop these rows.")
    if (weight < 0).any():
        raise ValueError(
            f"sample_weight has {int((weight < 0).sum())} negative values in one block: weights "
            "must be >= 0."
        )
    return bool((weight > 0).any())


def _distinct(y):
    labels = encode_labels(y)[1]
    if len(labels) > MOST_CLASSES and y.dtype.kind != "f":
        raise ValueError(
            f"y has more than {MOST_CLASSES} distinct values in one block: are these classes?"
        )
    # Of real numbers, some are enough to see that they are no classes.
    return np.array(labels[:MOST_CLASSES], dtype=y.dtype)


def _range_of(y, targets, weights):
    """Return the smallest and the largest target of positive weight."""
    if y.dtype.kind not in "biuf":
        raise ValueError(f"y must be numeric for a regressor, got dtype {y.dtype}.")
    found = np.array(run_on_blocks(_finite_range, (targets, weights)))
    return found[:, 0].min(), found[:, 1].max()


def _finite_range(y, weight):
    if not np.isfinite(y).all():
        raise ValueError(f"y has {int((~np.isfinite(y)).sum())} values that are not finite.")
    y = y if weight is None else y[weight > 0]
    return np.min(y, initial=np.inf), np.max(y, initial=-np.inf)


def _coded(y, codes, weight, classes, edges):
    weight = np.ones(len(y)) if weight is None else weight.astype(float)
    if classes is None:
        y = y.astype(float)
        return BlockRows(y, codes, np.searchsorted(edges, y, side="left"), weight)
    y = np.searchsorted(classes, y)
    return BlockRows(y, codes, y, weight)


def _totals(parts, shape, real):
    sums = [sum(column) for column in zip(*run_on_blocks(_sums, (parts,), shape), strict=True)]
    weight, rows, present, squares, moment = sums
    variance = np.nan
    if real:
        mean = moment / weight.sum()
        variance = sum(run_on_blocks(_spread, (parts,), mean)) / weight.sum()
    return Totals(weight, rows, present > 0, squares, variance)


def _sums(rows, shape):
    pair = rows.groups * shape[1] + rows.targets
    size = shape[0] * shape[1]
    tables = [
        np.bincount(pair, values, size).reshape(shape)
        for values in (rows.weight, rows.weight > 0, None)
    ]
    squares = np.bincount(rows.groups, rows.weight**2, shape[0])
    return *tables, squares, float(rows.weight @ rows.y)


def _spread(rows, mean):
    return float(rows.weight @ np.square(rows.y - mean))


def _weighted(rows, factor, n_targets):
    return rows.weight * factor[rows.groups * n_targets + rows.targets]


def _sampled(rows, share, n_targets, real):
    """Return the places of evenly spaced rows of each group and target, and the rows."""
    positive = np.flatnonzero(rows.weight > 0)
    pair = (rows.groups * n_targets + rows.targets)[positive]
    order = np.argsort(pair, kind="stable")
    counts = np.bincount(pair, minlength=len(share))
    chosen = [np.empty(0, dtype=np.intp)]
    for members, own in zip(np.split(order, np.cumsum(counts)[:-1]), share, strict=True):
        size = int(np.ceil(own * len(members)))
        chosen.append(members[np.linspace(0, len(members) - 1, size).round().astype(np.intp)])
    places = positive[np.concatenate(chosen)]
    if real and len(positive):  # what losses refuse, they refuse of the extremes
        y = rows.y[positive]
        places = np.append(places, positive[[y.argmin(), y.argmax()]])
    places = np.unique(places)
    return places, rows.take(places)
