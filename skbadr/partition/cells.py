"""Cells: the parts of the sample that each carry one upper-level weight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from skbadr._guard import Guard
from skbadr._rows import sums_by
from skbadr._typing import Array, BoolArray, FloatArray, IntArray, Partition, PartitionName
from skbadr.partition.groups import Groups, check_sizes, make_groups

PARTITIONS = ("group", "group_target")


@dataclass(frozen=True)
class Cells:
    """A partition of the samples with the mass of each part.

    Attributes
    ----------
    codes : ndarray of shape (n,), intp
        Cell c(i) of each sample, in ``0..K-1``.
    labels : list of length K
        The group's label, or a tuple that ends in the class or the target bin.
    base_weight : ndarray of shape (n,)
        Base weight s_i of each sample.
    totals : ndarray of shape (K,)
        Sum of the base weights of each cell.
    group_of_cell, target_of_cell : ndarray of shape (K,) or None
        Codes of the group and of the class or target bin a cell belongs to, where the
        partition has that structure.
    """

    codes: IntArray
    labels: list[Any]
    base_weight: FloatArray
    totals: Array
    group_of_cell: IntArray | None = None
    target_of_cell: IntArray | None = None

    @property
    def n_cells(self) -> int:
        """Number of cells K."""
        return len(self.labels)

    @property
    def shares(self) -> FloatArray:
        """Share of each cell in the total base weight: the weights of the baseline estimator."""
        return self.totals / self.totals.sum()

    def sample_weight(self, cell_weights: FloatArray) -> FloatArray:
        """Return the sample weights that stand for weights on the simplex.

        ``W * lam_c(i) * s_i / S_c(i)`` with W the sum of all base weights and S_k that of cell
        k, computed as ``s_i * (lam_k / share_k)`` so that ``lam = shares`` gives s_i back bit
        for bit.

        Parameters
        ----------
        cell_weights : ndarray of shape (K,)

        Returns
        -------
        sample_weight : ndarray of shape (n,)

        References
        ----------
        Tanji, Vaiter and Laguel (2026), arXiv 2601.13448: the lower level with the loss of
        each group averaged over the group.
        """
        return self.base_weight * self.factors(cell_weights)[self.codes]

    def factors(self, cell_weights: FloatArray) -> FloatArray:
        """Return what the base weights of each cell are multiplied by, of shape (K,)."""
        return np.divide(
            cell_weights, self.shares, out=np.zeros(self.n_cells), where=self.totals > 0
        )

    def is_baseline(self, cell_weights: FloatArray) -> bool:
        """Whether these weights are the cells' shares, hence the baseline estimator."""
        return bool(np.array_equal(cell_weights, self.shares))

    def means(self, values: Array) -> FloatArray:
        """Return the weighted mean of values of the samples in each cell; NaN where it is empty."""
        weight = self.base_weight
        sums = sums_by(self.codes, self.n_cells, lambda rows: values[rows] * weight[rows])
        return np.divide(
            sums, self.totals, out=np.full(self.n_cells, np.nan), where=self.totals > 0
        )

    def take(self, rows: Array | slice) -> Cells:
        """Return the cells of a subset of the samples; a cell may become empty."""
        codes, base_weight = self.codes[rows], self.base_weight[rows]
        totals = np.bincount(codes, weights=base_weight, minlength=self.n_cells)
        return replace(self, codes=codes, base_weight=base_weight, totals=totals)

    @cached_property
    def n_seen(self) -> int:
        """Number of samples of positive weight."""
        return int(np.count_nonzero(self.base_weight > 0))

    @cached_property
    def by_cell(self) -> IntArray:
        """Samples of positive weight, cell by cell: every so many of them are a sample of all.

        Of shape (m,). Those of a cell are in a random order, always the same, as data may repeat
        themselves every so many rows.
        """
        rows = np.flatnonzero(self.base_weight > 0).astype(np.min_scalar_type(-len(self.codes)))
        np.random.default_rng(0).shuffle(rows)
        codes = self.codes.astype(np.min_scalar_type(self.n_cells))  # which sorts faster
        return rows[np.argsort(codes[rows], kind="stable")]


def make_cells(
    partition: Partition,
    y: Array,
    groups: Groups,
    base_weight: FloatArray,
    *,
    classes: Array | None = None,
    n_target_bins: int = 2,
) -> Cells:
    """Partition the samples.

    Parameters
    ----------
    partition : {"group", "group_target"} or callable
        "group": one cell per sensitive group; "group_target": one per group and class, or per
        group and quantile bin of y; a callable ``(y, groups) -> labels`` gets y and the group
        labels and returns one label per sample.
    y : ndarray of shape (n,)
        Class codes where `classes` is given, else real targets.
    groups : Groups
    base_weight : ndarray of shape (n,)
        Base weights s_i >= 0.
    classes : ndarray of shape (C,) or None, default=None
        Class labels; None for regression.
    n_target_bins : int, default=2
        Number of weighted quantile bins of y for regression.

    Returns
    -------
    cells : Cells
        Only the combinations that occur.

    Raises
    ------
    ValueError
        If the partition is unknown, leaves fewer than two cells, or has a cell whose samples
        all have weight zero.
    """
    if callable(partition):
        cells = _cells_from_callable(partition, y, groups, base_weight, classes)
    elif partition == "group":
        cells = _group_cells(groups, base_weight)
    elif partition == "group_target":
        if classes is None:
            targets, target_labels = target_bins(y, base_weight, n_target_bins)
        else:
            targets, target_labels = y, np.asarray(classes).tolist()
        cells = _group_target_cells(groups, targets, target_labels, base_weight)
    else:
        raise ValueError(
            f"partition must be one of {PARTITIONS} or a callable (y, groups) -> cell labels, "
            f"got {partition!r}."
        )
    return _checked(cells, partition)


