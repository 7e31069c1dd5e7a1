"""Single loops beside the implicit solver: gain, time and passes over X, on made-up data.

One process; plain fits are timed before and after each search, and all times are processor
seconds:

    python examples/benchmarks/single_loops.py [--rows N] [--seeds S ...] [--single]
"""

import argparse
import statistics
import time
import warnings

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


def timed(function):
    """Return processor seconds and the result of a call."""
    begin = time.process_time()
    result = function()
    return time.process_time() - begin, result


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3])
    parser.add_argument("--solvers", nargs="*", default=["implicit", "gd", "sgd"])
    parser.add_argument("--metrics", nargs="*", default=list(METRICS), choices=METRICS)
    parser.add_argument("--single", action="store_true", help="X in single precision")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    estimator, passes = LogisticRegression(max_iter=1000), Passes(options.rows)
    print(f"{'seed':>4}  {'metric':21}{'solver':10}{'gain':>8}{'fits':>7}{'passes':>8}{'s':>8}")
    for seed in options.seeds:
        X, y, group = make_data(options.rows, 20, 3, 1.0, seed)
        X = X if options.single else X.astype(float)
        for name in options.metrics:
            kwargs, partition = METRICS[name]
            plain, rows, first = [], [], None
            for solver in options.solvers:
                plain.append(timed(lambda X=X, y=y: estimator.fit(X, y))[0])
                model = BADRClassifier(
                    estimator, get_metric(name, **kwargs), solver=solver, partition=partition
                )
                passes.count = 0.0
                seconds, _ = timed(
                    lambda model=model, X=X, y=y, group=group: model.fit(
                        X, y, sensitive_features=group
                    )
                )
                # From one value of the plain model: the estimator's tolerance moves its own fit's.
                if first is None:
                    plain_value = model.erm_metric_value_
                gain = plain_value - model.metric_value_
                first = gain if first is None else first
                rows.append((solver, gain / first, seconds, passes.count))
                plain.append(timed(lambda X=X, y=y: estimator.fit(X, y))[0])
            fit = statistics.median(plain)
            for solver, share, seconds, count in rows:
                print(f"{seed:>4}  {name:21}{solver:10}{share:>8.3f}{seconds / fit:>7.2f}"
                      f"{count:>8.1f}{seconds:>8.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
