"""Show what the number of cells costs: it should be next to nothing per hypergradient.

python examples/benchmarks/cells.py [--rows N] [--features D] [--output FILE]
"""

import json
import statistics
import time

import numpy as np
from _arguments import make_parser
from _timing import interleaved
from plain_fits import make_table
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier
from skbadr.lower_level import LinearLowerLevel, find_family
from skbadr.metrics import EvaluationSet, get_metric
from skbadr.partition import make_cells, make_groups

CELLS = (2, 4, 8, 16, 64)
SETTINGS = {
    "smooth": ("covariance", {"partition": "group"}),
    "search": ("demographic_parity", {"partition": "group"}),
}


def hypergradient_cost(table, repeats):
    """Return the seconds and the passes over X of one hypergradient, and of its bincount."""
    groups, classes = make_groups(table.group), np.unique(table.y)
    cells = make_cells("group", table.y, groups, np.ones(len(table.y)), classes=classes)
    family = find_family(LogisticRegression(), classes)
    level = LinearLowerLevel(family, table.X, table.y, cells)
    state = level.solve(cells.shares)
    data, metric = EvaluationSet(table.y, groups, classes), get_metric("covariance")
    values, times, sums = np.ones(len(table.y)), [], []
    for _ in range(repeats + 1):
        passes, begin = level.n_passes, time.perf_counter()
        slope = metric.value_and_gradient(data, state.scores)[1]
        level.hypergradient(state, level.pull_back(slope))
        times.append(time.perf_counter() - begin)
        passes = level.n_passes - passes
        begin = time.perf_counter()
        np.bincount(cells.codes, values, minlength=cells.n_cells)
        sums.append(time.perf_counter() - begin)
    return statistics.median(times[1:]), passes, statistics.median(sums[1:])


def benchmark(n_cells, n_rows, n_features, repeats):
    """Return the results for one number of cells."""
    table = make_table(n_rows, n_features, n_groups=n_cells)
    seconds, passes, bincount = hypergradient_cost(table, 4 * repeats)
    row = {
        "cells": n_cells,
        "hypergradient_s": seconds,
        "bincount_s": bincount,
        "passes": passes,
    }
    baseline = LogisticRegression(max_iter=1000)
    for kind, (metric, settings) in SETTINGS.items():
        model = BADRClassifier(baseline, metric, **settings)
        baseline_times, times = interleaved(baseline, model, table.X, table.y, table.group, repeats)
        row["baseline_s"] = statistics.median(baseline_times)
        row[f"{kind}_s"] = statistics.median(times)
        row[f"{kind}_ratio"] = row[f"{kind}_s"] / row["baseline_s"]
        row[f"{kind}_refits"] = int(model.n_refits_)
        row[f"{kind}_before"] = float(model.baseline_metric_value_)
        row[f"{kind}_after"] = float(model.metric_value_)
    return row


HEADER = (
    f"{'K':>3}{'hypergradient':>15}{'bincount':>11}{'passes':>8}{'baseline':>10}"
    f"{'covariance':>12}{'refits':>8}{'before':>10}{'after':>10}"
    f"{'dem. parity':>13}{'refits':>8}{'before':>10}{'after':>10}"
)


def format_row(row):
    """Return one result as text; both fits are multiples of a baseline one."""
    line = (
        f"{row['cells']:>3}{1000 * row['hypergradient_s']:>12.2f} ms"
        f"{1000 * row['bincount_s']:>8.2f} ms{row['passes']:>8}{row['baseline_s']:>8.3f} s"
    )
    for kind, width in (("smooth", 11), ("search", 12)):
        line += (
            f"{row[f'{kind}_ratio']:>{width}.2f}x{row[f'{kind}_refits']:>8}"
            f"{row[f'{kind}_before']:>10.3g}{row[f'{kind}_after']:>10.3g}"
        )
    return line


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_cells.json", rows=50_000, repeats=5)
    parser.add_argument("--features", type=int, default=20)
    options = parser.parse_args(arguments)

    print(HEADER)
    rows = []
    with threadpool_limits(1):
        for n_cells in CELLS:
            rows.append(benchmark(n_cells, options.rows, options.features, options.repeats))
            print(format_row(rows[-1]), flush=True)
    result = {"rows": options.rows, "features": options.features, "results": rows}
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
