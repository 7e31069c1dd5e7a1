"""From the arguments of a fit to a `Setup`: everything is checked before any long work."""

from functools import partial

import numpy as np
from sklearn import get_config
from sklearn.utils import check_random_state, indexable
from sklearn.utils.validation import validate_data

from skbadr.estimators.fit.auto import FOLDS, choose_cv, choose_partition
from skbadr.estimators.fit.setup import Setup, bound_of, seeded
from skbadr.estimators.fit.warm_start import last_weights
from skbadr.estimators.inputs import checks
from skbadr.estimators.inputs.features import check_X
from skbadr.estimators.inputs.routing import split_fit_params
from skbadr.estimators.inputs.scoring import check_scorer
from skbadr.estimators.inputs.table import reader_of
from skbadr.lower_level import PeeledEstimator, find_family
from skbadr.metrics import get_metric
from skbadr.metrics.composite.sliced import sliced
from skbadr.metrics.losses.own_loss import with_own_loss
from skbadr.problem import implicit_obstacle, make_folds
from skbadr.solvers import get_solver, may_refit


def prepare(
    owner,
    X,
    y,
    sensitive_features,
    sample_weight,
    fit_params,
    *,
    control_features=None,
    walks_bounds=False,
):
    """Check all arguments of fit and return what they amount to, as a `Setup`.

    A front `walks_bounds` where no single one is given.
    """
    estimator = owner._estimator()
    checks.check_inner_estimator(estimator, owner._task, type(owner).__name__)
    read_table = reader_of(X)
    check_X(X, estimator)
    validate_data(owner, X, y, skip_check_array=True)
    params = owner.get_params(deep=False)
    checks.check_numbers(params)
    checks.check_warm_start(params)
    checks.check_confidence(params, walks_bounds)
    memory = checks.check_memory(owner.memory)
    metric = get_metric(owner.metric, owner._task)
    checks.check_bound(owner.bound, metric, owner.trade_off)
    checks.check_response(metric, estimator)
    bound = bound_of(owner, metric)
    goal = walks_bounds or bound is not None or bool(owner.trade_off)
    partition = choose_partition(owner.partition, metric, owner._task, has_goal=goal)
    given = sensitive_features, control_features
    table = read_table(owner, metric, partition, X, y, given, sample_weight)
    y, cells, classes = table.y, table.cells, table.data.classes
    metric = with_own_loss(metric, estimator, table.data.y, owner._task)
    metric = sliced(metric, table.data.groups, intersectional=owner.intersectional)
    checks.check_numbers(params, cells.n_cells)
    initial, last = checks.initial_weights(owner.init, cells), last_weights(owner, cells)
    weight = table.data.sample_weight
    scoring, score = check_scorer(owner.scoring, owner._task, estimator, y, weight, classes)
    fit_params, groups = split_fit_params(owner, fit_params)
    family = find_family(PeeledEstimator(estimator).final, classes)
    cv, obstacle = _choose_cv(owner, estimator, table, scoring, fit_params)
    solver = get_solver(owner.solver, owner.max_iter, obstacle=obstacle, metric=metric)

    seed = 0
    if owner.random_state is not None:
        seed = int(check_random_state(owner.random_state).randint(np.iinfo(np.int32).max))
        estimator = seeded(estimator, seed)
    if cv is not None or owner.confidence is not None:
        (X,) = indexable(X)
    options = {"classes": classes, "random_state": seed, "groups": groups}
    folds_of = partial(make_folds, X=X, y=y, cells=cells, targets=table.data.y, **options)
    return Setup(
        owner=owner,
        estimator=estimator,
        X=X,
        table=table,
        partition=partition,
        metric=metric,
        loss=owner._loss(estimator),
        scoring=scoring,
        score=score,
        family=None if isinstance(family, str) else family,
        solver=solver,
        initial=initial,
        last_weights=last,
        folds=None if cv is None else folds_of(cv),
        confidence=owner.confidence,
        spare_folds=partial(folds_of, FOLDS),
        seed=seed,
        fit_params=fit_params,
        routing=get_config()["enable_metadata_routing"],
        memory=memory,
    )


def _choose_cv(owner, estimator, table, scoring, fit_params):
    """Return where the upper level is evaluated, and why the problem there is not smooth."""

    def obstacle_of(held_out):
        return implicit_obstacle(
            estimator,
            table.data.classes,
            loss=owner._loss(estimator),
            scoring=scoring,
            fit_params=fit_params,
            held_out=held_out,
        )

    cv = choose_cv(
        owner.cv,
        n_rows=table.cells.n_seen,
        n_columns=getattr(owner, "n_features_in_", 1),
        smooth=obstacle_of(False) is None,
        may_refit=may_refit(owner.solver),
        splits=table.can_split and (owner.max_iter is None or owner.max_iter > 1),
        confident=owner.confidence is not None,
    )
    return cv, obstacle_of(cv is not None)
