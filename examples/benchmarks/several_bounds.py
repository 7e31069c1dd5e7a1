"""Several bounds at once against a dense search over weights, and against each bound alone.

python examples/benchmarks/several_bounds.py --tables DIR [--names adult compas law_school]
    [--estimator linear|boosting] [--rows N] [--visits N] [--floor F] [--max-iter N]
    [--output FILE]
python examples/benchmarks/several_bounds.py --problems tune|report [--every N]
    [--estimator linear|boosting] [--rows N] [--output FILE]
python examples/benchmarks/several_bounds.py --tables DIR --columns|--strata [--output FILE]

The bounds are half of the baseline model's demographic parity difference, half of its equalized
odds difference and, as a third, four fifths (``--floor``) of its smallest true positive rate of a
group, below which no group may come. Linear models are judged on their training rows, boosting on
four folds that the dense search shares. Values that decide whether a bound is met are fairlearn's,
of the final model's predictions (of boosting, of the folds' models). "hardest" is the bound that
alone costs most error.

``--columns`` bounds the gaps of sex and of race on adult, crossed and each column by itself.
``--strata`` bounds the gap of race on law_school, over all rows and within each tier of schools.
"""

import json
import time
import warnings

import numpy as np
import pandas as pd
from _arguments import make_parser
from _dense_weights import dense_weights
from _tables import TABLES, encode, read_table
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    equalized_odds_difference,
    selection_rate,
    true_positive_rate,
)
from problems import SPLITS, problems
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier

NAMES = ["adult", "compas", "law_school"]
ESTIMATORS = {
    "linear": LogisticRegression(max_iter=1000),
    "boosting": HistGradientBoostingClassifier(max_iter=30, max_bins=31, random_state=0),
}
# Rows, visits of the dense search per set of bounds and timed fits of each kind of model.
ROWS = {"linear": None, "boosting": 4_000}
VISITS = {"linear": 640, "boosting": 160}
REPEATS = {"linear": 3, "boosting": 1}
FLOOR = "true_positive_rate_group_min"
METRICS = ("demographic_parity", "equalized_odds", FLOOR)
# A baseline model that is fairer than this has nothing to be repaired.
LEAST = 0.04
BOUND = 0.05


def disparities(y, predicted, group):
    """Return fairlearn's values of `METRICS`."""
    options = {"sensitive_features": group}
    frame = MetricFrame(metrics=true_positive_rate, y_true=y, y_pred=predicted, **options)
    return {
        "demographic_parity": float(demographic_parity_difference(y, predicted, **options)),
        "equalized_odds": float(equalized_odds_difference(y, predicted, **options)),
        FLOOR: float(frame.group_min()),
    }


def keeps(values, bounds):
    """Whether values are within their bounds."""
    return all(
        values[name] >= bound - 1e-12 if name == FLOOR else values[name] <= bound + 1e-12
        for name, bound in bounds.items()
    )


class Judge:
    """Fit a model at weights of group x target, and measure it on its rows or out of fold."""

    def __init__(self, estimator, X, y, group, folds):
        self.X, self.y, self.group, self.folds = X, y, group, folds
        self.codes = np.unique(group, return_inverse=True)[1]
        self.cells = 2 * self.codes + y
        self.n_groups = self.codes.max() + 1
        self.n_cells = 2 * self.n_groups
        if folds is None:
            # Each fit starts from the last one.
            estimator = clone(estimator).set_params(
                solver="newton-cholesky", warm_start=True, tol=1e-4
            )
        self.estimator = estimator

    def predict(self, log_weights):
        """Return predictions of every row."""
        weight = np.exp(log_weights)[self.cells]
        if self.folds is None:
            self.estimator.fit(self.X, self.y, sample_weight=weight / weight.mean())
            return self.estimator.predict(self.X)
        predicted = np.empty_like(self.y)
        for train, test in self.folds:
            model = clone(self.estimator)
            model.fit(self.X[train], self.y[train], sample_weight=weight[train] / weight.mean())
            predicted[test] = model.predict(self.X[test])
        return predicted

    def __call__(self, log_weights):
        """Return error, and the values of `METRICS` of which less is better."""
        predicted = self.predict(log_weights)
        counts = np.bincount(2 * self.cells + predicted, minlength=4 * self.n_groups)
        table = counts.reshape(-1, 2, 2)
        selected = table[:, :, 1].sum(axis=1) / table.sum(axis=(1, 2))
        rates = table[:, :, 1] / table.sum(axis=2)
        odds = np.ptp(rates, axis=0).max()
        values = np.array([np.ptp(selected), odds, -rates[:, 1].min()])
        return float(np.mean(predicted != self.y)), values


