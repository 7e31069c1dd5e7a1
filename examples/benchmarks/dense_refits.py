"""Compare the search by refits with a dense search that sees the population of generated problems.

Boosting (30 trees, 31 bins) on at most 2,500 rows, whose columns are cut into 31 bins once. A bound
is two fifths of the baseline's disparity on the population, where that is at least .04. The dense
search chooses weights of group x target by population values, which no user has: the least error
at no more than the disparity of skbadr's model. It starts from random weights and from those that
are compared with it, so that it is never behind them. A second dense search chooses out of fold
within the bound, as skbadr does:

python examples/benchmarks/dense_refits.py [--split tune|report] [--every 8] [--first 0]
    [--tasks binary multiclass] [--population N] [--output FILE]
"""

import json
import time
import warnings

import numpy as np
from _arguments import make_parser
from _dense_weights import dense_weights
from problems import SPLITS, problems
from search_problems import Bins
from several_bounds import weights_by_cell
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier
from skbadr.metrics import get_metric

METRICS = ("demographic_parity", "equalized_odds")
ROWS, LEAST, PART = 2_500, 0.04, 0.4
# Rounds per target and models per round: 154 models of both metrics on all rows, 36 on folds.
OF_POPULATION = {"rounds": 1, "per_round": 30}
OF_FOLDS = {"rounds": 1, "per_round": 12}
ESTIMATOR = HistGradientBoostingClassifier(max_iter=30, max_bins=31, random_state=0)


class Judge:
    """Fit boosting at weights of group x target, and measure it on the population or on folds."""

    def __init__(self, problem):
        X, self.y, self.group = problem.sample(rows=min(problem.factors.rows, ROWS), seed=0)
        bins = problem.pipeline(Bins(30)).fit(X)
        self.X, self.fresh = bins.transform(X), bins.transform(problem.population.X)
        self.problem = problem
        codes = self.group * (self.y.max() + 1) + self.y
        self.cells = np.unique(codes, return_inverse=True)[1]
        self.n_cells = self.cells.max() + 1
        splitter = StratifiedKFold(4, shuffle=True, random_state=0)
        self.folds = list(splitter.split(self.X, self.cells))

    def fit(self, log_weights, rows):
        weight = np.exp(log_weights)[self.cells]
        weight = weight[rows] / weight.mean()
        return clone(ESTIMATOR).fit(self.X[rows], self.y[rows], sample_weight=weight)

    def of_population(self, log_weights):
        """Return error and disparities of a model of all training rows on the population."""
        return self.measure(self.fit(log_weights, slice(None)))

    def measure(self, model):
        shown, value = model.predict(self.fresh), self.problem.population_value
        return value(shown, "error"), np.array([value(shown, metric) for metric in METRICS])

    def of_folds(self, log_weights):
        """Return error and disparities of each row's prediction by the model of all other folds."""
        shown = np.empty_like(self.y)
        for train, test in self.folds:
            shown[test] = self.fit(log_weights, train).predict(self.X[test])
        metrics = [get_metric(m)(self.y, shown, sensitive_features=self.group) for m in METRICS]
        return float(np.mean(shown != self.y)), np.array(metrics)


def only(place, bound):
    """Return bounds of which one is finite."""
    bounds = np.full(len(METRICS), np.inf)
    bounds[place] = bound
    return bounds


def chosen_by_folds(judge, places, bounds):
    """Return the log weights of least error out of fold within each bound, or the closest to it."""
    targets = [only(*pair) for pair in zip(places, bounds, strict=True)]
    best, visited = dense_weights(judge.of_folds, judge.n_cells, targets, **OF_FOLDS)
    closest = [min(visited, key=lambda visit, k=k: visit.values[k]) for k in places]
    return [(own or near).log_weights for own, near in zip(best, closest, strict=True)]


