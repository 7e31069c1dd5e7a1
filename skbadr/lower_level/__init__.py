"""Lower level: the weighted training problem of the wrapped estimator."""

from skbadr.lower_level.base import LowerLevel
from skbadr.lower_level.dask_fit import is_solved_on_blocks, respond_on_blocks
from skbadr.lower_level.dask_refit import DaskRefitLowerLevel
from skbadr.lower_level.design import Design, is_shared_map, make_design, release
from skbadr.lower_level.families import (
    LinearFamily,
    find_family,
    known_estimators,
    register_family,
)
from skbadr.lower_level.linear import LinearLowerLevel
from skbadr.lower_level.memory import RememberedLowerLevel
from skbadr.lower_level.pipeline import PeeledEstimator
from skbadr.lower_level.refit import RefitLowerLevel

__all__ = [
    "DaskRefitLowerLevel",
    "Design",
    "LinearFamily",
    "LinearLowerLevel",
    "LowerLevel",
    "PeeledEstimator",
    "RefitLowerLevel",
    "RememberedLowerLevel",
    "find_family",
    "is_shared_map",
    "is_solved_on_blocks",
    "known_estimators",
    "make_design",
    "register_family",
    "release",
    "respond_on_blocks",
]
