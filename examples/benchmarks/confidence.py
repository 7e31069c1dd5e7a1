"""Whether a bound with a confidence holds on the population, and what it costs.

python examples/benchmarks/confidence.py [--estimator logistic|boosting] [--fits N]
    [--without N] [--confidence C,C,...] [--split tune|report] [--seed S] [--output FILE]
python examples/benchmarks/confidence.py --show FILE [FILE ...]

Generated problems whose populations are known (problems.py): each fit takes the next problem, its
next sample, metric and bound. Prints, for each confidence and without one ("-"; of the first fits
only), how often the population's value violates the bound, and how far inside it lies.
"""

import json
import time
import warnings
from pathlib import Path

import numpy as np
from _arguments import make_parser
from problems import SPLITS, problems
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from skbadr import BADRClassifier
from skbadr.metrics import get_metric

METRICS = ("demographic_parity", "equalized_odds",
           "demographic_parity_ratio", "equalized_odds_ratio")  # fmt: skip
# Bounds, as shares of the baseline model's unfairness in the population.
SHARES = (0.3, 0.5, 0.7)
# A baseline model that is fairer than this has nothing to be repaired.
LEAST = 0.04
ESTIMATORS = {
    "logistic": LogisticRegression(),
    "boosting": HistGradientBoostingClassifier(max_iter=30, max_bins=31, random_state=0),
}
ROWS = {"logistic": (1_000, 50_000), "boosting": (1_000, 8_000)}


