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
from skbadr.estimators.targets import distinct_targets, read_targets
from skbadr.metrics.responses import has_method
from skbadr.partition.groups import encode_labels

# Integer targets with more values than this may be meant for regression.
MANY_CLASSES = 20


class BADRClassifier(ClassifierDelegation, ClassifierMixin, BaseBADR):
    r"""Fair Pareto-efficient version of any classifier that takes ``sample_weight``.

    The cells of the sample (groups, or groups x classes) get weights on the simplex. The lower
    level trains the estimator with them, the upper level chooses them:

    .. math:: \min_{\lambda \in \Delta_K} \mathrm{Fair}(w(\lambda)) \quad \text{s.t.} \quad
              w(\lambda) \in \arg\min_w \sum_k \lambda_k F_k(w) + R(w)

    With positive weights and a convex loss every visited model is Pareto-efficient for the
    cells' losses, and the metric only picks which one.

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
        None: `bound` holds for the metric that is measured. From .5 to below 1: it holds for the
        upper confidence limit of the metric (ratios, floors: the lower one) on rows that the model
        has not seen, so that it holds on new rows of the same population with this confidence.
        What cannot be promised is said: see `bound_met_`.
    trade_off : float, default=0.0
        Minimise ``metric - trade_off * score``.
    scoring : str or callable, default=None
        What `bound` and `trade_off` protect; None: accuracy.
    partition : {"auto", "group", "group_target"} or callable, default="auto"
        What carries a weight: each group, each group x class, or the labels that a callable
        ``(y, groups)`` returns. "auto": "group_target" if `bound` or `trade_off` is given for a
        metric of decisions (rates, accuracy, any function of predicted labels), which weights of
        groups alone hardly move; else "group", as in the paper. `partition_` and `summary` say
        which.
    cv : "auto", None, float, int or splitter, default="auto"
        Where the upper level is evaluated. None: on the training data, as in the paper; otherwise
        on data that the refit has not seen, stratified by cell and class: a held-out part, folds,
        or a splitter of your own. "auto": the training data for linear models with exact
        derivatives and 20 rows or more for each column, and for ``solver="alternating"``; else 5
        folds, or a held-out quarter from 100,000 rows on. With `confidence` those linear models
        are judged on held-out rows as well: each row by the model without it, which one Newton step
        tells (approximate leave-one-out), and None is refused. `evaluated_on_` says which. A
        splitter that keeps groups of samples together gets the ``groups`` that are passed to fit.
    solver : str or UpperSolver, default="auto"
        "implicit": exact derivatives, for linear models with a smooth objective, a few baseline
        fits in all; "alternating": refits of any estimator; "guided": fewer refits of any
        estimator, for held-out rows; "gd", "sgd": single loops, for millions of rows; "auto": what
        fits estimator, metric, size and `cv`.
    sensitive_columns : str, int, list or callable, default=None
        Column(s) of X that define the groups, or a callable ``X -> labels``, so that nothing
        needs routing; the estimator still sees X whole.
    control_columns : str, int, list or callable, default=None
        Column(s) of X within whose values groups are compared, so that no ``control_features`` need
        be passed to fit: groups are compared within each combination of values only, and the worst
        one counts.
    intersectional : bool, default=True
        Several sensitive columns: True: crossed, as fairlearn does; False: each column is compared
        by itself, and the worst counts. The cells that carry weights are crossed in either case.
    init : {"baseline", "uniform", "nash"} or array-like of shape (K,), default="baseline"
        Weights that are tried right after the baseline estimator's own. "nash": two stages; first
        the sensitive groups bargain over their held-out losses (`cv`) for weights that are
        better for all of them, then the search starts there. Its refits come on top of
        `max_iter`. Without `cv` there is nothing to agree on, and the start is a compromise.
    stage2_tolerance : float, default=None
        After ``init="nash"``: by how much the mean loss of a group may exceed what the first
        stage left it; None: by anything.
    max_iter : int, default=None
        Budget of refits; None: the solver's default.
    tol : float, default=1e-4
        Improvement of the objective below which an iteration counts as idle.
    min_weight : float, default=1e-6
        Floor under every weight.
    warm_start : bool, default=False
        Whether a further fit starts at the weights of the last one in place of `init`, where the
        cells are the same; where they are not, a warning says so. Its model is no worse than
        those weights give on the new data.
    memory : str, path or joblib.Memory, default=None
        Where refits are kept, so that the same fit, or one that was killed and is started again,
        repeats none that was finished. A refit is recognised by the estimator and its parameters,
        the values of the data and of the fit parameters, the weights, and the versions of skbadr,
        scikit-learn and the estimator's package, not by changes in code of your own. One of an
        estimator that is random by itself (``random_state=None``) is reused as it was drawn.
        The folder holds the fitted models in clear, and with those that keep training rows (as
        support vector machines and nearest neighbours do) the rows themselves; loading from it
        runs what is in it, so that nobody else may write there.
    n_jobs : int, default=None
        Refits at a time, through joblib. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seeds the search and every random state inside `estimator` that is None, so that refits
        differ by their weights alone. None: the search is deterministic, the estimator is as
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
        Labels of the cells, in order; tuples where columns or targets are crossed.
    cell_losses_ : ndarray of shape (K,)
        Mean loss of each cell under `estimator_`, on the data where the upper level is evaluated.
    partition_ : {"group", "group_target"} or callable
        What carries the weights.
    loss_name_ : str
        Name of the loss of `cell_losses_`.
    metric_value_, baseline_metric_value_ : float
        The metric of the chosen and of the baseline model, on the data that `evaluated_on_` names.
        From 10,000 rows on the implicit solver may know the baseline model from the solution of its
        training problem, which an estimator with a loose tolerance only nears.
    metric_values_, baseline_metric_values_ : dict of str to float
        Only with several bounds: each metric's own value. `metric_value_` is then the largest in
        units of its bound (ratios and floors: 2 less that), at most 1 if all bounds are met.
    baseline_estimator_ : estimator
        Only where the metric compares with the baseline model, as "group_harm" does: that model,
        fitted on all rows, for audits and scorers.
    bound_met_ : bool
        Whether the metric meets `bound`, with `confidence` its limit; True where there is no bound.
        If False, no visited model does, and the model is the one that misses it by least.
    metric_upper_ : float
        Only with `confidence`: the limit of the chosen model's metric. It allows for the choice:
        where several gaps are near the largest, each may be the largest on new rows.
    metric_standard_error_, baseline_metric_standard_error_ : float
        Standard errors of these values, over rows of the same kind for the same model: by the
        delta method where the metric is of the groups' confusion matrices, else the chosen
        model's alone, by leaving out parts of the rows; NaN: not known.
    training_metric_value_ : float
        Only with `cv` or `confidence`: the metric of `estimator_` on all rows, its training rows.
    scoring_value_, baseline_scoring_value_ : float
        The score of the chosen and of the baseline model.
    constant_scoring_value_ : float
        The score of the best single prediction for everybody. NaN where `scoring` is not counted
        from the confusion matrix, and where that prediction is better but misses `bound`.
    evaluated_on_ : {"training data", "held-out data"}
        Where these values were measured.
    n_iter_ : int
        Upper-level iterations.
    converged_ : bool
        Whether the search ended by its own tolerance, not by its budget.
    n_refits_ : int
        Fits of the estimator itself, the baseline and the last one included, also those that
        `memory` had; the implicit solver's own solutions in between do not count.
    results_ : dict of ndarrays
        One entry per visited point: "cell_weights", "metric", "score", "cell_losses",
        "refit_time" (seconds; of loading, where `memory` had it), "pareto_optimal" (not dominated
        in metric and score),
        "iteration", "origin" (what proposed it: a guide, "tilt", ...), "predicted_metric" and
        "predicted_score" (what the search expected there, or NaN), "failed", "constant". With
        `confidence` also "metric_upper", the limit, which predictions are then of.
    weight_response_ : float
        How far refits moved along what was predicted from the baseline model: 1 as far, 0 not at
        all, negative the other way; NaN without prediction.
    weights_move_ : bool
        Whether any refit differs from the baseline estimator.
    small_groups_ : dict
        Groups whose rarest class has fewer than 30 rows where the upper level is evaluated, with
        that number: their part of the metric is mostly chance.
    metric_name_ : str
        Name of the metric.
    pareto_residual_ : float
        Norm of the smallest convex combination of the cells' loss gradients (and of the
        regularisation's) at `estimator_`: 0 at a Pareto-stationary model. Only for linear models
        with a smooth objective.
    bargaining_ : Bunch
        Only with ``init="nash"``: "method" ("gradients" or "nash_product"), "reason" why the
        groups stopped (see `skbadr.bargaining.Bargain`), "cell_weights" (K,) they agreed on,
        "losses" and "baseline_losses" (one per sensitive group) there and of the baseline model,
        "pareto_distance" (0: no direction helps every group), "n_refits".
    classes_ : ndarray of shape (C,)
        Class labels.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (d,)
        Their names, where X has names.

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
        if y.dtype.kind not in "biu" or len(classes) > MANY_CLASSES:
            check_classification_targets(y)
        if len(classes) < 2:
            raise ValueError(
                f"y holds one class, {classes[0]!r}: a classifier needs at least 2 classes."
            )
        return y, codes.astype(np.intp, copy=False), classes

    def _loss(self, estimator):
        return "log_loss" if has_method(estimator, "predict_proba") else "zero_one"
