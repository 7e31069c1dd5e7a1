"""Lower level: the weighted training problem of the wrapped estimator."""

from skbadr.lower_level.base import LowerLevel
from skbadr.lower_level.design import (
    Design as Design,
)
from skbadr.lower_level.design import (
    is_shared_map as is_shared_map,
)
from skbadr.lower_level.design import (
    make_design as make_design,
)
from skbadr.lower_level.design import (
    release as release,
)
from skbadr.lower_level.families import (
    LinearFamily,
    known_estimators,
    register_family,
)
from skbadr.lower_level.families import (
    find_family as find_family,
)
from skbadr.lower_level.linear import LinearLowerLevel as LinearLowerLevel
from skbadr.lower_level.memory import RememberedLowerLevel as RememberedLowerLevel
from skbadr.lower_level.not_smooth import NotSmooth as NotSmooth
from skbadr.lower_level.not_smooth import smooth_border as smooth_border
from skbadr.lower_level.pipeline import PeeledEstimator as PeeledEstimator
from skbadr.lower_level.refit import RefitLowerLevel as RefitLowerLevel

# What else is imported above is for the other packages alone.
__all__ = ["LinearFamily", "LowerLevel", "known_estimators", "register_family"]
