"""Switch off what steers the search of refits, one mechanism at a time, on generated problems.

Each line has the means over demographic parity and equalized odds at a bound of two fifths of the
baseline's disparity: error above the baseline's plus what the bound is missed by. On folds both
are of fresh rows of the same population, on training rows (``--cv 0``) of these:

python examples/benchmarks/ablation.py [--split tune|report] [--every 4] [--cv 4] [--output FILE]
"""

import json
import warnings
from dataclasses import replace

import numpy as np
from _arguments import make_parser
from search_problems import cases, measure

from skbadr import BADRClassifier
from skbadr.guides import make_guide
from skbadr.solvers import AlternatingSolver
from skbadr.solvers.guided_search import GuidedSearch, Settings

# More than any evidence.
CERTAIN = 1e9
PRIORS = {
    "nothing learnt of refits": {"weight": CERTAIN, "rows": CERTAIN},
    "one response for all rows": {"rows": CERTAIN},
    "no pull of own targets": {"toward": 0.0},
}
SETTINGS = {
    "no margin inside the bound": {"margin": 0.0},
    "no trust region": {"radius": 6.0, "grow": 1.0, "shrink": 1.0},
    "no price of distance": {"ridge": 0.0},
    "no second start": {"near": 1e-6},
}


class Ablated(AlternatingSolver):
    """The solver with one mechanism switched off."""

    def begin(self, problem, archive):
        """Return the search."""
        guide = make_guide(problem)
        guide.response.prior = replace(guide.response.prior, **PRIORS.get(self.switch, {}))
        if self.switch == "no pull of own targets":
            guide.response.memorises, guide.response.toward = False, 0.0
        settings = Settings(**SETTINGS.get(self.switch, {}))
        return GuidedSearch(problem, archive, guide, min_gain=self.min_gain, settings=settings)


def run(options, switch):
    """Yield one record per problem and metric."""
    for problem, metric, rows, judged, estimator, baseline, bound in cases(
        options.split, options.every, fresh=bool(options.cv)
    ):
        solver = Ablated(options.max_iter)
        solver.switch = switch
        model = BADRClassifier(estimator, metric, bound=bound, solver=solver, cv=options.cv or None)
        model.fit(*rows[:2], sensitive_features=rows[2])
        found = measure(model, judged, metric)
        yield {
            "problem": problem.name, "metric": metric, "switch": switch, "bound": bound,
            "cost": found[0] - baseline[0], "missed": max(0.0, found[1] - bound),
            "fits": int(model.n_refits_),
        }  # fmt: skip


def main(arguments=None):
    """Run all switches, print one line for each and write the records."""
    parser = make_parser(__doc__, "benchmarks_ablation.json")
    parser.add_argument("--split", default="report", choices=["tune", "report"])
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--cv", type=int, default=4, help="folds; 0: training rows")
    parser.add_argument("--max-iter", type=int)
    options = parser.parse_args(arguments)
    records = []
    for switch in ("as it is", *PRIORS, *SETTINGS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own = list(run(options, switch))
        total = np.array([r["cost"] + r["missed"] for r in own])
        records += own
        first = np.array([r["cost"] + r["missed"] for r in records[: len(own)]])
        print(f"{switch:<28}{len(own):>4} fits of models  error + missed {total.mean():.4f}  "
              f"worse by {(total - first).mean():+.4f} "
              f"({(total - first).std() / np.sqrt(len(own)):.4f})  "
              f"missed {np.mean([r['missed'] > 0 for r in own]):.2f}  "
              f"refits {np.mean([r['fits'] for r in own]):.1f}", flush=True)  # fmt: skip
    options.output.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    return records


if __name__ == "__main__":
    main()
