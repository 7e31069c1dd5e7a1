"""Compare the refits that alternating search and ExponentiatedGradient take to the same place.

The bounds are ExponentiatedGradient's own disparities on the training rows. A case is a hit where
the chosen model has at most .002 more error and .005 more disparity there. Two cores' worth of
fits can take an hour for all tables; the reference is kept in a file:

python examples/benchmarks/few_refits.py --tables DIR [--names compas german] [--splits 5]
    [--estimator boosting] [--reference FILE] [--guides score_shift proxy] [--output FILE]
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _reference import MOMENTS, Reference, scores
from _tables import TABLES, load_table, read_table
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier
from skbadr.solvers import AlternatingSolver

ERROR, DISPARITY = 0.002, 0.005
NAMES = ["adult", "compas", "german", "law_school"]
# Sensitive column, and of how many of its values the rows are kept.
GROUPS = {"compas": ("race", 3)}


def pipeline():
    """Return boosting behind encoders of categories and missing values."""
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", min_frequency=20),
         make_column_selector(dtype_exclude=np.number)),
        (SimpleImputer(add_indicator=True), make_column_selector(dtype_include=np.number)),
        sparse_threshold=0.0,
    )  # fmt: skip
    return make_pipeline(encode, HistGradientBoostingClassifier(random_state=0))


ESTIMATORS = {
    "boosting": lambda: HistGradientBoostingClassifier(random_state=0),
    "forest": lambda: RandomForestClassifier(min_samples_leaf=5, random_state=0),
    "network": lambda: MLPClassifier(early_stopping=True, random_state=0),
    "pipeline": pipeline,
}


def load_frame(folder, name, seed=0):
    """Return a table as a data frame with its categories, a tenth of its entries missing."""
    target, sensitive, _ = TABLES[name]
    frame = read_table(folder, name)
    X = frame.drop(columns=target)
    gaps = np.random.default_rng(seed).random(X.shape) < 0.1
    gaps[:, X.columns.get_loc(sensitive)] = False
    X = X.astype({column: float for column in X.select_dtypes("number")})
    X = X.mask(pd.DataFrame(gaps, index=X.index, columns=X.columns))
    return X, frame[target].to_numpy(int), frame[sensitive].to_numpy(str)


def load_split(options, name, seed):
    """Return (X, y, group) of the training and the test rows."""
    if options.estimator == "pipeline":
        X, y, group = load_frame(options.tables, name)
    else:
        sensitive, largest = GROUPS.get(name, (None, None))
        table = load_table(options.tables, name, sensitive=sensitive, largest=largest)
        X, y, group = table.X, table.y, table.group
    rows = np.arange(len(y))
    if options.rows is not None and options.rows < len(y):
        rows = np.random.default_rng(seed).permutation(len(y))[: options.rows]
    _, strata = np.unique(np.char.add(group.astype(str), y.astype(str)), return_inverse=True)
    train, test = train_test_split(rows, test_size=0.3, random_state=seed, stratify=strata[rows])
    take = X.iloc.__getitem__ if hasattr(X, "iloc") else X.__getitem__
    return {part: (take(r), y[r], group[r]) for part, r in (("train", train), ("test", test))}


def search(options, estimator, split, metric, bound):
    """Fit and score; also return every refit's error and disparity."""
    X, y, group = split["train"]
    n_cells = 2 * len(np.unique(group))
    budget = options.max_iter or (10 if n_cells <= 4 else 12)
    guides = {} if options.guides is None else {"guides": options.guides}
    solver = AlternatingSolver(min_gain=options.min_gain, **guides)
    model = BADRClassifier(
        estimator, metric, solver=solver, partition="group_target", bound=bound, max_iter=budget
    )
    wall, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y, sensitive_features=group)
    result = {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "refit_seconds": float(model.results_["refit_time"].sum()),
        "refits": int(model.n_refits_),
        "errors": (1 - model.results_["score"]).tolist(),
        "disparities": model.results_["metric"].tolist(),
        "origins": model.results_["origin"].tolist(),
    }
    for part, data in split.items():
        result[part] = scores(model, *data, metric)
    return result


def judge(found, reference):
    """Return whether the chosen model is a hit, and the number of refits to the first one."""
    goal = reference["train"]

    def hit(error, disparity):
        return error <= goal["error"] + ERROR and disparity <= goal["disparity"] + DISPARITY

    pairs = zip(found["errors"], found["disparities"], strict=True)
    first = next((i for i, pair in enumerate(pairs, 1) if hit(*pair)), None)
    return hit(**found["train"]), first


HEADER = (
    f"{'table':<12}{'metric':<20}{'bound':>6}{'seed':>5}  {'reference':^24}  {'found':^24}"
    f"{'first':>6}{'hit':>5}{'time':>7}"
)


