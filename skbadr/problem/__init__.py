"""The bilevel problem: what is minimised over the weights, and how a point is evaluated."""

from skbadr.problem.bilevel import BilevelProblem
from skbadr.problem.evaluator import Evaluator as Evaluator
from skbadr.problem.folds import make_folds as make_folds
from skbadr.problem.folds import takes_groups as takes_groups
from skbadr.problem.objective import UpperObjective
from skbadr.problem.smooth.left_out import LeftOutEvaluator as LeftOutEvaluator
from skbadr.problem.smooth.left_out import left_out_level as left_out_level
from skbadr.problem.smooth.obstacle import (
    implicit_obstacle as implicit_obstacle,
)
from skbadr.problem.smooth.obstacle import (
    pareto_residual as pareto_residual,
)
from skbadr.problem.smooth.problem import SmoothProblem as SmoothProblem
from skbadr.problem.table import Table as Table

# What else is imported above is for the other packages alone.
__all__ = ["BilevelProblem", "UpperObjective"]