def cases(split, estimator, n_fits, seed=100):
    """Yield (problem, seed, metric, bound, rows) of each fit, the problems in turn."""
    low, high = ROWS[estimator]
    known, number, lap = {}, 0, 0
    while number < n_fits:
        for place, problem in enumerate(problems(split, "binary")):
            if number >= n_fits:
                return
            metric = METRICS[(place + lap) % len(METRICS)]
            key = problem.index
            if key not in known:
                known[key] = plain_values(problem, estimator)
            plain = known[key][metric]
            ideal = 1.0 if metric.endswith("ratio") else 0.0
            if not abs(plain - ideal) >= LEAST:  # undefined where nobody is selected
                continue
            share = SHARES[(place // len(METRICS) + lap) % len(SHARES)]
            rows = int(np.clip(problem.factors.rows, low, high))
            yield problem, seed + lap, metric, ideal + share * (plain - ideal), rows
            number += 1
        lap += 1


def plain_values(problem, estimator):
    """Return each metric of the baseline model of a large sample, on the population."""
    X, y, _ = problem.sample(20_000, seed=99)
    predicted = problem.predictions(problem.pipeline(ESTIMATORS[estimator]).fit(X, y))
    return {metric: problem.population_value(predicted, metric) for metric in METRICS}


def fit_each(case, estimator, levels):
    """Yield what the fit at each confidence did, as a dict."""
    problem, seed, metric, bound, rows = case
    sample, population = problem.sample(rows, seed=seed), None
    for confidence in levels:
        model, seconds = fit_once(case, sample, estimator, confidence)
        if population is None:  # the transformers know nothing of weights
            population = model.estimator_[:-1].transform(problem.population.X)
        predicted = model.estimator_[-1].predict(population)
        yield outcome(case, model, seconds, predicted)


def fit_once(case, sample, estimator, confidence):
    """Return the fitted model and the seconds that it took."""
    problem, _, metric, bound, _ = case
    X, y, groups = sample
    model = BADRClassifier(
        problem.pipeline(ESTIMATORS[estimator]), metric, bound=bound, confidence=confidence
    )
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y, sensitive_features=groups)
    return model, time.perf_counter() - start


def outcome(case, model, seconds, predicted):
    """Return what a fit did, and what its predictions do on the population."""
    problem, seed, metric, bound, rows = case
    value = problem.population_value(predicted, metric)
    sign = -1.0 if get_metric(metric, task="classification").greater_is_better else 1.0
    inside = sign * (bound - value)
    return {
        "problem": problem.name,
        "groups": problem.factors.n_groups,
        "told": problem.factors.told,
        "rows": rows,
        "seed": seed,
        "metric": metric,
        "bound": bound,
        "confidence": model.confidence,
        "promised": bool(model.bound_met_),
        "baseline_chosen": bool((model.results_["cell_weights"][0] == model.cell_weights_).all()),
        "value": model.metric_value_,
        "limit": vars(model).get("metric_upper_", np.nan),
        "baseline_value": model.baseline_metric_value_,
        "standard_error": model.metric_standard_error_,
        "population": value,
        "inside": inside,
        "error": problem.population_value(predicted, "error"),
        "seconds": seconds,
        "refits": int(model.n_refits_),
        "visited": len(model.results_["metric"]),
    }


def summarise(lines):
    """Return the table of one confidence as a dict."""
    # Also where it is undefined, as nobody is selected.
    lines = [line | {"violated": not line["inside"] >= 0} for line in lines]
    promised = [line for line in lines if line["promised"]]
    moved = [line for line in promised if not line["baseline_chosen"]]
    distance = [line["inside"] / line["standard_error"] for line in moved]
    distance = [ratio for ratio in distance if np.isfinite(ratio)]
    share = np.mean([line["violated"] for line in promised]) if promised else np.nan
    return {
        "fits": len(lines),
        "promised": len(promised) / len(lines),
        "violated": float(share),
        "violated_error": float(np.sqrt(share * (1 - share) / max(len(promised), 1))),
        "violated_of_all": float(np.mean([line["violated"] for line in lines])),
        "inside_in_errors": float(np.mean(distance)) if distance else np.nan,
        "median_inside": float(np.median(distance)) if distance else np.nan,
        "error": float(np.mean([line["error"] for line in lines])),
        "seconds": float(np.median([line["seconds"] for line in lines])),
        "refits": float(np.mean([line["refits"] for line in lines])),
    }


def cost_ratios(lines, confidence):
    """Return the ratios of seconds to those of the same fits without a confidence."""
    without = {_key(line): line["seconds"] for line in lines if line["confidence"] is None}
    own = [line for line in lines if line["confidence"] == confidence and _key(line) in without]
    return [line["seconds"] / without[_key(line)] for line in own]


def _key(line):
    return line["problem"], line["seed"], line["metric"]


def main(arguments=None):
    parser = make_parser(__doc__, seed=100)
    parser.add_argument("--estimator", choices=tuple(ESTIMATORS), default="logistic")
    parser.add_argument("--fits", type=int, default=600)
    parser.add_argument("--without", type=int, default=200, help="fits without a confidence")
    parser.add_argument("--confidence", default="0.8,0.9,0.95")
    parser.add_argument("--split", choices=SPLITS, default="report")
    parser.add_argument("--show", type=Path, nargs="+", help="print the tables of these outputs")
    options = parser.parse_args(arguments)
    levels = [None, *(float(text) for text in options.confidence.split(","))]
    if options.show:
        lines = [line for path in options.show for line in json.loads(path.read_text("utf-8"))]
        show(lines)
        return
    lines = []
    chosen = cases(options.split, options.estimator, options.fits, options.seed)
    for number, case in enumerate(chosen, 1):
        lines += fit_each(case, options.estimator, levels[number > options.without :])
        if options.output and (number % 20 == 0 or number == options.fits):
            options.output.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")
    show(lines)


def show(lines):
    """Print one line per confidence, then per confidence and metric."""
    found = {line["confidence"] for line in lines}
    levels = sorted(found, key=lambda level: level or 0.0)
    print_table(lines, levels)
    for metric in METRICS:
        print(f"\n{metric}")
        print_table([line for line in lines if line["metric"] == metric], levels)


def print_table(lines, levels):
    print("confidence  fits  promised  violated (error)  of all  inside: mean, median  "
          "error  seconds  ratio  refits")  # fmt: skip
    for confidence in levels:
        own = [line for line in lines if line["confidence"] == confidence]
        found, ratios = summarise(own), cost_ratios(lines, confidence)
        print(
            f"{'-' if confidence is None else confidence:>10}  {found['fits']:>4}  "
            f"{found['promised']:>8.3f}  {found['violated']:>8.3f} ({found['violated_error']:.3f})"
            f"  {found['violated_of_all']:>6.3f}  {found['inside_in_errors']:>12.2f}, "
            f"{found['median_inside']:>6.2f}  {found['error']:.4f}  {found['seconds']:>7.2f}  "
            f"{np.median(ratios):>5.2f}  {found['refits']:>6.1f}"
        )


if __name__ == "__main__":
    main()
