"""What the arguments of a fit amount to: the data, the lower level and the bilevel problem."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from skbadr._warnings import warn_user
from skbadr.lower_level import RefitLowerLevel, RememberedLowerLevel
from skbadr.metrics import EvaluationSet, FairnessMetric
from skbadr.metrics.callables import take_rows
from skbadr.partition import Cells
from skbadr.problem import BilevelProblem, Evaluator, UpperObjective
from skbadr.problem.evaluator import Fold
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
    y : ndarray of shape (n,)
        Targets as the user knows them.
    data : EvaluationSet
        Of all rows.
    cells : Cells
        Of all rows.
    metric : FairnessMetric
    loss : str
        Of which the cells' means are reported.
    scoring : callable or None
    family : LinearFamily or None
        None where the lower level is not a known smooth one.
    solver : UpperSolver
    initial : ndarray of shape (K,)
    last_weights : ndarray of shape (K,) or None
        Of the last fit, where the search goes on from it.
    folds : list of (train rows, evaluation rows) or None
        None for an upper level on the training data.
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
    y: np.ndarray
    data: EvaluationSet
    cells: Cells
    metric: FairnessMetric
    loss: str
    scoring: Any
    family: Any
    solver: UpperSolver
    initial: np.ndarray
    last_weights: np.ndarray | None
    folds: list | None
    seed: int
    fit_params: dict
    routing: bool
    memory: Any

    def lower_level(self, rows=None):
        """Return the lower level of some training rows, or of all."""
        kind, options = RefitLowerLevel, {}
        if self.memory is not None:
            kind, options = RememberedLowerLevel, {"memory": self.memory}
        return kind(
            self.estimator,
            self.X,
            self.y,
            self.cells,
            weighted=self.data.sample_weight is not None,
            fit_params=self.fit_params,
            rows=rows,
            routing=self.routing,
            **options,
        )

    def problem(self):
        """Return the bilevel problem.

        Warns
        -----
        UndefinedMetricWarning
            If the metric has no meaning for a group, naming it.
        """
        evaluator, owner = self.evaluator(self.folds), self.owner
        for sentence in self.metric.undefined(evaluator.evaluation_set):
            warn_user(sentence, UndefinedMetricWarning)
        return BilevelProblem(
            evaluator,
            UpperObjective(self.metric, trade_off=owner.trade_off, bound=owner.bound),
            self.cells,
            initial=self.initial,
            min_weight=owner.min_weight,
            tol=owner.tol,
            n_jobs=owner.n_jobs,
            seed=self.seed,
        )

    def evaluator(self, folds, lower_level=None):
        """Return the evaluator on some folds, or on all training rows.

        Parameters
        ----------
        folds : list of (train rows, evaluation rows) or None
        lower_level : RefitLowerLevel or None, default=None
            Of all training rows, where there is one already.
        """
        X, data, cells = self.X, self.data, self.cells
        if folds is None:
            parts = [Fold(lower_level or self.lower_level(), X)]
        else:
            parts = [Fold(self.lower_level(train), X, test) for train, test in folds]
            rows = np.concatenate([test for _, test in folds])
            cells = cells.take(rows)
            features = take_rows(data.sensitive_features, rows)
            data = replace(data.take(rows), sensitive_features=features)
        return Evaluator(
            parts,
            data,
            cells,
            metric=self.metric,
            loss=self.loss,
            scoring=self.scoring,
            family=self.family,
        )
