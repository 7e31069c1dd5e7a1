"""From a search to the fitted attributes, and what the user is told about it."""

from functools import partial

import numpy as np
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning

from skbadr._warnings import record_warnings, warn_user
from skbadr.estimators.outcome.precision import store_precision
from skbadr.estimators.outcome.promise import broken_promise, store_promise
from skbadr.estimators.outcome.summary import compared_in_words, small_groups
from skbadr.estimators.outcome.verdicts import score_in_view
from skbadr.metrics import CombinedMetric
from skbadr.metrics.confidence.confident import ConfidentMetric, measured
from skbadr.problem import pareto_residual

# A weight by how many times as large, or as small, should be felt.
FELT_RATIO = 1.5


def store_outcome(model, archive, evaluator, setup):
    """Set the fitted attributes.

    Parameters
    ----------
    model : BADR estimator being fitted
    archive : Archive
    evaluator : Evaluator
    setup : Setup
        Makes the lower level of all training rows, for an upper level on held-out rows.

    Raises
    ------
    Exception
        The first refit's, where only the baseline model could be fitted: it must not pass for a
        fair one.
    """
    best, baseline = archive.best, archive.evaluations[0]
    # Solutions of a smooth lower level are no fits of the estimator.
    others = [e for e in archive.evaluations[1:] if e.n_refits]
    if others and all(e.failed for e in others):
        raise others[0].error
    fold = evaluator.folds[0]
    held_out = fold.rows is not None
    lower = setup.lower_level() if held_out else fold.lower_level
    final = best.model
    if held_out:
        best, final = _fit_on_all(lower, archive)
        archive.best = best
    model.estimator_ = lower.assemble(final)
    vars(model).pop("baseline_estimator_", None)  # of an earlier fit
    # First what predictions need: the rest may be interrupted.
    _store_classes(vars(model), evaluator)
    model.cell_weights_ = np.array(best.cell_weights)
    model.cells_ = label_array(setup.cells.labels)
    model.partition_ = setup.partition
    model.cell_losses_ = best.cell_losses
    model.loss_name_ = evaluator.loss
    for name in ("metric_values_", "baseline_metric_values_"):  # of an earlier fit
        vars(model).pop(name, None)
    metric, statistics = measured(evaluator.metric, best.statistics)
    if isinstance(metric, CombinedMetric):
        own = partial(metric.values_by_label, evaluator.evaluation_set)
        model.metric_values_ = own(statistics)
        model.baseline_metric_values_ = own(measured(evaluator.metric, baseline.statistics)[1])
    model.scoring_value_, model.baseline_scoring_value_ = best.score, baseline.score
    model.constant_scoring_value_ = _constant_score(evaluator, archive)
    judged = held_out or evaluator.leaves_out
    model.evaluated_on_ = "held-out data" if judged else "training data"
    model.n_iter_, model.converged_ = archive.n_iter, archive.converged
    model.n_refits_ = archive.n_refits + held_out
    model.results_ = archive.as_dict()
    store_promise(model, archive, evaluator.metric)
    model.metric_name_ = evaluator.metric.name
    model.weight_response_ = archive.response
    model.weights_move_ = archive.moved
    model.small_groups_ = small_groups(evaluator.evaluation_set, metric)
    model._has_strata = evaluator.evaluation_set.groups.n_control > 0
    model._compared = compared_in_words(metric, evaluator.evaluation_set)
    if metric.references:  # audits compare with it
        plain = evaluator.baseline_model
        if plain is None:
            plain = lower.fit(baseline.cell_weights)
            model.n_refits_ += 1
        model.baseline_estimator_ = lower.assemble(plain)
    data = evaluator.evaluation_set
    residual = pareto_residual(lower, final, data.classes, None if held_out else data.y)
    if residual is not None:
        model.pareto_residual_ = residual
    store_precision(
        model, archive, evaluator, final, lambda: setup.evaluator(None, lower_level=lower)
    )


def _constant_score(evaluator, archive):
    """Return the best single prediction's score, NaN if it is better but misses the bound."""
    objective, score = archive.objective, evaluator.constant_score()
    if objective.bound is not None and archive.best.score < score:
        with record_warnings():
            if objective.excess(evaluator.constant_metric()) > 0:
                return np.nan
    return score


