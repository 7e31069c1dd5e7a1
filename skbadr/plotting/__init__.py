"""Pictures of fronts, searches and comparisons; matplotlib is optional."""

from skbadr.plotting.comparison import plot_comparison
from skbadr.plotting.convergence import ConvergenceDisplay
from skbadr.plotting.front import ParetoFrontDisplay
from skbadr.plotting.group_losses import GroupLossesDisplay

__all__ = ["ConvergenceDisplay", "GroupLossesDisplay", "ParetoFrontDisplay", "plot_comparison"]
