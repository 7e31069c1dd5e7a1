"""Split once, train every method on the same rows, score all of them on both parts."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import Bunch

from skbadr._typing import (
    CV,
    ArrayLike,
    Estimator,
    Features,
    Float,
    Int,
    Items,
    MetricLike,
    PartitionName,
    RandomState,
    Task,
)
from skbadr.estimators.fit.auto import choose_partition
from skbadr.metrics import get_metric

from ._audits import audit_method
from ._bounds import bound_in_words, default_bound
from ._methods import Badr, Baseline
from ._notes import cautions, first_line, sentences
from ._peers import PEERS
from ._problem import split_problem
from ._scores import chance_level, part_scores


def compare(
    estimator: Estimator,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sensitive_features: Features,
    control_features: Features | None = None,
    intersectional: bool = True,
    metric: MetricLike = "demographic_parity",
    bound: Float | None = None,
    confidence: Float | None = None,
    partitions: Items[PartitionName] = ("group", "auto"),
    peers: bool | Iterable[str] = False,
    test_size: Float = 0.3,
    cv: CV | None = "auto",
    max_iter: Int | None = None,
    n_jobs: Int | None = None,
    random_state: RandomState | None = 0,
    verbose: int = 0,
    limits: bool = True,
    progress: Callable[[str, int, int, dict[str, Any] | None], object] | None = None,
) -> Bunch:
    """Compare BADR with the baseline estimator and with fairlearn's algorithms.

    All methods are trained on the same rows, and scored on these rows and on the other rows.

    Parameters
    ----------
    estimator : estimator object
        Classifier or regressor whose ``fit`` takes ``sample_weight``, or a Pipeline ending in one.
    X : array-like of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Target.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
        The groups; several columns are crossed.
    control_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Stratum of each row: groups are compared within each stratum, and the worst one counts.
    intersectional : bool, default=True
        False: each of several sensitive columns is compared by itself, and the worst counts.
    metric : str, callable, metric object or mapping, default="demographic_parity"
        Fairness metric; see :func:`skbadr.metrics.get_metric_names`. A mapping of metrics to
        bounds bounds all of them.
    bound : float, default=None
        Upper bound on the metric (lower bound, if greater is better). None: BADR over groups
        minimises the metric, and the other methods keep 20 % of the baseline estimator's
        unfairness on the training data. They do not minimise the metric alone, because over finer
        cells this may end in a constant predictor.
    confidence : float, default=None
        Confidence with which BADR keeps the bound on new rows, see
        :class:`skbadr.BADRClassifier`.
    partitions : sequence of {"auto", "group", "group_target"}, default=("group", "auto")
        The cells that BADR re-weights; each makes a line of the table. "auto" stands for the cells
        that `BADRClassifier` and `BADRRegressor` choose for the metric with this bound. No line is
        repeated.
    peers : bool or sequence of str, default=False
        Which of fairlearn's algorithms to include: True for all, or some of
        "exponentiated_gradient", "grid_search" and "threshold_optimizer".
    test_size : float, default=0.3
        Share of the rows to test on.
    cv : "auto", None, float, int or splitter, default="auto"
        Where BADR evaluates the metric, see :class:`skbadr.BADRClassifier`.
    max_iter : int, default=None
        Upper-level iterations of BADR.
    n_jobs : int, default=None
        Number of parallel jobs of BADR.
    random_state : int, RandomState instance or None, default=0
        Seed of the split and of BADR.
    verbose : int, default=0
        Verbosity of BADR.
    limits : bool, default=True
        Whether to compute confidence limits on the test rows, as :func:`skbadr.audit` does.
    progress : callable, default=None
        Called as ``progress(method, done, total, row)`` before and after each method. Before it,
        ``row`` is None. After it, ``done`` is one more, and ``row`` is the method's line of the
        table (None if the method failed).

    Returns
    -------
    result : Bunch
        With the items

        - ``rows``: list of dicts, one per method: scores on both parts, errors by group, seconds,
          number of refits, and, if there is a bound, the ``"verdict"`` of `skbadr.audit` on the
          test rows; see :func:`skbadr.comparison.format_table`;
        - ``models``: the fitted models by the rows' ``"key"``;
        - ``fronts``: ``results_`` of every BADR model by the same key;
        - ``audits``: dict of :class:`skbadr.AuditResult` by the same key, on the test rows with
          95 % limits; empty if `limits` is False;
        - ``test``: dict of the test rows' ``"y"``, ``"groups"`` and ``"predictions"``
          (predictions: a dict by the same key);
        - ``notes``: list of str that a reader of the table should know;
        - ``settings``: dict with task, metric, partitions, bound, the groups' sizes, the error of
          a constant prediction, and the chance level, which is the baseline's metric on the
          training rows if groups are drawn at random.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbadr.comparison import compare, format_table
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> groups = X[:, 1] > 19
    >>> result = compare(
    ...     LogisticRegression(solver="newton-cholesky"), X, y, sensitive_features=groups
    ... )
    >>> [row["method"] for row in result.rows]
    ['baseline estimator', 'BADR groups', 'BADR group x target']
    """
    chosen_peers = _chosen_peers(peers)
    task: Task = "classification" if is_classifier(estimator) else "regression"
    named = get_metric(metric, task=task)
    problem, parts = split_problem(
        estimator,
        X,
        np.asarray(y),
        task,
        metric,
        named,
        sensitive_features=sensitive_features,
        control_features=control_features,
        intersectional=intersectional,
        test_size=test_size,
        random_state=random_state,
    )
    test: dict[str, Any] = {"y": parts["test"][1], "groups": parts["test"][2], "predictions": {}}
    result = Bunch(rows=[], models={}, fronts={}, audits={}, test=test, notes=[], settings={})
    tell = progress or (lambda *event: None)

    # How many methods can run is known with the bound only, which needs the baseline.
    expected = 1 + len(partitions) + len(chosen_peers)
    tell(Baseline.label, 0, expected, None)
    baseline = _add(result, Baseline(), problem, parts)
    problem = replace(problem, baseline=baseline)
    tell(Baseline.label, 1, expected, result.rows[0])
    chance = chance_level(problem, baseline)
    has_default_bound = bound is None and problem.fairness.own_bound is None
    problem = _with_bound(problem, bound, result.rows[0])
    _check_confidence(confidence, problem)
    options = {"cv": cv, "max_iter": max_iter, "n_jobs": n_jobs, "verbose": verbose}
    methods = _badr_methods(
        partitions,
        problem,
        named,
        bound_groups=not has_default_bound,
        confidence=confidence,
        options=options,
    )
    able, refusals = _who_can([*methods, *(peer() for peer in chosen_peers)], problem)
    trained = {Baseline.key: baseline}
    for done, method in enumerate(able, 1):
        tell(method.label, done, 1 + len(able), None)
        fitted = _add(result, method, problem, parts)
        if fitted is not None:
            trained[method.key] = fitted
        tell(method.label, done + 1, 1 + len(able), None if fitted is None else result.rows[-1])
    _judge(result, problem, trained, parts["test"], limits=limits)
    result.notes += refusals
    result.settings = {
        **_settings(result, problem, parts),
        "partitions": [method.partition for method in methods],
        "chance_level": chance,
        "bound_is_default": has_default_bound,
        "confidence": confidence,
    }
    result.notes += cautions(result, problem.fairness)
    return result


def _chosen_peers(peers):
    if isinstance(peers, (bool, np.bool_)):
        return PEERS if peers else ()
    by_key = {peer.key: peer for peer in PEERS}
    names = [peers] if isinstance(peers, str) else list(peers)
    unknown = [name for name in names if name not in by_key]
    if unknown:
        raise ValueError(
            f"peers must be True, False or some of {', '.join(map(repr, by_key))}, got "
            f"{unknown[0]!r}."
        )
    return tuple(by_key[name] for name in dict.fromkeys(names))


def _with_bound(problem, bound, baseline_row):
    """Return the problem with the bound that is asked for, the metric's own or the default one."""
    fairness = problem.fairness
    if fairness.own_bound is not None:
        if bound is not None:
            raise ValueError(
                f"bound={bound} and the bounds of metric={fairness.name!r} exclude each other: "
                "leave bound at None."
            )
        bound = fairness.own_bound
    if bound is None:
        bound = default_bound(fairness, problem.metric_name, baseline_row["metric_train"])
    return replace(problem, bound=bound, baseline_mse=baseline_row.get("rmse_train", 0.0) ** 2)