def _fit_on_all(lower, archive):
    """Return the best evaluation at whose weights all rows can be fitted, and the model.

    Raises
    ------
    Exception
        Of the best weights, with a note that gives them, where none better than the baseline's do.
    """
    key, baseline = archive.objective.key, archive.evaluations[0]
    better = [e for e in archive.evaluations if not e.failed and key(e) < key(baseline)]
    others = [e for e in sorted(better, key=key) if e is not archive.best]
    first = None
    for evaluation in [archive.best, *others[:2]]:
        try:
            return evaluation, lower.fit(evaluation.cell_weights)
        except (Exception, KeyboardInterrupt) as error:
            if not isinstance(error, Exception):
                first = error
                break
            first = first or error
            warn_user(
                f"the last fit, on all samples, failed at weights "
                f"{np.round(evaluation.cell_weights, 4).tolist()}, and the next best are tried: "
                f"{type(error).__name__}: {error}",
                FitFailedWarning,
            )
    first.add_note(
        "The search had ended; only the last fit, on all samples, is missing. Its weights: "
        f"init={archive.best.cell_weights.tolist()}"
    )
    raise first


def outcome_so_far(archive, evaluator):
    """Return what it takes to predict by the best model so far, or None where none is kept."""
    if archive.best is None or archive.best.model is None:
        return None
    attributes = {"estimator_": evaluator.folds[0].lower_level.assemble(archive.best.model)}
    _store_classes(attributes, evaluator)
    return attributes


def _store_classes(attributes, evaluator):
    if evaluator.evaluation_set.classes is not None:
        attributes["classes_"] = evaluator.evaluation_set.classes


def _told(metric, data, evaluation):
    return metric.value_text(evaluation.metric, data, evaluation.statistics)


def warn_about(archive, data, *, partition, evaluated_on, constant_score):
    """Tell the user what is wrong with the chosen model; `data` are the rows it was judged on."""
    best, baseline, objective = archive.best, archive.evaluations[0], archive.objective
    for message, category in best.warnings:
        warn_user(message, category)
    metric = objective.metric
    tried = [e for e in archive.evaluations[1:] if e.n_refits and not e.failed]
    ratios = [e.cell_weights / baseline.cell_weights for e in tried]
    # Weights that hardly change may move a model by less than any row can show.
    far = any(max(ratio.max(), 1 / ratio.min()) > FELT_RATIO for ratio in ratios)
    if objective.is_met(best) and not archive.moved and far:
        warn_user(
            "no weights that were tried changed anything that is measured: the estimator ignores "
            "sample_weight, or fits these data whatever the weights are (then give it less "
            "freedom, or set cv)."
        )
    if not objective.is_met(best) and isinstance(metric, ConfidentMetric):
        warn_user(broken_promise(archive, data), ConvergenceWarning)
    elif not objective.is_met(best):
        unmoved = ""
        cures = ["allow more (bound)", "search longer (max_iter)"]
        if isinstance(partition, str) and partition == "group":
            cures.append("use partition='group_target'")
        if tried and not archive.moved:
            unmoved = "weights do not move the estimator: "
            cures = ["take an estimator that heeds sample_weight", "allow more (bound)"]
        warn_user(
            f"no visited model has {metric.bound_text(objective.bound)}: the nearest has "
            f"{_told(metric, data, best)} (the baseline estimator {_told(metric, data, baseline)}) "
            f"on the {evaluated_on}; {unmoved}{', '.join(cures[:-1])} or {cures[-1]}.",
            ConvergenceWarning,
        )
    elif archive.exhausted:
        warn_user(
            "the search spent its budget of refits before it converged: raise max_iter or tol.",
            ConvergenceWarning,
        )
    if objective.bound is not None and best.score < constant_score < baseline.score:
        warn_user(
            f"the chosen model's score of {best.score:.4f} is below the {constant_score:.4f} of "
            f"predicting the same for everybody, which {metric.name} counts as fair: "
            f"{score_in_view(objective.bound, True, metric.greater_is_better)}, or take columns "
            "that tell more."
        )
    if objective.is_met(best) and best.constant and not baseline.constant:
        cure = score_in_view(objective.bound, objective.uses_score, metric.greater_is_better)
        warn_user(
            f"the chosen model predicts a single value for every sample, which {metric.name} "
            f"counts as fair: {cure}."
        )


def label_array(labels):
    """Return labels as an array: of their own dtype where scalar, of tuples otherwise."""
    if labels and not isinstance(labels[0], tuple):
        array = np.asarray(labels)
        if array.ndim == 1 and array.tolist() == labels:
            return array
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array
