"""The fair classifier."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets

from skbadr._typing import Array
from skbadr.estimators.base import BaseBADR
from skbadr.estimators.delegation import ClassifierDelegation
from skbadr.estimators.inputs.targets import distinct_targets, read_targets
from skbadr.metrics.inputs.responses import has_method
from skbadr.partition.groups import MANY_VALUES, encode_labels


class BADRClassifier(ClassifierDelegation, ClassifierMixin, BaseBADR):
    r"""Fair Pareto-efficient version of any classifier that takes ``sample_weight``.

    The cells of the sample (groups, or groups x classes) get weights on the simplex. The lower
    level trains the estimator with these weights, the upper level chooses the weights:

    .. math:: \min_{\lambda \in \Delta_K} \mathrm{Fair}(w(\lambda)) \quad \text{s.t.} \quad
              w(\lambda) \in \arg\min_w \sum_k \lambda_k F_k(w) + R(w)

    With positive weights and a convex loss every visited model is Pareto-efficient for the
    cells' losses. The metric only picks one of these models.

    Parameters
    ----------
    estimator : classifier or Pipeline, default=None
        Its (last step's) fit takes ``sample_weight``. None: ``LogisticRegression()``.
    metric : str, callable, FairnessMetric or mapping, default="demographic_parity"
        A name of `skbadr.metrics.get_metric_names`, a fairness function of fairlearn or any
        ``f(y_true, y_pred, *, sensitive_features)``, or a metric object. A mapping of such metrics
        to bounds, ``{"demographic_parity": 0.05, "equalized_odds": 0.1}``, bounds all of them at
        once; `bound` and `trade_off` then stay at their defaults.
    bound : float, default=None
        Maximise the score subject to ``metric <= bound`` (``>=`` for ratios). With
        ``partition="group_target"`` give a bound or a trade-off: the fairest of all models may be
        one that predicts the same for everybody.
    confidence : float, default=None
        None: `bound` holds for the metric that is measured. From .5 to below 1: `bound` holds for
        the upper confidence limit of the metric (ratios, floors: the lower one) on rows that the
        model has not seen. The bound then holds on new rows of the same population with this
        confidence. `bound_met_` is False if this cannot be promised.
    trade_off : float, default=0.0
        Minimise ``metric - trade_off * score``.
    scoring : str or callable, default=None
        What `bound` and `trade_off` protect; None: accuracy.
    partition : {"auto", "group", "group_target"} or callable, default="auto"
        What carries a weight: each group, each group x class, or the labels that a callable
        ``(y, groups)`` returns. "auto": "group_target" if `bound` or `trade_off` is given for a
        metric of decisions (rates, accuracy, any function of predicted labels), because weights
        of groups alone hardly move such a metric; else "group", as in the paper. `partition_` and
        `summary` say which was chosen.
    cv : "auto", None, float, int or splitter, default="auto"
        Where the upper level is evaluated. None: on the training data, as in the paper. A float,
        an int or a splitter: on a held-out part, on folds, or on the splitter's test rows, which
        the refit has not seen; they are stratified by cell and class. "auto": on the training data
        for linear models with exact derivatives and at least 20 rows per column; else on 4 folds,
        or on a held-out quarter from 100,000 rows on.
        With `confidence`, None is refused, and "auto" judges these linear models on each row by
        the model without that row, which one Newton step gives (approximate leave-one-out).
        `evaluated_on_` says what was used. A splitter that keeps groups of samples together gets
        the ``groups`` that are passed to fit.
    solver : str or UpperSolver, default="auto"
        "implicit": exact derivatives, for linear models with a smooth objective, at the cost of a
        few baseline fits; "alternating": refits of any estimator at the weights that a guide
        predicts to be best; "gd", "sgd": single loops, as in the paper; "auto": "implicit" if it
        applies, else "alternating".
    sensitive_columns : str, int, list or callable, default=None
        Column(s) of X that define the groups, or a callable ``X -> labels``. Nothing then needs
        to be passed to fit. The estimator still sees all columns of X.
    control_columns : str, int, list or callable, default=None
        Column(s) of X that make strata: groups are compared within each combination of values
        only, and the worst stratum counts. No ``control_features`` then need to be passed to
        fit.
    intersectional : bool, default=True
        True: several sensitive columns are crossed, as in fairlearn. False: each column is
        compared by itself, and the worst column counts. The cells that carry weights are crossed
        in both cases.
    init : {"baseline", "uniform", "nash"} or array-like of shape (K,), default="baseline"
        Weights that are tried right after the baseline estimator's own. "nash" has two stages:
        first the sensitive groups bargain over their held-out losses (`cv`) for weights that are
        better for all groups, then the search starts at these weights. The refits of the first
        stage come on top of `max_iter`. Without `cv` there is nothing to agree on, and the start
        is a compromise.
    stage2_tolerance : float, default=None
        After ``init="nash"``: by how much the mean loss of a group may exceed its loss after the
        first stage. None: by any amount.
    max_iter : int, default=None
        Budget of refits; None: the solver's default.
    tol : float, default=1e-4
        Improvement of the objective below which an iteration counts as idle.
    min_weight : float, default=1e-6
        Floor under every weight.
    warm_start : bool, default=False
        Whether a further fit starts at the weights of the last fit instead of `init`. The new
        model is no worse than the model that these weights give on the new data. If the cells of
        the new data differ, a warning says so, and the fit starts at `init`.
    memory : str, path or joblib.Memory, default=None
        Where finished refits are kept. The same fit, or a fit that was killed and is started
        again, then repeats none of them. A refit is recognised by the estimator and its
        parameters, the values of the data and of the fit parameters, the weights, and the
        versions of skbadr, scikit-learn and the estimator's package. Changes in code of your own
        are not recognised. A refit of an estimator that is random by itself
        (``random_state=None``) is reused as it was drawn. The folder holds the fitted models in
        clear. Models that keep training rows, such as support vector machines, keep these rows
        there. Loading a model runs what is in the folder, so nobody else may write there.
    n_jobs : int, default=None
        Refits at a time, through joblib. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seeds the search and every random state inside `estimator` that is None. Refits then
        differ only by their weights. None: the search is deterministic, and the estimator is as
        random as it is by itself.
    verbose : int, default=0
        1: a line per improvement; 2: a line per refit.

    Attributes
    ----------
    estimator_ : classifier
        ``clone(estimator).fit(X, y, sample_weight=compute_sample_weight(X, y, ...))``.
    cell_weights_ : ndarray of shape (K,)
        Weights of the cells, on the simplex.
    cells_ : ndarray of shape (K,)
        Labels of the cells, in order; tuples if columns or targets are crossed.
    cell_losses_ : ndarray of shape (K,)
        Mean loss of each cell under `estimator_`, on the data where the upper level is evaluated.
    partition_ : {"group", "group_target"} or callable
        What carries the weights.
    loss_name_ : str
        Name of the loss of `cell_losses_`.
    metric_value_, baseline_metric_value_ : float
        The metric of the chosen and of the baseline model, on the data that `evaluated_on_` names.
        From 10,000 rows on the implicit solver may take the baseline model from the exact solution
        of its training problem. An estimator with a loose tolerance only comes near this
        solution.
    metric_values_, baseline_metric_values_ : dict of str to float
        Only with several bounds: each metric's own value. `metric_value_` is then the largest
        value / bound (ratios and floors: 2 - value / bound). It is at most 1 if all bounds are
        met.
    baseline_estimator_ : estimator
        Only where the metric compares with the baseline model, as "group_harm" does: that model,
        fitted on all rows, for audits and scorers.
    bound_met_ : bool
        Whether the metric (with `confidence`: its limit) meets `bound`. True if there is no bound.
        If False, no visited model meets the bound, and the fitted model misses it by least.
    metric_upper_ : float
        Only with `confidence`: the limit of the chosen model's metric. The limit allows for the
        choice of the model: if several gaps are near the largest, each of them may be the largest
        on new rows.
    metric_standard_error_, baseline_metric_standard_error_ : float
        Standard errors of these values, over other rows of the same kind for the same model. The
        delta method gives them for metrics of the groups' confusion matrices. Leaving out parts of
        the rows gives the chosen model's for other metrics. NaN: not known.
    training_metric_value_ : float
        Only with `cv` or `confidence`: the metric of `estimator_` on all rows, its training rows.
    scoring_value_, baseline_scoring_value_ : float
        The score of the chosen and of the baseline model.
    constant_scoring_value_ : float
        The score of the best single prediction for everybody. NaN if `scoring` is not counted from
        the confusion matrix, or if that prediction scores better but misses `bound`.
    evaluated_on_ : {"training data", "held-out data"}
        Where these values were measured.
    n_iter_ : int
        Upper-level iterations.
    converged_ : bool
        Whether the search ended by its own tolerance instead of its budget.
    n_refits_ : int
        Fits of the estimator itself, with the baseline fit, the last fit and those that `memory`
        had. Intermediate solutions of the implicit solver do not count.
    results_ : dict of ndarrays
        One entry per visited point: "cell_weights", "metric", "score", "cell_losses",
        "refit_time" (in seconds; the time of loading if `memory` had the refit), "pareto_optimal"
        (not dominated in metric and score), "iteration", "origin" (what proposed the point: a
        guide, "tilt", ...), "predicted_metric" and "predicted_score" (what the search expected, or
        NaN), "failed", "constant". With `confidence` also "metric_upper", the limit;
        "predicted_metric" then predicts the limit.
    weight_response_ : float
        How far refits moved in the direction predicted from the baseline model. 1: as far as
        predicted; 0: not at all; negative: the other way; NaN: there was no prediction.
    weights_move_ : bool
        Whether any refit differs from the baseline estimator.
    small_groups_ : dict
        Groups whose rarest class has fewer than 30 rows among those that the upper level is
        evaluated on, with that number. Their part of the metric is mostly chance.
    metric_name_ : str
        Name of the metric.
    pareto_residual_ : float
        Norm of the smallest convex combination of the cells' loss gradients (plus the gradient of
        the regularisation) at `estimator_`. It is 0 at a Pareto-stationary model. Only for linear
        models with a smooth objective.
    bargaining_ : Bunch
        Only with ``init="nash"``: "method" ("gradients" or "nash_product"); "reason", why the
        groups stopped (see `skbadr.bargaining.Bargain`); "cell_weights" (K,) that the groups
        agreed on; "losses" and "baseline_losses", each sensitive group's loss at these weights and
        under the baseline model; "pareto_distance" (0: no direction helps every group);
        "n_refits".
    classes_ : ndarray of shape (C,)
        Class labels.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (d,)
        Names of the columns, if X has names.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), "Fairness-informed Pareto optimization: an efficient bilevel
    framework", arXiv 2601.13448; Zeng et al. (2024), "Fairness-aware meta-learning via Nash
    bargaining", NeurIPS, arXiv 2406.07029 (``init="nash"``).

    Examples
    --------
    >>> import numpy as np
    >>> from skbadr import BADRClassifier
    >>> rng = np.random.default_rng(0)
    >>> group = np.repeat(["a", "b"], 100)
    >>> X = rng.normal(size=(200, 2)) + (group == "b")[:, None]
    >>> y = (X[:, 0] + rng.normal(size=200) > 0.5).astype(int)
    >>> model = BADRClassifier(bound=0.1).fit(X, y, sensitive_features=group)
    >>> model.metric_value_ <= 0.1
    True
    >>> model.partition_
    'group_target'
    """

    classes_: Array

    _task = "classification"  # pyright: ignore[reportIncompatibleMethodOverride]

    def _default_estimator(self):
        return LogisticRegression()

    def _encode_target(self, y):
        y = read_targets(y)
        if y.dtype.kind in "biu":  # counted, which costs less than sorting them
            codes, labels = encode_labels(y)
            classes = np.array(labels, dtype=y.dtype)
        else:
            assert_all_finite(y, input_name="y")
            classes, codes = distinct_targets(y)
        if y.dtype.kind not in "biu" or len(classes) > MANY_VALUES:
            check_classification_targets(y)
        if len(classes) < 2:
            raise ValueError(
                f"y holds one class, {classes[0]!r}: a classifier needs at least 2 classes."
            )
        return y, codes.astype(np.intp, copy=False), classes

    def _loss(self, estimator):
        return "log_loss" if has_method(estimator, "predict_proba") else "zero_one"
