"""What the arguments of a fit amount to: the data, the lower level and the bilevel problem."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning

from skbadr._warnings import warn_user
from skbadr.metrics import FairnessMetric
from skbadr.metrics.callables import take_rows
from skbadr.metrics.confidence.confident import ConfidentMetric
from skbadr.problem import (
    BilevelProblem,
    LeftOutEvaluator,
    Table,
    UpperObjective,
    left_out_level,
)
from skbadr.problem.evaluator import Fold
from skbadr.problem.reference import set_reference
from skbadr.solvers import UpperSolver


@dataclass
class Setup:
    """Checked arguments of a BADR estimator's fit.

    Attributes
    ----------
    owner : BADR estimator
        Whose parameters are used.
    estimator : estimator
        The wrapped one, its random states seeded.
    X : array-like
    table : Table
        All else that is known of the rows.
    partition : {"group", "group_target"} or callable
        By which the cells are made.
    metric : FairnessMetric
    loss : str
        Of which the cells' means are reported.
    scoring : callable or None
    score : CountedScore or None
    family : LinearFamily or None
        None where the lower level is not a known smooth one.
    solver : UpperSolver
    initial : ndarray of shape (K,)
    last_weights : ndarray of shape (K,) or None
        Of the last fit, where the search goes on from it.
    folds : list of (train rows, evaluation rows) or None
        None for an upper level on the training data.
    confidence : float or None
        With which the bound is to hold on new rows.
    spare_folds : callable
        Makes folds, where a confidence is asked for on the training data of a linear model and
        models without single rows cannot be told.
    seed : int
    fit_params : dict
    routing : bool
        Whether metadata routing is on.
    memory : joblib.Memory or None
        Where refits are kept.
    """

    owner: Any
    estimator: Any
    X: Any
    table: Table
    partition: Any
    metric: FairnessMetric
    loss: str
    scoring: Any
    score: Any
    family: Any
    solver: UpperSolver
    initial: np.ndarray
    last_weights: np.ndarray | None
    folds: list | None
    confidence: float | None
    spare_folds: Callable[[], list]
    seed: int
    fit_params: dict
    routing: bool
    memory: Any

    @property
    def cells(self):
        """Cells of all rows, or of a sample that stands for them."""
        return self.table.cells

    def lower_level(self, rows=None):
        """Return the lower level of some training rows, or of all."""
        kept = {} if self.memory is None else {"memory": self.memory}
        return self.table.lower_level(
            self.estimator,
            self.X,
            rows=rows,
            fit_params=self.fit_params,
            routing=self.routing,
            **kept,
        )

    def problem(self):
        """Return the bilevel problem.

        Warns
        -----
        UndefinedMetricWarning
            If the metric has no meaning for a group, naming it.
        """
        owner = self.owner
        evaluator = self.evaluator(self.folds, confidence=self.confidence)
        for sentence in self.metric.undefined(evaluator.evaluation_set):
            warn_user(sentence, UndefinedMetricWarning)
        problem = BilevelProblem(
            evaluator,
            UpperObjective(
                evaluator.metric, trade_off=owner.trade_off, bound=bound_of(owner, self.metric)
            ),
            self.cells,
            initial=self.initial,
            min_weight=owner.min_weight,
            tol=owner.tol,
            n_jobs=owner.n_jobs if self.table.has_jobs else None,
            seed=self.seed,
        )
        set_reference(problem)
        return problem

    def evaluator(self, folds, lower_level=None, *, confidence=None):
        """Return the evaluator on some folds, or on all training rows.

        Parameters
        ----------
        folds : list of (train rows, evaluation rows) or None
        lower_level : RefitLowerLevel or None, default=None
            Of all training rows, where there is one already.
        confidence : float or None, default=None
            With it the metric is its confidence limit, and training rows are judged by models
            without them.
        """
        X, data, cells = self.X, self.table.data, self.table.cells
        kind = self.table.evaluator
        if folds is None:
            parts = [Fold(lower_level or self.lower_level(), X)]
            if confidence is not None:
                level = left_out_level(parts[0], data, cells)
                if level is None:
                    self.folds = folds = self.spare_folds()
                else:
                    kind = partial(LeftOutEvaluator, level)
        if folds is not None:
            parts = [Fold(self.lower_level(train), X, test) for train, test in folds]
            rows = np.concatenate([test for _, test in folds])
            cells = cells.take(rows)
            features = take_rows(data.sensitive_features, rows)
            data = replace(data.take(rows), sensitive_features=features)
        metric = self.metric
        if confidence is not None:
            metric = ConfidentMetric(metric, confidence, data)
        return kind(
            parts,
            data,
            cells,
            metric=metric,
            loss=self.loss,
            scoring=self.scoring,
            score=self.score,
            family=self.family,
        )


def bound_of(model, metric):
    """Return the bound that holds: that of the metric where it brings one along, or None."""
    return model.bound if metric.own_bound is None else metric.own_bound


def seeded(estimator, seed):
    """Return a copy of an estimator in which the random states that are None have a seed.

    All refits then draw the same numbers, so that they differ by their weights alone.
    """
    copy = clone(estimator)
    parameters = {
        name: seed
        for name, value in copy.get_params(deep=True).items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    }
    copy.set_params(**parameters)
    return copy
