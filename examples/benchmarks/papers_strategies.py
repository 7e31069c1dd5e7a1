"""The strategies of the bilevel paper on one split, and ours beside the authors' toolbox.

Tanji, Vaiter and Laguel (2026, arXiv 2601.13448) compare, for a fairness metric: baseline; Balanced
(equal weights of the groups); One-Fit (trained on one group alone, the best of them on the training
rows); MinMax (the lowest loss of the worst group); BADR (the lowest metric over group weights).
Beside them here: BADR over group x target cells, the score maximised under a bound on the metric.
"""

import json
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from _tables import encode, read_table
from objectives import Split as BaseSplit
from objectives import make_metric, one_fits
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from toolbox import run_toolbox

from skbadr import BADRClassifier, BADRRegressor, pareto_path
from skbadr.partition import make_groups

STRATEGIES = ("baseline", "Balanced", "One-Fit", "MinMax", "BADR")
BOUNDED = "BADR, group_target"
TOOLBOX = "toolbox"
# The bound of the last one, and those of the figure's front: shares of its value for the baseline.
SHARE = 0.2
SHARES = (0.8, 0.6, 0.4, 0.2, 0.1)
# ours -> the toolbox's name
METRICS = {
    "classification": {
        "demographic_parity": "DemographicParity",
        "equal_opportunity": "EqualOpportunity",
        "equalized_odds": "EqualizedOdds",
        "group_loss_variance": "GroupVariance",
        "covariance": "DisparateMistreatment",
        "hsic": "HSIC",
        "individual": "IndividualFairness",
    },
    "regression": {"demographic_parity": "DemographicParity"},
}
L2 = {"classification": 1e-2, "regression": 1e-1}


class Case(NamedTuple):
    """A table, its target and its sensitive column, of which `largest` values are kept."""

    table: str
    target: str
    sensitive: str
    largest: int | None = None
    task: str = "classification"


CASES = {
    "adult, sex": Case("adult", "income", "sex"),
    "compas, sex": Case("compas", "two_year_recid", "sex"),
    "german, sex": Case("german", "good_credit", "sex"),
    "law school, race": Case("law_school", "pass_bar", "race"),
    "adult, race (3)": Case("adult", "income", "race", 3),
    "compas, race (3)": Case("compas", "two_year_recid", "race", 3),
}
REGRESSION_CASES = {
    "parkinsons, sex": Case("parkinsons", "total_UPDRS", "sex", task="regression"),
    "student, sex": Case("student_math", "G3", "sex", task="regression"),
    "law school GPA, race": Case("law_school", "zgpa", "race", task="regression"),
    "diabetes, sex": Case("diabetes", "target", "sex", task="regression"),
}


def read_case(folder, case):
    """Return the data frame of a case; diabetes comes with scikit-learn."""
    if case.table == "diabetes":
        frame = load_diabetes(as_frame=True).frame
        return frame.assign(sex=np.where(frame["sex"] > 0, "a", "b"))
    frame = read_table(folder, case.table)
    if case.largest is not None:
        kept = frame[case.sensitive].value_counts().index[: case.largest]
        frame = frame[frame[case.sensitive].isin(kept)]
    return frame


class Split(BaseSplit):
    """One split of at most `n_rows` rows: the very rows on which the toolbox's script trains."""

    def __init__(self, frame, case, seed, n_rows):
        self.case, self.task = case, case.task
        strata = frame[case.sensitive]
        if n_rows < len(frame):
            frame, _ = train_test_split(
                frame, train_size=n_rows, stratify=strata, random_state=seed
            )
        else:
            frame = frame.sample(frac=1.0, random_state=seed)
        self.frame = frame.reset_index(drop=True)
        self.y = self.frame[case.target].to_numpy(int if case.task == "classification" else float)
        self.group = np.unique(self.frame[case.sensitive].to_numpy(), return_inverse=True)[1]
        self.X = encode(self.frame, case.target, drop_first=True, ddof=1)
        self.train, self.test = train_test_split(
            np.arange(len(self.y)), test_size=0.3, random_state=0, stratify=self.group
        )
        strength = L2[case.task] * len(self.train)
        self.estimator, self.wrapper = Ridge(alpha=strength), BADRRegressor
        if case.task == "classification":
            # Trained to the solution: near the corners lbfgs at its default tolerance is not.
            self.estimator = LogisticRegression(
                C=1.0 / strength, solver="newton-cholesky", tol=1e-8, max_iter=1000
            )
            self.wrapper = BADRClassifier

    def score(self, model, rows):
        """Return accuracy or RMSE."""
        function = accuracy_score if self.task == "classification" else root_mean_squared_error
        return float(function(self.y[rows], model.predict(self.X[rows])))

    def at_weights(self, weights):
        """Return the estimator at some weights of the groups."""
        cells = self.cells("group")
        weights = np.maximum(np.asarray(weights, dtype=float), 1e-12)
        return self.weighted(cells.sample_weight(weights / weights.sum()))

    def front(self, metric, model):
        """Return models along the front over cells, at shares of a model's value on train."""
        bounds = np.multiply(SHARES, self.value(metric, model, self.train))
        path = pareto_path(
            self.estimator,
            self.X[self.train],
            self.y[self.train],
            sensitive_features=self.group[self.train],
            metric=metric,
            cv=None,
            bounds=bounds,
            partition="group_target",
            min_weight=1e-9,
        )
        return path.fit_models()

    def measures(self, metric, model):
        """Return the metric on both parts, and the test score."""
        return {
            "train": float(self.value(metric, model, self.train)),
            "test": float(self.value(metric, model, self.test)),
            "score": self.score(model, self.test),
        }


