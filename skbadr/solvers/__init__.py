"""Upper-level solvers. A new one is one file here, its import, and one line in `SOLVERS`.

Other packages offer theirs by entry points of the group ``skbadr.solvers``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skbadr._plugins import load_plugin, plugin_names
from skbadr._typing import Int, SolverName
from skbadr.solvers.alternating import AlternatingSolver
from skbadr.solvers.base import UpperSolver
from skbadr.solvers.gd import GDSolver
from skbadr.solvers.implicit import ImplicitSolver
from skbadr.solvers.sgd import SGDSolver
from skbadr.solvers.smooth import SmoothSolver

if TYPE_CHECKING:
    from skbadr.metrics import FairnessMetric

SOLVERS: dict[str, type[UpperSolver]] = {
    "implicit": ImplicitSolver,
    "gd": GDSolver,
    "sgd": SGDSolver,
    "alternating": AlternatingSolver,
}


def get_solver(
    solver: SolverName | UpperSolver,
    max_iter: Int | None = None,
    *,
    obstacle: str | None = None,
    metric: FairnessMetric | None = None,
) -> UpperSolver:
    """Return the solver behind a name, or the solver object itself.

    Parameters
    ----------
    solver : str or UpperSolver
        "auto", a name, or an instance with its own options.
    max_iter : int or None, default=None
        Overrides the solver's own budget.
    obstacle : str or None, default=None
        Why solvers of smooth lower levels do not apply; None if they do.
    metric : FairnessMetric or None, default=None
        "auto" prefers refits for a user's function, which the implicit solver would call often.
        Single loops need a gradient of the metric or of a smooth stand-in.

    Returns
    -------
    solver : UpperSolver

    Raises
    ------
    ValueError
        If the name is unknown, listing the valid ones, or the solver does not apply.
    TypeError
        If it is neither a name nor an instance.
    """
    if isinstance(solver, str):
        if solver == "auto":
            solver = _automatic(obstacle, metric)
        kind = _solver_class(solver)
        if kind is None:
            raise ValueError(
                f"solver={solver!r} is not known; use one of {_names()} or an instance of a class "
                "of skbadr.solvers."
            )
        solver = kind(max_iter=max_iter)
    elif not isinstance(solver, UpperSolver):
        raise TypeError(
            f"solver must be a name of {_names()} or an instance of a class of "
            f"skbadr.solvers, got {solver!r}."
        )
    elif max_iter is not None:
        solver = solver.with_max_iter(max_iter)
    if isinstance(solver, SmoothSolver) and obstacle is not None:
        name = next((name for name, kind in SOLVERS.items() if type(solver) is kind), solver)
        raise ValueError(
            f"solver={name!r} does not apply: {obstacle}; use solver='alternating', which takes "
            "any estimator."
        )
    if isinstance(solver, GDSolver) and metric is not None and metric.surrogate() is None:
        name = "sgd" if isinstance(solver, SGDSolver) else "gd"
        raise ValueError(
            f"solver={name!r} does not apply: metric {metric.name!r} has no gradient and no smooth "
            "stand-in; use solver='implicit' or 'alternating', which take any metric."
        )
    return solver


def may_refit(solver: SolverName | UpperSolver) -> bool:
    """Return whether a solver refits the estimator at every step, or may choose to."""
    if not isinstance(solver, str):
        return isinstance(solver, UpperSolver) and solver.refits
    return solver == "auto" or (_solver_class(solver) or UpperSolver).refits


def _names():
    return ["auto", *SOLVERS, *(name for name in plugin_names("solvers") if name not in SOLVERS)]


def _solver_class(name) -> type[UpperSolver] | None:
    """Return the class behind a name, this package's or else another's; None if unknown."""
    kind = SOLVERS.get(name) or load_plugin("solvers", name)
    if kind is not None and not (isinstance(kind, type) and issubclass(kind, UpperSolver)):
        raise TypeError(
            f"entry point {name!r} of skbadr.solvers must be a subclass of "
            f"skbadr.solvers.UpperSolver, got {kind!r}."
        )
    return kind


def _automatic(obstacle, metric) -> SolverName:
    """Return the name of the solver for a problem."""
    slow = metric is not None and metric.slow
    return "alternating" if obstacle is not None or slow else "implicit"


__all__ = [
    "AlternatingSolver",
    "GDSolver",
    "ImplicitSolver",
    "SGDSolver",
    "UpperSolver",
    "get_solver",
]
