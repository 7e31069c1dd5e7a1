"""Starting points that use what cells mean."""

import numpy as np


def tilts(cells, factors, *, smallest=0.3):
    """Move each group's shares of targets toward the overall shares, and beyond.

    With ``p_(t|g)`` the share of target t (class or bin) in group g and ``p_t`` its overall
    share, cell (g, t) gets ``share_(g,t) * (p_t / p_(t|g)) ** f``, normalised: at f = 1 group and
    target are independent under the weights, beyond it they are over-corrected.

    Parameters
    ----------
    cells : Cells
        With a group and a target for each cell.
    factors : sequence of float
    smallest : float, default=0.3
        Where the groups' targets hardly differ, the move at f = 1 is lengthened to this log
        ratio, so that it can be told from none.

    Returns
    -------
    weights : list of ndarray of shape (K,)
        Empty where the cells have no targets, or independence already holds.

    References
    ----------
    Kamiran and Calders (2012), "Data preprocessing techniques for classification without
    discrimination", Knowledge and Information Systems 33 (the case f = 1).
    """
    if cells.target_of_cell is None:
        return []
    shares, group, target = cells.shares, cells.group_of_cell, cells.target_of_cell
    of_group = np.bincount(group, weights=shares)[group]
    of_target = np.bincount(target, weights=shares)[target]
    direction = np.log(of_group * of_target / shares)
    longest = np.abs(direction).max()
    if longest < 1e-9:
        return []
    direction *= max(1.0, smallest / longest)
    weights = []
    for factor in factors:
        tilted = shares * np.exp(factor * direction)
        weights.append(tilted / tilted.sum())
    return weights


def group_moves(cells, strength):
    """Raise the weight of one group at a time (or one cell, where cells have no groups).

    Parameters
    ----------
    cells : Cells
    strength : float
        Factor by which the group's weight grows before normalisation.

    Returns
    -------
    weights : list of ndarray of shape (K,)
    """
    shares = cells.shares
    member = cells.group_of_cell
    member = np.arange(cells.n_cells) if member is None else member
    weights = []
    for group in np.unique(member):
        raised = np.where(member == group, strength * shares, shares)
        weights.append(raised / raised.sum())
    return weights
