"""The bilevel problem: what is minimised over the weights, and how a point is evaluated."""

from skbadr.problem.bilevel import BilevelProblem
from skbadr.problem.evaluator import Evaluator, make_folds
from skbadr.problem.objective import UpperObjective
from skbadr.problem.smooth import SmoothProblem, implicit_obstacle, pareto_residual

__all__ = [
    "BilevelProblem",
    "Evaluator",
    "SmoothProblem",
    "UpperObjective",
    "implicit_obstacle",
    "make_folds",
    "pareto_residual",
]
