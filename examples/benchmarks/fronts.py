"""Compare fronts of BADR and of fairlearn's ExponentiatedGradient over splits of real tables.

Logistic regression, 70 % of the rows to train on; bounds on demographic parity and equalized odds.
ExponentiatedGradient is scored as the expectation of its randomised predictor, its difference_bound
(against all rows) being half the bound (between groups). It does not change, so that its results
can be kept in a file:

    python examples/benchmarks/fronts.py --tables DIR [--cache FILE] [--finer] [--only adult ...]

`--path` takes the points of BADR from one `pareto_path` through all bounds (and some between)
rather than from one fit for each. The hypervolume "common" counts only what lies above the larger
of both methods' smallest disparities: the reduction, bounded against all rows, ends up inside its
bound, so that its front reaches further down.
"""

import json
import time
import warnings
from pathlib import Path

import numpy as np
from _arguments import make_parser
from _tables import load_table
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from fairlearn.reductions import DemographicParity, EqualizedOdds, ExponentiatedGradient
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier, pareto_path
from skbadr.metrics import get_metric
from skbadr.result import hypervolume

CASES = {
    "adult, sex": ("adult", {"sensitive": "sex"}),
    "compas, race": ("compas", {"sensitive": "race", "largest": 3}),
    "german, sex": ("german", {"sensitive": "sex"}),
    "law school, race": ("law_school", {"sensitive": "race"}),
}
METRICS = {
    "demographic_parity": (demographic_parity_difference, DemographicParity),
    "equalized_odds": (equalized_odds_difference, EqualizedOdds),
}
BOUNDS = (0.02, 0.04, 0.08, 0.12)
# Bounds from which on no training point may be dominated.
LOOSE = 0.03
ESTIMATOR = LogisticRegression(max_iter=1000)


class Split:
    """One table split at random, stratified by group and class."""

    def __init__(self, table, seed):
        strata = np.char.add(table.group.astype(str), table.y.astype(str))
        rows = np.arange(len(table.y))
        train, test = train_test_split(rows, test_size=0.3, stratify=strata, random_state=seed)
        self.seed = seed
        self.parts = {
            name: (table.X[part], table.y[part], table.group[part])
            for name, part in (("train", train), ("test", test))
        }

    def baseline(self, repeats=3):
        """Return the baseline model, and the median of the seconds it took to fit it."""
        X, y, _ = self.parts["train"]
        seconds = []
        for _ in range(repeats):
            begin = time.process_time()
            model = clone(ESTIMATOR).fit(X, y)
            seconds.append(time.process_time() - begin)
        return model, float(np.median(seconds))

    def measure(self, metric, predict):
        """Return error and metric on both parts of what ``predict(X)`` expects to select."""
        points = {}
        for name, (X, y, group) in self.parts.items():
            selected = predict(X)
            points[name] = [
                float(np.abs(y - selected).mean()),
                expected_metric(metric, y, selected, group),
            ]
        return points


def expected_metric(metric, y, selected, group):
    """Return the metric of probabilities of selection; of 0 and 1, by fairlearn itself."""
    if np.isin(selected, (0, 1)).all():
        return float(METRICS[metric][0](y, selected, sensitive_features=group))
    conditions = [np.full(len(y), True)]
    if metric == "equalized_odds":
        conditions = [y == 1, y == 0]
    gaps = []
    for rows in conditions:
        rates = [selected[rows & (group == g)].mean() for g in np.unique(group)]
        gaps.append(max(rates) - min(rates))
    return float(max(gaps))


