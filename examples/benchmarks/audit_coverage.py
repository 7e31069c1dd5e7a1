"""Do the limits of an audit contain the population's value as often as they say?

python examples/benchmarks/audit_coverage.py [--cases N] [--confidence C] [--output FILE]

Draws cases at random (2 to 6 groups of 30 to 5,000 rows, rates from 1 %, some with weights), audits
rows drawn from each and counts how often the limits contain the known value of the population, and
how wide they are beside those of an oracle that knows which groups differ most. Then ten audits
that could not tell: the number of rows they ask for, beside what resampling their rows finds.
"""

import json
import time
import warnings

import numpy as np
from _arguments import make_parser
from scipy.special import ndtri
from sklearn.exceptions import UndefinedMetricWarning

from skbadr import audit
from skbadr.metrics import get_metric
from skbadr.metrics.confidence.limits import comparisons, limits
from skbadr.metrics.inputs.encoding import encode

METRICS = {
    "demographic_parity": "classification",
    "equalized_odds": "classification",
    "demographic_parity_ratio": "classification",
    "equalized_odds_ratio": "classification",
    "accuracy_score_group_min": "classification",
    "demographic_parity of means": "regression",
    "worst_group_loss": "regression",
}
# Share of audits that tell at the number of rows that resampling finds.
CHANCE = 0.65


class Given:
    """A model whose predictions are the data."""

    def __init__(self, task):
        self.task = task

    def predict(self, X):
        return X[:, 0] if self.task == "regression" else X[:, 0].astype(int)


def draw_shares(rng, n_groups):
    """Return P(y, prediction | group), of shape (G, 2, 2), with rates from 1 % on."""
    base = rng.uniform(0.1, 0.7, n_groups)

    def rates(low, high):
        spread = rng.choice([0.0, 0.1, 0.4])
        rate = np.exp(rng.uniform(np.log(low), np.log(high)) + spread * rng.normal(size=n_groups))
        return np.clip(rate, 0.01, 0.97)

    true, false = rates(0.02, 0.95), rates(0.01, 0.4)
    own = np.stack([(1 - base) * (1 - false), (1 - base) * false, base * (1 - true), base * true])
    return own.T.reshape(n_groups, 2, 2)


def draw_case(rng, task):
    """Return predictions, targets, groups, weights, and the law they were drawn from."""
    n_groups = int(rng.integers(2, 7))
    sizes = np.exp(rng.uniform(np.log(30), np.log(5000), n_groups)).astype(int)
    if rng.random() < 0.5:
        sizes[rng.integers(n_groups)] = rng.integers(30, 80)
    groups = np.repeat(np.arange(n_groups), sizes)
    weight = None
    if rng.random() < 0.25:
        weight = np.exp(0.5 * rng.normal(size=len(groups)))
    if task == "classification":
        law = draw_shares(rng, n_groups)
        cells = np.concatenate(
            [rng.choice(4, size, p=own.ravel()) for size, own in zip(sizes, law, strict=True)]
        )
        y, predicted = cells // 2, cells % 2
    else:
        mean, scale = rng.choice([0, 0.3]) * rng.normal(size=n_groups), rng.uniform(0.7, 1.3)
        scale = scale * np.exp(rng.choice([0, 0.2]) * rng.normal(size=n_groups))
        law = mean, scale
        predicted = 2 + mean[groups] + rng.normal(size=len(groups))
        y = predicted + scale[groups] * rng.normal(size=len(groups))
    return predicted, y, groups, weight, law


def population_value(metric, law, sizes, confidence):
    """Return the metric on the population, and the width of an oracle's limits (NaN: unknown)."""
    if isinstance(law, tuple):
        mean, scale = law
        return (np.ptp(mean) if metric.name == "demographic_parity" else np.max(scale**2)), np.nan
    group, y, predicted = (axis.ravel() for axis in np.indices(law.shape))
    tables = law * sizes[:, None, None]
    data, response = encode(metric, y, predicted, group, tables.ravel(), task="classification")
    value = metric.value(data, response)
    # The same limits, of the true rates, for the one comparison that is the extreme.
    data.squared_class_totals, data.squared_totals = data.class_totals, data.group_totals
    parts = comparisons(metric, data, tables.ravel())
    z, best = float(ndtri((1 + confidence) / 2)), None
    for part in parts.all:
        middle = part.limit(0.0, upper=True)
        sides = [part.limit(z, upper=upper) for upper in (False, True)]
        for found, low, high in zip(*(v.ravel() for v in (middle, *sides)), strict=True):
            if best is None or (found > best[0] if parts.takes_largest else found < best[0]):
                best = found, max(low, 0.0), min(high, 1.0)
    return value, best[2] - best[1]


