"""Fair Pareto-efficient models by bilevel optimisation of group weights, for scikit-learn."""

from skbadr._show_versions import show_versions
from skbadr.estimators import BADRClassifier, BADRRegressor
from skbadr.pareto import AuditResult, ParetoPath, audit, pareto_certificate, pareto_path
from skbadr.plotting import ConvergenceDisplay, GroupLossesDisplay, ParetoFrontDisplay
from skbadr.report import Report

__version__ = "0.1.0"

__all__ = [
    "AuditResult",
    "BADRClassifier",
    "BADRRegressor",
    "ConvergenceDisplay",
    "GroupLossesDisplay",
    "ParetoFrontDisplay",
    "ParetoPath",
    "Report",
    "audit",
    "pareto_certificate",
    "pareto_path",
    "show_versions",
]
