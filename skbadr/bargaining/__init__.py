"""Nash bargaining between the groups: the first stage of the two-stage method."""

from skbadr.bargaining.weights import agreement, nash_direction, nash_weights

__all__ = ["agreement", "nash_direction", "nash_weights"]
