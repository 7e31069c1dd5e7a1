"""The fair regressor."""

from __future__ import annotations

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.utils import check_array

from skbadr._typing import (
    CV,
    Columns,
    Estimator,
    Float,
    Init,
    Int,
    MemoryLike,
    MetricLike,
    Partition,
    RandomState,
    Scoring,
    SolverName,
)
from skbadr.estimators.base import BaseBADR
from skbadr.estimators.delegation import PredictorDelegation
from skbadr.estimators.inputs.targets import read_targets
from skbadr.solvers import UpperSolver


class BADRRegressor(PredictorDelegation, RegressorMixin, BaseBADR):
    r"""Fair Pareto-efficient version of any regressor that takes ``sample_weight``.

    The bilevel problem is that of `BADRClassifier`; ``partition="group_target"`` crosses groups
    with quantile bins of the target.

    Parameters
    ----------
    estimator : regressor or Pipeline, default=None
        Its (last step's) fit takes ``sample_weight``. None: ``Ridge()``.
    metric : str, callable, FairnessMetric or mapping, default="demographic_parity"
        For regression, demographic parity is the gap between the groups' mean predictions. A
        mapping of metrics to bounds bounds all of them at once, as in `BADRClassifier`.
    bound : float, default=None
        Maximise the score subject to ``metric <= bound`` (``>=`` for ratios).
    confidence : float, default=None
        Confidence with which `bound` holds on new rows, as in `BADRClassifier`.
    trade_off : float, default=0.0
        Minimise ``metric - trade_off * score``.
    scoring : str or callable, default=None
        What `bound` and `trade_off` protect; None: negative mean squared error.
    partition : {"auto", "group", "group_target"} or callable, default="auto"
        What carries a weight: each group, each group x quantile bin of y, or the labels that a
        callable ``(y, groups)`` returns. "auto": "group_target" if `bound` or `trade_off` is
        given for a metric of mean predictions or of their distribution (demographic parity,
        Kolmogorov-Smirnov), because weights of groups alone hardly move such a metric; else
        "group".
    cv : "auto", None, float, int or splitter, default="auto"
        Where the upper level is evaluated, as in `BADRClassifier`; stratified by cell and quarter
        of the targets.
    solver : str or UpperSolver, default="auto"
        How the weights are searched, as in `BADRClassifier`.
    sensitive_columns : str, int, list or callable, default=None
        Column(s) of X that define the groups, or a callable ``X -> labels``.
    control_columns : str, int, list or callable, default=None
        Column(s) of X that make strata: groups are compared within each combination of values
        only, and the worst stratum counts. No ``control_features`` then need to be passed to
        fit.
    intersectional : bool, default=True
        True: several sensitive columns are crossed, as in fairlearn. False: each column is
        compared by itself, and the worst column counts. The cells that carry weights are crossed
        in both cases.
    init : {"baseline", "uniform", "nash"} or array-like of shape (K,), default="baseline"
        Weights that are tried right after the baseline estimator's own. "nash": the weights that
        the groups agree on in a bargain, as in `BADRClassifier`.
    stage2_tolerance : float, default=None
        After ``init="nash"``: by how much the mean loss of a group may exceed its loss after the
        bargain. None: by any amount.
    max_iter : int, default=None
        Budget of refits; None: the solver's default.
    tol : float, default=1e-4
        Improvement of the objective below which an iteration counts as idle.
    min_weight : float, default=1e-6
        Floor under every weight.
    warm_start : bool, default=False
        Whether a further fit starts at the weights of the last one, as in `BADRClassifier`.
    memory : str, path or joblib.Memory, default=None
        Where refits are kept in clear, with the rows that some models hold, as in
        `BADRClassifier`.
    n_jobs : int, default=None
        Refits at a time, through joblib. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seeds the search and every random state inside `estimator` that is None.
    verbose : int, default=0
        1: a line per improvement; 2: a line per refit.
    n_target_bins : int, default=2
        Weighted quantile bins of y for ``partition="group_target"``.

    Attributes
    ----------
    estimator_ : regressor
        ``clone(estimator).fit(X, y, sample_weight=compute_sample_weight(X, y, ...))``.
    metric_value_, baseline_metric_value_ : float
        The metric of the chosen and of the baseline model.
    metric_values_, baseline_metric_values_ : dict of str to float
        Only with several bounds: each metric's own value. `metric_value_` is then the largest
        value / bound (ratios and floors: 2 - value / bound). It is at most 1 if all bounds are
        met.
    baseline_estimator_ : estimator
        Only where the metric compares with the baseline model, as "group_harm" does: that model,
        fitted on all rows, for audits and scorers.
    metric_standard_error_, baseline_metric_standard_error_ : float
        Standard errors of these values, over other rows of the same kind; NaN: not known.
    bound_met_ : bool
        Whether the metric (with `confidence`: its limit) meets `bound`.
    metric_upper_ : float
        Only with `confidence`: the limit of the chosen model's metric.
    training_metric_value_ : float
        Only with `cv` or `confidence`: the metric of `estimator_` on all rows, its training rows.
    scoring_value_, baseline_scoring_value_ : float
        The score of the chosen and of the baseline model.
    constant_scoring_value_ : float
        The score of the best single prediction for everybody. NaN if `scoring` is not the default
        one, or if that prediction scores better but misses `bound`.
    results_ : dict of ndarrays
        Every visited point.

    Notes
    -----
    The further attributes are those of `BADRClassifier`: ``cell_weights_``, ``cells_``,
    ``cell_losses_``, ``partition_``, ``loss_name_``, ``evaluated_on_``, ``n_iter_``,
    ``converged_``, ``n_refits_``, ``weight_response_``, ``weights_move_``, ``small_groups_``,
    ``metric_name_``, ``pareto_residual_``, ``bargaining_``, ``n_features_in_`` and
    ``feature_names_in_``.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448; Agarwal, Dudik and Wu (2019), "Fair
    regression: quantitative definitions and reduction-based algorithms", ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skbadr import BADRRegressor
    >>> rng = np.random.default_rng(0)
    >>> group = np.repeat(["a", "b"], 100)
    >>> X = rng.normal(size=(200, 2)) + 0.5 * (group == "b")[:, None]
    >>> y = X[:, 0] + rng.normal(size=200)
    >>> model = BADRRegressor(partition="group_target").fit(X, y, sensitive_features=group)
    >>> model.metric_value_ < model.baseline_metric_value_
    True
    """

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
        n_target_bins: Int = 2,
    ) -> None:
        super().__init__(
            estimator,
            metric,
            bound=bound,
            confidence=confidence,
            trade_off=trade_off,
            scoring=scoring,
            partition=partition,
            cv=cv,
            solver=solver,
            sensitive_columns=sensitive_columns,
            control_columns=control_columns,
            intersectional=intersectional,
            init=init,
            stage2_tolerance=stage2_tolerance,
            max_iter=max_iter,
            tol=tol,
            min_weight=min_weight,
            warm_start=warm_start,
            memory=memory,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
        )
        self.n_target_bins = n_target_bins

    _task = "regression"  # pyright: ignore[reportIncompatibleMethodOverride]

    def _default_estimator(self):
        return Ridge()

    def _encode_target(self, y):
        y = read_targets(y)
        y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y")
        if not np.issubdtype(y.dtype, np.number) and y.dtype.kind != "b":
            raise ValueError(f"y must be numeric for a regressor, got dtype {y.dtype}.")
        return y, y.astype(float), None

    def _loss(self, estimator):
        return "squared_error"
