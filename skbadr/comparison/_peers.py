"""fairlearn's algorithms as lines of the comparison table, one class each.

fairlearn is imported inside the methods only: it is needed for a comparison, not for BADR.
"""

from __future__ import annotations

import inspect
import logging
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from sklearn.dummy import DummyClassifier

from ._problem import Fitted, Method

if TYPE_CHECKING:
    from skbadr.comparison._problem import Problem

# What fairlearn calls the metrics whose names start so: the moment of its reductions and the
# constraint of its ThresholdOptimizer.
_CONSTRAINTS = {
    "demographic_parity": ("DemographicParity", "demographic_parity"),
    "selection_rate": ("DemographicParity", "demographic_parity"),
    "equalized_odds": ("EqualizedOdds", "equalized_odds"),
    "equal_opportunity": ("TruePositiveRateParity", "true_positive_rate_parity"),
    "true_positive_rate": ("TruePositiveRateParity", "true_positive_rate_parity"),
    "false_negative_rate": ("TruePositiveRateParity", "false_negative_rate_parity"),
    "false_positive_rate": ("FalsePositiveRateParity", "false_positive_rate_parity"),
    "true_negative_rate": ("FalsePositiveRateParity", "true_negative_rate_parity"),
    "accuracy": ("ErrorRateParity", None),
    "zero_one_loss": ("ErrorRateParity", None),
}
# The moment is of the opposite rate: the same difference, another ratio.
_OPPOSITE = ("false_negative_rate", "true_negative_rate", "accuracy")


class _FairlearnPeer(Method):
    """Common part: the encoded rows, 0/1 labels and the constraint that goes with the metric."""

    def refusal(self, problem: Problem) -> str | None:
        if not problem.is_classification:
            return None
        if problem.labels is not None:
            return "for groups that are all compared with each other only."
        if len(np.unique(problem.y)) > 2:
            return "for binary targets only."
        if self._constraint_name(problem) is None:
            return f"no constraint for the metric {problem.metric_name!r}."
        return None

    def _constraint_name(self, problem):
        """Return the name of the moment, or None where there is none."""
        moment, _ = _constraint_names(problem)
        is_opposite = problem.metric_name.startswith(_OPPOSITE)
        return None if is_opposite and problem.fairness.greater_is_better else moment

    def fit(self, problem):
        transformers, X, estimator = problem.encode()
        classes, y = None, problem.y
        if problem.is_classification:
            classes, y = np.unique(problem.y, return_inverse=True)
        model = self._fit(problem, estimator, X, y)

        def predict(X, groups):
            encoded = X if transformers is None else transformers.transform(X)
            y_pred = np.asarray(self._predict(model, encoded, groups))
            return y_pred if classes is None else classes[y_pred.astype(int)]

        return Fitted(predict, model, self._count_refits(model))

    def _reduction_constraint(self, problem):
        from fairlearn import reductions

        if not problem.is_classification:
            loss = reductions.SquareLoss(problem.y.min(), problem.y.max())
            return reductions.BoundedGroupLoss(loss, upper_bound=problem.baseline_mse)
        moment = getattr(reductions, self._constraint_name(problem))
        if problem.bound is None:
            return moment()
        # fairlearn bounds each group against all rows, BADR's bound holds between groups.
        between = getattr(problem.fairness, "method", None) != "to_overall"
        if problem.fairness.greater_is_better:
            return moment(ratio_bound=math.sqrt(problem.bound) if between else problem.bound)
        return moment(difference_bound=problem.bound / 2 if between else problem.bound)

    def remark(self, problem: Problem) -> str | None:
        if problem.is_classification:
            return None
        return (
            f"fairlearn has no regression constraint for the metric {problem.metric_name!r}: "
            f"BoundedGroupLoss keeps each group's mean squared error below that of the baseline "
            f"estimator on all training rows ({problem.baseline_mse:.4g}) instead."
        )


