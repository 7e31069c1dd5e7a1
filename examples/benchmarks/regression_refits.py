"""Show how far few refits of trees close the gap between groups' mean predictions.

Cells are groups x quantile bins of the target; the bound is on the baseline's gap where the upper
level is evaluated. Beside the root mean squared errors stand the least that constant shifts
of the groups and re-weighed models can have at that gap, and that of the baseline estimator with
weights perturbed at random by a fifth, which a refit cannot be told from:

python examples/benchmarks/regression_refits.py --tables DIR [--names parkinsons student_math]
    [--splits 5] [--part 0.3] [--bins 4] [--cv 0.25] [--estimator boosting|forest] [--leaves 31]
    [--max-iter 6] [--rows N] [--before FILE] [--output FILE]
"""

import json
import warnings
from pathlib import Path

import numpy as np
from _arguments import make_parser
from _tables import load_table
from scipy.stats import kurtosis
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skbadr import BADRRegressor
from skbadr.solvers import AlternatingSolver


def scores(model, X, y, group):
    """Return root mean squared error and gap between two groups' mean predictions."""
    predicted = model.predict(X)
    means = [predicted[group == g].mean() for g in np.unique(group)]
    return float(np.sqrt(np.mean((predicted - y) ** 2))), float(max(means) - min(means))


def least_errors(baseline, X, y, group, gap):
    """Return the least root mean squared errors at which two groups' means come within a gap.

    First of any model that shifts the baseline's predictions by a constant in each group, chosen
    with these rows' targets in sight; then of re-weighed ones. Weights move a prediction by as
    much as its target is uncertain there, v(x), and an uneven move costs E[v^2] / E[v]^2 times
    an even one: a third of the residuals' kurtosis, where they are normal with variance v(x).
    """
    residual = y - baseline.predict(X)
    member = [group == g for g in np.unique(group)]
    share = np.array([np.mean(m) for m in member])
    bias = np.array([residual[m].mean() for m in member])
    left = np.mean(residual**2) - share @ bias**2
    excess = max(0.0, abs(y[member[0]].mean() - y[member[1]].mean()) - gap)
    unevenness = np.array([max(1.0, kurtosis(residual[m], fisher=False) / 3) for m in member])
    return [
        float(np.sqrt(left + excess**2 / np.sum(1 / (share * factor))))
        for factor in (np.ones(2), unevenness)
    ]


