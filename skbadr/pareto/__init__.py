"""Fronts of models, and certificates of single ones."""

from skbadr.pareto.path import ParetoPath, pareto_path

__all__ = ["ParetoPath", "pareto_path"]