def _check_confidence(confidence, problem):
    if confidence is not None and problem.bound is None:
        raise ValueError(
            f"confidence={confidence} says how sure a bound is on new rows, and there is none for "
            f"{problem.metric_name}: set bound."
        )


def _badr_methods(partitions, problem, named, *, bound_groups, confidence, options):
    """Return BADR over each of the partitions that are meant, once."""
    has_goal = problem.bound is not None
    chosen = [choose_partition(p, named, problem.task, has_goal=has_goal) for p in partitions]
    return [
        Badr(
            partition,
            use_bound=partition != "group" or bound_groups,
            confidence=confidence,
            options=options,
        )
        for partition in dict.fromkeys(chosen)
    ]


def _who_can(methods, problem):
    """Return the methods that can do a problem, and notes on why the others cannot."""
    able, left_out = [], {}
    for method in methods:
        reason = method.refusal(problem)
        if reason is None:
            able.append(method)
        else:
            left_out.setdefault(reason, []).append(method.label)
    return able, [f"{', '.join(who)} left out: {why}" for why, who in left_out.items()]


def _add(result, method, problem, parts):
    """Train one method, score it on all parts and return it, or None if it failed."""
    start = time.perf_counter()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fitted = problem.lend(lambda X, y: method.fit(replace(problem, X=X, y=y)),
                                  problem.X, problem.y)  # fmt: skip
    except Exception as error:
        # A comparison survives the failure of somebody else's algorithm, not of its own.
        if not isinstance(method, PEERS):
            raise
        result.notes.append(f"{method.label} failed: {first_line(error)}")
        return None
    seconds = time.perf_counter() - start
    if problem.baseline is None:  # the first method is the baseline itself
        problem = replace(problem, baseline=fitted)
    # What is undefined is said below, by the part of the data.
    remarks = sentences(caught, leave_out=(UndefinedMetricWarning,))
    if method.remark(problem) is not None:
        remarks.append(method.remark(problem))

    row = {"key": method.key, "method": method.label}
    for part, (X, y, groups) in parts.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scores = part_scores(problem, fitted, X, y, groups)
        row |= {f"{name}_{part}": value for name, value in scores.items()}
        # What a metric leaves undefined depends on the rows, not on the method.
        notes = [f"on the {part} rows, {sentence}" for sentence in sentences(caught)]
        result.notes += [note for note in notes if note not in result.notes]
    result.notes += [f"{method.label}: {remark}" for remark in remarks]
    row |= {"seconds": seconds, "refits": fitted.n_refits, "deterministic": method.deterministic}
    result.rows.append(row)
    result.models[method.key] = fitted.model
    if fitted.front is not None:
        result.fronts[method.key] = fitted.front
    return fitted