def coverage(name, task, cases, confidence):
    metric = get_metric(name.partition(" ")[0], task)
    rng, found, start = np.random.default_rng(1), [], time.perf_counter()
    for _ in range(cases):
        predicted, y, groups, weight, law = draw_case(rng, task)
        sizes = np.bincount(groups)
        value, ideal = population_value(metric, law, sizes, confidence)
        result = audit(
            Given(task),
            predicted[:, None].astype(float),
            y.astype(float if task == "regression" else int),
            sensitive_features=groups,
            metric=metric,
            confidence=confidence,
            sample_weight=weight,
        )
        low, high = result.lower - 1e-12 <= value, value <= result.upper + 1e-12
        ideal = ideal if weight is None else np.nan
        found.append((low and high, low, high, result.upper - result.lower, ideal, sizes.min()))
    found = np.array(found, dtype=float)
    small, known = found[:, 5] < 80, np.isfinite(found[:, 4]) & np.isfinite(found[:, 3])
    return {
        "metric": name,
        "cases": cases,
        "covered": found[:, 0].mean(),
        "lower": found[:, 1].mean(),
        "upper": found[:, 2].mean(),
        "covered_small_groups": found[small, 0].mean(),
        "width_over_ideal": found[known, 3].mean() / found[known, 4].mean()
        if known.any()
        else None,
        "ms_per_audit": 1000 * (time.perf_counter() - start) / cases,
    }


def told(rng, metric, rows, bound, n_rows, confidence, n_samples=60):
    """Return how often resamples of a number of rows tell on which side the bound is."""
    predicted, y, groups, value = rows
    count = 0
    for _ in range(n_samples):
        drawn = rng.integers(len(y), size=n_rows)
        data, response = encode(
            metric, y[drawn], predicted[drawn], groups[drawn], task="classification"
        )
        low, high = limits(metric, data, confidence=(1 + confidence) / 2, response=response)
        fair, unfair = (low >= bound, high < bound) if metric.greater_is_better else (
            high <= bound, low > bound)  # fmt: skip
        count += unfair if (value > bound) != metric.greater_is_better else fair
    return count / n_samples


def rows_asked_for(number, confidence):
    """Return one case of an audit that could not tell: rows asked for and found by resampling."""
    name = ("demographic_parity", "equalized_odds", "demographic_parity_ratio")[number % 3]
    metric, rng = get_metric(name), np.random.default_rng([2, number])
    while True:
        predicted, y, groups, weight, _ = draw_case(rng, "classification")
        keep = rng.permutation(len(y))[:1500]
        predicted, y, groups = predicted[keep], y[keep], groups[keep]
        X = predicted[:, None].astype(float)
        options = {"sensitive_features": groups, "metric": metric, "confidence": confidence}
        result = audit(Given("classification"), X, y, **options)
        side = rng.choice([0.3, 0.6])
        end = result.upper if number % 2 else result.lower
        bound = result.value + side * (end - result.value)
        result = audit(Given("classification"), X, y, bound=bound, **options)
        asked = result.n_rows_needed
        if weight is None and result.holds is None and asked and 2000 < asked < 60_000:
            break
    low, high = np.log(asked / 5), np.log(asked * 5)
    rows = predicted, y, groups, result.value
    for _ in range(8):
        middle = (low + high) / 2
        share = told(rng, metric, rows, bound, int(np.exp(middle)), confidence)
        low, high = (low, middle) if share >= CHANCE else (middle, high)
    found = float(np.exp((low + high) / 2))
    return {"metric": name, "rows": len(y), "value": result.value, "bound": float(bound),
            "asked": asked, "resampled": found, "ratio": asked / found}  # fmt: skip


def main(arguments=None):
    parser = make_parser(__doc__)
    parser.add_argument("--cases", type=int, default=2000, help="of each metric")
    parser.add_argument("--asked", type=int, default=10, help="audits that cannot tell")
    parser.add_argument("--confidence", type=float, default=0.95)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", UndefinedMetricWarning)
    print(f"{'metric':28}{'covered':>9}{'lower':>8}{'upper':>8}{'small':>8}{'width':>8}{'ms':>8}")
    lines = []
    for name, task in METRICS.items():
        line = coverage(name, task, options.cases, options.confidence)
        lines.append(line)
        width = "" if line["width_over_ideal"] is None else f"{line['width_over_ideal']:.2f}"
        print(f"{name:28}{line['covered']:9.3f}{line['lower']:8.3f}{line['upper']:8.3f}"
              f"{line['covered_small_groups']:8.3f}{width:>8}{line['ms_per_audit']:8.1f}",
              flush=True)  # fmt: skip
    print(f"\n{'metric':28}{'value':>9}{'bound':>8}{'asked':>9}{'resampled':>11}{'ratio':>8}")
    asked = []
    for number in range(options.asked):
        line = rows_asked_for(number, options.confidence)
        asked.append(line)
        print(f"{line['metric']:28}{line['value']:9.3f}{line['bound']:8.3f}{line['asked']:9,}"
              f"{line['resampled']:11,.0f}{line['ratio']:8.2f}", flush=True)  # fmt: skip
    if options.output:
        text = json.dumps({"coverage": lines, "rows_asked_for": asked}, indent=1) + "\n"
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
