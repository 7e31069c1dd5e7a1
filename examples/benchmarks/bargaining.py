"""Compare one stage with two: does bargaining first help on small held-out sets?

In the spirit of Zeng et al. (2024, arXiv 2406.07029): 1,000 rows of each table (700 of the 1,000
of german), a fifth of them held out for the upper level (--cv), the others, at most 10,000, for
the test; ten splits, three estimators, and two goals of the second stage: the worst group's loss
(Meta-gDRO) and the gap between losses (FORML). For each, the baseline estimator, the point on which
the groups agreed ("stage 1"), and the search from the baseline model ("one stage"), from the
agreement ("two stages"), and from there with no group worse off on the held-out rows ("two, held"):

    python examples/benchmarks/bargaining.py --tables DIR [--partition group_target] [--cv 5]
"""

import copy
import json
import time
import warnings

import numpy as np
from _arguments import make_parser
from _tables import load_table
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from skbadr import BADRClassifier
from skbadr.metrics import get_metric

CASES = {
    "adult, sex": ("adult", {"sensitive": "sex"}),
    "adult, race": ("adult", {"sensitive": "race", "largest": 3}),
    "german, sex": ("german", {"sensitive": "sex"}),
    "compas, race": ("compas", {"sensitive": "race", "largest": 3}),
    "law school, race": ("law_school", {"sensitive": "race"}),
}
ESTIMATORS = {
    "logistic": LogisticRegression(max_iter=1000),
    "boosting": HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=8),
    "mlp": MLPClassifier((16,), max_iter=40),
}
# Both of the zero-one loss, in the second stage.
GOALS = ("worst_group_loss", "group_loss_gap")
SEARCHES = {
    "one stage": {"init": "baseline"},
    "two stages": {"init": "nash"},
    "two, held": {"init": "nash", "stage2_tolerance": 0.0},
}
TRAIN, TEST = 1000, 10_000
MEASURES = ("auc", "auc_gap", "worst_auc", "worst_loss")


def split(table, seed):
    """Return training and test rows, stratified by group and class."""
    strata = np.char.add(table.group.astype(str), table.y.astype(str))
    rows = np.arange(len(table.y))
    size = min(TRAIN, int(0.7 * len(rows)))
    train, test = train_test_split(rows, train_size=size, stratify=strata, random_state=seed)
    return train, test[:TEST]


def measure(model, X, y, group):
    """Return the test measures of a fitted classifier."""
    proba = model.predict_proba(X)[:, 1]
    members = [group == g for g in np.unique(group)]
    aucs = [roc_auc_score(y[rows], proba[rows]) for rows in members]
    losses = [log_loss(y[rows], proba[rows], labels=[0, 1]) for rows in members]
    return {
        "auc": roc_auc_score(y, proba),
        "auc_gap": max(aucs) - min(aucs),
        "worst_auc": min(aucs),
        "worst_loss": max(losses),
    }


def agreed_model(model, X, y, group):
    """Fit the estimator at the weights on which the groups agreed."""
    model = copy.copy(model)
    model.cell_weights_ = model.bargaining_.cell_weights
    weight = model.compute_sample_weight(X, y, sensitive_features=group)
    return clone(model.estimator).fit(X, y, sample_weight=weight)