def _judge(result, problem, trained, test_rows, *, limits):
    """Add the predictions and the verdicts on the test rows, and limits if they are wanted."""
    X, y, groups = test_rows
    for key, fitted in trained.items():
        result.test["predictions"][key] = problem.lend(fitted.predict, X, groups)
        found = audit_method(problem, fitted, X, y, groups) if limits else None
        if found is not None:
            result.audits[key] = found
    for row in result.rows:
        row["verdict"] = getattr(result.audits.get(row["key"]), "verdict", None)


def _settings(result, problem, parts):
    """Return what is known of the problem and of its rows."""
    fairness, (_, y_train, groups_train) = problem.fairness, parts["train"]
    return {
        "task": problem.task,
        "metric": problem.metric_name,
        "greater_is_better": bool(fairness.greater_is_better),
        "bound": problem.bound,
        "condition": bound_in_words(fairness, problem.metric_name, problem.bound),
        "held_out": any(
            getattr(model, "evaluated_on_", "training data") != "training data"
            for model in result.models.values()
        ),
        "groups": _group_sizes(groups_train, parts["test"][2]),
        "constant_error": {
            part: _constant_error(problem.task, y_train, targets)
            for part, (_, targets, _) in parts.items()
        },
    }


def _constant_error(task, y_train, y):
    """Return the error, or RMSE, of predicting what is best for the training rows."""
    if task == "regression":
        return float(np.sqrt(np.mean((y - y_train.mean()) ** 2)))
    labels, counts = np.unique(y_train, return_counts=True)
    return float(np.mean(y != labels[counts.argmax()]))


def _group_sizes(groups_train, groups_test):
    labels = np.unique(np.concatenate([groups_train, groups_test]))
    return {
        str(label): {
            "train": int((groups_train == label).sum()),
            "test": int((groups_test == label).sum()),
        }
        for label in labels
    }