def cells_of_pairs(
    partition: PartitionName,
    groups: Groups,
    target_labels: list[Any],
    weight: FloatArray,
    present: BoolArray,
) -> tuple[IntArray, Cells]:
    """Partition samples of which no more is known than how many share a group and a target.

    Parameters
    ----------
    partition : {"group", "group_target"}
    groups : Groups
        Of which labels and names count.
    target_labels : list
        Of classes or target bins.
    weight : ndarray of shape (n_groups, n_targets)
        Base weight of each pair.
    present : ndarray of shape (n_groups, n_targets), bool
        Which pairs occur.

    Returns
    -------
    cell_of : ndarray of shape (n_groups * n_targets,)
        Cell of each pair; -1 where it does not occur.
    cells : Cells
        Of one row for each pair that occurs.

    Raises
    ------
    ValueError
        As of `make_cells`.
    """
    pairs = np.flatnonzero(present)
    codes, targets = np.divmod(pairs, len(target_labels))
    groups = Groups(codes, groups.labels, groups.names)
    base_weight = weight.ravel()[pairs]
    if partition == "group":
        cells = _group_cells(groups, base_weight)
    else:
        cells = _group_target_cells(groups, targets, target_labels, base_weight)
    cell_of = np.full(present.size, -1, dtype=np.intp)
    cell_of[pairs] = cells.codes
    return cell_of, _checked(cells, partition)


def _checked(cells, partition):
    if cells.n_cells < 2:
        raise ValueError(
            f"partition={partition!r} leaves a single cell: at least two are needed for weights "
            "to have an effect."
        )
    empty = np.flatnonzero(cells.totals <= 0)
    if len(empty):
        raise ValueError(
            f"sample_weight is zero for every sample of the cell {cells.labels[empty[0]]!r}: every "
            "group (with partition='group_target' every class within a group) needs a positive "
            "weight, so drop its rows or give it one."
        )
    return cells


def target_bins(y: Array, base_weight: FloatArray, n_bins: int) -> tuple[IntArray, list[str]]:
    """Return the weighted quantile bin of each target, and the bins' labels.

    Equal targets always share a bin, so ties can leave fewer than `n_bins` bins. Targets of
    weight zero move no edge, and no bin holds them alone.
    """
    order = np.argsort(y, kind="stable")
    cumulative = np.cumsum(base_weight[order])
    levels = cumulative[-1] * np.arange(1, n_bins) / n_bins
    # The smallest y at which the weighted distribution function reaches the level.
    positions = np.searchsorted(cumulative, levels * (1 - 1e-12), side="left")
    edges = np.unique(y[order[positions]])
    edges = edges[edges < np.max(y, where=base_weight > 0, initial=-np.inf)]
    return np.searchsorted(edges, y, side="left"), bin_labels(edges)


def bin_labels(edges: FloatArray) -> list[str]:
    """Return the labels of the bins between some edges."""
    if len(edges) == 0:
        return ["all"]
    text = [f"{edge:.6g}" for edge in edges]
    if len(set(text)) < len(text):
        text = [repr(edge) for edge in edges.tolist()]
    labels = [f"<= {text[0]}"]
    labels += [f"({low}, {high}]" for low, high in zip(text[:-1], text[1:], strict=True)]
    return [*labels, f"> {text[-1]}"]


def _group_cells(groups, base_weight):
    n_groups = len(groups.labels)
    totals = np.bincount(groups.codes, weights=base_weight, minlength=n_groups)
    return Cells(groups.codes, groups.labels, base_weight, totals, np.arange(n_groups))


def _group_target_cells(groups, targets, target_labels, base_weight):
    n_targets = len(target_labels)
    pair = groups.codes * n_targets + targets
    present = np.flatnonzero(np.bincount(pair, minlength=len(groups.labels) * n_targets))
    table = np.zeros(len(groups.labels) * n_targets, dtype=np.intp)
    table[present] = np.arange(len(present))
    codes = table[pair]
    group_of_cell, target_of_cell = np.divmod(present, n_targets)
    labels = []
    for group, target in zip(group_of_cell, target_of_cell, strict=True):
        label = groups.labels[group]
        head = label if isinstance(label, tuple) else (label,)
        labels.append((*head, target_labels[target]))
    totals = np.bincount(codes, weights=base_weight, minlength=len(present))
    return Cells(codes, labels, base_weight, totals, group_of_cell, target_of_cell)


def _cells_from_callable(partition, y, groups, base_weight, classes):
    y_labels = y if classes is None else np.asarray(classes)[y]
    group_labels = np.empty(len(groups.labels), dtype=object)
    group_labels[:] = groups.labels
    cell_labels = Guard(partition).call(partition, y_labels, group_labels[groups.codes])
    if cell_labels is None or np.ndim(cell_labels) != 1 or len(cell_labels) != len(y):
        raise ValueError(
            f"the partition callable must return one cell label per sample ({len(y)}), got "
            f"{type(cell_labels).__name__} of shape {np.shape(cell_labels)}."
        )
    named = make_groups(cell_labels, argument="what the partition callable returned")
    check_sizes(np.bincount(named.codes), "the partition callable")
    totals = np.bincount(named.codes, weights=base_weight, minlength=len(named.labels))
    return Cells(named.codes, named.labels, base_weight, totals)


__all__ = ["PARTITIONS", "Cells", "Groups", "make_cells", "target_bins"]