class ExponentiatedGradientPeer(_FairlearnPeer):
    """The reduction of Agarwal et al. (2018): a randomised mixture of models."""

    key = "exponentiated_gradient"
    label = "ExponentiatedGradient"
    deterministic = False

    def _fit(self, problem, estimator, X, y):
        from fairlearn.reductions import ExponentiatedGradient

        model = ExponentiatedGradient(estimator, self._reduction_constraint(problem))
        return model.fit(X, y, sensitive_features=problem.groups)

    def _predict(self, model, X, groups):
        return model.predict(X, random_state=0)

    def _count_refits(self, model):
        return int(model.n_oracle_calls_ - model.n_oracle_calls_dummy_returned_)


class GridSearchPeer(_FairlearnPeer):
    """The grid of re-weighted models of the same reduction, one of which is kept."""

    key = "grid_search"
    label = "GridSearch"

    def _fit(self, problem, estimator, X, y):
        from fairlearn.reductions import GridSearch

        # Two values per direction of the grid, within what a user would wait for.
        size = int(np.clip(2 ** self._n_directions(problem), 10, 40))
        model = GridSearch(estimator, self._reduction_constraint(problem), grid_size=size)
        with _silence("fairlearn"):
            model.fit(X, y, sensitive_features=problem.groups)  # may return None
        return model

    @staticmethod
    def _n_directions(problem):
        per_group = 2 if problem.metric_name.startswith("equalized_odds") else 1
        return per_group * (len(np.unique(problem.groups)) - 1)

    def remark(self, problem: Problem) -> str | None:
        if self._n_directions(problem) > 4:
            return "fairlearn itself advises against GridSearch for this many groups."
        return None

    def _predict(self, model, X, groups):
        return model.predict(X)

    def _count_refits(self, model):
        return sum(not isinstance(model, DummyClassifier) for model in model.predictors_)


class ThresholdOptimizerPeer(_FairlearnPeer):
    """A threshold per group on the baseline model's scores (Hardt et al. 2016)."""

    key = "threshold_optimizer"
    label = "ThresholdOptimizer"
    deterministic = False

    def refusal(self, problem: Problem) -> str | None:
        if not problem.is_classification:
            return "for classification only."
        return super().refusal(problem)

    def _constraint_name(self, problem):
        return _constraint_names(problem)[1]

    def remark(self, problem: Problem) -> str | None:
        sentence = "it needs the sensitive feature at prediction, the other methods do not"
        if "tol" not in self._options(problem):
            sentence += "; it equalises the rates whatever the bound"
        return f"{sentence}."

    def _options(self, problem):
        from fairlearn.postprocessing import ThresholdOptimizer

        options = {"constraints": self._constraint_name(problem)}
        can_relax = "tol" in inspect.signature(ThresholdOptimizer).parameters
        is_difference = not problem.fairness.greater_is_better
        if can_relax and is_difference and options["constraints"] != "equalized_odds":
            options["tol"] = problem.bound
        return options

    def _fit(self, problem, estimator, X, y):
        from fairlearn.postprocessing import ThresholdOptimizer

        model = ThresholdOptimizer(estimator=estimator, **self._options(problem))
        return model.fit(X, y, sensitive_features=problem.groups)

    def _predict(self, model, X, groups):
        return model.predict(X, sensitive_features=groups, random_state=0)

    def _count_refits(self, model):
        return 1


def _constraint_names(problem):
    name = problem.metric_name
    if not name.endswith(("_group_min", "_group_max", "_variance")):
        for start, names in _CONSTRAINTS.items():
            if name.startswith(start):
                return names
    return None, None


PEERS = (ExponentiatedGradientPeer, GridSearchPeer, ThresholdOptimizerPeer)


@contextmanager
def _silence(logger_name):
    """Keep a library's log lines out of the table; what they say is said in a remark."""
    logger = logging.getLogger(logger_name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
