"""What the classifier and the regressor share: the fit from arguments to a chosen model."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any, Self

from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.validation import (
    check_is_fitted,
)

from skbadr._sklearn import CallbackSupportMixin, with_callbacks
from skbadr._typing import (
    CV,
    ArrayLike,
    Columns,
    Estimator,
    Features,
    Float,
    FloatArray,
    Init,
    Int,
    MemoryLike,
    MetricLike,
    Partition,
    RandomState,
    Scoring,
    SolverName,
)
from skbadr._warnings import hold_warnings, warn_user
from skbadr.bargaining import bargain_first
from skbadr.estimators.attributes import FittedAttributes
from skbadr.estimators.fit.monitor import Monitor
from skbadr.estimators.fit.prepare import prepare
from skbadr.estimators.fit.warm_start import solve_from
from skbadr.estimators.inputs import checks
from skbadr.estimators.inputs.features import inner_tags
from skbadr.estimators.inputs.routing import router_of
from skbadr.estimators.inputs.table import reader_of
from skbadr.estimators.outcome.store import outcome_so_far, store_outcome, warn_about
from skbadr.estimators.outcome.summary import describe
from skbadr.estimators.persistence import restored_state, state_to_save
from skbadr.estimators.reporting import Reporting
from skbadr.losses import get_loss
from skbadr.metrics import get_metric
from skbadr.problem import implicit_obstacle
from skbadr.solvers import UpperSolver


class BaseBADR(
    FittedAttributes,
    Reporting,
    CallbackSupportMixin,
    MetaEstimatorMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Re-weight the cells of the sample so that the wrapped estimator becomes fair.

    Not for direct use; see `BADRClassifier` and `BADRRegressor`.
    """

    # Requested without a call by the user, so that pipelines and searches route it at once.
    __metadata_request__fit = {"sensitive_features": True, "control_features": True}

    def __init__(
        self,
        estimator: Estimator | None = None,
        metric: MetricLike = "demographic_parity",
        *,
        bound: Float | None = None,
        confidence: Float | None = None,
        trade_off: Float = 0.0,
        scoring: Scoring | None = None,
        partition: Partition = "auto",
        cv: CV | None = "auto",
        solver: SolverName | UpperSolver = "auto",
        sensitive_columns: Columns | None = None,
        control_columns: Columns | None = None,
        intersectional: bool = True,
        init: Init = "baseline",
        stage2_tolerance: Float | None = None,
        max_iter: Int | None = None,
        tol: Float = 1e-4,
        min_weight: Float = 1e-6,
        warm_start: bool = False,
        memory: MemoryLike | None = None,
        n_jobs: Int | None = None,
        random_state: RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.metric = metric
        self.bound = bound
        self.confidence = confidence
        self.trade_off = trade_off
        self.scoring = scoring
        self.partition = partition
        self.cv = cv
        self.solver = solver
        self.sensitive_columns = sensitive_columns
        self.control_columns = control_columns
        self.intersectional = intersectional
        self.init = init
        self.stage2_tolerance = stage2_tolerance
        self.max_iter = max_iter
        self.tol = tol
        self.min_weight = min_weight
        self.warm_start = warm_start
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @property
    @abstractmethod
    def _task(self):
        """Return "classification" or "regression"."""

    @abstractmethod
    def _default_estimator(self):
        """Return the estimator that None stands for."""

    @abstractmethod
    def _encode_target(self, y):
        """Return the validated target, its codes or values, and the classes or None."""

    def _estimator(self):
        return self._default_estimator() if self.estimator is None else self.estimator

    @with_callbacks
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sensitive_features: Features | None = None,
        control_features: Features | None = None,
        sample_weight: ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Find the weights and fit the model.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, d)
            Passed on to the estimator as it is, with missing values if there are any.
        y : array-like of shape (n,)
            Labels of any dtype, or real targets.
        sensitive_features : array-like of shape (n,) or (n, m), default=None
            Group of each sample: list, array, Series, DataFrame (pandas, Polars), of any dtype.
            Several columns are crossed. Rows are matched to X by position. Not needed if
            `sensitive_columns` is given.
        control_features : array-like of shape (n,) or (n, m), default=None
            Stratum of each sample, in any of these forms: groups are compared within each stratum
            only, and the worst stratum counts. Not needed if `control_columns` is given.
        sample_weight : array-like of shape (n,), default=None
            Base weights s_i >= 0. Samples of weight zero influence nothing.
        **fit_params : dict
            Passed on to the estimator's fit (``step__parameter`` for a Pipeline), or routed to
            it if metadata routing is on. ``groups`` go to a `cv` that keeps groups together.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            For bad arguments, before any refit, in one sentence that names the argument.

        Warns
        -----
        ConvergenceWarning
            If no visited model meets `bound`, or the search was interrupted. With `confidence` it
            says about how many rows would do. All warnings of the search come at its end.
        sklearn.exceptions.FitFailedWarning
            For each refit that failed and was skipped.
        sklearn.exceptions.UndefinedMetricWarning
            If the metric has no meaning for a group, which the warning names.
        """
        setup = self._set_up(
            X, y, sensitive_features, sample_weight, fit_params, control_features=control_features
        )
        with hold_warnings():
            problem = setup.problem()
            evaluator, solver = problem.evaluator, setup.solver
            with Monitor(
                self,
                X,
                y,
                sample_weight=sample_weight,
                budget=None if checks.bargains(self.init) else solver.budget(problem),
                verbose=self.verbose,
                attributes=lambda archive: outcome_so_far(archive, evaluator),
            ) as monitor:
                problem.monitor = monitor
                archive = self._search(problem, setup, setup.fit_params)
            store_outcome(self, archive, evaluator, setup)
            warn_about(
                archive,
                evaluator.evaluation_set,
                partition=self.partition_,
                evaluated_on=self.evaluated_on_,
                constant_score=self.constant_scoring_value_,
            )
        return self

    def _set_up(self, *data, **options):
        """Check all arguments of fit and return what they amount to, as a `Setup`."""
        return prepare(self, *data, **options)

    def _search(self, problem, setup, fit_params):
        """Run the solver, after the groups have bargained where `init` asks for it."""
        vars(self).pop("bargaining_", None)  # of an earlier fit
        solver = setup.solver
        if setup.last_weights is not None:
            return solve_from(problem, solver, setup.last_weights)
        if not checks.bargains(self.init):
            return solver.solve(problem)
        held_out = setup.folds is not None
        if not held_out:
            warn_user(
                "on the training data no weights are better for every group, so that "
                "init='nash' starts from the Nash product, a compromise between them: set cv for "
                "groups to bargain over held-out losses."
            )
        loss = problem.evaluator.loss
        obstacle = implicit_obstacle(
            self._estimator(),
            problem.evaluator.evaluation_set.classes,
            loss=loss,
            scoring=None,
            fit_params=fit_params,
            held_out=held_out,
        )
        bargain = bargain_first(
            problem,
            smooth=obstacle is None and get_loss(loss).gradient is not None,
            held_out=held_out,
        )
        bargain.hand_over(problem, self.stage2_tolerance)
        archive = bargain.archive() if bargain.is_final else solver.solve(problem)
        bargain.merge(archive)
        self.bargaining_ = bargain.summary()
        return archive

    def summary(self) -> str:
        """Return a report of the search as text.

        It lists every model the search visited: what proposed it, with its predicted and its
        actual metric and score. It says how far weights move the estimator as predicted. It also
        says if nothing was gained, if the gain may be chance, if the model predicts a single
        value, which groups are too small to judge, and if held-out rows contradict the training
        rows.

        Returns
        -------
        report : str
        """
        check_is_fitted(self)
        return describe(self)

    def compute_sample_weight(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sensitive_features: Features | None = None,
        control_features: Features | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> FloatArray:
        """Return the sample weights that `cell_weights_` stand for, on the data given to fit.

        ``clone(estimator).fit(X, y, sample_weight=...)`` with these weights is `estimator_`. If
        the baseline model was chosen, `estimator_` is the call without weights.

        Parameters
        ----------
        X, y, sensitive_features, control_features, sample_weight
            As passed to fit.

        Returns
        -------
        sample_weight : ndarray of shape (n,)
            A Dask array where X is one, for an estimator that trains on such arrays.

        Raises
        ------
        ValueError
            If the data do not have the cells of the data seen in fit.
        """
        check_is_fitted(self)
        metric = get_metric(self.metric, self._task)
        given = sensitive_features, control_features
        table = reader_of(X)(self, metric, self.partition_, X, y, given, sample_weight)
        cells = table.cells
        if cells.labels != self.cells_.tolist():
            raise ValueError(
                f"these data have the cells {cells.labels}, but the model was fitted on "
                f"{self.cells_.tolist()}."
            )
        return table.sample_weight(self.cell_weights_)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing of metadata: `sensitive_features` here, the rest to the estimator.

        A splitter as `cv` gets the ``groups`` that it keeps together.

        Returns
        -------
        routing : MetadataRouter
        """
        return router_of(self)

    def __getstate__(self):
        return state_to_save(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(restored_state(type(self), state))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = inner_tags(self._estimator())
        if inner is None:
            return tags
        tags.input_tags = inner.input_tags
        tags.no_validation = inner.no_validation
        tags.non_deterministic = inner.non_deterministic
        if tags.classifier_tags is not None and inner.classifier_tags is not None:
            tags.classifier_tags.multi_class = inner.classifier_tags.multi_class
            tags.classifier_tags.poor_score = inner.classifier_tags.poor_score
        if tags.regressor_tags is not None and inner.regressor_tags is not None:
            tags.regressor_tags.poor_score = inner.regressor_tags.poor_score
        return tags
