"""Switch off what searches of linear models are made of, one mechanism at a time.

Each line has the mean over problems and metrics of what was found on the training rows: error above
the baseline's plus what the bound is missed by, or the metric as a share of the baseline's:

python examples/benchmarks/ablation_linear.py [--split tune|report] [--every 2] [--kind bounds]
    [--solver implicit|gd|sgd] [--only NAME ...] [--output FILE]
"""

import argparse
import json
import time
import warnings
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from problems import problems
from sklearn.linear_model import LogisticRegression

from skbadr import BADRClassifier
from skbadr.metrics import get_metric
from skbadr.solvers.settings import DEFAULTS

STEPS = "skbadr.solvers.steps."
RATES, LOG = ("demographic_parity", "equalized_odds"), {"loss": "log_loss"}
# Kind -> (metric, its options, share of the baseline's metric that is the bound).
TASKS = {
    "bounds": [(name, {}, share) for name in RATES for share in (0.4, 0.12)],
    "rates": [(name, {}, None) for name in RATES],
    "smooth": [
        ("group_loss_variance", LOG, None),
        ("individual", {}, None),
        ("worst_group_loss", LOG, None),
    ],
}


def _same(self, best, *_):
    return best


def _first(searches, n_finalists, lap):
    return [searches[0].run()]


def _with(**changes):
    return {"skbadr.solvers.smooth.SmoothSolver.settings": replace(DEFAULTS, **changes)}


# Name -> attributes that are replaced.
SWITCHES = {
    "samples of the rows": {
        "skbadr.solvers.fidelities.samples.MANY_ROWS": 10**9,
        STEPS + "rate_search.MANY_ROWS": 10**9,
    },
    "more than one start": {
        STEPS + "descents.multistart": _first,
        STEPS + "rate_search.RateSearch._starts": lambda self, states: [],
        STEPS + "rate_search.named_points": lambda problem, settings: [problem.shares],
        "skbadr.solvers.gd.multistart": _first,
    },
    "second start under a bound": {
        STEPS + "rate_search.RateSearch._n_starts": lambda self: 0,
    },
    "starts near vertices": {
        STEPS + "rate_search.named_points": lambda problem, settings: [problem.shares]
    },
    "middles of edges": _with(few_cells=0),
    "insisting on a missed bound": {STEPS + "rate_search.RateSearch._insist": _same},
    "margin inside the bound": _with(margin=0.0),
    "corrected descents": _with(most_anchors=1),
    "linear scale of small weights": _with(small_weight=1e-6),
    "sharper rounds": _with(most_rounds=1) | {"skbadr.solvers.gd.ROUNDS": 1},
    "learnt curvature": {
        STEPS + "simplex_model.SimplexModel.update": lambda self, step, change: None
    },
}


def cases(options):
    """Yield problem, rows, estimator, metric and bound."""
    for problem in list(problems(options.split, "binary"))[:: options.every]:
        X, y, groups = problem.sample(rows=problem.factors.rows, seed=0)
        estimator = problem.pipeline(LogisticRegression(max_iter=500))
        predicted = estimator.fit(X, y).predict(X)
        for name, kwargs, share in TASKS[options.kind]:
            metric, bound = get_metric(name, **kwargs), None
            if share is not None:
                disparity = metric(y, predicted, sensitive_features=groups)
                bound = share * disparity
                if disparity < 0.04:
                    continue
            yield problem.name, (X, y, groups), estimator, metric, bound


def measure(options, case):
    """Return value, whether the bound is missed, and processor seconds of a fit."""
    _, (X, y, groups), estimator, metric, bound = case
    begin = time.process_time()
    model = BADRClassifier(estimator, metric, bound=bound, solver=options.solver, cv=None)
    model.fit(X, y, sensitive_features=groups)
    seconds = time.process_time() - begin
    if bound is None:
        return model.metric_value_ / max(model.baseline_metric_value_, 1e-9), False, seconds
    missed = max(0.0, model.metric_value_ - bound)
    cost = model.baseline_scoring_value_ - model.scoring_value_
    return cost + missed, missed > 0, seconds


def main(arguments=None):
    """Run all switches, print one line for each and write the records."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", default="report", choices=["tune", "report"])
    parser.add_argument("--every", type=int, default=2)
    parser.add_argument("--kind", default="bounds", choices=TASKS)
    parser.add_argument("--solver", default="implicit", choices=["implicit", "gd", "sgd"])
    parser.add_argument("--only", nargs="*", choices=SWITCHES, default=list(SWITCHES))
    parser.add_argument("--output", type=Path, default=Path("benchmarks_ablation_linear.json"))
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    chosen, records, first = list(cases(options)), [], None
    for switch in (None, *options.only):
        with ExitStack() as stack:
            for place, value in SWITCHES.get(switch, {}).items():
                stack.enter_context(patch(place, value))
            found = np.array([measure(options, case) for case in chosen])
        first = found if first is None else first
        worse, ratio = (found - first)[:, 0], found[:, 2] / first[:, 2]
        records += [
            {"switch": switch, "problem": case[0], "metric": case[3].name, "bound": case[4],
             "value": value, "missed": bool(missed), "seconds": seconds}
            for case, (value, missed, seconds) in zip(chosen, found.tolist(), strict=True)
        ]  # fmt: skip
        name = "as it is" if switch is None else f"no {switch}"
        print(f"{name:<34}{len(found):>4} fits  value {found[:, 0].mean():.4f}  worse by "
              f"{worse.mean():+.4f} ({worse.std() / np.sqrt(len(worse)):.4f})  missed "
              f"{found[:, 1].mean():.2f}  time {np.exp(np.log(ratio).mean()):.2f}",
              flush=True)  # fmt: skip
    options.output.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    return records


if __name__ == "__main__":
    main()
