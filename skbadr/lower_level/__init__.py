"""Lower level: the weighted training problem of the wrapped estimator."""

from skbadr.lower_level.base import LowerLevel
from skbadr.lower_level.pipeline import PeeledEstimator
from skbadr.lower_level.refit import RefitLowerLevel

__all__ = ["LowerLevel", "PeeledEstimator", "RefitLowerLevel"]
