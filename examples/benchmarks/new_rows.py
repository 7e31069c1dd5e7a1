"""Do bounds hold on rows that nobody trained on, and what does that cost? Beside other packages.

python examples/benchmarks/new_rows.py --tables DIR [--estimator linear|boosting] [--rows N]
    [--splits N] [--seed S] [--only TABLE ...] [--bounds B ...] [--without-column] [--population]
    [--oxonfair-python ENV/bin/python] [--output FILE]
python examples/benchmarks/new_rows.py --show FILE [FILE ...]

Real tables: each method is fitted on a random half and judged on the other. "all" is the share of
fits that violate their bound there, "hard" the same among those whose baseline model violates it,
"promised" the share that promise the bound, "broken" the share of promised ones that violate it,
and "error" by how much the error is above the baseline model's (hard ones alone). The other half is
a sample itself: with 90 % limits that are exact, 18 % of the promised bounds are broken there.
``--population`` takes the table as the population: as many rows as in a half are drawn from it,
with replacement, and the whole table judges. Then 10 % may be broken.

ExponentiatedGradient is given half the bound, as it compares each group with all rows. OxonFair
lives in an environment of its own; it chooses a threshold per group on a half of its training rows
that its model has not seen, or ("reused") on all rows that the model was trained on.
"""

import json
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from _arguments import make_parser
from _reference import run, scores
from _tables import load_table
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier
from skbadr.metrics import get_metric

METRICS = ("demographic_parity", "equalized_odds")
ESTIMATORS = {
    "linear": LogisticRegression(max_iter=1000),
    "boosting": HistGradientBoostingClassifier(max_iter=30, max_bins=31, random_state=0),
}
# Rows of both halves, at most, and numbers of splits.
ROWS = {"linear": 20_000, "boosting": 6_000}
SPLITS = {"linear": 30, "boosting": 10}
OURS = {"skbadr": None, "skbadr, confidence=0.9": 0.9}
OXONFAIR = {"OxonFair": False, "OxonFair, reused": True}


def draw_rows(table, rows, seed, *, population=False):
    """Return (X, y, group) of the rows to train on and of those that judge."""
    rng, n = np.random.default_rng(seed), len(table.y)
    if population:
        parts = rng.integers(n, size=min(rows, n) // 2), np.arange(n)
    else:
        parts = np.array_split(rng.permutation(n)[:rows], 2)
    return {
        name: (table.X[part], table.y[part], table.group[part])
        for name, part in zip(("train", "test"), parts, strict=True)
    }


def run_ours(estimator, split, metric, bound, confidence):
    """Return the record of one fit of ours."""
    X, y, group = split["train"]
    model = BADRClassifier(estimator, metric, bound=bound, confidence=confidence)
    start = time.perf_counter()
    model.fit(X, y, sensitive_features=group)
    seconds = time.perf_counter() - start
    return {
        **scores(model, *split["test"], metric),
        "promised": bool(model.bound_met_),
        "seconds": seconds,
    }


def run_reference(estimator, split, metric, bound):
    """Return the record of one fit of ExponentiatedGradient."""
    found = run(estimator, split, metric, bound / 2, max_iter=30)
    return {**found["test"], "seconds": found["seconds"]}


def oxonfair_task(estimator, split, seed, *, reused):
    """Return the arrays of one task of `_oxonfair_thresholds`, without metric and bound."""
    X, y, group = split["train"]
    fitted = chosen = np.arange(len(y))
    if not reused:
        fitted, chosen = train_test_split(fitted, test_size=0.5, stratify=y, random_state=seed)
    model = clone(estimator).fit(X[fitted], y[fitted])
    new, _, new_group = split["test"]
    return {
        "proba": model.predict_proba(X[chosen]),
        "target": y[chosen],
        "groups": group[chosen].astype(str),
        "new_proba": model.predict_proba(new),
        "new_groups": new_group.astype(str),
    }


def decide(python, tasks):
    """Return OxonFair's decisions for each task, made by its own interpreter."""
    script = Path(__file__).with_name("_oxonfair_thresholds.py")
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "tasks.npz", Path(folder) / "decisions.npz"
        np.savez(given, **{f"{k}.{n}": v for k, task in enumerate(tasks) for n, v in task.items()})
        done = subprocess.run([python, script, given, found], capture_output=True, text=True)
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1:]
            raise SystemExit(f"--oxonfair-python={python} does not run OxonFair: {reason}")
        with np.load(found) as decisions:
            return [decisions[str(k)] for k in range(len(tasks))]


