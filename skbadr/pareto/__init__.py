"""Fronts of models, and certificates of single ones."""

from skbadr.pareto.certificate import pareto_certificate
from skbadr.pareto.path import ParetoPath, pareto_path

__all__ = ["ParetoPath", "pareto_certificate", "pareto_path"]