def run_problem(problem):
    """Return one record per metric of which the baseline has a disparity."""
    judge = Judge(problem)
    error, disparities = judge.of_population(np.zeros(judge.n_cells))
    places = np.flatnonzero(disparities >= LEAST)
    bounds = PART * disparities[places]
    if not len(places):
        return []
    records, points, starts = [], [], []
    for k, bound in zip(places, bounds, strict=True):
        begin = time.process_time()
        model = BADRClassifier(ESTIMATOR, METRICS[k], bound=bound, cv=judge.folds)
        model.fit(judge.X, judge.y, sensitive_features=judge.group)
        seconds = time.process_time() - begin
        points.append(judge.measure(model))
        starts.append(weights_by_cell(model, judge))
        records.append({
            "problem": problem.name, "task": problem.task, "metric": METRICS[k], "bound": bound,
            "cells": int(judge.n_cells), "baseline": [error, disparities[k]],
            "fits": int(model.n_refits_), "seconds": seconds,
            "out_of_fold": float(model.metric_value_),
        })  # fmt: skip
    begin = time.process_time()
    by_folds = chosen_by_folds(judge, places, bounds)
    points += [judge.of_population(log_weights) for log_weights in by_folds]
    targets = [only(k, p[1][k]) for k, p in zip([*places, *places], points, strict=True)]
    _, visited = dense_weights(
        judge.of_population, judge.n_cells, targets, starts=[*starts, *by_folds], **OF_POPULATION
    )
    for i, (k, record) in enumerate(zip(places, records, strict=True)):
        for who, (own, values) in (("skbadr", points[i]), ("by_folds", points[i + len(places)])):
            least = min([own] + [v.error for v in visited if v.values[k] <= values[k]])
            record[who] = {
                "error": own, "disparity": values[k], "least_error": least, "above": own - least,
            }  # fmt: skip
        record |= {"visits": len(visited), "dense_seconds": time.process_time() - begin}
    return records


def summarise(records):
    """Print means over all cases, by task and by metric."""
    print(f"{'cases':<20}{'n':>4}  {'who':<9}{'error':>7}{'missed':>8}{'above: mean':>12}"
          f"{'median':>8}{'max':>7}{'> .02':>6}")  # fmt: skip
    kinds = {"all": lambda r: True}
    for key in ("task", "metric"):
        for value in sorted({r[key] for r in records}):
            kinds[value] = lambda r, key=key, value=value: r[key] == value
    for label, holds in kinds.items():
        own = [r for r in records if holds(r)]
        for who in ("skbadr", "by_folds"):
            above = np.array([r[who]["above"] for r in own])
            cost = np.mean([r[who]["error"] - r["baseline"][0] for r in own])
            missed = np.mean([max(0.0, r[who]["disparity"] - r["bound"]) for r in own])
            print(f"{label:<20}{len(own):>4}  {who:<9}{cost:>+7.4f}{missed:>8.4f}"
                  f"{above.mean():>12.4f}{np.median(above):>8.4f}{above.max():>7.4f}"
                  f"{np.sum(above > 0.02):>6}")  # fmt: skip


def main(arguments=None):
    """Run the problems, print each case and the means, and write the records."""
    parser = make_parser(__doc__)
    parser.add_argument("--split", default="report", choices=SPLITS)
    parser.add_argument("--every", type=int, default=8, help="take every so many of the problems")
    parser.add_argument("--first", type=int, default=0, help="number of the first of them")
    parser.add_argument("--tasks", nargs="+", default=["binary", "multiclass"])
    parser.add_argument("--population", type=int, default=20_000, help="rows to judge on")
    options = parser.parse_args(arguments)
    chosen = [
        problem for task in options.tasks
        for problem in list(problems(options.split, task))[options.first :: options.every]
    ]  # fmt: skip
    records = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for problem in chosen:
            problem.population_rows = options.population
            for record in run_problem(problem):
                records.append(record)
                print(f"{record['problem']:<15}{record['metric']:<20}" + "".join(
                    f"{record[who][name]:>8.4f}" for who in ("skbadr", "by_folds")
                    for name in ("error", "disparity", "above")
                ), flush=True)  # fmt: skip
                if options.output:
                    text = json.dumps(records, indent=1) + "\n"
                    options.output.write_text(text, encoding="utf-8")
    summarise(records)
    return records


if __name__ == "__main__":
    main()