def run_reduction(split, metric, bound):
    """Return what ExponentiatedGradient does under a bound."""
    X, y, group = split.parts["train"]
    constraint = METRICS[metric][1](difference_bound=bound / 2)
    _, baseline_seconds = split.baseline()
    begin = time.process_time()
    model = ExponentiatedGradient(clone(ESTIMATOR), constraint)
    model.fit(X, y, sensitive_features=group)
    seconds = time.process_time() - begin
    mixture = [(w, h) for w, h in zip(model.weights_, model.predictors_, strict=True) if w > 0]

    def predict(X):
        return sum(weight * predictor.predict(X) for weight, predictor in mixture)

    return split.measure(metric, predict) | {
        "bound": bound,
        "seconds": seconds,
        "baseline_seconds": baseline_seconds,
        "refits": int(model.n_oracle_calls_),
    }


def constrained(metric, bounds, overall):
    """Return the metric that BADR bounds and its bounds; `overall`: what the reduction bounds."""
    if not overall:
        return metric, bounds
    return get_metric(metric, method="to_overall"), np.asarray(bounds) / 2


def run_badr(split, metric, bound, partition, baseline_seconds, overall):
    """Return what one BADR fit does under a bound."""
    X, y, group = split.parts["train"]
    own, (limit,) = constrained(metric, [bound], overall)
    model = BADRClassifier(ESTIMATOR, own, partition=partition, bound=limit)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        begin = time.process_time()
        model.fit(X, y, sensitive_features=group)
        seconds = time.process_time() - begin
    points = split.measure(metric, model.predict)
    warned = any("no visited model has" in str(w.message) for w in caught)
    assert not warned or any(issubclass(w.category, ConvergenceWarning) for w in caught)
    return points | {
        "bound": bound,
        "seconds": seconds,
        "baseline_seconds": baseline_seconds,
        "refits": int(model.n_refits_),
        "visited": len(model.results_["metric"]),
        "met": points["train"][1] <= bound,
        "warned": warned,
    }


def run_path(split, metric, partition, baseline_seconds, overall):
    """Return what one path through all bounds does, its cost shared among them."""
    X, y, group = split.parts["train"]
    # Ever smaller steps, as far as the tightest bound.
    between = 0.5 * 0.7 ** np.arange(10)
    own, bounds = constrained(metric, np.union1d(BOUNDS, between[between > min(BOUNDS)]), overall)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        begin = time.process_time()
        path = pareto_path(
            ESTIMATOR,
            X,
            y,
            sensitive_features=group,
            metric=own,
            cv=None,
            partition=partition,
            bounds=bounds,
        ).at(constrained(metric, BOUNDS, overall)[1])
        models = path.fit_models()
        seconds = time.process_time() - begin
    warned = any("no visited weights give less" in str(w.message) for w in caught)
    points = []
    for bound, model in zip(sorted(BOUNDS), models[::-1], strict=True):
        measured = split.measure(metric, model.predict)
        points.append(
            measured
            | {
                "bound": bound,
                "seconds": seconds / len(BOUNDS),
                "baseline_seconds": baseline_seconds,
                "refits": path.n_refits,
                "visited": len(path.results["metric"]),
                "met": measured["train"][1] <= bound,
                "warned": warned,
            }
        )
    return points


def finer_cells(model, X):
    """Return a partition that splits each group x target cell at its median baseline score."""
    scores = model.decision_function(X)

    def partition(y, groups):
        labels = np.empty(len(y), dtype=object)
        for group in set(groups):
            for target in np.unique(y):
                rows = np.flatnonzero((groups == group) & (y == target))
                high = scores[rows] > np.median(scores[rows])
                if not high.any():
                    high = scores[rows] >= np.median(scores[rows])
                for row, side in zip(rows, high, strict=True):
                    labels[row] = f"{group} {target} {'high' if side else 'low'}"
        return labels

    return partition


