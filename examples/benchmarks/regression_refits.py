"""Show how far few refits of boosting close the gap between groups' mean predictions.

Cells are groups x quantile bins of the target; the bound is on the training gap. Beside the
root mean squared error stands the smallest one that any model with the same gap can have whose
predictions differ from the plain model's independently of that one's residuals:

python examples/benchmarks/regression_refits.py --tables DIR [--names parkinsons student_math]
    [--splits 5] [--part 0.3] [--bins 4] [--output FILE]
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from _tables import load_table
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skbadr import BADRRegressor
from skbadr.solvers import AlternatingSolver


def scores(model, X, y, group):
    """Return root mean squared error and gap between two groups' mean predictions."""
    predicted = model.predict(X)
    means = [predicted[group == g].mean() for g in np.unique(group)]
    return float(np.sqrt(np.mean((predicted - y) ** 2))), float(max(means) - min(means))


def least_error(rmse, gap, new_gap, group):
    """Return the error that moving the group means together costs at least."""
    share = np.mean(group == group[0])
    return float(np.sqrt(rmse**2 + share * (1 - share) * max(0.0, gap - new_gap) ** 2))


def run_split(options, name, seed, estimator):
    """Return the results of one split of one table."""
    table = load_table(options.tables, name)
    train, test = train_test_split(np.arange(len(table.y)), test_size=0.3, random_state=seed)
    parts = {"train": train, "test": test}
    data = {part: (table.X[r], table.y[r], table.group[r]) for part, r in parts.items()}
    X, y, group = data["train"]
    plain = clone(estimator).fit(X, y)
    bound = options.part * scores(plain, X, y, group)[1]
    guides = {} if options.guides is None else {"guides": options.guides}
    model = BADRRegressor(
        estimator, solver=AlternatingSolver(10, min_gain=0, **guides), partition="group_target",
        bound=bound, n_target_bins=options.bins,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y, sensitive_features=group)
    row = {"table": name, "seed": seed, "refits": int(model.n_refits_)}
    for part, (X, y, group) in data.items():
        row[part] = {"plain": scores(plain, X, y, group), "found": scores(model, X, y, group)}
        row[part]["least"] = least_error(*row[part]["plain"], row[part]["found"][1], group)
    row["errors"] = np.sqrt(-model.results_["score"]).tolist()
    row["gaps"] = model.results_["metric"].tolist()
    row["origins"] = model.results_["origin"].tolist()
    return row


def summary(results):
    """Return the means of one part of several splits as text."""
    rmse, gap = np.mean([result["plain"] for result in results], axis=0)
    new_rmse, new_gap = np.mean([result["found"] for result in results], axis=0)
    least = np.mean([result["least"] for result in results])
    part = new_gap / gap
    return f"RMSE x {new_rmse / rmse:.3f} (least {least / rmse:.3f}) at {part:.0%} of the gap"


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, required=True, help="folder of CSV files")
    parser.add_argument("--names", nargs="+", default=["parkinsons", "student_math"])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--part", type=float, default=0.3, help="of the plain training gap")
    parser.add_argument("--bins", type=int, default=4, help="bins of the target")
    parser.add_argument("--leaves", type=int, default=31, help="leaves of a tree")
    parser.add_argument("--iterations", type=int, default=100, help="trees")
    parser.add_argument("--guides", nargs="*", help="guides of the solver; none: guide-free")
    parser.add_argument("--output", type=Path, default=Path("benchmarks_regression_refits.json"))
    options = parser.parse_args(arguments)

    estimator = HistGradientBoostingRegressor(
        max_iter=options.iterations, max_leaf_nodes=options.leaves, random_state=0
    )
    print(f"{'table':<14}{'seed':>5}{'refits':>7}  {'part':<6}{'RMSE':>16}{'least':>8}{'gap':>16}")
    rows = []
    with threadpool_limits(1):
        for name in options.names:
            for seed in range(options.splits):
                rows.append(run_split(options, name, seed, estimator))
                for part in ("train", "test"):
                    (plain, gap), (found, new_gap), least = rows[-1][part].values()
                    line = f"{name:<14}{seed:>5}{rows[-1]['refits']:>7}  {part:<6}"
                    line += f"{plain:>8.3f}{found:>8.3f}{least:>8.3f}{gap:>8.3f}{new_gap:>8.3f}"
                    print(line, flush=True)
            for part in ("train", "test"):
                print(f"{name}, {part}: {summary([r[part] for r in rows if r['table'] == name])}")
    options.output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
