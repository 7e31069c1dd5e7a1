"""Time a whole fit of BADRClassifier as a multiple of one baseline fit.

The wrapped estimator is LogisticRegression(max_iter=1000); baseline and BADR fits take turns, on
one BLAS thread. Synthetic data always, real tables from a folder of CSV files:

    python examples/benchmarks/plain_fits.py [--tables DIR] [--repeats N] [--output FILE]
"""

import json
import statistics

import numpy as np
from _arguments import make_parser
from _tables import Table, load_table
from _timing import interleaved
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier
from skbadr.metrics import get_metric

RATES, SMOOTH = "rate metrics", "smooth metrics"
PROBLEMS = [
    (RATES, "demographic_parity", {}, {"partition": "group_target", "bound": 0.04}),
    (RATES, "equalized_odds", {}, {"partition": "group_target", "bound": 0.04}),
    (RATES, "demographic_parity", {}, {"partition": "group"}),
    (SMOOTH, "individual", {}, {"partition": "group"}),
    (SMOOTH, "covariance", {}, {"partition": "group"}),
    (SMOOTH, "group_loss_variance", {"loss": "log_loss"}, {"partition": "group"}),
]


def make_table(n_rows=200_000, n_features=20, n_groups=2, seed=0):
    """Return a made-up table whose groups differ in features and in base rate."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, n_groups, n_rows)
    level = group / max(n_groups - 1, 1)
    X = rng.normal(size=(n_rows, n_features))
    X[:, :5] += 0.4 * level[:, None] * rng.normal(size=5)
    X[:, -1] = (level - level.mean()) / level.std()
    coef = rng.normal(size=n_features) / np.sqrt(n_features)
    signal = X @ coef + 0.8 * level * X[:, 3] + 0.6 * level + rng.logistic(size=n_rows)
    return Table("synthetic", X, (signal > 0.5).astype(int), group, "classification")


def benchmark(table, repeats):
    """Return one row of results per metric."""
    baseline = LogisticRegression(max_iter=1000)
    rows = []
    for kind, name, options, settings in PROBLEMS:
        model = BADRClassifier(baseline, get_metric(name, **options), **settings)
        baseline_times, times = interleaved(baseline, model, table.X, table.y, table.group, repeats)
        ratios = [own / other for own, other in zip(times, baseline_times, strict=True)]
        rows.append(
            {
                "table": table.name,
                "rows": len(table.y),
                "features": table.X.shape[1],
                "kind": kind,
                "metric": name,
                **settings,
                "cells": len(model.cell_weights_),
                "baseline_s": statistics.median(baseline_times),
                "badr_s": statistics.median(times),
                "ratio": statistics.median(ratios),
                "refits": int(model.n_refits_),
                "before": float(model.baseline_metric_value_),
                "after": float(model.metric_value_),
                "score_before": float(model.baseline_scoring_value_),
                "score_after": float(model.scoring_value_),
            }
        )
        print(format_row(rows[-1]), flush=True)
    return rows


HEADER = (
    f"{'table':12}{'metric':20}{'partition':13}{'bound':>6}{'baseline':>10}{'BADR':>9}{'ratio':>7}"
    f"{'refits':>7}{'before':>11}{'after':>11}{'accuracy before/after':>23}"
)


def format_row(row):
    """Return one result as text."""
    return (
        f"{row['table']:12}{row['metric']:20}{row['partition']:13}{row.get('bound', ''):>6}"
        f"{row['baseline_s']:>8.3f} s{row['badr_s']:>7.2f} s{row['ratio']:>7.2f}{row['refits']:>7}"
        f"{row['before']:>11.4g}{row['after']:>11.4g}"
        f"{row['score_before']:>15.4f}{row['score_after']:>8.4f}"
    )


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(
        __doc__, "benchmarks_baseline_fits.json", tables=False, rows=200_000, repeats=5
    )
    options = parser.parse_args(arguments)

    tables = [make_table(options.rows)]
    if options.tables is not None:
        tables += [load_table(options.tables, name) for name in ("adult", "law_school")]
    print(HEADER)
    rows = []
    with threadpool_limits(1):
        for table in tables:
            rows += benchmark(table, options.repeats)
    ratios = {"everything": [row["ratio"] for row in rows]}
    for kind in (RATES, SMOOTH):
        ratios[kind] = [row["ratio"] for row in rows if row["kind"] == kind]
    medians = {kind: statistics.median(values) for kind, values in ratios.items()}
    result = {"repeats": options.repeats, "median_ratios": medians, "results": rows}
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print("median ratio: " + ", ".join(f"{kind} {value:.2f}" for kind, value in medians.items()))


if __name__ == "__main__":
    main()
