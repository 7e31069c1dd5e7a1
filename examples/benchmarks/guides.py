"""How well the guide predicts refits at random weights, out of fold, before and after one refit.

The logarithms of weights over shares are normal with a standard deviation of .8. The guide has
seen the baseline model alone, or one refit besides. Entries are mean absolute errors of what it
predicts of the error, of demographic parity and of equalized odds, on the rows that judge refits:

python examples/benchmarks/guides.py --tables DIR [--names adult compas] [--rows N] [--points N]
    [--estimator boosting|forest|network|pipeline] [--seed S] [--output FILE]
"""

import json
import warnings
from types import SimpleNamespace

import numpy as np
from _arguments import make_parser
from _estimators import ESTIMATORS
from search import METRICS, NAMES, load, split_rows

from skbadr import BADRClassifier
from skbadr.guides import make_guide
from skbadr.result import Archive
from skbadr.solvers.alternating import visit
from skbadr.solvers.base import UpperSolver
from skbadr.solvers.guided_search import Candidate

SPREAD = 0.8


class RandomPoints(UpperSolver):
    """Refit at random weights, each with the guide's prediction.

    Parameters
    ----------
    max_iter : int
        Points besides the baseline.
    refits_seen : int, default=0
        Refits that the guide learns from.
    """

    refits = True

    def __init__(self, max_iter, refits_seen=0):
        super().__init__(max_iter)
        self.refits_seen = refits_seen

    def budget(self, problem):
        """Return the number of fits of a model, the baseline's included."""
        return self.max_iter + 1

    def solve(self, problem):
        """Return an archive of the baseline and the points."""
        archive, guide = Archive(problem.objective, keeps_responses=True), make_guide(problem)
        rng = np.random.default_rng([problem.seed, problem.n_cells])
        visit(problem, archive, Candidate(problem.shares, "baseline"))
        guide.learn(archive.evaluations[0])
        for i in range(self.max_iter):
            weights = problem.shares * np.exp(SPREAD * rng.standard_normal(problem.n_cells))
            weights = problem.project(weights / weights.sum())
            metric, score = (float(values[0]) for values in guide.predict(weights[None]))
            visit(problem, archive, Candidate(weights, "random", metric, score))
            if i < self.refits_seen:
                guide.learn(archive.evaluations[-1])
        archive.forget_responses()
        return archive


def mean_errors(estimator, X, y, group, options, refits_seen):
    """Return the guide's mean absolute errors: of the error, and of each metric."""
    found = {}
    for metric in METRICS:
        solver = RandomPoints(options.points + refits_seen, refits_seen)
        model = BADRClassifier(estimator, metric, bound=0.0, solver=solver, random_state=0)
        model.fit(X, y, sensitive_features=group)
        results = {name: model.results_[name][-options.points :] for name in model.results_}
        for name, key in (("score", "error"), ("metric", metric)):
            wrong = np.abs(results[f"predicted_{name}"] - results[name])
            found[key] = float(np.nanmean(wrong))
    return found


def main(arguments=None):
    """Run the tables, print one line for each and write the records."""
    parser = make_parser(__doc__, tables=True, rows=8000, seed=0)
    parser.add_argument("--names", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--estimator", default="boosting", choices=list(ESTIMATORS))
    parser.add_argument("--points", type=int, default=12, help="random weights for each table")
    options = parser.parse_args(arguments)
    records = []
    print("table       column  baseline alone (error, dp, eo)    after one refit")
    for name in options.names:
        for with_column in (False, True):
            source = SimpleNamespace(tables=options.tables, estimator=options.estimator)
            data = split_rows(*load(source, name, with_column), options.seed, options.rows)
            record = {"table": name, "with_column": with_column}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # no model is within a bound of 0
                for refits_seen in (0, 1):
                    estimator = ESTIMATORS[options.estimator]()
                    errors = mean_errors(estimator, *data["train"], options, refits_seen)
                    record[f"seen_{refits_seen}"] = errors
            records.append(record)
            parts = [record[f"seen_{seen}"].values() for seen in (0, 1)]
            told = "          ".join("  ".join(f"{v:.4f}" for v in part) for part in parts)
            print(f"{name:<12}{'yes' if with_column else 'no':<8}{told}", flush=True)
            if options.output:
                options.output.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    return records


if __name__ == "__main__":
    main()