def load(options, name, with_column):
    """Return X, y and group of some rows of a table."""
    target, sensitive, _ = TABLES[name]
    frame = read_table(options.tables, name)
    rows = options.rows or ROWS[options.estimator]
    if rows and rows < len(frame):
        frame = frame.sample(rows, random_state=0).reset_index(drop=True)
    y, group = frame[target].to_numpy(int), frame[sensitive].astype(str).to_numpy()
    return encode(frame if with_column else frame.drop(columns=sensitive), target), y, group


def cases(options):
    """Yield (name, whether the column is a feature, X, y, group)."""
    if options.problems is None:
        for name in options.names:
            for with_column in (True, False):
                yield name, with_column, *load(options, name, with_column)
        return
    for problem in list(problems(options.problems, "binary"))[:: options.every]:
        rows = int(np.clip(problem.factors.rows, 1_000, options.rows or 8_000))
        X, y, group = problem.sample(rows)
        X = problem.pipeline("passthrough").fit_transform(X)
        yield problem.name, problem.factors.told == "column", X, y, group


def fit_timed(estimator, X, y, group, metric, folds, repeats, **options):
    """Return the fitted model, processor seconds, and whether it warned of a missed bound."""
    seconds = []
    for _ in range(repeats):
        begin = time.process_time()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = BADRClassifier(clone(estimator), metric, cv=folds, **options.get("given", {}))
            model.fit(X, y, sensitive_features=group, **options.get("passed", {}))
        seconds.append(time.process_time() - begin)
    warned = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    return model, min(seconds), warned


def run_case(options, name, with_column, X, y, group):
    """Return a record of one table: each bound alone, two, three, and the dense search."""
    estimator, repeats = ESTIMATORS[options.estimator], REPEATS[options.estimator]
    folds = None
    if options.estimator == "boosting":
        strata = np.unique(np.char.add(group.astype(str), y.astype(str)), return_inverse=True)[1]
        folds = list(StratifiedKFold(4, shuffle=True, random_state=0).split(X, strata))
    judge = Judge(estimator, X, y, group, folds)
    uniform = np.zeros(judge.n_cells)
    predicted = judge.predict(uniform)
    baseline = disparities(y, predicted, group)
    if min(baseline["demographic_parity"], baseline["equalized_odds"]) < LEAST:
        return None
    bounds = {
        "demographic_parity": baseline["demographic_parity"] / 2,
        "equalized_odds": baseline["equalized_odds"] / 2,
        FLOOR: options.floor * baseline[FLOOR],
    }
    record = {
        "name": name, "with_column": with_column, "rows": len(y), "cells": len(uniform),
        "bounds": bounds, "baseline": baseline | {"error": float(np.mean(predicted != y))},
        "fits": {},
    }  # fmt: skip
    sets = {m: [m] for m in METRICS} | {"two": list(METRICS[:2]), "three": list(METRICS)}
    starts = []
    for label, chosen in sets.items():
        own = {metric: bounds[metric] for metric in chosen}
        model, seconds, warned = fit_timed(
            estimator, X, y, group, own, folds, repeats, given={"max_iter": options.max_iter}
        )
        log_weights = weights_by_cell(model, judge)
        # Out of fold the judge's models are the search's, at its weights.
        shown = model.estimator_.predict(X) if folds is None else judge.predict(log_weights)
        values = disparities(y, shown, group)
        record["fits"][label] = {
            "seconds": seconds, "refits": int(model.n_refits_),
            "visited": len(model.results_["metric"]),
            "error": float(np.mean(shown != y)), "values": values, "met": keeps(values, own),
            "warned": warned, "said": float(model.metric_value_),
        }  # fmt: skip
        starts.append(log_weights)
    targets = [
        np.array([bounds["demographic_parity"], bounds["equalized_odds"], -bounds[FLOOR]]) + 1e-12
        for _ in range(2)
    ]
    targets[0][2] = np.inf
    rounds = 8
    begin = time.process_time()
    best, visited = dense_weights(
        judge, len(uniform), targets, starts=starts, rounds=rounds,
        per_round=(options.visits or VISITS[options.estimator]) // rounds,
    )  # fmt: skip
    record["dense"] = {
        label: None if found is None else {"error": found.error, "values": found.values.tolist()}
        for label, found in zip(("two", "three"), best, strict=True)
    }
    record["dense"] |= {"visits": len(visited), "seconds": time.process_time() - begin}
    return record


