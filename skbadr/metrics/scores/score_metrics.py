"""Metrics of scores: calibration, ranking within and across groups, parity of distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import expit

from skbadr._typing import Array, Float, FloatArray, Task, Transform
from skbadr.metrics.aggregate import (
    TRANSFORMS,
    aggregate_groups,
    aggregate_with_gradient,
    check_option,
    largest,
)
from skbadr.metrics.base import FairnessMetric
from skbadr.metrics.rates.rate_metric import positive_range
from skbadr.metrics.scores.predictions import KolmogorovSmirnovMetric
from skbadr.metrics.scores.score_surrogates import (
    AUCSurrogate,
    CalibrationSurrogate,
    KolmogorovSmirnovOfScores,
    log_odds_of,
    worst_class,
)

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet


class _ScoreMetric(FairnessMetric):
    """A metric of the scores of one class; of more than two each in turn, and the worst counts."""

    def __init__(self, name, response_method, *, greater_is_better, pos_label, tasks):
        super().__init__(
            name, greater_is_better=greater_is_better, response_method=response_method, tasks=tasks
        )
        self.pos_label = pos_label

    def columns(self, evaluation_set: EvaluationSet) -> range:
        """Return the codes of the classes of which each is taken for the positive one."""
        if evaluation_set.classes is None:
            return range(1)
        if evaluation_set.n_classes > 2 and self.pos_label is None:
            return range(evaluation_set.n_classes)
        return range(*positive_range(evaluation_set.classes, self.pos_label))

    def undefined(self, evaluation_set: EvaluationSet) -> list[str]:  # noqa: D102
        self.columns(evaluation_set)
        return []

    def statistics(self, evaluation_set: EvaluationSet, response: Array) -> FloatArray:  # noqa: D102
        response = np.asarray(response, dtype=float)
        return np.concatenate(
            [
                self._statistics(evaluation_set, _score(response, column), column)
                for column in self.columns(evaluation_set)
            ]
        )

    def from_statistics(self, evaluation_set: EvaluationSet, statistics: FloatArray) -> float:  # noqa: D102
        pieces = np.split(statistics, len(self.columns(evaluation_set)))
        values = np.array([self._value(evaluation_set, own) for own in pieces])
        return float((np.fmin if self.greater_is_better else np.fmax).reduce(values))

    def _statistics(self, data, score, column):
        """Return the statistics of one class, as ndarray."""
        raise NotImplementedError

    def _value(self, data, statistics):
        return statistics[0]


def _score(response, column):
    """Return the score of a class, greater for a likelier one; of two, log odds tell both."""
    if response.ndim == 2 and response.shape[1] > 1:
        return response[:, column]
    return np.ravel(response) if column == 1 else -np.ravel(response)


class CalibrationMetric(_ScoreMetric):
    r"""Expected calibration error of each group.

    It is ``sum_b |sum_{i in b} (y_i - p_i)| / n`` for each group, over bins b of the probability p
    of the positive class: the distance of predictions from outcomes.

    Parameters
    ----------
    transform : {"difference", "ratio", "group_min", "group_max"}, default="group_max"
        How the groups' errors become one number.
    n_bins : int, default=10
        Bins of equal width.
    pos_label : label or None, default=None
        None: the greater of two.
    name : str, default="calibration"
        Name in messages.

    References
    ----------
    Naeini, Cooper and Hauskrecht (2015), "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI; Pleiss et al. (2017), "On fairness and calibration", NeurIPS.
    """

    additive = True

    def __init__(
        self,
        *,
        transform: Transform = "group_max",
        n_bins: int = 10,
        pos_label: Any = None,
        name: str = "calibration",
    ) -> None:
        check_option("transform", transform, TRANSFORMS)
        if isinstance(n_bins, bool) or not isinstance(n_bins, (int, np.integer)) or n_bins < 1:
            raise ValueError(f"n_bins must be an integer >= 1, got {n_bins!r}.")
        self.transform: Transform = transform
        self.n_bins = int(n_bins)
        super().__init__(
            name,
            "predict_proba",
            greater_is_better=transform == "ratio",
            pos_label=pos_label,
            tasks=("classification",),
        )

    @property
    def ideal(self) -> float | None:  # noqa: D102
        return {"ratio": 1.0}.get(self.transform, 0.0)

    def surrogate(  # noqa: D102
        self, temperature: Float = 1.0, *, rho: Float | None = None
    ) -> FairnessMetric | None:
        return CalibrationSurrogate(self, temperature, rho)

    @property
    def inner_edges(self) -> FloatArray:
        """Edges between the bins."""
        return np.arange(1, self.n_bins) / self.n_bins

    def _statistics(self, data, score, column):
        p = score
        bins = np.searchsorted(self.inner_edges, p, side="right")
        missed = (data.y == column) - p
        if data.sample_weight is not None:
            missed = missed * data.sample_weight
        place = data.groups.codes * self.n_bins + bins
        sums = np.bincount(place, missed, minlength=data.n_groups * self.n_bins)
        totals = np.maximum(data.group_totals, 1e-300)[:, None]
        return (sums.reshape(-1, self.n_bins) / totals).ravel()

    def _value(self, data, statistics):
        errors = np.abs(statistics.reshape(-1, self.n_bins)).sum(axis=1)[data.present]
        return float(aggregate_groups(errors[:, None], None, self.transform)[0])


class AUCMetric(_ScoreMetric):
    """Compare how well scores rank, within groups or across them.

    ``AUC[a, b]`` is the probability that a positive of group a scores above a negative of group b;
    ties count one half.

    Parameters
    ----------
    across : bool, default=False
        False: the metric compares the groups' own areas ``AUC[a, a]``. True: it is the largest
        difference of ``AUC[a, b]`` and ``AUC[b, a]``.
    transform : {"difference", "ratio", "group_min", "group_max"}, default="difference"
        How the groups' own areas become one number.
    pos_label : label or None, default=None
        None: the greater of two.
    name : str or None, default=None
        Name in messages; None: the name that `get_metric` knows.

    References
    ----------
    Kallus and Zhou (2019), "The fairness of risk scores beyond classification: bipartite ranking
    and the xAUC metric", NeurIPS.
    """

    def __init__(
        self,
        *,
        across: bool = False,
        transform: Transform = "difference",
        pos_label: Any = None,
        name: str | None = None,
    ) -> None:
        check_option("transform", transform, TRANSFORMS)
        if across and transform != "difference":
            raise ValueError("across=True compares by differences: leave transform at its default.")
        self.across = across
        self.transform: Transform = transform
        super().__init__(
            name or ("cross_auc_parity" if across else "auc_parity"),
            "decision_function",
            greater_is_better=transform in ("ratio", "group_min"),
            pos_label=pos_label,
            tasks=("classification",),
        )

    @property
    def ideal(self) -> float | None:  # noqa: D102
        return {"difference": 0.0, "ratio": 1.0}.get(self.transform)

    def surrogate(  # noqa: D102
        self, temperature: Float = 1.0, *, rho: Float | None = None
    ) -> FairnessMetric | None:
        return AUCSurrogate(self, temperature, rho)

    def undefined(self, evaluation_set: EvaluationSet) -> list[str]:  # noqa: D102
        totals, labels = evaluation_set.class_totals, evaluation_set.groups.labels
        positives = totals[:, list(self.columns(evaluation_set))]
        lacks = (positives <= 0) | (totals.sum(axis=1, keepdims=True) - positives <= 0)
        return [
            f"{self.name}: group {labels[g]!r} has samples of one class only; it is left out."
            for g in np.flatnonzero(lacks.any(axis=1) & evaluation_set.present)
        ]

    def _statistics(self, data, score, column):
        scores = score
        weight = np.ones(len(scores)) if data.sample_weight is None else data.sample_weight
        codes, positive = data.groups.codes, data.y == column
        mass = np.bincount(codes, positive * weight, minlength=data.n_groups)
        areas = np.full((data.n_groups, data.n_groups), np.nan)
        rows = np.flatnonzero(positive & (weight > 0))
        for b in np.flatnonzero(data.present):
            own = np.flatnonzero(~positive & (codes == b) & (weight > 0))
            if not len(own):
                continue
            order = own[np.argsort(scores[own], kind="stable")]
            below = np.concatenate([[0.0], np.cumsum(weight[order])])
            right = sum(
                below[np.searchsorted(scores[order], scores[rows], side=side)]
                for side in ("left", "right")
            )
            share = 0.5 * right / below[-1] * weight[rows]
            sums = np.bincount(codes[rows], share, minlength=data.n_groups)
            np.divide(sums, mass, out=areas[:, b], where=mass > 0)
        return areas.ravel()

    def _value(self, data, statistics):
        return self.value_of_areas(statistics.reshape(data.n_groups, -1), None)[0]

    def value_of_areas(self, areas: Array, rho: Float | None) -> tuple[float, Array]:
        """Return the value and its gradient in the areas, of shape (G, G)."""
        if self.across:
            value, slope = largest((areas - areas.T).ravel(), rho)
            slope = slope.reshape(areas.shape)
            return float(value), slope - slope.T
        own = np.diag(areas)[:, None]
        value, slope, _ = aggregate_with_gradient(own, None, self.transform, rho)
        return float(value[0]), np.diag(np.nan_to_num(slope[:, 0]))


class ScoreParityMetric(_ScoreMetric):
    """The largest distance between two groups' distributions of scores.

    Scores are a classifier's probabilities of the positive class, or a regressor's predictions.

    Parameters
    ----------
    distance : {"wasserstein", "ks"}, default="wasserstein"
        "wasserstein": the area between the distribution functions, in units of the scores, which
        is how far scores must move on average to be alike; "ks": the largest vertical distance.
    task : {"classification", "regression"}, default="classification"
    pos_label : label or None, default=None
        None: the greater of two.
    name : str or None, default=None
        Name in messages; None: the name that `get_metric` knows.

    References
    ----------
    Jiang et al. (2020), "Wasserstein fair classification", UAI.
    """

    kinked = True

    def __init__(
        self,
        *,
        distance: Literal["wasserstein", "ks"] = "wasserstein",
        task: Task = "classification",
        pos_label: Any = None,
        name: str | None = None,
    ) -> None:
        check_option("distance", distance, ("wasserstein", "ks"))
        self.distance = distance
        super().__init__(
            name or ("score_parity" if distance == "wasserstein" else "score_parity_ks"),
            "predict_proba" if task == "classification" else "predict",
            greater_is_better=False,
            pos_label=pos_label,
            tasks=(task,),
        )

    @property
    def ideal(self) -> float | None:  # noqa: D102
        return 0.0

    @property
    def differentiable(self) -> bool:  # type: ignore[override]  # noqa: D102
        return self.distance == "wasserstein"

    def surrogate(  # noqa: D102
        self, temperature: Float = 1.0, *, rho: Float | None = None
    ) -> FairnessMetric | None:
        if self.differentiable:
            return self
        return KolmogorovSmirnovOfScores(self, temperature, rho)

    def _statistics(self, data, score, column):
        if data.classes is None:
            score = -score  # of predictions, which have no class
        if self.distance == "ks":
            return np.array([KolmogorovSmirnovMetric().value(data, score)])
        return np.array([self._wasserstein(data, score)[0]])

    def _wasserstein(self, data, scores):
        """Return the largest distance, and its gradient in the scores."""
        order = np.argsort(scores, kind="stable")
        codes, widths = data.groups.codes[order], np.diff(scores[order])
        weight = np.ones(len(order)) if data.sample_weight is None else data.sample_weight[order]
        groups = np.flatnonzero(data.present)
        shares = {
            g: np.cumsum(np.where(codes == g, weight, 0.0)) / data.group_totals[g] for g in groups
        }
        best, pair = 0.0, None
        for i, a in enumerate(groups):
            for b in groups[i + 1 :]:
                distance = float(np.abs(shares[a] - shares[b])[:-1] @ widths)
                if distance > best:
                    best, pair = distance, (a, b)
        slope = np.zeros(len(order))
        if pair is not None:
            # Between neighbours the distribution functions are level: a score that grows widens the
            # step below it and narrows the one above.
            gap = np.abs(shares[pair[0]] - shares[pair[1]])
            gap[-1] = 0.0
            slope = np.concatenate([[0.0], gap[:-1]]) - gap
        gradient = np.empty(len(order))
        gradient[order] = slope
        return best, gradient

    def value_and_gradient(  # noqa: D102
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        if evaluation_set.classes is None:
            value, slope = self._wasserstein(evaluation_set, scores[:, 0].astype(float))
            return value, slope[:, None]

        def of_class(column):
            odds, pull_back = log_odds_of(scores, column)
            p = expit(odds)
            value, slope = self._wasserstein(evaluation_set, p)
            return value, pull_back(slope * p * (1.0 - p))

        return worst_class(map(of_class, self.columns(evaluation_set)), greater_is_better=False)
