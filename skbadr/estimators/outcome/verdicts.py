"""What a search came to, in sentences: when nothing was gained, and when little can be told."""

import numpy as np

from skbadr.estimators.fit.setup import bound_of
from skbadr.metrics import get_metric

# A difference of fewer standard errors than this may be chance.
STANDARD_ERRORS = 2.0


def verdicts(model):
    """Return sentences on the outcome of a fit that a user should not overlook.

    Parameters
    ----------
    model : fitted BADR estimator

    Returns
    -------
    sentences : list of str
        Empty where all is well.
    """
    metric = get_metric(model.metric, model._task)
    return [
        *promise(model),
        *_gain(model, metric),
        *_price(model, metric),
        *_constant(model, metric),
        *_resolution(model, metric),
        *_contradiction(model, metric),
    ]


def standard_errors(model):
    """Return the standard errors of the chosen and of the baseline model's metric, or NaN."""
    known = vars(model)
    names = "metric_standard_error_", "baseline_metric_standard_error_"
    return [known.get(name, np.nan) for name in names]


def _on_training_rows(model):
    return model.evaluated_on_ == "training data"


def promise(model):
    """Return a sentence on what is promised of new rows, in a list; empty without a confidence.

    Parameters
    ----------
    model : fitted BADR estimator

    Returns
    -------
    sentences : list of str
        At most one.
    """
    if getattr(model, "confidence", None) is None:
        return []
    metric = get_metric(model.metric, model._task)
    bound = metric.bound_text(bound_of(model, metric))
    side = "lower" if metric.greater_is_better else "upper"
    limit = f"{side} {100 * model.confidence:g} % confidence limit is {model.metric_upper_:.4f}"
    if model.bound_met_:
        return [f"The fit promises {bound} on new rows of the same population: the {limit}."]
    return [
        f"The fit promises nothing on new rows: the {limit}, which misses {bound}. The model is "
        "the one whose limit misses the bound by least."
    ]


def _gain(model, metric):
    sign = -1.0 if metric.greater_is_better else 1.0
    gain = sign * (model.baseline_metric_value_ - model.metric_value_)
    bounded = model.metric_value_ if model.confidence is None else model.metric_upper_
    bound = bound_of(model, metric)
    excess = 0.0 if bound is None else sign * (bounded - bound)
    baseline = np.array_equal(model.results_["cell_weights"][0], model.cell_weights_)
    if baseline and bound is not None and excess <= 0:
        return [
            "The baseline estimator meets the bound, and no visited model within it has a better "
            "score: it was chosen."
        ]
    if baseline or (gain <= 0 and bound is None and not model.trade_off):
        return [
            "Nothing was gained: no visited model is better than the baseline estimator by what "
            f"was asked for.{_cures(model)}"
        ]
    sentences = []
    if excess > 0 and model.confidence is None:
        sentences.append(
            f"The bound {bound:g} is missed, by {excess:.4f}: no visited model meets it."
            if metric.own_bound is None
            else _missed(model, metric)
        )
    error = standard_errors(model)[0]
    # Both values err together, as they are of the same rows: their difference errs by less than
    # an error of two separate ones.
    if 0 < gain < error:
        told = (
            "set cv, which judges models on rows that the refits have not seen."
            if _on_training_rows(model)
            else "more rows would tell."
        )
        sentences.append(
            f"The gain of {gain:.4f} is less than the metric's standard error of {error:.4f}. "
            f"It may be chance: {told}"
        )
    return sentences


def _missed(model, metric):
    """Tell which of several bounds are missed."""
    values = vars(model).get("metric_values_", {})
    over = metric.in_bounds(np.array([values.get(label, np.nan) for label in metric.labels])) > 1.0
    named = ", ".join(
        f"{label} {values[label]:.4f} (bound {bound:g})"
        for label, bound, missed in zip(metric.labels, metric.bounds, over, strict=True)
        if missed
    )
    return f"No visited model meets all bounds. The chosen one misses {named}."


