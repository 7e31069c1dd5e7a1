"""Fairness metrics: exact values, by name, from fairlearn, or of one's own."""

from skbadr.metrics.base import FairnessMetric
from skbadr.metrics.callables import CallableMetric, PerGroupMetric, make_fairness_metric
from skbadr.metrics.composite.combined import CombinedMetric
from skbadr.metrics.composite.sliced import SlicedMetric
from skbadr.metrics.evaluation_set import EvaluationSet
from skbadr.metrics.losses.group_losses import GroupLossMetric
from skbadr.metrics.rates.rate_metric import RateMetric
from skbadr.metrics.registry import get_metric, get_metric_names
from skbadr.metrics.scorer import fairness_scorer
from skbadr.metrics.scores.predictions import GroupMeanMetric, KolmogorovSmirnovMetric
from skbadr.metrics.scores.score_metrics import AUCMetric, CalibrationMetric, ScoreParityMetric
from skbadr.metrics.smooth.annealing import annealed_surrogate

__all__ = [
    "annealed_surrogate",
    "AUCMetric",
    "CalibrationMetric",
    "CallableMetric",
    "CombinedMetric",
    "EvaluationSet",
    "FairnessMetric",
    "GroupLossMetric",
    "GroupMeanMetric",
    "KolmogorovSmirnovMetric",
    "PerGroupMetric",
    "RateMetric",
    "ScoreParityMetric",
    "SlicedMetric",
    "fairness_scorer",
    "get_metric",
    "get_metric_names",
    "make_fairness_metric",
]
