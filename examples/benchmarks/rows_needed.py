"""Would the number of rows that an audit, or a fit, asks for do? Populations are known.

python examples/benchmarks/rows_needed.py [--cases N] [--rows N] [--samples N] [--audits N]
    [--fits N] [--only audits|fits] [--split tune|report] [--output FILE]

Audits: a model's decisions on a generated problem (2 to 4 groups), and a bound that audits of few
rows cannot tell. "asked" is the number of rows asked for by rows that show the population's rates.
The next columns are the shares of samples of the population that tell at asked / 1.5, asked and 1.5
asked. "found" is the size at which 65 % tell. The last columns are the quartiles of what real
audits ask for, whose rates err, and their share within a factor of 1.5 of "found".

Fits: the number that the warning of a fit with confidence=0.9 names (the median, least and most of
five fits to half as many rows), and the shares of fits to samples of the population that promise
the bound at asked / 1.5, asked and 1.5 asked.
"""

import json
import re
import warnings

import numpy as np
from _arguments import make_parser
from audit_coverage import CHANCE, Given
from problems import SPLITS, problems
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier, audit
from skbadr.metrics import get_metric
from skbadr.metrics.confidence.limits import limits
from skbadr.metrics.confidence.sample_size import rows_needed
from skbadr.metrics.inputs.encoding import encode

METRICS = ("demographic_parity", "equalized_odds",
           "demographic_parity_ratio", "equalized_odds_ratio")  # fmt: skip
CONFIDENCE = 0.95
# Of the way from the population's value to an audit's limit: where the bound lies.
SIDES = (0.3, 0.5, 0.7)
FACTOR = 1.5
ASKED = re.compile(r"about ([\d,]+) rows would do")


def encoded(metric, counts):
    """Return the data, of no other rows, that stand for counts by group, class and decision."""
    group, y, decision = (axis.ravel() for axis in np.indices(counts.shape))
    data, _ = encode(metric, y, decision, group, counts.ravel(), task="classification")
    # The weights are numbers of rows.
    data.squared_class_totals, data.squared_totals = data.class_totals, data.group_totals
    data.n_rows, data.rows_by_group = int(counts.sum()), data.group_totals
    return data


def tells(metric, law, bound, value, n_rows, n_samples, seed=0):
    """Return the share of samples that tell on which side of the bound the population is."""
    rng, count = np.random.default_rng(seed), 0
    for drawn in rng.multinomial(int(n_rows), law.ravel(), size=n_samples):
        counts = drawn.reshape(law.shape).astype(float)
        one_sided = (1 + CONFIDENCE) / 2
        low, high = limits(metric, encoded(metric, counts), drawn.astype(float), one_sided)
        count += high <= bound if value <= bound else low >= bound
    return count / n_samples


def find(share, asked, n_steps):
    """Return the number of rows at which a growing share of samples reaches `CHANCE`."""
    low, high = np.log(asked / 5), np.log(asked * 5)
    for _ in range(n_steps):
        middle = (low + high) / 2
        low, high = (low, middle) if share(np.exp(middle)) >= CHANCE else (middle, high)
    return float(np.exp((low + high) / 2))


def audit_case(problem, place, options):
    """Return the record of one case, or None where audits of so few rows tell, or none would."""
    name = METRICS[place % len(METRICS)]
    metric, one_sided = get_metric(name), (1 + CONFIDENCE) / 2
    X, y, _ = problem.sample(5_000, seed=50)
    model = problem.pipeline(LogisticRegression()).fit(X, y)
    law = problem.tables(problem.predictions(model))
    value = problem.population_value(model, name)
    shown = law * options.rows
    data = encoded(metric, shown)
    ends = limits(metric, data, shown.ravel(), one_sided)
    bound = value + SIDES[place % len(SIDES)] * (ends[place % 2] - value)
    if not np.isfinite(bound) or bound == value:
        return None
    needed = rows_needed(metric, data, bound, shown.ravel(), one_sided)
    if needed is None or not 1.2 * options.rows < needed.total < 200 * options.rows:
        return None

    def share(n_rows, seed=0):
        return tells(metric, law, bound, value, n_rows, options.samples, seed)

    asked = needed.total
    found = find(share, asked, 8)
    return {
        "problem": problem.name,
        "groups": problem.factors.n_groups,
        "metric": name,
        "value": value,
        "bound": float(bound),
        "asked": asked,
        "found": found,
        "ratio": asked / found,
        "shares": [share(asked * f, seed=1) for f in (1 / FACTOR, 1, FACTOR)],
        **real_audits(name, law, bound, found, options),
    }


