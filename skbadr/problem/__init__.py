"""The bilevel problem: what is minimised over the weights, and how a point is evaluated."""

from skbadr.problem.bilevel import BilevelProblem
from skbadr.problem.dask_evaluator import DaskEvaluator, DaskSample, draw_sample
from skbadr.problem.evaluator import Evaluator
from skbadr.problem.folds import make_folds
from skbadr.problem.objective import UpperObjective
from skbadr.problem.smooth import SmoothProblem, implicit_obstacle, pareto_residual

__all__ = [
    "BilevelProblem",
    "DaskEvaluator",
    "DaskSample",
    "Evaluator",
    "SmoothProblem",
    "UpperObjective",
    "draw_sample",
    "implicit_obstacle",
    "make_folds",
    "pareto_residual",
]
