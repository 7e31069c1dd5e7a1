"""fairlearn's ExponentiatedGradient as the reference of the refit benchmarks, kept in a file."""

import json
import time
import warnings
from pathlib import Path

import numpy as np
from fairlearn.reductions import DemographicParity, EqualizedOdds, ExponentiatedGradient
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skbadr.metrics import get_metric

MOMENTS = {"demographic_parity": DemographicParity, "equalized_odds": EqualizedOdds}


class Reference:
    """Results of ExponentiatedGradient by case, computed where the file does not have them.

    Parameters
    ----------
    path : Path or None
        JSON file, read at the start and written after every new case; None: nothing is kept.
    """

    def __init__(self, path):
        self.path = None if path is None else Path(path)
        self.known = {}
        if self.path is not None and self.path.exists():
            self.known = json.loads(self.path.read_text(encoding="utf-8"))

    def __call__(self, case, estimator, split, metric, bound, **options):
        """Return the result of one case; `split` holds (X, y, group) for train and test."""
        if case not in self.known:
            self.known[case] = run(estimator, split, metric, bound, **options)
            if self.path is not None:
                self.path.write_text(json.dumps(self.known, indent=1) + "\n", encoding="utf-8")
        return self.known[case]


def run(estimator, split, metric, bound, **options):
    """Fit ExponentiatedGradient and score the expectation of its randomised predictor."""
    X, y, group = split["train"]
    wall, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        constraint = MOMENTS[metric](difference_bound=bound)
        last = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""
        model = ExponentiatedGradient(
            clone(estimator), constraint, sample_weight_name=f"{last}sample_weight", **options
        )
        model.fit(X, y, sensitive_features=group)
    result = {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "refits": int(model.n_oracle_calls_ - model.n_oracle_calls_dummy_returned_),
    }
    for part, (X, y, group) in split.items():
        result[part] = expected_scores(model, X, y, group, metric)
    return result


def expected_scores(model, X, y, group, metric):
    """Return the expected error and the disparity of the expected rates."""
    # Each model of the mixture is chosen with its weight: rates are means of probabilities.
    weights = np.asarray(model.weights_, dtype=float)
    positive = np.zeros(len(y))
    for weight, predictor in zip(weights, model.predictors_, strict=True):
        if weight > 0:
            positive += weight * np.asarray(predictor.predict(X), dtype=float)
    error = float(np.mean(np.where(y == 1, 1 - positive, positive)))
    return {"error": error, "disparity": expected_disparity(y, positive, group, metric)}


def expected_disparity(y, positive, group, metric):
    """Return the largest gap between groups of the expected rates, as `metric` defines it."""
    conditions = [np.ones(len(y), bool)] if metric == "demographic_parity" else [y == 1, y == 0]
    gaps = []
    for condition in conditions:
        rates = [
            positive[condition & (group == g)].mean() if (condition & (group == g)).any() else 0.0
            for g in np.unique(group)
        ]
        gaps.append(max(rates) - min(rates))
    return float(max(gaps))


def scores(model, X, y, group, metric):
    """Return the error and the disparity of a deterministic model."""
    predicted = np.asarray(model.predict(X))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        disparity = get_metric(metric)(y, predicted, sensitive_features=group)
    return {"error": float(np.mean(predicted != y)), "disparity": float(disparity)}
