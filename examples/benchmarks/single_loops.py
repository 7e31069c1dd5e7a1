"""Single loops beside the implicit solver: gain, time and passes over X, on made-up data.

One process; baseline fits are timed before and after each search, and all times are processor
seconds, the median of several runs. Gains are shares of what the first solver gains, by default
the implicit one:

    python examples/benchmarks/single_loops.py [--rows N] [--seeds S ...] [--repeats N] [--single]
"""

import itertools
import json
import statistics
import time
import warnings

from _arguments import make_parser
from scalability import Passes, make_data
from sklearn.linear_model import LogisticRegression

from skbadr import BADRClassifier
from skbadr.metrics import get_metric

# metric -> its options and the partition
METRICS = {
    "individual": ({}, "group"),
    "group_loss_variance": ({"loss": "log_loss"}, "group"),
    "demographic_parity": ({}, "group_target"),
}
# Shares of the implicit solver's gain, and baseline fits, that are aimed at.
GAIN, FITS = 0.98, 5.0


def timed(function):
    """Return processor seconds and the result of a call."""
    begin = time.process_time()
    result = function()
    return time.process_time() - begin, result


def measure(options, X, y, group, name, passes):
    """Return one row of results per solver, the first of them the one that gains count from."""
    kwargs, partition = METRICS[name]
    estimator = LogisticRegression(max_iter=1000)
    rows, baseline = [], []

    def fit_baseline():
        baseline.append(timed(lambda: estimator.fit(X, y))[0])

    for solver in options.solvers:
        metric, seconds = get_metric(name, **kwargs), []
        for _ in range(options.repeats):
            fit_baseline()
            passes.count = 0.0
            model = BADRClassifier(estimator, metric, solver=solver, partition=partition)
            seconds.append(timed(lambda m=model: m.fit(X, y, sensitive_features=group))[0])
        fit_baseline()
        # From one value of the baseline model: the estimator's tolerance moves its own fit's.
        value = rows[0]["baseline"] if rows else model.baseline_metric_value_
        gain = value - model.metric_value_
        rows.append(
            {
                "metric": name,
                "solver": solver,
                "baseline": value,
                "gain": gain,
                "share": gain / rows[0]["gain"] if rows else 1.0,
                "passes": passes.count,
                "seconds": statistics.median(seconds),
                "final_iterations": int(model.estimator_.n_iter_[0]),
            }
        )
    for row in rows:
        row["baseline_seconds"] = statistics.median(baseline)
        row["fits"] = row["seconds"] / row["baseline_seconds"]
    return rows


def print_summary(results, solvers):
    """Print ranges over tables, and how many single loops are within what is aimed at."""
    print(f"\n{'metric':21}{'solver':10}{'gain':>15}{'fits':>13}{'aim met':>9}")
    for name, solver in itertools.product(METRICS, solvers):
        rows = [r for r in results if (r["metric"], r["solver"]) == (name, solver)]
        if not rows:
            continue
        shares, fits = sorted(r["share"] for r in rows), sorted(r["fits"] for r in rows)
        met = sum(r["share"] >= GAIN and r["fits"] <= FITS for r in rows)
        met = "-" if solver == solvers[0] else f"{met}/{len(rows)}"
        print(f"{name:21}{solver:10}{shares[0]:>8.3f}-{shares[-1]:.3f}"
              f"{fits[0]:>7.1f}-{fits[-1]:<5.1f}{met:>7}")  # fmt: skip


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_single_loops.json", rows=100_000, repeats=3)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3])
    parser.add_argument("--solvers", nargs="*", default=["implicit", "gd", "sgd"])
    parser.add_argument("--metrics", nargs="*", default=list(METRICS), choices=METRICS)
    parser.add_argument("--single", action="store_true", help="X in single precision")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    passes, results = Passes(options.rows), []
    print(f"{'seed':>4}  {'metric':21}{'solver':10}{'gain':>8}{'fits':>7}{'passes':>8}{'s':>8}")
    for seed in options.seeds:
        X, y, group = make_data(options.rows, 20, 3, 1.0, seed)
        X = X if options.single else X.astype(float)
        for name in options.metrics:
            for row in measure(options, X, y, group, name, passes):
                results.append({"rows": options.rows, "seed": seed, **row})
                print(f"{seed:>4}  {name:21}{row['solver']:10}{row['share']:>8.3f}"
                      f"{row['fits']:>7.2f}{row['passes']:>8.1f}{row['seconds']:>8.2f}",
                      flush=True)  # fmt: skip
            options.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print_summary(results, options.solvers)


if __name__ == "__main__":
    main()
