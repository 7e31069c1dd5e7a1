"""Fairness metrics: exact values, by name, from fairlearn, or of one's own."""

from skbadr.metrics.annealing import annealed_surrogate
from skbadr.metrics.base import FairnessMetric
from skbadr.metrics.callables import CallableMetric, PerGroupMetric, make_fairness_metric
from skbadr.metrics.combined import CombinedMetric
from skbadr.metrics.evaluation_set import EvaluationSet
from skbadr.metrics.group_losses import GroupLossMetric
from skbadr.metrics.predictions import GroupMeanMetric, KolmogorovSmirnovMetric
from skbadr.metrics.rates import RateMetric
from skbadr.metrics.registry import get_metric, get_metric_names
from skbadr.metrics.score_metrics import AUCMetric, CalibrationMetric, ScoreParityMetric
from skbadr.metrics.scorer import fairness_scorer
from skbadr.metrics.sliced import SlicedMetric

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
