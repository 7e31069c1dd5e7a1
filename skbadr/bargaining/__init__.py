"""Nash bargaining between the groups: the first stage of the two-stage method."""

from skbadr.bargaining.stages import Bargain, bargain_first
from skbadr.bargaining.weights import agreement, nash_direction, nash_weights

__all__ = ["Bargain", "agreement", "bargain_first", "nash_direction", "nash_weights"]
