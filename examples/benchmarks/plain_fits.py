"""Time a whole fit of BADRClassifier as a multiple of one baseline fit.

The wrapped estimator is LogisticRegression(max_iter=1000); baseline and BADR fits take turns, on
one BLAS thread. With --reference, ExponentiatedGradient is timed once per bound on a rate:

    python examples/benchmarks/plain_fits.py [--tables DIR] [--series tables generated wide small]
        [--repeats N] [--reference] [--output FILE]
"""

import json
import statistics
import time

import numpy as np
from _arguments import make_parser
from _reference import run as run_reference
from _tables import Table, load_table
from _timing import interleaved
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier
from skbadr.metrics import get_metric

RATES, SMOOTH = "rate metrics", "smooth metrics"
BOUNDED = {"partition": "group_target", "bound": 0.04}
PROBLEMS = [
    (RATES, "demographic_parity", {}, BOUNDED),
    (RATES, "equalized_odds", {}, BOUNDED),
    (RATES, "demographic_parity", {}, {"partition": "group"}),
    (SMOOTH, "individual", {}, {"partition": "group"}),
    (SMOOTH, "covariance", {}, {"partition": "group"}),
    (SMOOTH, "group_loss_variance", {"loss": "log_loss"}, {"partition": "group"}),
    (SMOOTH, "worst_group_loss", {"loss": "log_loss"}, {"partition": "group"}),
]
# Rows, columns, groups and seed of generated tables.
SIZES = {
    "generated": [(20_000, 20, 2, 1), (200_000, 20, 3, 2), (1_000_000, 20, 2, 3)],
    "wide": [(20_000, 768, 2, 4), (20_000, 2_000, 2, 5), (100_000, 768, 2, 6)],
}
NAMES = {"tables": ("adult", "law_school"), "small": ("german", "compas")}


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


def benchmark(series, table, repeats, clock, reference=False):
    """Return one row of results per metric."""
    baseline = LogisticRegression(max_iter=1000)
    rows = []
    for kind, name, options, settings in PROBLEMS:
        model = BADRClassifier(baseline, get_metric(name, **options), **settings)
        data = table.X, table.y, table.group
        baseline_times, times = interleaved(baseline, model, *data, repeats, clock)
        ratios = [own / other for own, other in zip(times, baseline_times, strict=True)]
        rows.append(
            {
                "series": series,
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
                "overhead_s": statistics.median(times)
                - int(model.n_refits_) * statistics.median(baseline_times),
                "before": float(model.baseline_metric_value_),
                "after": float(model.metric_value_),
                "score_before": float(model.baseline_scoring_value_),
                "score_after": float(model.scoring_value_),
            }
        )
        if reference and "bound" in settings:
            split = {"train": (table.X, table.y, table.group)}
            # It compares each group with all rows, not with every other.
            theirs = run_reference(baseline, split, name, settings["bound"] / 2, max_iter=30)
            rows[-1]["reference"] = theirs["cpu_seconds"] / rows[-1]["badr_s"]
        print(format_row(rows[-1]), flush=True)
    return rows


HEADER = (
    f"{'table':24}{'metric':20}{'partition':13}{'bound':>6}{'baseline':>10}{'BADR':>9}{'ratio':>7}"
    f"{'refits':>7}{'before':>11}{'after':>11}{'accuracy before/after':>23}{'reference':>11}"
)


def format_row(row):
    """Return one result as text."""
    text = (
        f"{row['table']:24}{row['metric']:20}{row['partition']:13}{row.get('bound', ''):>6}"
        f"{row['baseline_s']:>8.3f} s{row['badr_s']:>7.2f} s{row['ratio']:>7.2f}{row['refits']:>7}"
        f"{row['before']:>11.4g}{row['after']:>11.4g}"
        f"{row['score_before']:>15.4f}{row['score_after']:>8.4f}"
    )
    return text + (f"{row['reference']:>11.1f}" if "reference" in row else "")


def load(series, folder):
    """Yield the tables of a series."""
    for name in NAMES.get(series, ()):
        if folder is not None:
            yield load_table(folder, name)
    for rows, columns, groups, seed in SIZES.get(series, ()):
        table = make_table(rows, columns, groups, seed)
        yield table._replace(name=f"{rows:,} x {columns:,}")


def summarise(rows):
    """Return the median and the largest ratio of each series and kind of metric."""
    summary = {}
    for row in rows:
        summary.setdefault(f"{row['series']}, {row['kind']}", []).append(row["ratio"])
    return {
        name: {"median": statistics.median(ratios), "largest": max(ratios)}
        for name, ratios in summary.items()
    }


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_baseline_fits.json", tables=False, repeats=5)
    choices = [*NAMES, *SIZES]
    parser.add_argument("--series", nargs="*", default=choices, choices=choices)
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--threads", type=int, default=1, help="of BLAS")
    options = parser.parse_args(arguments)

    print(HEADER)
    rows = []
    clock = time.process_time if options.threads == 1 else time.perf_counter
    with threadpool_limits(options.threads):
        for series in options.series:
            for table in load(series, options.tables):
                rows += benchmark(series, table, options.repeats, clock, options.reference)
    result = {"repeats": options.repeats, "ratios": summarise(rows), "results": rows}
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name, ratios in result["ratios"].items():
        print(f"{name}: median {ratios['median']:.2f}, largest {ratios['largest']:.2f}")


if __name__ == "__main__":
    main()
