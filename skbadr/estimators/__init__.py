"""Estimators: what users fit."""

from skbadr.estimators.classifier import BADRClassifier
from skbadr.estimators.regressor import BADRRegressor

__all__ = ["BADRClassifier", "BADRRegressor"]
