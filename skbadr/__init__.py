"""Fair Pareto-efficient models by bilevel optimisation of group weights, for scikit-learn."""

from skbadr.estimators import BADRClassifier, BADRRegressor

__version__ = "0.1.0"

__all__ = ["BADRClassifier", "BADRRegressor", "__version__"]