def toolbox_model(split, name, arguments, known):
    """Return our estimator at the weights that the toolbox found, its seconds, its own value.

    What the toolbox answers is kept in the dict `known`: it takes a minute for what is done here
    in a tenth of a second.
    """
    theirs = METRICS[split.task][name]
    if theirs not in known:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.csv"
            split.frame.to_csv(path, index=False)
            options = SimpleNamespace(
                python=arguments.toolbox_python,
                script=arguments.toolbox_script,
                table=path,
                target=split.case.target,
                sensitive=split.case.sensitive,
                rows=len(split.train),
                l2=L2[split.task],
                algorithm="slsqp",
            )
            known[theirs] = run_toolbox(options, theirs)
    found = known[theirs]
    if "error" in found:
        return None, found
    return split.at_weights(found["weights"]), found


def run_split(split, names=None, *, figure=(), toolbox=None):
    """Return one record per metric: what each strategy's model measures.

    Parameters
    ----------
    figure : collection of names of metrics for which a front is walked
    toolbox : callable (split, name) -> (model or None, answer), default=None
    """
    groups = make_groups(split.group[split.train])
    fixed = {
        "baseline": split.weighted(np.ones(len(split.train))),
        "Balanced": split.at_weights(np.ones(len(groups.labels))),
        "MinMax": split.searched(make_metric("worst_group_loss", split.task), "group"),
    }
    alone, records = one_fits(split), []
    for name in names or METRICS[split.task]:
        metric = make_metric(name, split.task)
        baseline = split.value(metric, fixed["baseline"], split.train)
        models = fixed | {
            "One-Fit": min(alone, key=lambda model: split.value(metric, model, split.train)),  # noqa: B023
            "BADR": split.searched(metric, "group"),
            BOUNDED: split.searched(metric, "group_target", bound=SHARE * baseline),
        }
        record = {"metric": name}
        if toolbox is not None:
            model, answer = toolbox(split, name)
            record["toolbox_answer"] = answer
            if model is not None:
                models[TOOLBOX] = model
        record["measures"] = {key: split.measures(metric, model) for key, model in models.items()}
        if name in figure:
            front = split.front(metric, fixed["baseline"])
            record["front"] = [split.measures(metric, model) for model in front]
        records.append(record)
    return records


def mean_measures(records):
    """Return means over splits by strategy, of what every split has."""
    keys = [k for k in records[0]["measures"] if all(k in r["measures"] for r in records)]
    return {
        key: {part: float(np.mean([r["measures"][key][part] for r in records]))
              for part in ("train", "test", "score")}
        for key in keys
    }  # fmt: skip


def best_of(row, part, names=STRATEGIES):
    """Return whether BADR is as good as the best of the paper's strategies."""
    values = {name: row[name][part] for name in names}
    best = min(values.values())
    # A thousandth of what there was to gain counts as equal.
    return bool(values["BADR"] <= best + 1e-9 + 1e-3 * max(values["baseline"] - best, abs(best)))


def run_case(folder, case, *, splits, rows, names=None, figure=(), toolbox=None, cache=None):
    """Return one row per metric of a case: means over splits, and the splits themselves."""
    frame, runs = read_case(folder, case), []
    for seed in range(splits):
        split = Split(frame, case, seed, rows)
        ask = None
        if toolbox is not None and seed < toolbox.toolbox_splits:
            known = cache.of(case, seed, rows)
            ask = lambda split, name: toolbox_model(split, name, toolbox, known)  # noqa: B023, E731
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are for users: constant models, missed bounds
            runs.append(run_split(split, names, figure=figure, toolbox=ask))
        if cache is not None:
            cache.save()
    results = []
    for records in zip(*runs, strict=True):
        means = mean_measures(records)
        row = {"metric": records[0]["metric"], "means": means, "splits": list(records)}
        row["best_on"] = {part: best_of(means, part) for part in ("train", "test")}
        with_toolbox = [r for r in records if TOOLBOX in r["measures"]]
        if with_toolbox:
            row["beside_toolbox"] = mean_measures(with_toolbox)
            row["beside_toolbox_splits"] = len(with_toolbox)
        results.append(row)
    return results


class ToolboxCache:
    """What the toolbox answered, kept in a JSON file so that it is asked once."""

    def __init__(self, path):
        self.path, self.known = path, {}
        if path.exists():
            self.known = json.loads(path.read_text(encoding="utf-8"))

    def of(self, case, seed, rows):
        """Return the answers on one split, by the toolbox's name of the metric."""
        key = f"{case.table} {case.target} {case.sensitive} {case.largest} {seed} {rows}"
        return self.known.setdefault(key, {})

    def save(self):
        """Write the file."""
        self.path.write_text(json.dumps(self.known, indent=1) + "\n", encoding="utf-8")
