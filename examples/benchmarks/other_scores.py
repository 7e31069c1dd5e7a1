"""Scores other than accuracy within a bound, and bounds on plain functions.

python examples/benchmarks/other_scores.py --tables DIR --oxonfair-python ENV/bin/python
    [--names TABLE ...] [--scores NAME ...] [--rows N] [--splits N] [--seed S] [--max-iter N]
    [--output FILE]
python examples/benchmarks/other_scores.py --tables DIR --functions [--names TABLE ...] [--rows N]
    [--estimators linear boosting] [--visits N] [--max-iter N] [--output FILE]

Scores: boosting on random rows, demographic parity at most .05, judged on all other rows of a
table. fairlearn's ThresholdOptimizer and OxonFair choose thresholds on out-of-fold probabilities of
the training rows, apply them to a model of all training rows, and are told the group of new rows.
OxonFair lives in an environment of its own. ``cost`` prices a false negative at 3 and a false
positive at 1, by `make_scorer`; ``plain cost`` is the same as a plain function.

Functions (``--functions``): bounds on plain functions of labels, predictions and groups, against a
dense search over weights of group x target on the same evaluation rows. Linear models are judged
on their training rows, boosting on four folds.
"""

import json
import time
import warnings
from functools import partial

import numpy as np
import pandas as pd
from _arguments import make_parser
from _dense_weights import dense_weights
from _tables import load_table
from fairlearn.postprocessing import ThresholdOptimizer
from new_rows import decide
from several_bounds import Judge, gap_of, weights_by_cell
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score, make_scorer, recall_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier

NAMES = ["adult", "compas", "german", "law_school"]
BOUND = 0.05
# Part of a table that is trained on, at most.
TRAINED = 0.6
FOLDS = 5


def negative_cost(y_true, y_pred):
    """Return the negative of what errors cost per row: 3 for a false negative, 1 for the other."""
    missed, wrong = np.mean((y_true == 1) & (y_pred == 0)), np.mean((y_true == 0) & (y_pred == 1))
    return -(3.0 * missed + wrong)


def plain_scorer(estimator, X, y):
    """Return `negative_cost` of an estimator; scikit-learn takes such a function as a scorer."""
    return negative_cost(y, estimator.predict(X))


# name -> (scoring, function of labels and predictions, objective of ThresholdOptimizer)
SCORES = {
    "balanced_accuracy": ("balanced_accuracy", balanced_accuracy_score, "balanced_accuracy_score"),
    "f1": ("f1", partial(f1_score, zero_division=0.0), "accuracy_score"),
    "recall": ("recall", recall_score, "true_positive_rate"),
    "cost": (make_scorer(negative_cost), negative_cost, "accuracy_score"),
    "plain cost": (plain_scorer, negative_cost, "accuracy_score"),
}


