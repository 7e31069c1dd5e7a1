"""Show what few refits do for crossed groups, of which some are tiny.

Adult, sex x race: ten groups, twenty cells. For each group its distance from the selection rate
of all rows, with the baseline model and after the search, on the training rows and on others:

python examples/benchmarks/intersectional.py --tables DIR [--part 0.5] [--rows N] [--output FILE]
"""

import json
import warnings

import numpy as np
from _arguments import make_parser
from _tables import load_table
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier

LARGE = 400  # rows of a group that must not lose


def distances(model, X, group):
    """Return each group's distance from the selection rate of all rows."""
    predicted = model.predict(X)
    overall = predicted.mean()
    return {str(g): float(abs(predicted[group == g].mean() - overall)) for g in np.unique(group)}


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_intersectional.json", tables=True, rows=None, seed=0)
    parser.add_argument("--part", type=float, default=0.5, help="bound, of the baseline disparity")
    options = parser.parse_args(arguments)

    table = load_table(options.tables, "adult", sensitive=["sex", "race"])
    rows = np.random.default_rng(options.seed).permutation(len(table.y))[: options.rows]
    train, test = train_test_split(rows, test_size=0.3, random_state=options.seed)
    X, y, group = table.X[train], table.y[train], table.group[train].copy()
    # A cell with a single row: of the smallest group, one row of the rarer class stays.
    names, counts = np.unique(group, return_counts=True)
    positive = np.flatnonzero((group == names[counts.argmin()]) & (y == 1))
    kept = np.setdiff1d(np.arange(len(y)), positive[1:])
    X, y, group = X[kept], y[kept], group[kept]

    estimator = HistGradientBoostingClassifier(random_state=0)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        baseline = clone(estimator).fit(X, y)
        gap = BADRClassifier(estimator, solver="alternating", max_iter=1)
        gap = gap.fit(X, y, sensitive_features=group).metric_value_
        model = BADRClassifier(
            estimator, solver="alternating", partition="group_target", bound=options.part * gap,
            max_iter=12,
        )  # fmt: skip
        model.fit(X, y, sensitive_features=group)
    print(model.summary())

    parts = {"train": (X, y, group), "test": (table.X[test], table.y[test], table.group[test])}
    result = {"small_groups": {str(g): rows for g, rows in model.small_groups_.items()}}
    for part, (X, y, group) in parts.items():
        before, after = distances(baseline, X, group), distances(model, X, group)
        errors = [float(np.mean(m.predict(X) != y)) for m in (baseline, model)]
        print(f"\n{part}: error {errors[0]:.4f} -> {errors[1]:.4f}")
        print(f"{'group':<28}{'rows':>7}{'before':>9}{'after':>9}")
        for name, value in before.items():
            print(f"{name:<28}{np.sum(group == name):>7}{value:>9.3f}{after[name]:>9.3f}")
        worse = [
            name for name in before
            if np.sum(group == name) >= LARGE and after[name] > before[name] + 1e-12
        ]  # fmt: skip
        print(f"groups of {LARGE} rows or more that are worse off: {worse or 'none'}")
        result[part] = {"error": errors, "before": before, "after": after, "worse": worse}
    options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