def format_row(row):
    """Return one case as text."""
    line = f"{row['table']:<12}{row['metric']:<20}{row['difference_bound']:>6}{row['seed']:>5}"
    for side in (row["reference"], row["found"]):
        for part in ("train", "test"):
            line += f"  {side[part]['error']:.4f}/{side[part]['disparity']:.3f}"
    first = "-" if row["first"] is None else row["first"]
    return f"{line}{first:>6}{'yes' if row['hit'] else 'no':>5}{row['ratio']:>6.1f}x"


def summarise(rows):
    """Print the shares of hits, mean test scores, time, and the curve of refits to a first hit."""
    print(f"\n{'table':<12}{'metric':<20}{'hits':>8}{'visited':>9}  "
          f"{'reference test':>16}{'found test':>16}{'refits':>14}{'time':>7}")  # fmt: skip
    tables = sorted({row["table"] for row in rows})
    for table in [*tables, "all"]:
        for metric in [*MOMENTS, "all"]:
            some = [r for r in rows if table in ("all", r["table"])]
            some = [r for r in some if metric in ("all", r["metric"])]
            if some:
                print(f"{table:<12}{metric:<20}{_summary(some)}")
    budget = max(row["found"]["refits"] for row in rows)
    first = [row["first"] or np.inf for row in rows]
    curve = [sum(n <= number for n in first) for number in range(1, budget + 1)]
    print(f"cases hit after 1..{budget} refits, of {len(rows)}: {curve}")
    return curve


def _summary(rows):
    means = {
        side: {key: np.mean([r[side]["test"][key] for r in rows]) for key in ("error", "disparity")}
        for side in ("reference", "found")
    }
    hits, visited = sum(r["hit"] for r in rows), sum(r["first"] is not None for r in rows)
    refits = [np.mean([r[side]["refits"] for r in rows]) for side in ("reference", "found")]
    seconds = [sum(r[side]["cpu_seconds"] for r in rows) for side in ("reference", "found")]
    text = f"{hits:>4}/{len(rows):<3}{visited:>5}/{len(rows):<3}  "
    for side in ("reference", "found"):
        text += f"{means[side]['error']:>9.4f}/{means[side]['disparity']:.4f}"
    return f"{text}{refits[0]:>7.1f}/{refits[1]:.1f}{seconds[0] / seconds[1]:>8.1f}x"


def parse(arguments):
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, required=True, help="folder of CSV files")
    parser.add_argument("--names", nargs="+", default=NAMES)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--first-split", type=int, default=0)
    parser.add_argument("--estimator", choices=ESTIMATORS, default="boosting")
    parser.add_argument("--metrics", nargs="+", choices=MOMENTS, default=list(MOMENTS))
    parser.add_argument("--bounds", nargs="+", type=float, default=[0.02, 0.05])
    parser.add_argument("--rows", type=int, help="rows of a table to use at most")
    parser.add_argument("--max-iter", type=int, help="refits; default: 10, 12 from six cells on")
    parser.add_argument("--guides", nargs="*", help="guides of the solver; none: guide-free")
    parser.add_argument("--min-gain", type=float, default=1e-3)
    parser.add_argument("--reference", type=Path, help="file that keeps the reference's results")
    parser.add_argument("--only-reference", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("benchmarks_few_refits.json"))
    return parser.parse_args(arguments)


def main(arguments=None):
    """Run the benchmark from the command line."""
    options = parse(arguments)
    reference, rows = Reference(options.reference), []
    print(HEADER)
    with threadpool_limits(1):
        for name in options.names:
            for seed in range(options.first_split, options.first_split + options.splits):
                rows += run_split(options, name, seed, reference)
    if options.only_reference:
        return
    curve = summarise(rows)
    result = {"estimator": options.estimator, "curve": curve, "cases": rows}
    options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"written to {options.output}")


def run_split(options, name, seed, reference):
    """Return the cases of one split of one table."""
    split, rows = load_split(options, name, seed), []
    estimator = ESTIMATORS[options.estimator]()
    for metric in options.metrics:
        for bound in options.bounds:
            size = "" if options.rows is None else f" {options.rows}"
            case = f"{options.estimator}/{name}{size}/{seed}/{metric}/{bound}"
            goal = reference(case, estimator, split, metric, bound)
            if options.only_reference:
                print(case, goal, flush=True)
                continue
            found = search(options, estimator, split, metric, goal["train"]["disparity"])
            hit, first = judge(found, goal)
            row = {"table": name, "metric": metric, "difference_bound": bound, "seed": seed}
            row |= {"reference": goal, "found": found, "hit": hit, "first": first}
            row["ratio"] = goal["cpu_seconds"] / found["cpu_seconds"]
            rows.append(row)
            print(format_row(row), flush=True)
    return rows


if __name__ == "__main__":
    main()
