"""Confidence limits of a trained method on the test rows."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from skbadr._typing import Array
from skbadr.pareto.audit import audit

if TYPE_CHECKING:
    from skbadr.comparison._problem import Fitted, Problem
    from skbadr.pareto import AuditResult


def audit_method(
    problem: Problem, fitted: Fitted, X: Any, y: Array, groups: Array
) -> AuditResult | None:
    """Return the metric and the groups' rates on test rows, with confidence limits.

    Parameters
    ----------
    problem : Problem
        Metric and bound.
    fitted : Fitted
        The method.
    X, y, groups : array-like
        The test rows.

    Returns
    -------
    AuditResult or None
        None where the method has no output that the metric takes, or the metric has no value.
    """
    if problem.fairness.response_methods != ("predict",) and fitted.respond is None:
        return None
    kind = _Classifier if problem.is_classification else _Regressor
    baseline = None
    if problem.fairness.references and problem.baseline is not None:
        baseline = kind(problem, problem.baseline, groups)
    with warnings.catch_warnings():
        # What is undefined has been said with the scores.
        warnings.simplefilter("ignore")
        try:
            result = audit(
                kind(problem, fitted, groups),
                X,
                y,
                **problem.given(groups),
                metric=problem.fairness,
                intersectional=problem.intersectional,
                bound=problem.bound if problem.fairness.own_bound is None else None,
                baseline=baseline,
            )
        except ValueError:  # one group, or one class, is all that the test rows have
            return None
    return result if math.isfinite(result.value) else None


class _Audited(BaseEstimator):
    """A method, with the interface of a fitted model."""

    def __init__(self, problem, fitted, groups):
        self.problem, self.fitted, self.groups = problem, fitted, groups

    def predict(self, X):
        return self.problem.lend(self.fitted.predict, X, self.groups)

    def predict_proba(self, X):
        return self._respond(X, "predict_proba")

    def decision_function(self, X):
        return self._respond(X, "decision_function")

    def _respond(self, X, method):
        return self.problem.lend(self.fitted.respond, X, method, self.problem.task)


class _Classifier(ClassifierMixin, _Audited):
    @property
    def classes_(self):
        return np.unique(self.problem.y)


class _Regressor(RegressorMixin, _Audited):
    pass