def run(split, metric, reduction, *, finer, path, overall):
    """Return the points of both methods on one split."""
    model, baseline_seconds = split.baseline()
    X, y, _ = split.parts["train"]
    partition = finer_cells(model, X) if finer else "group_target"
    baseline = split.measure(metric, model.predict)
    rate = split.parts["test"][1].mean()
    # No point beyond a constant prediction's error, or the baseline model's disparity, is of use.
    reference = [min(rate, 1.0 - rate), max(baseline["test"][1], max(BOUNDS))]
    if path:
        badr = run_path(split, metric, partition, baseline_seconds, overall)
    else:
        badr = [
            run_badr(split, metric, bound, partition, baseline_seconds, overall) for bound in BOUNDS
        ]
    fronts = {
        name: np.array([p["test"] for p in points])
        for name, points in (("badr", badr), ("reduction", reduction))
    }
    lowest = max(front[:, 1].min() for front in fronts.values())
    volumes = {}
    for name, front in fronts.items():
        volumes[name] = hypervolume(*front.T, reference=reference)
        clipped = np.maximum(front, [0.0, lowest])
        volumes[f"{name}_common"] = hypervolume(*clipped.T, reference=reference)
    for name, points in (("badr", badr), ("reduction", reduction)):
        front = np.array([p["train"] for p in points])
        volumes[f"{name}_train"] = hypervolume(*front.T, reference=reference)
    for point in badr:
        point["dominated_by"] = dominated_by(point["train"], [p["train"] for p in reduction])
    return {"seed": split.seed, "baseline": baseline, "reference": reference, "badr": badr,
            "reduction": reduction, "hypervolume": volumes}  # fmt: skip


def dominated_by(point, others):
    """Return by how much others beat a point in error, at no worse metric; None: not at all."""
    point, others = np.array(point), np.array(others)
    better = (others <= point).all(axis=1) & (others < point).any(axis=1)
    return float(point[0] - others[better, 0].min()) if better.any() else None


def summarise(runs):
    """Return one line of the table: means over splits."""
    badr = [point for r in runs for point in r["badr"]]
    reduction = [point for r in runs for point in r["reduction"]]
    loose = [p for p in badr if p["bound"] >= LOOSE]
    tight = [p for p in badr if p["bound"] < LOOSE]
    volumes = np.array([[r["hypervolume"][k] for k in ("badr", "reduction")] for r in runs])
    change = volumes[:, 0] - volumes[:, 1]
    common = [r["hypervolume"]["badr_common"] - r["hypervolume"]["reduction_common"] for r in runs]
    train = [r["hypervolume"]["badr_train"] - r["hypervolume"]["reduction_train"] for r in runs]
    fits = [p["seconds"] / p["baseline_seconds"] for p in badr]
    spread = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else float("nan")
    beaten = [p["dominated_by"] for p in loose if p["dominated_by"] is not None]
    return {
        "hypervolume_badr": float(volumes[:, 0].mean()),
        "hypervolume_reduction": float(volumes[:, 1].mean()),
        "hypervolume_change": float(change.mean()),
        "hypervolume_change_error": float(spread),
        "hypervolume_common_change": float(np.mean(common)),
        "hypervolume_train_change": float(np.mean(train)),
        "dominated": len(beaten),
        "dominated_most": max(beaten, default=0.0),
        "loose": len(loose),
        "dominated_tight": sum(p["dominated_by"] is not None for p in tight),
        "tight": len(tight),
        "baseline_fits_median": float(np.median(fits)),
        "baseline_fits_most": max(fits),
        "time_ratio": sum(p["seconds"] / p["baseline_seconds"] for p in reduction) / sum(fits),
        "met": sum(p["met"] for p in badr),
        "missed_silently": sum(not p["met"] and not p["warned"] for p in badr),
        "fits": len(badr),
        "points": mean_points(runs),
    }


def mean_points(runs):
    """Return mean (error, metric) of each method by bound and part."""
    return {
        name: [
            {part: np.mean([r[name][i][part] for r in runs], axis=0).tolist()
             for part in ("train", "test")} | {"bound": bound}
            for i, bound in enumerate(BOUNDS)
        ]
        for name in ("badr", "reduction")
    }  # fmt: skip