def run(table, estimator, seed, partition, cv, goals=GOALS):
    """Return the results of one split: a dict by goal and method."""
    train, test = split(table, seed)
    data = table.X[train], table.y[train]
    group, shown = table.group[train], (table.X[test], table.y[test], table.group[test])
    if "random_state" in estimator.get_params() and not isinstance(estimator, LogisticRegression):
        estimator = clone(estimator).set_params(random_state=seed)
    results = {"baseline": measure(clone(estimator).fit(*data), *shown)}
    for goal in goals:
        for name, options in SEARCHES.items():
            begin = time.perf_counter()
            options = {"partition": partition, "cv": cv, "random_state": seed} | options
            model = BADRClassifier(estimator, get_metric(goal, loss="zero_one"), **options)
            model.fit(*data, sensitive_features=group)
            seconds = time.perf_counter() - begin
            result = measure(model, *shown)
            result |= {"refits": model.n_refits_, "seconds": seconds}
            results[f"{goal}: {name}"] = result
            if "stage 1" not in results and options["init"] == "nash":
                bargain = model.bargaining_
                agreed = agreed_model(model, *data, group)
                results["stage 1"] = measure(agreed, *shown) | {
                    "refits": bargain.n_refits,
                    "reason": bargain.reason,
                    "moved": bool((bargain.losses < bargain.baseline_losses).any()),
                    "worse": bool((bargain.losses > bargain.baseline_losses).any()),
                }
    return results


def summarise(runs):
    """Return means by method, and of differences to a reference with their standard errors."""
    summary = {}
    for method in runs[0]:
        if method == "baseline":
            reference = None
        else:
            reference = "baseline"
            if ": two" in method:
                reference = method.partition(":")[0] + ": one stage"
        row = {}
        for name in MEASURES:
            values = np.array([r[method][name] for r in runs])
            row[name] = float(values.mean())
            if reference:
                change = values - [r[reference][name] for r in runs]
                row[f"{name}_change"] = float(change.mean())
                row[f"{name}_error"] = float(change.std(ddof=1) / np.sqrt(len(change)))
        if method != "baseline":
            row["refits"] = float(np.mean([r[method]["refits"] for r in runs]))
        if method == "stage 1":
            row["moved"] = sum(r[method]["moved"] for r in runs)
            row["worse"] = sum(r[method]["worse"] for r in runs)
        summary[method] = row
    return summary


def show(case, name, summary):
    """Print one table and estimator."""
    print(f"\n{case}, {name}: groups agreed in {summary['stage 1']['moved']} splits, "
          f"one was left worse off (held-out loss) in {summary['stage 1']['worse']}")  # fmt: skip
    print(f"{'':32}{'AUC':>8}{'AUC gap':>9}{'worst AUC':>11}{'worst loss':>12}{'refits':>8}"
          "   change of worst AUC, of AUC gap")  # fmt: skip
    for method, row in summary.items():
        text = f"{method:32}{row['auc']:>8.4f}{row['auc_gap']:>9.4f}{row['worst_auc']:>11.4f}"
        text += f"{row['worst_loss']:>12.4f}{row.get('refits', 1):>8.1f}"
        if "auc_change" in row:
            for measured in ("worst_auc", "auc_gap"):
                text += f"  {row[f'{measured}_change']:+.4f} ({row[f'{measured}_error']:.4f})"
        print(text, flush=True)


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_bargaining.json", tables=True, seeds=10)
    parser.add_argument("--partition", default="group", choices=("group", "group_target"))
    parser.add_argument(
        "--cv",
        type=lambda text: int(text) if text.isdigit() else float(text),
        default=0.2,
        help="fraction held out, or number of folds",
    )
    parser.add_argument("--only", nargs="*", help="beginnings of names of tables")
    parser.add_argument("--estimators", nargs="*", default=list(ESTIMATORS), choices=ESTIMATORS)
    options = parser.parse_args(arguments)

    warnings.simplefilter("ignore")  # of estimators that stop early, for users
    results = []
    for case, (table_name, choice) in CASES.items():
        if options.only and not case.startswith(tuple(options.only)):
            continue
        table = load_table(options.tables, table_name, **choice)
        for name in options.estimators:
            begin = time.perf_counter()
            runs = [
                run(table, ESTIMATORS[name], seed, options.partition, options.cv)
                for seed in range(options.seeds)
            ]
            summary = summarise(runs)
            results.append({"case": case, "estimator": name, "summary": summary, "runs": runs})
            show(case, name, summary)
            print(f"{time.perf_counter() - begin:.0f} seconds", flush=True)
            options.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