def run_split(options, name, seed, estimator):
    """Return the results of one split of one table."""
    table = load_table(options.tables, name)
    train, test = train_test_split(np.arange(len(table.y)), test_size=0.3, random_state=seed)
    train = train[: options.rows]
    parts = {"train": train, "test": test}
    data = {part: (table.X[r], table.y[r], table.group[r]) for part, r in parts.items()}
    X, y, group = data["train"]
    baseline = clone(estimator).fit(X, y)
    noise = np.random.default_rng(seed).normal(scale=0.2, size=len(y))
    perturbed = clone(estimator).fit(X, y, sample_weight=np.exp(noise))
    solver = AlternatingSolver(options.max_iter, min_gain=0) if options.max_iter else "alternating"
    cv = int(options.cv) if options.cv and options.cv >= 2 else options.cv
    model = BADRRegressor(
        estimator, solver=solver, partition="group_target", n_target_bins=options.bins, cv=cv,
        random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Held-out rows are known to the search alone: a first fit of one refit tells their gap.
        probe = clone(model).set_params(max_iter=1, solver="alternating")
        probe.fit(X, y, sensitive_features=group)
        model.set_params(bound=options.part * probe.baseline_metric_value_)
        model.fit(X, y, sensitive_features=group)
    row = {"table": name, "seed": seed, "refits": int(model.n_refits_)}
    for part, (X, y, group) in data.items():
        found = scores(model, X, y, group)
        row[part] = {
            "baseline": scores(baseline, X, y, group),
            "found": found,
            "least": least_errors(baseline, X, y, group, found[1]),
            "perturbed": scores(perturbed, X, y, group),
        }
    row["errors"] = np.sqrt(-model.results_["score"]).tolist()
    row["gaps"] = model.results_["metric"].tolist()
    row["origins"] = model.results_["origin"].tolist()
    return row


def summary(results):
    """Return the means of one part of several splits as text."""
    rmse, gap = np.mean([result["baseline"] for result in results], axis=0)
    new_rmse, new_gap = np.mean([result["found"] for result in results], axis=0)
    shifted, weighted = np.mean([result["least"] for result in results], axis=0) / rmse
    perturbed = np.mean([result["perturbed"][0] for result in results]) / rmse
    text = f"RMSE x {new_rmse / rmse:.3f} at {new_gap / gap:.0%} of the gap "
    text += f"(least: shifted x {shifted:.3f}, re-weighed x {weighted:.3f}; "
    return text + f"perturbed x {perturbed:.3f})"


def above_least(results):
    """Return test RMSE above that of the best shifts by group, in parts of the baseline's."""
    tests = [result["test"] for result in results]
    return np.array([(t["found"][0] - t["least"][0]) / t["baseline"][0] for t in tests])


def compare(results, before, part):
    """Return as text how many splits meet the bound on evaluation rows, beside other results."""
    met = [sum(min(r["gaps"]) <= part * r["gaps"][0] for r in rows) for rows in (results, before)]
    fits = [np.mean([r["refits"] for r in rows]) for rows in (results, before)]
    more = above_least(results) - above_least(before)
    error = more.std(ddof=1) / np.sqrt(len(more))
    text = f"met {met[0]} / {met[1]}, fits {fits[0]:.0f} / {fits[1]:.0f}, "
    return (
        text
        + f"test RMSE above the least shifted, less that before: {more.mean():.4f} ({error:.4f})"
    )


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(
        __doc__, "benchmarks_regression_refits.json", tables=True, splits=5, rows=None
    )
    parser.add_argument("--names", nargs="+", default=["parkinsons", "student_math"])
    parser.add_argument("--first-split", type=int, default=0)
    parser.add_argument("--part", type=float, default=0.3, help="of the baseline model's gap")
    parser.add_argument("--cv", type=float, help="folds, or part of the training rows held out")
    parser.add_argument("--bins", type=int, default=4, help="bins of the target")
    parser.add_argument("--leaves", type=int, default=31, help="leaves of a tree")
    parser.add_argument("--iterations", type=int, default=100, help="trees")
    parser.add_argument("--max-bins", type=int, default=255, help="of boosting; few are fast")
    parser.add_argument("--max-iter", type=int, default=6, help="visits; 0: a search's defaults")
    parser.add_argument("--before", type=Path, help="JSON file of another version's same splits")
    parser.add_argument("--estimator", default="boosting", choices=["boosting", "forest"])
    options = parser.parse_args(arguments)

    size = {"max_leaf_nodes": options.leaves, "random_state": 0}
    if options.estimator == "boosting":
        estimator = HistGradientBoostingRegressor(
            max_iter=options.iterations, max_bins=options.max_bins, **size
        )
    else:
        estimator = RandomForestRegressor(options.iterations, **size)
    print(f"{'table':<14}{'seed':>5}{'refits':>7}  {'part':<6}{'RMSE':>16}{'least':>16}{'gap':>16}")
    rows = []
    with threadpool_limits(1):
        for name in options.names:
            for seed in range(options.first_split, options.first_split + options.splits):
                rows.append(run_split(options, name, seed, estimator))
                for part in ("train", "test"):
                    (baseline, gap), (found, new_gap), least, _ = rows[-1][part].values()
                    line = f"{name:<14}{seed:>5}{rows[-1]['refits']:>7}  {part:<6}"
                    line += "".join(f"{v:>8.3f}" for v in (baseline, found, *least, gap, new_gap))
                    print(line, flush=True)
            for part in ("train", "test"):
                print(f"{name}, {part}: {summary([r[part] for r in rows if r['table'] == name])}")
    for name in options.names if options.before else ():
        before = json.loads(options.before.read_text(encoding="utf-8"))
        own, other = ([r for r in found if r["table"] == name] for found in (rows, before))
        print(f"{name}: {compare(own, other, options.part)}")
    options.output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