def _price(model, metric):
    """Tell where a bound costs more accuracy than the metric gains."""
    baseline, chosen = model.baseline_metric_value_, model.metric_value_
    lost = model.baseline_scoring_value_ - model.scoring_value_
    gained = (chosen - baseline) if metric.greater_is_better else (baseline - chosen)
    points = metric.points
    if bound_of(model, metric) is None or points is None or model.scoring is not None:
        return []
    gained *= points
    if not lost > gained > 0:
        return []
    return [
        f"The bound is expensive: it costs {lost:.4f} of score for {gained:.4f} of "
        f"{model.metric_name_ if points == 1.0 else 'rates'}, more than a point for a point."
    ]


def _cures(model):
    """Return what may gain something."""
    moved = model.weights_move_ or len(model.results_["metric"]) < 2
    if not moved and not _on_training_rows(model):
        return ""  # which has a sentence of its own
    cures = []
    if moved and isinstance(model.partition_, str) and model.partition_ == "group":
        cures.append("partition='group_target', whose weights can also move rates")
    if _on_training_rows(model):
        cures.append(
            "cv, because an estimator that fits its training data closely does so whatever the "
            "weights are"
        )
    if moved:
        cures.append("a larger max_iter")
    return f" Try {'; '.join(cures[:-1])}{'; or ' if cures[:-1] else ''}{cures[-1]}."


def _constant(model, metric):
    """Tell where a single prediction for everybody is what was found, or would be as good."""
    bound = bound_of(model, metric)
    cure = score_in_view(
        bound, bound is not None or bool(model.trade_off), metric.greater_is_better
    )
    results = model.results_
    chosen = (results["cell_weights"] == model.cell_weights_).all(axis=1)
    if not (chosen & results["constant"]).any():
        score = vars(model).get("constant_scoring_value_", np.nan)  # saved files may lack it
        if not (model.scoring_value_ < score < model.baseline_scoring_value_):
            return []
        return [
            f"The chosen model's score of {model.scoring_value_:.4f} is below the {score:.4f} of "
            "predicting the same for everybody: the bound or trade_off costs this estimator more "
            "than it has learnt. Try another random_state with a larger max_iter, columns that "
            f"tell the groups apart, or {cure}."
        ]
    if results["constant"][0]:
        return [
            "The chosen model predicts a single value for every sample, as the baseline estimator "
            "does: it has learnt nothing that could be fair or unfair."
        ]
    return [
        "The chosen model predicts a single value for every sample, which "
        f"{model.metric_name_} counts as fair: {cure}."
    ]


def score_in_view(bound, uses_score, greater_is_better):
    """Say what a user may change who finds that a model gave up its score for the metric."""
    if not uses_score:
        return "set bound or trade_off to keep the score in view"
    if bound is None:
        return "set a larger trade_off"
    return f"set a {'smaller' if greater_is_better else 'larger'} bound"


def _resolution(model, metric):
    """Tell where rows are too few for the metric to mean anything."""
    sentences = []
    error, ideal = standard_errors(model)[1], metric.ideal
    distance = np.nan if ideal is None else abs(model.baseline_metric_value_ - ideal)
    if distance < STANDARD_ERRORS * error:
        sentences.append(
            f"The baseline estimator's {model.metric_name_} of "
            f"{model.baseline_metric_value_:.4f} is within twice its standard error of "
            f"{error:.4f} from {ideal:g}: these rows cannot tell it from a fair one."
        )
    if model.small_groups_:
        named = ", ".join(f"{label!r} ({rows})" for label, rows in model.small_groups_.items())
        rows = "the rows of their rarest class" if hasattr(model, "classes_") else "their rows"
        sentences.append(f"Groups too small to judge, with {rows}: {named}.")
    return sentences


def _contradiction(model, metric):
    """Tell where the final model does on its training rows what it does not do elsewhere."""
    training = vars(model).get("training_metric_value_", np.nan)
    error = standard_errors(model)[0]
    apart = model.metric_value_ - training
    if not abs(apart) > STANDARD_ERRORS * np.sqrt(2.0) * error:  # either of them errs
        return []
    better = apart * (-1.0 if metric.greater_is_better else 1.0) > 0
    told = (
        "it fits the groups of these rows too closely, so trust the held-out value, and "
        "regularise the estimator"
        if better
        else "trained on all rows it is not the model of the folds, whose value this is"
    )
    return [
        f"On its training data the model has {model.metric_name_} {training:.4f}, on held-out data "
        f"{model.metric_value_:.4f}, which the standard error of {error:.4f} does not explain: "
        f"{told}."
    ]
