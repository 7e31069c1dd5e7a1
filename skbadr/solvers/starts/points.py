"""Starting points that use what cells mean."""

import itertools

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


def group_moves(cells, strength, member=None):
    """Raise the weight of one group at a time (or one cell, where cells have no groups).

    Parameters
    ----------
    cells : Cells
    strength : float
        Factor by which the group's weight grows before normalisation.
    member : ndarray of shape (K,) or None, default=None
        Which cells are raised together; None: those of a group.

    Returns
    -------
    weights : list of ndarray of shape (K,)
    """
    shares = cells.shares
    member = cells.group_of_cell if member is None else member
    member = np.arange(cells.n_cells) if member is None else member
    weights = []
    for group in np.unique(member):
        raised = np.where(member == group, strength * shares, shares)
        weights.append(raised / raised.sum())
    return weights


def named_points(problem, settings, *, edges=True):
    """Return the baseline, the initial and equal weights, and weights near the simplex's vertices.

    Parameters
    ----------
    problem : BilevelProblem
    settings : SmoothSettings
    edges : bool, default=True
        Whether to add the middles of the edges if cells are few.

    Returns
    -------
    weights : list of ndarray of shape (K,)
        Admissible and distinct; the baseline ones come first.
    """
    n_cells, shares, inside = problem.n_cells, problem.shares, settings.inside
    # A model of next to no rows is no starting point.
    large = np.flatnonzero(shares >= min(inside, shares.max()))
    order = large[np.argsort(-shares[large], kind="stable")]
    vertices = np.eye(n_cells)[order[: settings.most_vertices]]
    points = [shares, problem.initial, np.full(n_cells, 1.0 / n_cells)]
    points += list((1.0 - inside) * vertices + inside * shares)
    if edges and n_cells <= settings.few_cells:
        points += [0.5 * (one + other) for one, other in itertools.combinations(vertices, 2)]
    return distinct([problem.project(point) for point in points])


def distinct(points):
    """Return points without repetitions."""
    return [np.array(point) for point in dict.fromkeys(map(tuple, points))]
