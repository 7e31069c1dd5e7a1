"""Confidence limits of any metric of a given model: how far it may be off on other rows.

One engine for the search, which needs the limit on the side of the bound for many candidates, and
for `skbadr.audit`, which needs both.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from skbadr.metrics.callables import PerGroupMetric
from skbadr.metrics.confidence.bootstrap import resampled_groups, resampled_limits
from skbadr.metrics.confidence.contrasts import compare_groups, largest_error
from skbadr.metrics.confidence.estimates import mean_estimates, rate_estimates
from skbadr.metrics.confidence.intervals import effective_rows, effective_total
from skbadr.metrics.losses.group_losses import GroupLossMetric
from skbadr.metrics.rates.confusion_rates import RATES, divide
from skbadr.metrics.rates.rate_metric import RateMetric
from skbadr.metrics.scores.predictions import GroupMeanMetric, KolmogorovSmirnovMetric

# Summaries of group losses that are comparisons of groups; a ratio is that of the smallest to the
# largest, turned over afterwards.
TRANSFORM_OF_SUMMARY = {
    "worst_group_loss": "group_max",
    "group_loss_gap": "difference",
    "group_loss_ratio": "ratio",
}


def limits(metric, data, statistics=None, confidence=0.9, *, response=None):
    """Return the lower and the upper confidence limit of a metric.

    Each holds with probability `confidence`: the value on the population is below the lower one,
    and above the upper one, in at most ``1 - confidence`` of all samples. Both hold at once with
    probability ``2 * confidence - 1``.

    Parameters
    ----------
    metric : FairnessMetric
    data : EvaluationSet
        Rows that the model was not trained on. With weights, rows count by Kish's effective number.
    statistics : ndarray or None, default=None
        Confusion matrices, where the metric is of these.
    confidence : float, default=0.9
        At least .5, below 1.
    response : ndarray or None, default=None
        What the metric takes of the model; needed where it is not of confusion matrices.

    Returns
    -------
    lower, upper : float
    """
    if metric.pieces(data) is not None:
        sides = (metric.greater_is_better, not metric.greater_is_better)
        lower, upper = (
            _limit_of_pieces(metric, data, statistics, confidence, response, worst=worst)
            for worst in sides
        )
        return lower, upper
    parts = comparisons(metric, data, statistics, response)
    if parts is None:
        return _without_comparisons(metric, data, response, confidence)
    sides = (one_side(parts, confidence, upper=upper)[0] for upper in (False, True))
    return parts.settle(*sides)


def one_side(parts, confidence, *, upper, like=None):
    """Return one limit of the metric, before it is settled.

    Parameters
    ----------
    parts : Parts
        Of T models.
    confidence : float
    upper : bool
        Which of the limits.
    like : Parts or None, default=None
        Of one model like all of these, which tells how large the largest error is; None: of the
        only one.

    Returns
    -------
    limits : ndarray of shape (T,)
    """
    if upper == parts.takes_largest:
        return parts.limit(float(ndtri(confidence)), upper=upper)
    like = parts if like is None else like
    # First all comparisons, with a tenth of what is left of confidence, then those that can be the
    # extreme one with the rest.
    first, rest = (float(ndtri(1.0 - share * (1.0 - confidence))) for share in (0.1, 0.9))
    possible = like.possible(largest_error(like.all, first))
    return parts.limit(largest_error(like.all, rest, possible), upper=upper)


def upper_limit(metric, data, statistics=None, confidence=0.9, *, response=None):
    """Return the upper confidence limit of a metric; see `limits`."""
    return _one_limit(metric, data, statistics, confidence, response, upper=True)


def lower_limit(metric, data, statistics=None, confidence=0.9, *, response=None):
    """Return the lower confidence limit of a metric; see `limits`."""
    return _one_limit(metric, data, statistics, confidence, response, upper=False)


def worst_limit(metric, data, statistics=None, confidence=0.9, *, response=None):
    """Return the limit on the unfair side: the lower one of ratios and floors, else the upper."""
    upper = not metric.greater_is_better
    return _one_limit(metric, data, statistics, confidence, response, upper=upper)


def _limit_of_pieces(metric, data, statistics, confidence, response, *, worst):
    """Return a limit of the worst of several metrics: on its unfair side, or on the other one.

    The former needs no correction for their number, as the largest gap of one metric does not: the
    value lies beyond the worst of all limits no more often than its own piece beyond its own. The
    latter has Bonferroni's.
    """
    pieces = metric.pieces(data, statistics, response)
    level = confidence if worst else 1.0 - (1.0 - confidence) / len(pieces)
    found = [
        _one_limit(
            piece.metric,
            piece.data,
            piece.statistics,
            level,
            piece.response,
            upper=worst != bool(piece.metric.greater_is_better),
        )
        for piece in pieces
    ]
    return float(metric.worst_of(np.array(found)))


def _one_limit(metric, data, statistics, confidence, response, *, upper):
    if metric.pieces(data) is not None:
        worst = upper != bool(metric.greater_is_better)
        return _limit_of_pieces(metric, data, statistics, confidence, response, worst=worst)
    parts = comparisons(metric, data, statistics, response)
    if parts is None:
        return _without_comparisons(metric, data, response, confidence)[int(upper)]
    side = upper != parts.turned
    found, other = one_side(parts, confidence, upper=side)[0], np.nan
    return parts.settle(*((other, found) if side else (found, other)))[int(upper)]


def _without_comparisons(metric, data, response, confidence):
    if response is None:
        raise ValueError(
            f"limits of {metric.name} need the model's output: pass response, not statistics."
        )
    if type(metric) is KolmogorovSmirnovMetric:
        return _distance_limits(metric, data, response, confidence)
    return resampled_limits(metric, data, response, confidence)


def _distance_limits(metric, data, response, confidence):
    """Return limits of the largest distance of distributions, whatever these are.

    The upper limit is that of one threshold, at which the distance is largest, and shares there of
    one half, of which samples tell least. The lower one holds for all thresholds and pairs at once
    (the distribution of Kolmogorov and Smirnov, Bonferroni's correction for pairs).
    """
    codes, n_groups = data.groups.codes, data.n_groups
    n_rows = effective_rows(data.group_totals, data.squared_totals)
    groups = np.flatnonzero(data.present)
    between = KolmogorovSmirnovMetric()
    pairs = [(a, b) for a in groups for b in groups if a < b]
    if metric.method == "to_overall":
        pairs = [(a, n_groups) for a in groups]
    lower, upper = 0.0, 0.0
    for a, b in pairs:
        part, factor = data.take(slice(None)), 1.0
        if b == n_groups:  # to all: (1 - share) times the distance to the others
            part.groups = replace(data.groups, codes=(codes != a).astype(np.intp))
            share = data.group_totals[a] / data.group_totals.sum()
            sizes, factor = (n_rows[a], n_rows.sum() - n_rows[a]), 1.0 - share
            distance = between.value(part, response)
        else:
            rows = np.flatnonzero((codes == a) | (codes == b))
            distance = between.value(data.take(rows), response[rows])
            sizes = n_rows[a], n_rows[b]
        error = np.sqrt(sum(1.0 / size for size in sizes))
        at_once = np.sqrt(-np.log((1.0 - confidence) / len(pairs) / 2.0) / 2.0)
        upper = max(upper, factor * (distance + 0.5 * ndtri(confidence) * error))
        lower = max(lower, factor * (distance - at_once * error))
    value = metric.value(data, response)
    return min(lower, value), max(min(upper, 1.0), value)


def many_worst_limits(metric, data, statistics, confidence=0.9):
    """Return `worst_limit` of many candidates at once.

    Parameters
    ----------
    metric : RateMetric, or one whose pieces are such
    data : EvaluationSet
    statistics : ndarray of shape (T, n_statistics)
        Confusion matrices of each.
    confidence : float, default=0.9

    Returns
    -------
    limits : ndarray of shape (T,)
    """
    upper, statistics = not metric.greater_is_better, np.asarray(statistics, dtype=float)
    pieces = metric.pieces(data, statistics)
    if pieces is not None:
        found = [many_worst_limits(p.metric, p.data, p.statistics, confidence) for p in pieces]
        return metric.worst_of(np.stack(found, axis=-1))
    parts = comparisons(metric, data, statistics)
    like = comparisons(metric, data, statistics.mean(axis=0))
    found = one_side(parts, confidence, upper=upper, like=like)
    return (np.fmax if upper else np.fmin)(found, parts.value)


@dataclass
class Parts:
    """The comparisons of all rates of a metric, and what is made of them.

    Attributes
    ----------
    all : list of Comparisons
        One per rate.
    value : ndarray of shape (T,)
        The metric's values.
    mean_over_rates, mean_over_classes : bool
        Whether these are averaged; else the worst of them counts.
    turned : bool
        Whether the metric is the largest over the smallest, one over the ratio.
    """

    all: list
    value: np.ndarray
    mean_over_rates: bool = False
    mean_over_classes: bool = False
    turned: bool = False

    @property
    def takes_largest(self):
        """Whether the metric is the largest of the comparisons."""
        return self.all[0].takes_largest

    def limit(self, z, *, upper):
        """Return the metric's limit at one z of every comparison, of shape (T,)."""
        extreme = np.fmax if self.takes_largest else np.fmin
        by_rate = []
        for part in self.all:
            by_class = part.extreme(part.limit(z, upper=upper))
            over = np.nanmean if self.mean_over_classes else extreme.reduce
            by_rate.append(over(by_class, axis=1))
        over = np.nanmean if self.mean_over_rates else extreme.reduce
        return over(np.array(by_rate), axis=0)

    def possible(self, z):
        """Return which comparisons may be the extreme one, of one model; None: all."""
        if self.mean_over_rates or self.mean_over_classes:
            return None
        near = [part.limit(z, upper=self.takes_largest)[0] for part in self.all]
        certain = self.limit(z, upper=not self.takes_largest)[0]
        return [(n >= certain) if self.takes_largest else (n <= certain) for n in near]

    def weakest_group(self, z):
        """Return the group, of one model, that adds most to how far the limit is off."""
        limits = [part.limit(z, upper=self.takes_largest)[0] for part in self.all]
        extreme = [(np.nanmax if self.takes_largest else np.nanmin)(found) for found in limits]
        rate = int((np.argmax if self.takes_largest else np.argmin)(extreme))
        return self.all[rate].weakest_group(limits[rate], z)

    def settle(self, lower, upper):
        """Return limits within what the metric can be, on both sides of its value."""
        estimates, value = self.all[0].estimates, float(self.value[0])
        transform = self.all[0].transform
        least = 0.0 if transform in ("difference", "ratio") else estimates.lowest
        most = 1.0 if transform == "ratio" else estimates.highest
        lower, upper = np.fmax(float(lower), least), np.fmin(float(upper), most)
        if self.turned:
            with np.errstate(divide="ignore"):
                lower, upper = (float(np.divide(1.0, v)) for v in (upper, lower))
        return float(np.fmin(lower, value)), float(np.fmax(upper, value))


def comparisons(metric, data, statistics=None, response=None):
    """Return the comparisons of groups that a metric is the extreme of, or None.

    Parameters
    ----------
    metric, data, statistics, response
        As of `limits`; `statistics` may be those of many models, of shape (T, n_statistics).

    Returns
    -------
    parts : Parts or None
        None where the metric is no such extreme, or `response` is needed to tell.
    """
    if isinstance(metric, RateMetric):
        if statistics is None:
            statistics = metric.statistics(data, response)
        return _of_rates(metric, data, np.atleast_2d(np.asarray(statistics, dtype=float)))
    if response is None:
        return None
    if type(metric) is GroupMeanMetric and metric.rho is None:
        return _of_means(metric, data, response, metric.transform, metric.method)
    sharp = type(metric) is GroupLossMetric and metric.rho is None and metric.ball is None
    if sharp and metric.summary in TRANSFORM_OF_SUMMARY:
        return _of_means(
            metric, data, response, TRANSFORM_OF_SUMMARY[metric.summary], "between_groups"
        )
    if type(metric) is PerGroupMetric and metric.method == "between_groups":
        estimates = resampled_groups(metric, data, response)
        part = compare_groups(estimates, metric.transform, metric.method)
        return Parts([part], np.array([metric.value(data, response)]))
    return None


def compare_rates(metric, data, statistics):
    """Return the `Comparisons` of each rate of a `RateMetric`, for tables of T models.

    Parameters
    ----------
    metric : RateMetric
    data : EvaluationSet
    statistics : ndarray of shape (T, n_statistics)
    """
    n_classes, present = data.n_classes, data.present
    tables = statistics.reshape(len(statistics), -1, n_classes, n_classes)[:, present]
    parts = []
    for rate in metric.rates_for(data):
        columns = metric.positive_columns(data) if RATES[rate][1] else slice(None)
        estimates, sizes = rate_estimates(data, tables, rate, columns)
        shares = total = None
        if metric.method == "to_overall":
            total = sizes.sum(axis=-1)
            shares = divide(sizes, total[..., None])
        parts.append(compare_groups(estimates, metric.transform, metric.method, shares, total))
    return parts


def _of_rates(metric, data, statistics):
    parts = compare_rates(metric, data, statistics)
    return Parts(
        parts,
        metric.from_many_statistics(data, statistics),
        mean_over_rates=metric.agg == "mean" and len(parts) > 1,
        mean_over_classes=metric.class_agg == "mean",
    )


def _of_means(metric, data, response, transform, method):
    _, estimates = mean_estimates(metric, data, response)
    totals = data.group_totals[data.present]
    part = compare_groups(
        estimates, transform, method, totals / totals.sum(), effective_total(data)
    )
    value = metric.value(data, response)
    turned = getattr(metric, "summary", None) == "group_loss_ratio"
    return Parts([part], np.array([value]), turned=turned)
