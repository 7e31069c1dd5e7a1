"""Directions in which a search moves the weights of many cells: blocks that move as one."""

import numpy as np

# Cells from which they move in blocks, and how many of these: moves at random along more directions
# find no better ones, and each direction costs.
MANY_MOVED, MOST_MOVED = 64, 24


def directions_of(smooth, states):
    """Return the blocks of cells that move together, or None where each moves by itself.

    Cells of one target whose mean scores are near each other form a block: what a metric wants of
    cells depends on their targets and on what is predicted for them.

    Parameters
    ----------
    smooth : SmoothProblem
    states : list of LinearState

    Returns
    -------
    directions : ndarray of shape (K, D) or None
        Indicators.
    """
    cells = smooth.evaluator.cells
    if cells.n_cells < MANY_MOVED:
        return None
    level = np.nan_to_num(cells.means(smooth.scores(states)[:, -1]))
    target = cells.target_of_cell
    if target is None:
        target = np.zeros(cells.n_cells, dtype=np.intp)
    targets, counts = np.unique(target, return_counts=True)
    n_blocks = max(1, MOST_MOVED // len(targets))
    order, block = np.lexsort((level, target)), np.empty(cells.n_cells, dtype=np.intp)
    block[order] = np.concatenate(
        [number * n_blocks + np.arange(count) * min(n_blocks, count) // count
         for number, count in enumerate(counts)]
    )  # fmt: skip
    block = np.unique(block, return_inverse=True)[1]
    return (block[:, None] == np.arange(block.max() + 1)).astype(float)
