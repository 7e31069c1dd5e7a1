"""Compare searches out of fold on the generated problems, on fresh rows of the same populations.

Boosting runs on at most 2,500 rows, whose columns are cut into 32 bins: weights make the binning of
continuous columns slow. The bound is two fifths of the disparity of the baseline on fresh rows. One
line has the means over both metrics of all problems where the baseline has at least .04:

python examples/benchmarks/search_problems.py [--split tune|report] [--every 2] [--cv 4]
    [--max-iter N] [--output FILE]
"""

import json
import time
import warnings
from pathlib import Path

import numpy as np
from _arguments import make_parser
from problems import problems
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline

from skbadr import BADRClassifier
from skbadr.metrics import get_metric

METRICS = ("demographic_parity", "equalized_odds")


class Bins(TransformerMixin, BaseEstimator):
    """Cut each column at quantiles of the training rows."""

    def __init__(self, n_cuts=31):
        self.n_cuts = n_cuts

    def fit(self, X, y=None):
        places = np.linspace(0, 1, self.n_cuts + 2)[1:-1]
        self.edges_ = [np.unique(np.nanquantile(column, places)) for column in _dense(X).T]
        return self

    def transform(self, X):
        pairs = zip(self.edges_, _dense(X).T, strict=True)
        return np.column_stack([np.searchsorted(edges, column) for edges, column in pairs])


def _dense(X):
    return np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=float)


def make_estimator(problem):
    """Return boosting of few trees behind what the problem's columns need."""
    boosting = HistGradientBoostingClassifier(
        max_iter=25, learning_rate=0.2, max_bins=64, random_state=0
    )
    return problem.pipeline(make_pipeline(Bins(), boosting))


def measure(model, rows, metric):
    """Return error and disparity on fresh rows."""
    X, y, groups = rows
    predicted = model.predict(X)
    disparity = get_metric(metric)(y, predicted, sensitive_features=groups)
    return float(np.mean(predicted != y)), float(disparity)


def cases(split, every, *, fresh=True):
    """Yield each problem whose baseline has a disparity, by metric.

    Yields
    ------
    problem : Problem
    metric : str
    rows, judged : tuple (X, y, groups)
        To train on, and to judge on: others of the population, or the same.
    estimator : estimator
    baseline : tuple (error, disparity)
    bound : float
    """
    for problem in list(problems(split, "binary"))[::every]:
        rows = problem.sample(rows=min(problem.factors.rows, 2500), seed=0)
        judged = problem.sample(rows=20_000, seed=999) if fresh else rows
        estimator = make_estimator(problem)
        fitted = estimator.fit(*rows[:2])
        for metric in METRICS:
            baseline = measure(fitted, judged, metric)
            if baseline[1] >= 0.04:
                bound = max(0.02, 0.4 * baseline[1])
                yield problem, metric, rows, judged, estimator, baseline, bound


def run(options):
    """Yield one record per problem and metric."""
    for problem, metric, rows, fresh, estimator, baseline, bound in cases(
        options.split, options.every
    ):
        begin = time.process_time()
        model = BADRClassifier(
            estimator, metric, bound=bound, solver="alternating", cv=options.cv or None,
            max_iter=options.max_iter,
        ).fit(*rows[:2], sensitive_features=rows[2])  # fmt: skip
        found = measure(model, fresh, metric)
        yield {
            "problem": problem.name, "metric": metric, "bound": bound, "baseline": baseline,
            "found": found, "fits": int(model.n_refits_), "seconds": time.process_time() - begin,
        }  # fmt: skip


def main(arguments=None):
    """Run all problems, print one line and write the records."""
    parser = make_parser(__doc__)
    parser.add_argument("--split", default="report", choices=["tune", "report"])
    parser.add_argument("--every", type=int, default=2)
    parser.add_argument("--cv", type=int, default=4, help="folds; 0: training rows")
    parser.add_argument("--max-iter", type=int)
    options = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        records = list(run(options))
    cost = np.array([r["found"][0] - r["baseline"][0] for r in records])
    excess = np.array([max(0.0, r["found"][1] - r["bound"]) for r in records])
    total = cost + excess
    print(f"refits {options.max_iter or 'default'}, {options.split}: {len(records)} fits, "
          f"error {cost.mean():+.4f}, missed by {excess.mean():.4f}, together {total.mean():.4f} "
          f"({total.std() / np.sqrt(len(total)):.4f}), "
          f"fits {np.mean([r['fits'] for r in records]):.1f}, "
          f"seconds {np.mean([r['seconds'] for r in records]):.2f}")  # fmt: skip
    if options.output:
        Path(options.output).write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    return records


if __name__ == "__main__":
    main()
