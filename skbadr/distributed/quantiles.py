"""Exact weighted quantiles of targets in blocks: the workers count, the last few rows are seen."""

import numpy as np

from skbadr.distributed.collections import run_on_blocks

# Parts into which an interval that holds a quantile is cut, and rows that workers send at most.
N_CUTS, SEEN_ROWS = 1_000, 20_000


def weighted_quantiles(targets, weights, n_bins, low, high):
    """Return the edges of weighted quantile bins, as `skbadr.partition.cells.target_bins` has them.

    Parameters
    ----------
    targets, weights : lists of Delayed
        One-dimensional blocks; a weight of None stands for ones.
    n_bins : int
    low, high : float
        The smallest and the largest target of positive weight.

    Returns
    -------
    edges : ndarray of shape (at most n_bins - 1,)
    """
    total = sum(run_on_blocks(_mass, (targets, weights)))
    # As in memory: a level that sums reach but for rounding is reached.
    levels = total * np.arange(1, n_bins) / n_bins * (1 - 1e-12)
    # Each quantile lies above its lower end and at or below its upper one.
    ends = np.tile([np.nextafter(low, -np.inf), high], (len(levels), 1))
    while True:
        cuts = np.array([np.linspace(*pair, N_CUTS + 1)[1:] for pair in ends])
        cuts[:, -1] = ends[:, 1]
        found = run_on_blocks(_below, (targets, weights), cuts)
        mass, rows = (sum(part) for part in zip(*found, strict=True))
        first = (mass < levels[:, None]).sum(axis=1).clip(max=N_CUTS - 1)
        some = np.arange(len(levels))
        lower = np.where(first > 0, cuts[some, first - 1], ends[:, 0])
        ends = np.column_stack([lower, cuts[some, first]])
        few = rows[some, first] - np.where(first > 0, rows[some, first - 1], 0) <= SEEN_ROWS
        if (few | (np.nextafter(lower, np.inf) >= ends[:, 1])).all():
            break
    edges = [
        _edge(targets, weights, pair, level, seen)
        for pair, level, seen in zip(ends, levels, few, strict=True)
    ]
    edges = np.unique(edges)
    return edges[edges < high]


def _edge(targets, weights, ends, level, few):
    """Return the smallest target within an interval at which a level is reached."""
    if not few:  # all of them are equal
        return ends[1]
    found = run_on_blocks(_within, (targets, weights), *ends)
    below = sum(mass for mass, _, _ in found)
    y, weight = (np.concatenate([part[i] for part in found]) for i in (1, 2))
    order = np.argsort(y, kind="stable")
    reached = np.searchsorted(below + np.cumsum(weight[order]), level, side="left")
    return y[order[min(reached, len(y) - 1)]]


def _mass(y, weight):
    return float(len(y) if weight is None else weight.sum())


def _below(y, weight, cuts):
    """Return, for each row of cuts, weight and number of the targets at or below each cut."""
    mass, rows = np.empty(cuts.shape), np.empty(cuts.shape)
    for i, own in enumerate(cuts):
        place = np.searchsorted(own, y, side="left")
        rows[i] = np.cumsum(np.bincount(place, minlength=len(own) + 1))[:-1]
        mass[i] = np.cumsum(np.bincount(place, weight, len(own) + 1))[:-1]
    return mass, rows


def _within(y, weight, low, high):
    """Return the weight at or below `low`, and targets and weights above it, up to `high`."""
    weight = np.ones(len(y)) if weight is None else weight
    inside = (y > low) & (y <= high)
    return float(weight[y <= low].sum()), y[inside].astype(float), weight[inside]
