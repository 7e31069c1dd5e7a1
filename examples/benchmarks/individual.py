"""Individual fairness: equal to its definition by pairs, at the cost of a few passes.

python examples/benchmarks/individual.py [--rows N] [--groups G] [--output FILE]
"""

import json
import statistics
import time

import numpy as np
from _arguments import make_parser
from threadpoolctl import threadpool_limits

from skbadr.metrics import EvaluationSet, get_metric
from skbadr.partition import make_groups

TASKS = {"2 classes": 2, "5 classes": 5, "real targets": 0}


def make_set(n, n_classes, n_groups, seed=0):
    """Return an evaluation set without sample weights, and scores of shape (n, 1)."""
    rng = np.random.default_rng(seed)
    codes = np.r_[np.arange(n_groups), rng.integers(0, n_groups, n - n_groups)]
    y = rng.integers(0, n_classes, n) if n_classes else rng.normal(size=n)
    classes = np.arange(n_classes) if n_classes else None
    return EvaluationSet(y, make_groups(codes), classes), rng.normal(size=(n, 1))


def by_pairs(data, scores):
    """Return value and gradient from the definition, in O(n^2)."""
    y, codes = data.y, data.groups.codes
    distance = np.abs(y[:, None] - y) if data.classes is None else 1.0 * (y[:, None] != y)
    pairs = np.exp(-distance) * (codes[:, None] != codes)
    number = (codes[:, None] != codes).sum()
    apart = scores - scores.T
    return (pairs * apart**2).sum() / number, 4.0 * (pairs * apart).sum(axis=1) / number


def error(n_classes, n_groups):
    """Return the largest relative error of value and gradient for n up to 500."""
    metric = get_metric("individual", "classification" if n_classes else "regression")
    worst = 0.0
    for n in (max(10, n_groups), 100, 500):
        for seed in range(20):
            data, scores = make_set(n, n_classes, n_groups, seed)
            value, gradient = metric.value_and_gradient(data, scores)
            expected, slope = by_pairs(data, scores)
            worst = max(worst, abs(value - expected) / expected)
            worst = max(worst, np.abs(gradient[:, 0] - slope).max() / np.abs(slope).max())
    return worst


def seconds(functions, repeats):
    """Return the median seconds of each function, called in turns after one call to warm up."""
    times = [[] for _ in functions]
    for repeat in range(repeats + 1):
        for function, record in zip(functions, times, strict=True):
            begin = time.perf_counter()
            function()
            if repeat:
                record.append(time.perf_counter() - begin)
    return [statistics.median(record) for record in times]


def benchmark(name, n_rows, n_groups, repeats):
    """Return the results for one kind of target."""
    n_classes = TASKS[name]
    metric = get_metric("individual", "classification" if n_classes else "regression")
    data, scores = make_set(n_rows, n_classes, n_groups)
    column, codes = scores[:, 0], data.groups.codes
    if n_classes:
        unit = "passes"  # one sum of the scores by group

        def cheapest():
            np.bincount(codes, weights=column, minlength=n_groups)
    else:
        unit = "sorts"

        def cheapest():
            np.argsort(data.y, kind="stable")

    def fresh():  # nothing kept of the data from an earlier call
        data.cache.clear()
        metric.value_and_gradient(data, scores)

    def again():
        metric.value_and_gradient(data, scores)

    small_data, small = make_set(n_rows // 10, n_classes, n_groups)
    first, later, one, tenth = seconds(
        [fresh, again, cheapest, lambda: metric.value_and_gradient(small_data, small)], repeats
    )
    return {
        "targets": name,
        "rows": n_rows,
        "groups": n_groups,
        "error": error(n_classes, n_groups),
        "first_s": first,
        "later_s": later,
        "unit": unit,
        "unit_s": one,
        "first_units": first / one,
        "later_units": later / one,
        "tenfold": later / tenth,
    }


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_individual.json", rows=1_000_000, repeats=9)
    parser.add_argument("--groups", type=int, default=2)
    options = parser.parse_args(arguments)

    print(f"{'targets':<14}{'error, n <= 500':>16}{'value and gradient':>20}{'again':>9}"
          f"{'unit':>9}{'units':>8}{'again':>8}{'10 x rows':>11}")  # fmt: skip
    rows = []
    with threadpool_limits(1):
        for name in TASKS:
            row = benchmark(name, options.rows, options.groups, options.repeats)
            rows.append(row)
            print(
                f"{name:<14}{row['error']:>16.1e}{1000 * row['first_s']:>17.1f} ms"
                f"{1000 * row['later_s']:>6.1f} ms{1000 * row['unit_s']:>6.1f} ms"
                f"{row['first_units']:>8.1f}{row['later_units']:>8.1f}"
                f"{row['tenfold']:>10.1f}x  ({row['unit']})",
                flush=True,
            )
    options.output.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