class Probabilities(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose features are its probabilities."""

    def __init__(self):
        self.classes_ = np.array([0, 1])

    def fit(self, X, y):
        """Learn nothing."""
        return self

    def predict_proba(self, X):
        """Return the probabilities that are given."""
        return np.asarray(X)

    def predict(self, X):
        """Return the likelier class."""
        return np.asarray(X).argmax(axis=1)


def thresholds(split, probabilities, objective, seed):
    """Return the decisions of ThresholdOptimizer for the rows that judge."""
    (_, y, group), (_, _, new_group) = split
    found = ThresholdOptimizer(
        estimator=Probabilities(),
        constraints="demographic_parity",
        objective=objective,
        prefit=True,
        predict_method="predict_proba",
        tol=BOUND,
    )
    found.fit(probabilities[0], y, sensitive_features=group)
    return found.predict(probabilities[1], sensitive_features=new_group, random_state=seed)


def judge_split(table, seed, options):
    """Return records of one split: a baseline model and each method, score by score."""
    n_train = min(options.rows, int(TRAINED * len(table.y)))
    rows = np.arange(len(table.y))
    train, test = train_test_split(
        rows, train_size=n_train, random_state=seed,
        stratify=np.char.add(table.group.astype(str), table.y.astype(str)),
    )  # fmt: skip
    split = [(table.X[part], table.y[part], table.group[part]) for part in (train, test)]
    (X, y, group), (new, new_y, new_group) = split
    estimator = HistGradientBoostingClassifier(random_state=0)
    baseline = clone(estimator).fit(X, y)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    own = cross_val_predict(estimator, X, y, cv=folds, method="predict_proba")
    probabilities = own, baseline.predict_proba(new)
    decided, found = {}, []
    wanted = list(dict.fromkeys(name.removeprefix("plain ") for name in options.scores))
    groups, new_groups = group.astype(str), new_group.astype(str)
    if options.oxonfair_python:
        tasks = [
            {
                "proba": own, "target": y, "groups": groups, "new_proba": probabilities[1],
                "new_groups": new_groups, "metric": "demographic_parity", "bound": BOUND,
                "score": name,
            }
            for name in wanted
        ]  # fmt: skip
        decided = dict(zip(wanted, decide(options.oxonfair_python, tasks), strict=True))
    for name in options.scores:
        scoring, function, objective = SCORES[name]
        start = time.perf_counter()
        model = BADRClassifier(
            estimator, "demographic_parity", bound=BOUND, scoring=scoring,
            max_iter=options.max_iter,
        )  # fmt: skip
        model.fit(X, y, sensitive_features=group)
        seconds = time.perf_counter() - start
        shown = {
            "baseline": baseline.predict(new),
            "skbadr": model.predict(new),
            "ThresholdOptimizer": thresholds(split, probabilities, objective, seed),
        }
        if decided:
            shown["OxonFair"] = decided[name.removeprefix("plain ")]
        for method, predicted in shown.items():
            record = {
                "method": method, "score": name, "value": float(function(new_y, predicted)),
                "disparity": gap_of(new_y, predicted, new_group),
            }  # fmt: skip
            if method == "skbadr":
                record |= {
                    "seconds": seconds, "said": float(model.metric_value_), "path": path_of(model),
                }  # fmt: skip
            found.append(record)
    return found


def path_of(model):
    """Return what the search visited: metric and score, predicted (or None) and measured."""
    keys = ("predicted_metric", "metric", "predicted_score", "score")
    visited = zip(*(np.asarray(model.results_[key], dtype=float) for key in keys), strict=True)
    return [[float(v) if np.isfinite(v) else None for v in point] for point in visited]


def run_scores(options):
    """Yield the records of all tables and splits, with and without the sensitive column."""
    for seed in range(options.seed, options.seed + options.splits):
        for name in options.names:
            for with_column in (True, False):
                table = load_table(options.tables, name, drop_sensitive=not with_column)
                for record in judge_split(table, seed, options):
                    yield {"table": name, "column": with_column, "seed": seed, **record}


def show_scores(records):
    """Print means over splits, and what skbadr is behind the better of the two others."""
    frame = pd.DataFrame(records)
    keys = ["column", "table", "score"]
    means = frame.groupby([*keys, "method"], sort=False)[["value", "disparity"]].mean()
    table = means.unstack("method")
    methods = list(dict.fromkeys(frame["method"]))
    rivals = [m for m in methods if m not in ("baseline", "skbadr")]
    out = pd.DataFrame(
        {
            m: [
                f"{value:.4f} ({gap:.3f})"
                for value, gap in zip(table["value"][m], table["disparity"][m], strict=True)
            ]
            for m in methods
        },
        index=table.index,
    )
    out["behind"] = table["value"][rivals].max(axis=1) - table["value"]["skbadr"]
    print("score (demographic parity difference), both on new rows\n")
    print(out.reset_index().to_string(index=False, float_format="{:.4f}".format))
    for column, own in out.groupby("column"):
        n = int((own["behind"] <= 0.005).sum())
        print(f"\ncolumn {'among' if column else 'not among'} the features: at most .005 behind in "
              f"{n} of {len(own)}, median {own['behind'].median():.4f}")  # fmt: skip


# Part two: bounds on plain functions of labels, predictions and groups.
ESTIMATORS = {
    "linear": LogisticRegression(max_iter=1000),
    "boosting": HistGradientBoostingClassifier(max_iter=30, max_bins=31, random_state=0),
}
VISITS = {"linear": 320, "boosting": 80}
ROUNDS = 8
# Largest fall of a group's recall, part of the baseline model's gap that is left, part of its
# least missed group's misses that every group is to have, and overall false positive rate.
FALL, GAP, MISSES, FALSE_POSITIVES = 0.01, 0.5, 0.9, 0.10


def recalls(y_true, y_pred, groups):
    """Return the recall of each group, in order."""
    return np.array([y_pred[(groups == g) & (y_true == 1)].mean() for g in np.unique(groups)])


def largest_misses(y_true, y_pred, *, sensitive_features):
    """Return the largest share of positives that is missed in a group."""
    return 1.0 - recalls(y_true, y_pred, sensitive_features).min()


def recall_gap(y_true, y_pred, *, sensitive_features):
    """Return the difference of the groups' recalls."""
    return np.ptp(recalls(y_true, y_pred, sensitive_features))


class LargestFall:
    """By how much the recall of a group falls below the baseline model's, at most."""

    def __init__(self, baseline):
        self.baseline = baseline

    def __call__(self, y_true, y_pred, *, sensitive_features):
        """Return the largest fall of a group."""
        return (self.baseline - recalls(y_true, y_pred, sensitive_features)).max()


def amplification(y_true, y_pred, *, sensitive_features):
    """Return by how much the gap of selection rates exceeds the gap of base rates."""
    own = [sensitive_features == g for g in np.unique(sensitive_features)]
    return np.ptp([y_pred[g].mean() for g in own]) - np.ptp([y_true[g].mean() for g in own])


def false_positive_rate(y_true, y_pred, *, sensitive_features):
    """Return the share of negatives, of all groups together, that are selected."""
    return y_pred[y_true == 0].mean()


def wishes(y, baseline, group):
    """Return {name: (scoring, {function: bound})} for a baseline model's predictions."""
    before = recalls(y, baseline, group)
    return {
        "rise": (None, {largest_misses: MISSES * (1.0 - before).min()}),
        "level up": (None, {LargestFall(before): FALL, recall_gap: GAP * np.ptp(before)}),
        "amplification": (None, {amplification: 0.0}),
        "false positives": ("recall", {false_positive_rate: FALSE_POSITIVES}),
    }


class Measured:
    """What `dense_weights` asks for at weights: what the score lacks of 1, and the values."""

    def __init__(self, judge, scoring, functions):
        self.judge, self.score, self.functions = judge, score_of(scoring), functions

    def of(self, predicted):
        """Return what the score lacks of 1, and the functions' values."""
        y, group = self.judge.y, self.judge.group
        values = [f(y, predicted, sensitive_features=group) for f in self.functions]
        return 1.0 - self.score(y, predicted), np.array(values)

    def __call__(self, log_weights):
        """Return the same at weights."""
        return self.of(self.judge.predict(log_weights))


def score_of(scoring):
    """Return the function of labels and predictions behind a name."""
    return (
        recall_score if scoring == "recall" else lambda y, predicted: float(np.mean(y == predicted))
    )


def run_function(estimator, judge, baseline, scoring, bounds, options):
    """Return a record of one wish: skbadr's model and the dense search's."""
    single = len(bounds) == 1
    limits = np.array(list(bounds.values()))
    start = time.perf_counter()
    model = BADRClassifier(
        estimator, next(iter(bounds)) if single else bounds,
        bound=float(limits[0]) if single else None, scoring=scoring, cv=judge.folds,
        max_iter=options.max_iter,
    )  # fmt: skip
    model.fit(judge.X, judge.y, sensitive_features=judge.group)
    seconds = time.perf_counter() - start
    measured, log_weights = Measured(judge, scoring, list(bounds)), weights_by_cell(model, judge)
    # Out of fold the judge's models are the search's, at its weights.
    shown = model.predict(judge.X) if judge.folds is None else judge.predict(log_weights)
    error, values = measured.of(shown)
    first_error, first = measured.of(baseline)
    visits = options.visits or VISITS["linear" if judge.folds is None else "boosting"]
    (best,), visited = dense_weights(
        measured, len(log_weights), [limits + 1e-12], starts=[log_weights], rounds=ROUNDS,
        per_round=visits // ROUNDS,
    )  # fmt: skip
    dense = {} if best is None else {
        "dense": 1.0 - best.error, "dense_values": best.values.tolist(),
        "dense_weights": best.log_weights.tolist(),
    }  # fmt: skip
    return {
        "bounds": limits.tolist(), "baseline": 1.0 - first_error, "before": first.tolist(),
        "score": 1.0 - error, "values": values.tolist(),
        "met": bool((values <= limits + 1e-9).all()), "promised": bool(model.bound_met_),
        "visited": len(model.results_["metric"]), "refits": int(model.n_refits_),
        "seconds": seconds, "log_weights": log_weights.tolist(), "path": path_of(model),
        "visits": len(visited), **dense,
    }  # fmt: skip


def run_functions(options):
    """Yield a record of each estimator, table, set of features and wish."""
    for name in options.names:
        for with_column in (True, False):
            table = load_table(options.tables, name, drop_sensitive=not with_column)
            n = min(options.rows, len(table.y))
            rows = np.random.default_rng(options.seed).permutation(len(table.y))[:n]
            X, y = table.X[rows], table.y[rows]
            group = np.unique(table.group[rows], return_inverse=True)[1]  # strings compare slowly
            for kind in options.estimators:
                folds = None
                if kind == "boosting":
                    strata = 2 * group + y
                    split = StratifiedKFold(4, shuffle=True, random_state=0).split(X, strata)
                    folds = list(split)
                judge = Judge(ESTIMATORS[kind], X, y, group, folds)
                baseline = judge.predict(np.zeros(judge.n_cells))
                for wish, (scoring, bounds) in wishes(y, baseline, group).items():
                    record = run_function(
                        ESTIMATORS[kind], judge, baseline, scoring, bounds, options
                    )
                    yield {"estimator": kind, "table": name, "column": with_column,
                           "wish": wish, **record}  # fmt: skip


def show_functions(records):
    """Print one line per record, and how often each wish was met."""
    frame = pd.DataFrame(records)
    frame["behind"] = (frame["dense"] - frame["score"]).where(frame["met"])
    frame["over"] = [max(np.subtract(r["values"], r["bounds"])) for r in records]
    shown = ["estimator", "table", "column", "wish", "baseline", "score", "dense", "behind", "over",
             "met", "promised", "visited", "seconds"]  # fmt: skip
    print(frame[shown].to_string(index=False, float_format="{:.4f}".format))
    possible = frame["dense"].notna()
    for keys, own in frame[possible].groupby(["estimator", "wish"], sort=False):
        near = int((own["behind"] <= 0.005).sum())
        print(f"{' '.join(keys)}: met {own['met'].sum()} of {len(own)} that the dense search meets"
              f", {near} at most .005 behind it, largest {own['behind'].max():.4f}")  # fmt: skip


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, tables=True, rows=6_000, splits=3, seed=940)
    parser.add_argument("--names", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--oxonfair-python", help="of OxonFair's own environment; else left out")
    parser.add_argument("--scores", nargs="+", default=list(SCORES), choices=SCORES)
    parser.add_argument("--functions", action="store_true", help="bound plain functions")
    parser.add_argument("--estimators", nargs="+", default=list(ESTIMATORS), choices=ESTIMATORS)
    parser.add_argument("--visits", type=int, help="of the dense search, per bound")
    parser.add_argument("--max-iter", type=int, help="budget of the search; else its default")
    options = parser.parse_args(arguments)
    run, show = (run_functions, show_functions) if options.functions else (run_scores, show_scores)
    records = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bounds that are missed: they are counted
        for record in run(options):
            records.append(record)
            if options.output:  # an earlier end leaves what is complete
                options.output.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    show(records)
    return records


if __name__ == "__main__":
    main()
