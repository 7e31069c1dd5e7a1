"""Time fairness metrics against fairlearn's, on the same data in the same run.

Prints a table and writes it as JSON:

    python examples/benchmarks/metrics.py [--rows N] [--repeats N] [--output FILE]
"""

import json
import platform
import statistics
import time

import fairlearn
import fairlearn.metrics as flm
import numpy as np
import pandas as pd
from _arguments import make_parser

import skbadr
from skbadr.metrics import get_metric

METRICS = [
    "demographic_parity_difference",
    "equalized_odds_difference",
    "equal_opportunity_ratio",
    "accuracy_score_difference",
    "f1_score_group_min",
]


def make_data(n_rows, seed=0):
    """Return labels, predictions, weights, and the same kind of groups in three forms."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 5, n_rows)
    races = np.array(["asian", "black", "hispanic", "other", "white"])[codes]
    sexes = np.array(["female", "male"])[rng.integers(0, 2, n_rows)]
    y = (rng.random(n_rows) < 0.2 + 0.1 * codes).astype(int)
    predicted = np.where(rng.random(n_rows) < 0.8, y, 1 - y)
    groups = {
        "integers": codes,
        "strings": races,
        "two string columns": pd.DataFrame({"race": races, "sex": sexes}),
    }
    return y, predicted, rng.random(n_rows), groups


def time_alternately(functions, repeats):
    """Return the median milliseconds of each function; they take turns, so that load is shared."""
    times = [[] for _ in functions]
    for repeat in range(repeats + 1):
        for function, taken in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            if repeat:  # the first call warms up
                taken.append(1000 * (time.perf_counter() - start))
    return [statistics.median(taken) for taken in times]


def benchmark(n_rows, repeats):
    """Return one row of results per metric and form of the groups."""
    y, predicted, weight, groups = make_data(n_rows)
    rows = []
    for form, features in groups.items():
        for weighted in (False, True):
            options = {"sensitive_features": features}
            if weighted:
                options["sample_weight"] = weight
            for name in METRICS:
                ours, theirs = get_metric(name), getattr(flm, name)
                calls = [lambda f=f, o=options: f(y, predicted, **o) for f in (ours, theirs)]
                values = [call() for call in calls]
                own, other = time_alternately(calls, repeats)
                rows.append(
                    {
                        "metric": name,
                        "groups": form,
                        "weighted": weighted,
                        "skbadr_ms": own,
                        "fairlearn_ms": other,
                        "ratio": other / own,
                        "difference_of_values": abs(values[0] - values[1]),
                    }
                )
    return rows


def format_table(rows):
    """Return the results as text, one line each."""
    lines = [f"{'metric':31}{'groups':20}{'weights':>8}{'skbadr':>10}{'fairlearn':>11}{'ratio':>8}"]
    for row in rows:
        lines.append(
            f"{row['metric']:31}{row['groups']:20}{'yes' if row['weighted'] else 'no':>8}"
            f"{row['skbadr_ms']:>7.2f} ms{row['fairlearn_ms']:>8.1f} ms{row['ratio']:>7.0f}x"
        )
    return "\n".join(lines)


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_metrics.json", rows=50_000, repeats=15)
    options = parser.parse_args(arguments)

    rows = benchmark(options.rows, options.repeats)
    print(f"{options.rows} rows, median of {options.repeats} calls")
    print(format_table(rows))
    versions = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pandas": pd.__version__,
        "fairlearn": fairlearn.__version__,
        "skbadr": skbadr.__version__,
    }
    result = {
        "rows": options.rows,
        "repeats": options.repeats,
        "versions": versions,
        "results": rows,
    }
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
