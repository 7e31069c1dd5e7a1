"""Compare searches for any estimator on rows that nobody trained on, at bounds of rates.

Each case is a table, a split, whether the sensitive column is among the features, a metric and a
bound. BADR evaluates out of fold (``cv="auto"``); ExponentiatedGradient runs beside it, its
difference bound half of ours, since it compares each group with all rows. All figures are of test
rows, the reference's of the expectation of its randomised predictor:

python examples/benchmarks/search.py --tables DIR [--names adult compas] [--splits 900 901]
    [--estimator boosting|forest|network|pipeline] [--bounds .03 .06 .1] [--output FILE]
"""

import json
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from _arguments import make_parser
from _estimators import ESTIMATORS, GROUPS, load_frame
from _reference import Reference
from _tables import TABLES, load_table, read_table
from sklearn.base import clone
from sklearn.model_selection import train_test_split

from skbadr import BADRClassifier
from skbadr.metrics import get_metric
from skbadr.result import hypervolume

METRICS = ("demographic_parity", "equalized_odds")
NAMES = ["adult", "compas", "german", "law_school"]


def load(options, name, with_column):
    """Return X, y and groups, with the sensitive column among the features or without it."""
    sensitive = GROUPS.get(name, (TABLES[name][1], None))[0]
    if options.estimator == "pipeline":
        X, y, group = load_frame(options.tables, name)
        return X if with_column else X.drop(columns=sensitive), y, group
    largest = GROUPS.get(name, (None, None))[1]
    table = load_table(options.tables, name, sensitive=sensitive, largest=largest)
    if with_column:
        return table.X, table.y, table.group
    frame = read_table(options.tables, name)
    if largest is not None:
        frame = frame[frame[sensitive].isin(frame[sensitive].value_counts().index[:largest])]
    X = pd.get_dummies(frame.drop(columns=[TABLES[name][0], sensitive])).to_numpy(float)
    return X, table.y, table.group


def split_rows(X, y, group, seed, most):
    """Return (X, y, group) of training and test rows, at most `most` of the first."""
    _, strata = np.unique(np.char.add(group.astype(str), y.astype(str)), return_inverse=True)
    n_train = min(most, int(0.7 * len(y)))
    train, test = train_test_split(
        np.arange(len(y)), train_size=n_train, random_state=seed, stratify=strata
    )
    take = X.iloc.__getitem__ if hasattr(X, "iloc") else X.__getitem__
    return {part: (take(r), y[r], group[r]) for part, r in (("train", train), ("test", test))}


def measure(model, split, metric):
    """Return error and disparity on the test rows."""
    X, y, group = split["test"]
    predicted = model.predict(X)
    disparity = get_metric(metric)(y, predicted, sensitive_features=group)
    return {"error": float(np.mean(predicted != y)), "disparity": float(disparity)}


def search(estimator, split, metric, bound):
    """Fit BADR; return what it does on test rows, and what it took."""
    X, y, group = split["train"]
    cpu = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = BADRClassifier(clone(estimator), metric, bound=bound, solver="alternating")
        model.fit(X, y, sensitive_features=group)
    predicted = model.results_["predicted_metric"] - model.results_["metric"]
    return measure(model, split, metric) | {
        "cpu_seconds": time.process_time() - cpu,
        "fits": int(model.n_refits_),
        "held_out": float(model.metric_value_),
        "held_out_error": float(1 - model.scoring_value_),
        "prediction_error": float(np.nanmean(np.abs(predicted))) if len(predicted) > 1 else 0.0,
    }


