"""The bilevel problem: what is minimised over the weights, and how a point is evaluated."""

from skbadr.problem.bilevel import BilevelProblem
from skbadr.problem.evaluator import Evaluator, make_folds
from skbadr.problem.objective import UpperObjective

__all__ = ["BilevelProblem", "Evaluator", "UpperObjective", "make_folds"]
