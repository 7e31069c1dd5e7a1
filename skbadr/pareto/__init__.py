"""Fronts of models, and audits and certificates of single ones."""

from skbadr.pareto.audit import audit
from skbadr.pareto.audit_result import AuditResult
from skbadr.pareto.certificate import pareto_certificate
from skbadr.pareto.path import ParetoPath, pareto_path

__all__ = ["AuditResult", "audit", "ParetoPath", "pareto_certificate", "pareto_path"]
