"""What "auto" stands for: the cells that are weighted, and the rows they are judged on."""

from skbadr.estimators.fit.setup import bound_of
from skbadr.metrics import (
    CombinedMetric,
    GroupMeanMetric,
    KolmogorovSmirnovMetric,
    ScoreParityMetric,
    get_metric,
)
from skbadr.metrics.rates.rate_surrogate import RateSurrogate
from skbadr.metrics.scores.distribution_surrogate import KolmogorovSmirnovSurrogate
from skbadr.metrics.scores.predictions import prediction
from skbadr.metrics.scores.score_surrogates import KolmogorovSmirnovOfScores
from skbadr.partition.cells import PARTITIONS

# Rows for each column from which on a smooth linear model tells the same of its training rows as of
# new ones.
ROWS_PER_COLUMN = 20
# Of the fits that a search on folds may take, four folds leave three for guided points.
FOLDS = 4
# Rows from which one held-out part tells as much as folds need to.
HELD_OUT_ROWS, HELD_OUT = 100_000, 0.25

_WORDS = {"group": "groups", "group_target": "group x target cells"}


def choose_partition(partition, metric, task, *, has_goal):
    """Return the partition that is meant.

    Parameters
    ----------
    partition : {"auto", "group", "group_target"} or callable
    metric : FairnessMetric
        As the user named it: a loss of the estimator's own is not filled in.
    task : {"classification", "regression"}
    has_goal : bool
        Whether a bound or a trade-off keeps the score in view.

    Returns
    -------
    partition : {"group", "group_target"} or callable

    Raises
    ------
    ValueError
        If `partition` is none of these.
    """
    if callable(partition):
        return partition
    if not isinstance(partition, str) or partition not in ("auto", *PARTITIONS):
        raise ValueError(
            f"partition must be one of {('auto', *PARTITIONS)} or a callable (y, groups) -> cell "
            f"labels, got {partition!r}."
        )
    if partition != "auto":
        return partition
    return "group_target" if has_goal and _is_of_predictions(metric, task) else "group"


def _is_of_predictions(metric, task):
    """Whether a metric compares decisions, or real predictions, rather than losses or scores."""
    if isinstance(metric, CombinedMetric):
        return any(_is_of_predictions(part, task) for part in metric.parts)
    if isinstance(metric, ScoreParityMetric | KolmogorovSmirnovOfScores):
        return True
    if task == "classification":
        decides = metric.response_method == "predict" and not getattr(metric, "own", False)
        return decides or isinstance(metric, RateSurrogate)
    if isinstance(metric, GroupMeanMetric):
        return metric.quantity is prediction
    return isinstance(metric, KolmogorovSmirnovMetric | KolmogorovSmirnovSurrogate)


def explain_partition(model):
    """Return one sentence that says which cells a fitted model's weights belong to, and why."""
    chosen = model.partition_
    if callable(chosen):
        name = getattr(chosen, "__name__", type(chosen).__name__)
        return f"Weights belong to the cells that partition={name} returns."
    cells = _WORDS[chosen]
    if model.partition != "auto":
        return f"Weights belong to {cells}: you asked for partition={chosen!r}."
    metric = get_metric(model.metric, model._task)
    bound = bound_of(model, metric)
    what = "decisions" if model._task == "classification" else "mean predictions"
    if chosen == "group_target":
        given = "trade_off" if bound is None else "bound"
        why = f"weights of groups alone hardly move a metric of {what}, and you gave a {given}"
    elif bound is None and not model.trade_off:
        why = "you gave neither bound nor trade_off"
    else:
        name = metric.name
        why = f"{name} is not known as a metric of {what}"
    return f"Weights belong to {cells}. partition='auto' chose them: {why}."


def choose_cv(cv, *, n_rows, n_columns, smooth, may_refit, splits, confident=False):
    """Return the `cv` that is meant.

    Parameters
    ----------
    cv : "auto", None, float, int, splitter or iterable
    n_rows, n_columns : int
        Of the training data.
    smooth : bool
        Whether the estimator is a linear model with exact derivatives on its training rows.
    may_refit : bool
        Whether the solver refits the estimator at every step, or may choose to.
    splits : bool
        Whether folds are of use: not where rows are elsewhere, for instance.
    confident : bool, default=False
        Whether models must be judged on rows that they have not seen. Smooth linear models are,
        without folds: each row by the model of all others.

    Returns
    -------
    cv : None, float, int, splitter or iterable

    Raises
    ------
    ValueError
        If `cv` is another text.
    """
    if not isinstance(cv, str):
        return cv
    if cv != "auto":
        raise ValueError(
            f"cv must be 'auto', None, a fraction, a number of folds or a splitter, got {cv!r}."
        )
    if smooth and n_rows >= ROWS_PER_COLUMN * n_columns:
        return None
    if not confident and (not (splits and may_refit) or n_rows < 2 * FOLDS):
        return None
    return HELD_OUT if n_rows >= HELD_OUT_ROWS else FOLDS