def run(options):
    """Yield one record per case."""
    reference = Reference(options.reference)
    for name in options.names:
        for with_column in (False, True):
            X, y, group = load(options, name, with_column)
            for seed in options.splits:
                split = split_rows(X, y, group, seed, options.rows)
                estimator = ESTIMATORS[options.estimator]()
                baseline = clone(estimator).fit(*split["train"][:2])
                for metric in METRICS:
                    before = measure(baseline, split, metric)
                    for bound in options.bounds:
                        case = f"{name} {with_column} {seed} {options.estimator} {metric} {bound}"
                        theirs = reference(
                            case, estimator, split, metric, bound / 2, max_iter=options.max_iter
                        )
                        yield {
                            "table": name, "with_column": with_column, "split": seed,
                            "metric": metric, "bound": bound, "baseline": before,
                            "constant": float(min(np.mean(split["test"][1] == c) for c in (0, 1))),
                            "badr": search(estimator, split, metric, bound),
                            "reference": theirs["test"] | {
                                "cpu_seconds": theirs["cpu_seconds"], "fits": theirs["refits"]
                            },
                        }  # fmt: skip


def volumes(records, method):
    """Return the hypervolume of (error, disparity) of each front, to the baseline's disparity."""
    fronts = {}
    for r in records:
        fronts.setdefault((r["table"], r["with_column"], r["split"], r["metric"]), []).append(r)
    found = {}
    for key, own in fronts.items():
        start = own[0]["baseline"]
        points = [start, *(r[method] for r in own)]
        errors, disparities = ([p[name] for p in points] for name in ("error", "disparity"))
        corner = own[0]["constant"] + 0.02, max(start["disparity"], 0.02)
        found[key] = hypervolume(errors, disparities, reference=corner)
    return found


def _mean(records, method, name):
    return float(np.mean([record[method][name] for record in records]))


def _pair(records, method):
    return f"{_mean(records, method, 'error'):.3f}/{_mean(records, method, 'disparity'):.3f}"


def summarise(records):
    """Print one line per table, column and metric."""
    print(f"{'table':<12}{'column':<8}{'metric':<20}{'baseline':>16}{'BADR':>16}{'reference':>16}"
          f"{'volume':>9}{'fits':>12}{'time':>7}{'predicted':>10}")  # fmt: skip
    ours, theirs = volumes(records, "badr"), volumes(records, "reference")
    kinds = dict.fromkeys((r["table"], r["with_column"], r["metric"]) for r in records)
    for table, column, metric in kinds:
        own = [
            r
            for r in records
            if (r["table"], r["with_column"], r["metric"]) == (table, column, metric)
        ]
        keys = [k for k in ours if (k[0], k[1], k[3]) == (table, column, metric)]
        mean = partial(_mean, own)
        pair = partial(_pair, own)
        ratio = np.mean([ours[k] for k in keys]) / np.mean([theirs[k] for k in keys])
        fits = f"{mean('badr', 'fits'):.0f}/{mean('reference', 'fits'):.0f}"
        seconds = mean("badr", "cpu_seconds") / mean("reference", "cpu_seconds")
        print(f"{table:<12}{'yes' if column else 'no':<8}{metric:<20}{pair('baseline'):>16}"
              f"{pair('badr'):>16}{pair('reference'):>16}{ratio:>9.2f}{fits:>12}{seconds:>7.2f}"
              f"{mean('badr', 'prediction_error'):>10.3f}")  # fmt: skip


def main(arguments=None):
    """Run the cases, print the table and write the records."""
    parser = make_parser(__doc__, tables=True, rows=6000)
    parser.add_argument("--names", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--splits", nargs="+", type=int, default=[900, 901])
    parser.add_argument("--bounds", nargs="+", type=float, default=[0.03, 0.06, 0.1])
    parser.add_argument("--estimator", default="boosting", choices=list(ESTIMATORS))
    parser.add_argument("--max-iter", type=int, default=30)
    parser.add_argument("--reference", help="file that keeps the reference's results")
    options = parser.parse_args(arguments)
    records = []
    for record in run(options):
        records.append(record)
        if options.output:
            Path(options.output).write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    summarise(records)
    return records


if __name__ == "__main__":
    main()