def show(case, metric, row):
    """Print one line, and the mean points below it."""
    print(
        f"{case:18}{metric:20}{row['hypervolume_badr']:>9.5f}{row['hypervolume_reduction']:>9.5f}"
        f"{row['hypervolume_change']:>+9.5f} ({row['hypervolume_change_error']:.5f})"
        f"{row['hypervolume_common_change']:>+10.5f}"
        f"{row['hypervolume_train_change']:>+10.5f}"
        f"{row['dominated']:>5}/{row['loose']} ({row['dominated_most']:.4f})"
        f"{row['dominated_tight']:>4}/{row['tight']}{row['baseline_fits_median']:>7.1f}"
        f"{row['baseline_fits_most']:>7.1f}{row['time_ratio']:>7.1f}{row['met']:>5}/{row['fits']}"
        f"{row['missed_silently']:>4}"
    )
    for part in ("train", "test"):
        texts = []
        for ours, theirs in zip(row["points"]["badr"], row["points"]["reduction"], strict=True):
            texts.append(
                f"{ours['bound']:g}: ({ours[part][0]:.4f}, {ours[part][1]:.4f}) "
                f"({theirs[part][0]:.4f}, {theirs[part][1]:.4f})"
            )
        print(f"    {part:6}" + "   ".join(texts), flush=True)


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_fronts.json", tables=True, splits=5)
    parser.add_argument("--first-split", type=int, default=0, help="seed of the first split")
    parser.add_argument("--only", nargs="*", help="beginnings of names of tables")
    parser.add_argument("--metrics", nargs="*", default=list(METRICS), choices=METRICS)
    parser.add_argument("--finer", action="store_true", help="halve cells at their median score")
    parser.add_argument("--path", action="store_true", help="one path rather than a fit for each")
    parser.add_argument(
        "--overall",
        action="store_true",
        help="bound half of each gap against all rows, as "
        "ExponentiatedGradient does, rather than gaps between groups",
    )
    parser.add_argument("--cache", type=Path, help="where ExponentiatedGradient's results are kept")
    options = parser.parse_args(arguments)

    known = {}
    if options.cache and options.cache.exists():
        known = json.loads(options.cache.read_text(encoding="utf-8"))

    def reduction(case, split, metric):
        points = []
        for bound in BOUNDS:
            key = f"{case} | {metric} | {bound} | {split.seed}"
            if key not in known:
                known[key] = run_reduction(split, metric, bound)
                if options.cache:
                    options.cache.write_text(json.dumps(known, indent=1), encoding="utf-8")
            points.append(known[key])
        return points

    print(f"{'':38}{'test hypervolume':>18}{'':>9}{'':10}{'':20}{'dominated on train':>19}"
          f"{'cost in baseline fits':>18}{'time':>7}{'bound':>8}{'missed':>8}")  # fmt: skip
    print(f"{'table':18}{'metric':20}{'BADR':>9}{'EG':>9}{'change':>9}{'(error)':>10}"
          f"{'common':>10}{'train':>10}{'from .03 (most)':>16}{'.02':>5}"
          f"{'median':>8}{'most':>7}{'ratio':>7}"
          f"{'met':>7}{'silent':>7}")  # fmt: skip
    results = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case, (name, choice) in CASES.items():
            if options.only and not case.startswith(tuple(options.only)):
                continue
            table = load_table(options.tables, name, **choice)
            for metric in options.metrics:
                runs = []
                for seed in range(options.first_split, options.first_split + options.splits):
                    split = Split(table, seed)
                    runs.append(
                        run(
                            split,
                            metric,
                            reduction(case, split, metric),
                            finer=options.finer,
                            path=options.path,
                            overall=options.overall,
                        )
                    )
                summary = summarise(runs)
                results.append({"case": case, "metric": metric, "summary": summary, "runs": runs})
                show(case, metric, summary)
                options.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