def weights_by_cell(model, judge):
    """Return the log weights of group x target that a fitted model was trained with."""
    weight = model.compute_sample_weight(judge.X, judge.y, sensitive_features=judge.group)
    return np.log([weight[judge.cells == cell].mean() for cell in range(judge.n_cells)])


def summarise(records):
    """Print one line per case and number of bounds."""
    print(f"{'case':<12} {'column':<6} {'bounds':<6} {'baseline':>8} {'error':>6} {'dense':>6} "
          f"{'above':>6} {'worst':>6} {'met':>4} {'warned':>6} {'seconds':>7} {'hardest':>7} "
          f"{'slowest':>7} {'refits':>7}")  # fmt: skip
    above, ratios, slowest, kept, possible = [], [], [], 0, 0
    for record in records:
        fits = record["fits"]
        for label, chosen in (("two", METRICS[:2]), ("three", METRICS)):
            own, dense = fits[label], record["dense"][label]
            hardest = fits[max(chosen, key=lambda m: fits[m]["error"])]["seconds"]
            ratios.append(own["seconds"] / hardest)
            slowest.append(own["seconds"] / max(fits[m]["seconds"] for m in chosen))
            gap = np.nan if dense is None or not own["met"] else own["error"] - dense["error"]
            above.append(gap)
            kept += own["met"] or own["warned"]
            possible += dense is None or own["met"]
            print(f"{record['name']:<12} {'yes' if record['with_column'] else 'no':<6} {label:<6} "
                  f"{record['baseline']['error']:>8.4f} {own['error']:>6.4f} "
                  f"{'-' if dense is None else format(dense['error'], '.4f'):>6} {gap:>6.4f} "
                  f"{own['said']:>6.3f} {'yes' if own['met'] else 'no':>4} "
                  f"{'yes' if own['warned'] else 'no':>6} {own['seconds']:>7.2f} "
                  f"{ratios[-1]:>7.2f} {slowest[-1]:>7.2f} {own['refits']:>7}")  # fmt: skip
    n = len(ratios)
    print(f"\nmet or warned: {kept} of {n}; met wherever the dense search did: {possible} of {n}")
    if np.isfinite(above).any():
        print(f"error above the dense search: median {np.nanmedian(above):.4f}, "
              f"largest {np.nanmax(above):.4f}")  # fmt: skip
    for name, found in (("hardest", ratios), ("slowest", slowest)):
        within = np.sum(np.array(found) <= 1.5)
        print(f"time in multiples of the {name} bound alone: median {np.median(found):.2f}, "
              f"largest {np.max(found):.2f}, within 1.5: {within} of {n}")  # fmt: skip