def real_audits(name, law, bound, found, options):
    """Return what audits of rows drawn from the population ask for, where they cannot tell."""
    asked = []
    for drawn in np.random.default_rng(2).multinomial(options.rows, law.ravel(), options.audits):
        group, y, decision = (np.repeat(a.ravel(), drawn) for a in np.indices(law.shape))
        result = audit(
            Given("classification"), decision[:, None].astype(float), y, sensitive_features=group,
            metric=name, bound=bound, confidence=CONFIDENCE,
        )  # fmt: skip
        if result.holds is None:
            asked.append(result.n_rows_needed or np.inf)
    quartiles = np.quantile(asked, [0.25, 0.5, 0.75], method="nearest") if asked else [np.nan] * 3
    within = [found / FACTOR <= n <= found * FACTOR for n in asked]
    return {
        "open": len(asked) / options.audits,
        "quartiles": [float(q) for q in quartiles],
        "within": float(np.mean(within)) if asked else np.nan,
    }


def fit_once(problem, metric, bound, n_rows, seed):
    """Return whether a fit promises the bound, and how many rows its warning asks for.

    A model that predicts one class for everybody promises much, and does not count.
    """
    X, y, groups = problem.sample(int(n_rows), seed=seed)
    model = BADRClassifier(
        problem.pipeline(LogisticRegression()), metric, bound=bound, confidence=0.9
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y, sensitive_features=groups)
    numbers = [ASKED.search(str(w.message)) for w in caught]
    numbers = [int(match[1].replace(",", "")) for match in numbers if match]
    promised = model.bound_met_ and len(np.unique(model.predict(X))) > 1
    return bool(promised), (numbers or [None])[0]


def fit_case(problem, place, options):
    """Return the record of one case, or None where fits promise, or name no number within reach."""
    name, few = METRICS[place % len(METRICS)], options.rows // 2
    bound = 0.95 if name.endswith("ratio") else 0.02
    asked = [fit_once(problem, name, bound, few, seed)[1] for seed in range(100, 105)]
    asked = sorted(number for number in asked if number)
    if len(asked) < 3 or not 1.2 * few < np.median(asked) < 10 * few:
        return None
    middle = float(np.median(asked))
    shares = []
    for factor in (1 / FACTOR, 1, FACTOR):
        seeds = range(1_000, 1_000 + options.fits)
        fits = [fit_once(problem, name, bound, middle * factor, seed)[0] for seed in seeds]
        shares.append(float(np.mean(fits)))
    return {
        "problem": problem.name,
        "groups": problem.factors.n_groups,
        "metric": name,
        "bound": bound,
        "asked": middle,
        "extremes": [asked[0], asked[-1]],
        "shares": shares,
    }


CASES = {"audits": audit_case, "fits": fit_case}
MORE = {
    "audits": f"{'found':>10}{'ratio':>7}{'real: quartiles':>33}{'within':>7}",
    "fits": f"{'least':>10}{'most':>10}",
}


def print_line(line):
    text = f"{line['metric']:28}{line['groups']:>7}{line['bound']:>8.3f}{line['asked']:>10,.0f}"
    text += "".join(f"{share:>6.2f}" for share in line["shares"])
    if "found" in line:
        text += f"{line['found']:>10,.0f}{line['ratio']:>7.2f}"
        text += "".join(f"{q:>11,.0f}" for q in line["quartiles"]) + f"{line['within']:>7.2f}"
    else:
        text += "".join(f"{number:>10,}" for number in line["extremes"])
    print(text, flush=True)


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, rows=2_000)
    parser.add_argument("--cases", type=int, default=10, help="of audits, and of fits")
    parser.add_argument("--samples", type=int, default=300, help="of the population, of each size")
    parser.add_argument("--audits", type=int, default=60, help="of rows of the first size")
    parser.add_argument("--fits", type=int, default=12, help="of each size")
    parser.add_argument("--only", choices=tuple(CASES))
    parser.add_argument("--split", choices=SPLITS, default="report")
    options = parser.parse_args(arguments)
    results = {}
    with threadpool_limits(1):
        for kind, case in CASES.items():
            if options.only not in (kind, None):
                continue
            print(f"\n{kind:28}{'groups':>7}{'bound':>8}{'asked':>10}{'/1.5':>6}{'x1':>6}{'x1.5':>6}"
                  f"{MORE[kind]}")  # fmt: skip
            results[kind] = []
            for place, problem in enumerate(problems(options.split, "binary")):
                if len(results[kind]) == options.cases:
                    break
                if problem.factors.n_groups <= 4:
                    line = case(problem, place, options)
                    if line is not None:
                        results[kind].append(line)
                        print_line(line)
    if options.output:
        options.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return results


if __name__ == "__main__":
    main()
