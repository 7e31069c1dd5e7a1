"""Fair Pareto-efficient models by bilevel optimisation of group weights, for scikit-learn."""

from skbadr.estimators import BADRClassifier, BADRRegressor
from skbadr.pareto import ParetoPath, pareto_certificate, pareto_path

__version__ = "0.1.0"

__all__ = [
    "BADRClassifier",
    "BADRRegressor",
    "ParetoPath",
    "__version__",
    "pareto_certificate",
    "pareto_path",
]
