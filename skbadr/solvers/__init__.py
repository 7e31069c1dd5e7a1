"""Upper-level solvers. A new one is one file here and one line in `SOLVERS`."""

from skbadr.solvers.alternating import AlternatingSolver
from skbadr.solvers.base import UpperSolver

SOLVERS = {"alternating": AlternatingSolver}


def get_solver(solver, max_iter=None):
    """Return the solver behind a name, or the solver object itself.

    Parameters
    ----------
    solver : str or UpperSolver
        "auto", a name, or an instance with its own options.
    max_iter : int or None, default=None
        Overrides the solver's own budget where given.

    Returns
    -------
    solver : UpperSolver

    Raises
    ------
    ValueError
        If the name is unknown, listing the valid ones.
    TypeError
        If it is neither a name nor an instance.
    """
    if isinstance(solver, str):
        names = ["auto", *SOLVERS]
        if solver not in names:
            raise ValueError(
                f"solver={solver!r} is not known; use one of {names} or an instance of a class of "
                "skbadr.solvers."
            )
        kind = AlternatingSolver if solver == "auto" else SOLVERS[solver]
        return kind(max_iter=max_iter)
    if not isinstance(solver, UpperSolver):
        raise TypeError(
            f"solver must be a name of {['auto', *SOLVERS]} or an instance of a class of "
            f"skbadr.solvers, got {solver!r}."
        )
    return solver if max_iter is None else solver.with_max_iter(max_iter)


__all__ = ["SOLVERS", "AlternatingSolver", "UpperSolver", "get_solver"]
