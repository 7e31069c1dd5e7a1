"""A search that goes on from the weights of the last fit."""

import numpy as np

from skbadr._warnings import warn_user


def last_weights(model, cells):
    """Return the weights of a model's last fit, or None where there is none for these cells.

    Parameters
    ----------
    model : BADR estimator
    cells : Cells
        Of the data it is to be fitted on.

    Returns
    -------
    weights : ndarray of shape (K,) or None

    Warns
    -----
    UserWarning
        If the cells are others than those of the last fit.
    """
    if not model.warm_start or not hasattr(model, "cell_weights_"):
        return None
    known = model.cells_.tolist()
    if cells.labels == known:
        return np.array(model.cell_weights_)
    warn_user(
        f"warm_start=True, but these data have the cells {_few(cells.labels)}, and the last fit "
        f"had {_few(known)}: the search starts from init as if it were the first."
    )
    return None


def solve_from(problem, solver, weights):
    """Search from some weights; what is found is no worse than the model there.

    Parameters
    ----------
    problem : BilevelProblem
    solver : UpperSolver
    weights : ndarray of shape (K,)

    Returns
    -------
    archive : Archive
    """
    problem.initial = weights
    archive = solver.solve(problem)
    visited = [e.cell_weights for e in archive.evaluations]
    budget = solver.budget(problem)
    if (
        archive.interrupted
        or any(np.allclose(weights, other, rtol=1e-4, atol=1e-9) for other in visited)
        or (budget is not None and len(visited) >= budget)
    ):
        return archive
    (last,) = problem.evaluate([(problem.project(weights), "last_fit")], archive.n_iter + 1)
    archive.add(last)
    if problem.monitor is not None:
        problem.monitor(last, archive)
    return archive


def _few(labels):
    named = [repr(label) for label in labels[:8]]
    return "[" + ", ".join(named) + (", ..." if len(labels) > 8 else "") + "]"