def judge_split(table, seed, options):
    """Yield one record per metric, bound and method."""
    estimator = ESTIMATORS[options.estimator]
    split = draw_rows(table, options.rows, seed, population=options.population)
    X, y, group = split["train"]
    start = time.perf_counter()
    baseline = clone(estimator).fit(X, y)
    seconds = time.perf_counter() - start
    cases = [(metric, bound) for metric in METRICS for bound in options.bounds]
    plain = {metric: scores(baseline, *split["test"], metric) for metric in METRICS}
    found = []
    for metric, bound in cases:
        found.append(("baseline", metric, bound, {**plain[metric], "seconds": seconds}))
        for name, confidence in OURS.items():
            found.append(
                (name, metric, bound, run_ours(estimator, split, metric, bound, confidence))
            )
        record = run_reference(estimator, split, metric, bound)
        found.append(("ExponentiatedGradient", metric, bound, record))
    if options.oxonfair_python and not options.without_column:
        found += run_oxonfair(estimator, split, seed, cases, options.oxonfair_python)
    for name, metric, bound, record in found:
        yield {
            "table": table.name,
            "seed": seed,
            "metric": metric,
            "bound": bound,
            "method": name,
            **record,
            "violated": bool(record["disparity"] > bound),
            "hard": bool(plain[metric]["disparity"] > bound),
            "rise": record["error"] - plain[metric]["error"],
        }


def run_oxonfair(estimator, split, seed, cases, python):
    """Return (method, metric, bound, record) of each case."""
    asked, tasks = [], []
    for name, reused in OXONFAIR.items():
        task = oxonfair_task(estimator, split, seed, reused=reused)
        for metric, bound in cases:
            asked.append((name, metric, bound))
            tasks.append({**task, "metric": metric, "bound": bound})
    _, y, group = split["test"]
    found = []
    for (name, metric, bound), decided in zip(asked, decide(python, tasks), strict=True):
        disparity = float(get_metric(metric)(y, decided, sensitive_features=group))
        error = 1.0 - float(accuracy_score(y, decided))
        found.append((name, metric, bound, {"error": error, "disparity": disparity}))
    return found


def summarise(records):
    """Return one row per method."""
    rows = []
    for method in dict.fromkeys(r["method"] for r in records):
        own = [r for r in records if r["method"] == method]
        hard = [r for r in own if r["hard"]]
        promised = [r for r in own if r.get("promised")]
        rows.append(
            {
                "method": method,
                "fits": len(own),
                "all": _mean(own, "violated"),
                "hard_fits": len(hard),
                "hard": _mean(hard, "violated"),
                "promised": _mean(own, "promised"),
                "broken": _mean(promised, "violated"),
                "hard_promised": _mean(hard, "promised"),
                "hard_broken": _mean([r for r in promised if r["hard"]], "violated"),
                "rise": _mean(hard, "rise"),
                "rise_error": float(np.std([r["rise"] for r in hard]) / max(len(hard), 1) ** 0.5),
                "seconds": _mean(own, "seconds"),
            }
        )
    return rows


def _mean(records, key):
    values = [r[key] for r in records if key in r]
    return float(np.mean(values)) if values else float("nan")


COLUMNS = ("all", "hard", "promised", "broken", "hard_promised", "hard_broken")


def print_table(title, records):
    """Print one row per method."""
    print(f"\n{title:24}{'fits':>6}{'hard':>6}" + "".join(f"{c:>14}" for c in COLUMNS)
          + f"{'error':>9}{'(s.e.)':>8}{'seconds':>9}")  # fmt: skip
    for row in summarise(records):
        shares = "".join(f"{row[c]:>14.3f}" for c in COLUMNS)
        print(f"{row['method']:24}{row['fits']:>6}{row['hard_fits']:>6}{shares}"
              f"{row['rise']:>9.4f}{row['rise_error']:>8.4f}{row['seconds']:>9.2f}",
              flush=True)  # fmt: skip


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, tables=False, rows=None, splits=None, seed=0)
    parser.add_argument("--estimator", choices=tuple(ESTIMATORS), default="linear")
    names = ["adult", "compas", "german", "law_school"]
    parser.add_argument("--only", nargs="+", default=names, metavar="TABLE")
    parser.add_argument("--bounds", nargs="+", type=float, default=[0.05, 0.10])
    parser.add_argument("--without-column", action="store_true", help="it is no feature")
    parser.add_argument("--population", action="store_true", help="the whole table judges")
    parser.add_argument("--oxonfair-python", help="of OxonFair's own environment; else left out")
    parser.add_argument("--show", nargs="+", type=Path, help="files of earlier runs")
    options = parser.parse_args(arguments)
    if options.show:
        return show([r for path in options.show for r in json.loads(path.read_text())])
    if options.tables is None:
        parser.error("--tables or --show is needed")
    options.rows = options.rows or ROWS[options.estimator]
    options.splits = options.splits or SPLITS[options.estimator]
    if not options.oxonfair_python:
        print("OxonFair is left out: --oxonfair-python gives an interpreter that has it")

    records = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bounds that are missed: they are counted
        tables = [
            load_table(options.tables, name, drop_sensitive=options.without_column)
            for name in options.only
        ]
        for seed in range(options.seed, options.seed + options.splits):
            for table in tables:
                records += judge_split(table, seed, options)
            if options.output:  # an earlier end leaves the splits that are complete
                options.output.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    return show(records)


def show(records):
    """Print one table per real table, per metric, and of all; return the records."""
    for key in ("table", "metric"):
        for value in dict.fromkeys(r[key] for r in records):
            print_table(value, [r for r in records if r[key] == value])
    print_table("all", records)
    return records


if __name__ == "__main__":
    main()
