"""Boosted trees: the upper level on held-out data against the training data.

python examples/benchmarks/held_out.py --tables DIR [--only NAME ...] [--cv C ...] [--bound B]

Means over random splits of what the search believed of the chosen model (`metric_value_`), what it
does on test data, and how often the bound, met by belief, was kept there.
"""

import json
import time
import warnings

import numpy as np
from _arguments import make_parser
from _tables import TABLES, read_table
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier
from skbadr.metrics import get_metric


def parse_cv(text):
    """Return a fraction or a number of folds."""
    return float(text) if "." in text else int(text)


def load(folder, name):
    """Return columns as codes, targets and groups."""
    target, sensitive, _ = TABLES[name]
    frame = read_table(folder, name)
    X = np.column_stack(
        [
            column if column.dtype.kind in "biuf" else np.unique(column, return_inverse=True)[1]
            for column in (frame[c].to_numpy() for c in frame.columns.drop(target))
        ]
    ).astype(float)
    return X, frame[target].to_numpy(int), frame[sensitive].astype(str).to_numpy()


def run_split(data, metric_name, bound, seed, options):
    """Return one record per place of evaluation, and one for the baseline estimator."""
    X, y, group = data
    train, test = train_test_split(np.arange(len(y)), test_size=0.3, stratify=y, random_state=seed)
    estimator = HistGradientBoostingClassifier(max_iter=options.trees, random_state=seed)
    metric = get_metric(metric_name)
    records = []
    for cv in (None, *options.cv):
        model = BADRClassifier(
            estimator, metric, partition="group_target", bound=bound, cv=cv, random_state=seed,
            max_iter=options.max_iter,
        )  # fmt: skip
        begin = time.perf_counter()
        model.fit(X[train], y[train], sensitive_features=group[train])
        seconds = time.perf_counter() - begin
        value = metric(y[test], model.predict(X[test]), sensitive_features=group[test])
        records.append(
            {
                "where": "train" if cv is None else f"cv={cv}",
                "believed": model.metric_value_,
                "test": value,
                "error": abs(value - model.metric_value_),
                "beyond": max(0.0, value - bound),
                "believed_kept": bool(model.metric_value_ <= bound),
                "kept": bool(value <= bound),
                "accuracy": model.score(X[test], y[test]),
                "believed_accuracy": model.scoring_value_,
                "refits": int(model.n_refits_),
                "seconds": seconds,
            }
        )
    baseline = estimator.fit(X[train], y[train])
    value = metric(y[test], baseline.predict(X[test]), sensitive_features=group[test])
    records.append({"where": "baseline", "test": value, "kept": bool(value <= bound),
                    "beyond": max(0.0, value - bound),
                    "accuracy": baseline.score(X[test], y[test])})  # fmt: skip
    return records


def summarise(records):
    """Return means and standard errors over the splits, by place of evaluation."""
    rows = []
    for where in dict.fromkeys(r["where"] for r in records):
        chosen = [r for r in records if r["where"] == where]
        row = {"where": where, "splits": len(chosen)}
        for key in chosen[0]:
            if key != "where":
                values = [float(r[key]) for r in chosen]
                row[key] = float(np.mean(values))
                spread = np.std(values, ddof=1) if len(values) > 1 else np.nan
                row[f"{key}_se"] = float(spread / np.sqrt(len(values)))
        rows.append(row)
    return rows


def format_row(table, metric, bound, row):
    """Return one row as text."""
    line = f"{table:<12}{metric:<22}{bound:>6.3g}  {row['where']:<10}"
    if row["where"] == "baseline":
        line += " " * 20
    else:
        line += f"{row['believed']:>10.4f}{row['error']:>10.4f}"
    line += f"{row['test']:>9.4f} +-{row['test_se']:>6.4f}{row['beyond']:>9.4f}{row['kept']:>7.0%}"
    line += f"{row['accuracy']:>10.4f}"
    if row["where"] != "baseline":
        line += f"{row['refits']:>8.1f}{row['seconds']:>8.1f}"
    return line


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_held_out.json", tables=True, splits=10)
    parser.add_argument("--only", nargs="+", default=["adult", "compas"])
    parser.add_argument("--metrics", nargs="+", default=["demographic_parity", "equalized_odds"])
    parser.add_argument("--bound", type=float, default=0.05)
    parser.add_argument("--cv", nargs="+", type=parse_cv, default=[0.25])
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--max-iter", type=int, default=None, help="budget of refits")
    options = parser.parse_args(arguments)

    print(f"{'table':<12}{'metric':<22}{'bound':>6}  {'where':<10}{'believed':>10}{'|error|':>10}"
          f"{'test':>9}{'':>9}{'beyond':>9}{'kept':>7}{'accuracy':>10}{'refits':>8}"
          f"{'s':>8}")  # fmt: skip
    results = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bounds that are missed: they are counted
        for name in options.only:
            data = load(options.tables, name)
            for metric in options.metrics:
                records = []
                for seed in range(options.splits):
                    records += run_split(data, metric, options.bound, seed, options)
                for row in summarise(records):
                    results.append({"table": name, "metric": metric, "bound": options.bound, **row})
                    print(format_row(name, metric, options.bound, row), flush=True)
    options.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