def gap_of(y, predicted, group):
    return float(demographic_parity_difference(y, predicted, sensitive_features=group))


def run_columns(options):
    """Return sex and race of adult: the baseline model, crossed, and each by itself."""
    frame = read_table(options.tables, "adult")
    X, y = encode(frame, "income"), frame["income"].to_numpy(int)
    columns = frame[["sex", "race"]]
    estimator, records = ESTIMATORS["linear"], []
    crossed = columns.agg(" ".join, axis=1)
    for label, given in (
        ("baseline", None),
        ("crossed", {"intersectional": True}),
        ("by itself", {"intersectional": False}),
    ):
        if given is None:
            model, seconds, warned = clone(estimator).fit(X, y), 0.0, False
        else:
            model, seconds, warned = fit_timed(
                estimator, X, y, columns, "demographic_parity", None, 1,
                given={"bound": BOUND, **given},
            )  # fmt: skip
        shown = model.predict(X)
        records.append({
            "groups": label, "error": float(np.mean(shown != y)), "seconds": seconds,
            "sex": gap_of(y, shown, columns["sex"]), "race": gap_of(y, shown, columns["race"]),
            "sex x race": gap_of(y, shown, crossed), "warned": warned,
        })  # fmt: skip
    return records


def run_strata(options):
    """Return the gap of race on law_school, over all rows and within tiers of schools."""
    frame = read_table(options.tables, "law_school")
    X, y = encode(frame, "pass_bar"), frame["pass_bar"].to_numpy(int)
    race, tier = frame["race"].to_numpy(str), frame["tier"].astype(int).to_numpy()
    estimator, records = ESTIMATORS["linear"], []
    for label, passed in (
        ("baseline", None),
        ("all rows", {}),
        ("within strata", {"control_features": tier}),
    ):
        if passed is None:
            model, seconds, warned = clone(estimator).fit(X, y), 0.0, False
        else:
            model, seconds, warned = fit_timed(
                estimator, X, y, race, "demographic_parity", None, 1,
                given={"bound": BOUND}, passed=passed,
            )  # fmt: skip
        shown = model.predict(X)
        frame_of = MetricFrame(
            metrics=selection_rate, y_true=y, y_pred=shown, sensitive_features=race,
            control_features=tier,
        )  # fmt: skip
        within = {f"tier {t}": float(gap) for t, gap in frame_of.difference().items()}
        records.append({
            "bound on": label, "error": float(np.mean(shown != y)), "seconds": seconds,
            "all rows": gap_of(y, shown, race), **within, "warned": warned,
        })  # fmt: skip
    return records


def main(arguments=None):
    """Run the cases, print the table and write the records."""
    parser = make_parser(__doc__, tables=False, rows=None)
    parser.add_argument("--names", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--problems", choices=SPLITS, help="generated problems, in place of tables")
    parser.add_argument("--every", type=int, default=6, help="take every so many of the problems")
    parser.add_argument("--estimator", default="linear", choices=list(ESTIMATORS))
    parser.add_argument("--visits", type=int, help="of the dense search, per set of bounds")
    parser.add_argument("--floor", type=float, default=0.8, help="of the baseline's smallest rate")
    parser.add_argument("--max-iter", type=int, help="budget of the search; else its default")
    parser.add_argument("--columns", action="store_true", help="sex and race of adult")
    parser.add_argument("--strata", action="store_true", help="race of law_school within tiers")
    options = parser.parse_args(arguments)
    if options.tables is None and options.problems is None:
        parser.error("--tables or --problems is needed")
    records = []
    with threadpool_limits(1):
        if options.columns or options.strata:
            records = run_columns(options) if options.columns else run_strata(options)
            print(pd.DataFrame(records).round(4).to_string(index=False))
        else:
            for case in cases(options):
                record = run_case(options, *case)
                if record is not None:
                    records.append(record)
                    write(records, options.output)
            summarise(records)
    write(records, options.output)
    return records


def write(records, path):
    if path:
        path.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
