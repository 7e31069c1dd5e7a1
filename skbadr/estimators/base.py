"""What the classifier and the regressor share: the fit from arguments to a chosen model."""

import warnings
from abc import ABCMeta, abstractmethod

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from skbadr._sklearn import CallbackSupportMixin, _num_samples, with_callbacks
from skbadr.estimators import checks
from skbadr.estimators.monitor import Monitor
from skbadr.lower_level import RefitLowerLevel
from skbadr.metrics import EvaluationSet, get_metric
from skbadr.metrics.callables import take_rows
from skbadr.partition import Groups, make_cells
from skbadr.problem import BilevelProblem, Evaluator, UpperObjective, make_folds
from skbadr.problem.evaluator import Fold
from skbadr.solvers import get_solver


def _delegates(method):
    """Whether the wrapped estimator, fitted or not, has a method."""

    def check(self):
        inner = getattr(self, "estimator_", None)
        getattr(self._estimator() if inner is None else inner, method)
        return True

    return check


class BaseBADR(CallbackSupportMixin, MetaEstimatorMixin, BaseEstimator, metaclass=ABCMeta):
    """Re-weight the cells of the sample so that the wrapped estimator becomes fair.

    Not for direct use; see `BADRClassifier` and `BADRRegressor`.
    """

    # Requested without a call by the user, so that pipelines and searches route it at once.
    __metadata_request__fit = {"sensitive_features": True}

    @abstractmethod
    def __init__(
        self,
        estimator=None,
        metric="demographic_parity",
        *,
        solver="auto",
        partition="group",
        trade_off=0.0,
        bound=None,
        scoring=None,
        cv=None,
        sensitive_columns=None,
        init="erm",
        max_iter=None,
        tol=1e-4,
        min_weight=1e-6,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.metric = metric
        self.solver = solver
        self.partition = partition
        self.trade_off = trade_off
        self.bound = bound
        self.scoring = scoring
        self.cv = cv
        self.sensitive_columns = sensitive_columns
        self.init = init
        self.max_iter = max_iter
        self.tol = tol
        self.min_weight = min_weight
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
    def fit(self, X, y, *, sensitive_features=None, sample_weight=None, **fit_params):
        """Find the weights and fit the model.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, d)
            Passed on to the estimator as it is; missing values are its business.
        y : array-like of shape (n,)
            Labels of any dtype, or real targets.
        sensitive_features : array-like of shape (n,) or (n, m), default=None
            Group of each sample: list, array, Series, DataFrame (pandas, Polars), of any dtype.
            Several columns are crossed. Rows are matched to X by position. Not needed where
            `sensitive_columns` is given.
        sample_weight : array-like of shape (n,), default=None
            Base weights s_i >= 0; samples of weight zero influence nothing.
        **fit_params : dict
            Passed on to the estimator's fit (``step__parameter`` for a Pipeline), or routed to
            it where metadata routing is on.

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
            If no visited model meets `bound`, or the search was interrupted.
        sklearn.exceptions.FitFailedWarning
            For each refit that failed and was skipped.
        sklearn.exceptions.UndefinedMetricWarning
            If the metric has no meaning for a group, naming it.
        """
        validate_data(self, X, y, skip_check_array=True)
        params = self.get_params(deep=False)
        estimator = self._estimator()
        checks.check_inner_estimator(estimator, self._task, type(self).__name__)
        checks.check_numbers(params)
        metric = get_metric(self.metric, self._task)
        checks.check_bound(self.bound, metric)
        solver = get_solver(self.solver, self.max_iter)
        y, target, classes = self._encode_target(y)
        check_consistent_length(X, y)
        base_weight = checks.check_weight(sample_weight, X)
        sensitive_features, groups = checks.check_groups(
            X,
            _num_samples(X),
            sensitive_features,
            self.sensitive_columns,
            getattr(self, "feature_names_in_", None),
        )
        cells = self._cells(target, groups, base_weight, classes)
        checks.check_numbers(params, cells.n_cells)
        initial = checks.initial_weights(self.init, cells, self.min_weight)
        user_weight = None if sample_weight is None else base_weight
        scoring = checks.check_scorer(self.scoring, estimator, y, user_weight)

        seed = 0
        if self.random_state is not None:
            seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        estimator = self._seeded(estimator, seed)
        data = EvaluationSet(target, groups, classes, user_weight, sensitive_features)
        folds = None
        if self.cv is not None:
            strata = None if classes is None else target
            folds = make_folds(self.cv, X, y, cells, strata, random_state=seed)
        routing = get_config()["enable_metadata_routing"]
        if routing:
            fit_params = dict(process_routing(self, "fit", **fit_params).estimator.fit)

        def lower_level(rows=None):
            return RefitLowerLevel(
                estimator,
                X,
                y,
                cells,
                weighted=user_weight is not None,
                fit_params=fit_params,
                rows=rows,
                routing=routing,
            )

        evaluator = self._evaluator(X, data, cells, metric, scoring, estimator, folds, lower_level)
        for sentence in metric.undefined(evaluator.evaluation_set):
            warnings.warn(sentence, UndefinedMetricWarning, stacklevel=2)

        objective = UpperObjective(metric, trade_off=self.trade_off, bound=self.bound)
        problem = BilevelProblem(
            evaluator,
            objective,
            cells,
            initial=initial,
            min_weight=self.min_weight,
            tol=self.tol,
            n_jobs=self.n_jobs,
            seed=seed,
        )
        with Monitor(self, X, y, solver.budget(problem), self.verbose) as monitor:
            problem.monitor = monitor
            archive = solver.solve(problem)
        self._store(archive, evaluator, cells, groups, classes, lower_level)
        return self

    def _cells(self, target, groups, base_weight, classes):
        return make_cells(
            self.partition,
            target,
            groups,
            base_weight,
            classes=classes,
            n_target_bins=getattr(self, "n_target_bins", 2),
        )

    def _seeded(self, estimator, seed):
        """Give a seed to the random states that are None, where the user gave one here.

        All refits then draw the same numbers, so that they differ by their weights alone.
        """
        if self.random_state is None:
            return estimator
        seeded = clone(estimator)
        parameters = {
            name: seed
            for name, value in seeded.get_params(deep=True).items()
            if value is None and (name == "random_state" or name.endswith("__random_state"))
        }
        return seeded.set_params(**parameters)

    def _evaluator(self, X, data, cells, metric, scoring, estimator, folds, lower_level):
        if folds is None:
            parts = [Fold(lower_level(), X)]
        else:
            parts = [Fold(lower_level(train), X, test) for train, test in folds]
            rows = np.concatenate([test for _, test in folds])
            cells = cells.take(rows)
            groups = Groups(data.groups.codes[rows], data.groups.labels, data.groups.names)
            data = EvaluationSet(
                data.y[rows],
                groups,
                data.classes,
                None if data.sample_weight is None else data.sample_weight[rows],
                take_rows(data.sensitive_features, rows),
            )
        return Evaluator(
            parts, data, cells, metric=metric, loss=self._loss(estimator), scoring=scoring
        )

    def _store(self, archive, evaluator, cells, groups, classes, lower_level):
        best, plain = archive.best, archive.evaluations[0]
        others = archive.evaluations[1:]
        if others and all(e.failed for e in others):
            # Only the plain model could be fitted: it must not pass for a fair one.
            raise others[0].error
        n_refits = archive.n_refits
        fold = evaluator.folds[0]
        if fold.rows is None:
            lower, model = fold.lower_level, best.model
        else:
            lower = lower_level()
            model = lower.fit(best.cell_weights)
            n_refits += 1
        self.estimator_ = lower.assemble(model)
        self.group_weights_ = np.array(best.cell_weights)
        self.groups_ = _label_array(cells.labels)
        self.group_losses_ = best.cell_losses
        self.loss_name_ = evaluator.loss
        self.metric_value_ = best.metric
        self.erm_metric_value_ = plain.metric
        self.scoring_value_ = best.score
        self.erm_scoring_value_ = plain.score
        self.evaluated_on_ = "training data" if fold.rows is None else "held-out data"
        self.n_iter_ = archive.n_iter
        self.n_refits_ = n_refits
        self.results_ = archive.as_dict()
        if classes is not None:
            self.classes_ = classes
        self._warn(best, plain, archive)

    def _warn(self, best, plain, archive):
        for message, category in best.warnings:
            warnings.warn(message, category, stacklevel=3)
        metric = archive.objective.metric
        if not archive.objective.is_met(best):
            relation = ">=" if metric.greater_is_better else "<="
            warnings.warn(
                f"no visited model has {metric.name} {relation} {self.bound:g}: the nearest has "
                f"{best.metric:.4g} (the plain estimator {plain.metric:.4g}) on the "
                f"{self.evaluated_on_}; allow more (bound), search longer (max_iter), or use "
                "partition='group_target'.",
                ConvergenceWarning,
                stacklevel=3,
            )
        elif best.constant and not plain.constant:
            warnings.warn(
                f"the chosen model predicts a single value for every sample, which {metric.name} "
                "counts as fair: set bound or trade_off to keep the score in view.",
                UserWarning,
                stacklevel=3,
            )

    def compute_sample_weight(self, X, y, *, sensitive_features=None, sample_weight=None):
        """Return the sample weights that `group_weights_` stand for on data as given to fit.

        ``clone(estimator).fit(X, y, sample_weight=...)`` with them is `estimator_`.

        Parameters
        ----------
        X, y, sensitive_features, sample_weight
            As passed to fit.

        Returns
        -------
        sample_weight : ndarray of shape (n,)

        Raises
        ------
        ValueError
            If the data do not have the cells of the data seen in fit.
        """
        check_is_fitted(self)
        _, target, classes = self._encode_target(y)
        base_weight = checks.check_weight(sample_weight, X)
        names = getattr(self, "feature_names_in_", None)
        _, groups = checks.check_groups(
            X, _num_samples(X), sensitive_features, self.sensitive_columns, names
        )
        cells = self._cells(target, groups, base_weight, classes)
        if cells.labels != self.groups_.tolist():
            raise ValueError(
                f"these data have the cells {cells.labels}, but the model was fitted on "
                f"{self.groups_.tolist()}."
            )
        return cells.sample_weight(self.group_weights_)

    def predict(self, X):
        """Return the predictions of `estimator_`; sensitive features are not needed.

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        y_pred : ndarray of shape (n,)
        """
        return self._fitted(X).predict(X)

    @available_if(_delegates("score"))
    def score(self, X, y, sample_weight=None):
        """Return the score of `estimator_`: accuracy of classifiers, R^2 of regressors.

        Parameters
        ----------
        X : array-like of shape (n, d)
        y : array-like of shape (n,)
        sample_weight : array-like of shape (n,), default=None

        Returns
        -------
        score : float
        """
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self._fitted(X).score(X, y, **weight)

    def _fitted(self, X):
        check_is_fitted(self)
        validate_data(self, X, reset=False, skip_check_array=True)
        return self.estimator_

    def get_metadata_routing(self):
        """Return the routing of metadata: `sensitive_features` here, the rest to the estimator.

        Returns
        -------
        routing : MetadataRouter
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                estimator=self._estimator(),
                method_mapping=MethodMapping().add(caller="fit", callee="fit"),
            )
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self._estimator())
        tags.input_tags = inner.input_tags
        tags.no_validation = inner.no_validation
        tags.non_deterministic = inner.non_deterministic
        if tags.classifier_tags is not None and inner.classifier_tags is not None:
            tags.classifier_tags.multi_class = inner.classifier_tags.multi_class
            tags.classifier_tags.poor_score = inner.classifier_tags.poor_score
        if tags.regressor_tags is not None and inner.regressor_tags is not None:
            tags.regressor_tags.poor_score = inner.regressor_tags.poor_score
        return tags


def _label_array(labels):
    """Return labels as an array: of their own dtype where scalar, of tuples otherwise."""
    if labels and not isinstance(labels[0], tuple):
        array = np.asarray(labels)
        if array.ndim == 1 and array.tolist() == labels:
            return array
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array
