"""Guides: what theory says that refits will do at other weights, without refits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skbadr.guides._base import Guide
from skbadr.guides.classification import PosteriorGuide
from skbadr.guides.regression import DensityGuide

if TYPE_CHECKING:
    from skbadr.problem import BilevelProblem


def make_guide(problem: BilevelProblem) -> Guide:
    """Return the guide of a problem.

    Parameters
    ----------
    problem : BilevelProblem
        Whose evaluation rows and cells the guide is of.

    Returns
    -------
    guide : Guide
        It has learnt nothing yet: the baseline's evaluation comes first.
    """
    regression = problem.evaluator.evaluation_set.classes is None
    return DensityGuide(problem) if regression else PosteriorGuide(problem)


__all__ = ["DensityGuide", "Guide", "PosteriorGuide", "make_guide"]
