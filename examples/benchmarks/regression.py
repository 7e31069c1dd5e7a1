"""Bound the gap of mean predictions at a fifth of the baseline regressor's own.

Groups times two target bins, 70 % of the rows to train on; test means over splits, with the
standard error of the differences to the baseline estimator:

    python examples/benchmarks/regression.py --tables DIR [--estimators ridge boosting]
"""

import json
import time
import warnings

import numpy as np
from _arguments import make_parser
from _tables import load_table
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skbadr import BADRRegressor

CASES = {
    "parkinsons, sex": ("parkinsons", {"sensitive": "sex"}),
    "student, sex": ("student_math", {"sensitive": "sex"}),
    "law school GPA, sex": (
        "law_school",
        {"sensitive": "male", "target": "zgpa", "task": "regression"},
    ),
}
ESTIMATORS = {"ridge": Ridge(), "boosting": HistGradientBoostingRegressor(random_state=0)}
SHARE = 0.2


def measure(model, X, y, group):
    """Return RMSE and gap of mean predictions."""
    predicted = model.predict(X)
    means = [predicted[group == g].mean() for g in np.unique(group)]
    return [float(np.sqrt(np.mean((y - predicted) ** 2))), float(max(means) - min(means))]


def run(table, estimator, seed):
    """Return train and test measures of the baseline and the bounded model on one split."""
    rows = np.arange(len(table.y))
    train, test = train_test_split(
        rows, test_size=0.3, stratify=table.group.astype(str), random_state=seed
    )
    parts = {
        name: (table.X[part], table.y[part], table.group[part])
        for name, part in (("train", train), ("test", test))
    }
    X, y, group = parts["train"]
    begin = time.perf_counter()
    baseline = clone(estimator).fit(X, y)
    middle = time.perf_counter()
    bound = SHARE * measure(baseline, *parts["train"])[1]
    model = BADRRegressor(estimator, partition="group_target", bound=bound)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        begun = time.perf_counter()
        model.fit(X, y, sensitive_features=group)
    return {
        "baseline": {name: measure(baseline, *part) for name, part in parts.items()},
        "badr": {name: measure(model, *part) for name, part in parts.items()},
        "bound": bound,
        "warned": any("no visited model has" in str(w.message) for w in caught),
        "refits": int(model.n_refits_),
        "baseline_fits": (time.perf_counter() - begun) / (middle - begin),
    }


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_regression.json", tables=True, splits=5)
    parser.add_argument("--only", nargs="*", help="beginnings of names of tables")
    parser.add_argument("--estimators", nargs="*", default=list(ESTIMATORS), choices=ESTIMATORS)
    options = parser.parse_args(arguments)

    print(f"{'':32}{'test RMSE':>18}{'more (error)':>20}{'test gap':>18}{'baseline train gap':>20}"
          f"{'missed':>8}{'refits':>8}{'base. fits':>12}")  # fmt: skip
    results = []
    with threadpool_limits(1):
        for case, (name, choice) in CASES.items():
            if options.only and not case.startswith(tuple(options.only)):
                continue
            table = load_table(options.tables, name, **choice)
            for estimator in options.estimators:
                runs = [run(table, ESTIMATORS[estimator], seed) for seed in range(options.splits)]
                results.append({"case": case, "estimator": estimator, "runs": runs})
                baseline, badr = (
                    np.array([[r[key]["test"], r[key]["train"]] for r in runs])
                    for key in ("baseline", "badr")
                )
                more = 100 * (badr[:, 0, 0] / baseline[:, 0, 0] - 1)
                error = more.std(ddof=1) / np.sqrt(len(more)) if len(more) > 1 else np.nan
                share = badr[:, 1, 1].sum() / baseline[:, 1, 1].sum()
                print(
                    f"{case:22}{estimator:10}"
                    f"{baseline[:, 0, 0].mean():>8.4f} ->{badr[:, 0, 0].mean():>7.4f}"
                    f"{more.mean():>+12.2f} % ({error:.2f})"
                    f"{baseline[:, 0, 1].mean():>8.4f} ->{badr[:, 0, 1].mean():>7.4f}"
                    f"{100 * share:>18.1f} %{sum(r['warned'] for r in runs):>8}"
                    f"{np.mean([r['refits'] for r in runs]):>8.1f}"
                    f"{np.median([r['baseline_fits'] for r in runs]):>12.1f}",
                    flush=True,
                )
    options.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
