"""Generated problems: small tables, and everything that a user may ask for on them."""

from dataclasses import dataclass, field

import fairlearn.metrics as flm
import numpy as np
import pandas as pd
from hypothesis import settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import (
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skbadr import BADRClassifier, BADRRegressor
from skbadr.metrics import get_metric
from skbadr.problem import implicit_obstacle


def cases(per_profile):
    """Return settings with so many examples, in the proportion that the profile asks for.

    ``--hypothesis-profile=long`` runs many times as many.
    """
    return settings(max_examples=max(1, per_profile * settings().max_examples // 100))


class Hostile(BaseEstimator):
    """A linear model that takes its liberties: what it does wrong is in `faults`.

    "raises" on some weights, "nan" in the probabilities (or predictions) on some, "warns" at
    every fit, "column": predictions of shape (n, 1), "deaf": `sample_weight` is ignored,
    "constant": one value for all where some row's weight is large, "writes": sets the weights
    that it was given to zero.
    """

    def __init__(self, faults=()):
        self.faults = faults

    def fit(self, X, y, sample_weight=None):
        import warnings

        heavy = sample_weight is not None and sample_weight.max() > 1.5 * sample_weight.mean()
        if "warns" in self.faults:
            warnings.warn("this estimator complains", RuntimeWarning, stacklevel=2)
        if "raises" in self.faults and heavy:
            raise ArithmeticError("too heavy")
        used = None if "deaf" in self.faults else sample_weight
        self.model_ = clone(self.wrapped).fit(X, y, sample_weight=used)
        self.fault_ = heavy
        if "writes" in self.faults and sample_weight is not None:
            sample_weight[:] = 0.0
        self._remember(y)
        return self

    def _answer(self, values, fault):
        if self.fault_ and "constant" in self.faults:
            values = np.repeat(values[:1], len(values), axis=0)
        if self.fault_ and fault in self.faults:
            values = values.astype(float)
            values[::2] = np.nan
        return values

    def predict(self, X):
        predicted = self._answer(self.model_.predict(X), "nan" if self.numeric else None)
        return predicted[:, None] if "column" in self.faults else predicted


class HostileClassifier(ClassifierMixin, Hostile):
    wrapped, numeric = LogisticRegression(C=10.0), False

    def _remember(self, y):
        self.classes_ = self.model_.classes_

    def predict_proba(self, X):
        return self._answer(self.model_.predict_proba(X), "nan")


class HostileRegressor(RegressorMixin, Hostile):
    wrapped, numeric = Ridge(alpha=0.1), True

    def _remember(self, y):
        self.mean_ = float(np.mean(y))


FAULTS = ("raises", "nan", "warns", "column", "deaf", "constant", "writes")
# Whose fit is known to the solvers of smooth lower levels.
LINEAR_CLASSIFIERS = (
    LogisticRegression(tol=1e-8, max_iter=1000),
    LogisticRegression(),
    LogisticRegression(C=100.0, solver="newton-cholesky"),
    LogisticRegression(C=0.01, fit_intercept=False),
    RidgeClassifier(),
    LinearSVC(dual=False),
    make_pipeline(StandardScaler(), LogisticRegression()),
)
OTHER_CLASSIFIERS = (
    GaussianNB(),
    DecisionTreeClassifier(max_depth=2, random_state=0),
    GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=0),
    HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=3, random_state=0),
    make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=3, random_state=0)),
)
LINEAR_REGRESSORS = (
    Ridge(),
    LinearRegression(),
    HuberRegressor(max_iter=1000),
    PoissonRegressor(max_iter=1000),
    make_pipeline(StandardScaler(), Ridge(alpha=0.1)),
)
OTHER_REGRESSORS = (
    DecisionTreeRegressor(max_depth=2, random_state=0),
    GradientBoostingRegressor(n_estimators=3, max_depth=2, random_state=0),
    HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=3, random_state=0),
    make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=3, random_state=0)),
)


def largest_gap_of_means(y_true, y_pred, *, sensitive_features):
    """A user's own metric."""
    groups = np.asarray(sensitive_features)
    if groups.ndim > 1:
        groups = np.array(["/".join(map(str, row)) for row in groups])
    right = np.asarray(y_true) == np.asarray(y_pred)
    if np.asarray(y_pred).dtype.kind == "f" and np.asarray(y_true).dtype.kind == "f":
        right = np.abs(np.asarray(y_true) - np.asarray(y_pred))
    means = [right[groups == group].mean() for group in np.unique(groups)]
    return float(max(means) - min(means))


BINARY_METRICS = (
    "demographic_parity", "demographic_parity_ratio", "equal_opportunity", "equalized_odds",
    "equalized_odds_ratio", "false_positive_rate_parity", "accuracy_parity",
    "accuracy_parity_ratio", "worst_group_loss", "group_loss_gap", "group_loss_variance",
    "group_loss_ratio", "individual", "covariance", "hsic", "selection_rate_difference",
    flm.demographic_parity_difference, flm.equalized_odds_difference, largest_gap_of_means,
)  # fmt: skip
MULTICLASS_METRICS = (
    "demographic_parity", "equal_opportunity", "equalized_odds", "accuracy_parity",
    "worst_group_loss", "group_loss_gap", "group_loss_variance", "individual", "covariance",
    "hsic", largest_gap_of_means,
)  # fmt: skip
REGRESSION_METRICS = (
    "demographic_parity", "kolmogorov_smirnov", "worst_group_loss", "group_loss_gap",
    "group_loss_variance", "group_loss_ratio", "individual", "covariance", "hsic",
    "mean_absolute_error_group_max", largest_gap_of_means,
)  # fmt: skip


METRICS = tuple({*BINARY_METRICS, *MULTICLASS_METRICS, *REGRESSION_METRICS})


@dataclass
class Problem:
    """Data, and the arguments of a BADR estimator."""

    kind: type
    estimator: object
    X: object
    y: np.ndarray
    groups: object
    sample_weight: np.ndarray | None
    params: dict = field(default_factory=dict)

    def model(self, **params):
        return self.kind(self.estimator, **(self.params | params))

    def fit(self, **params):
        weight = {} if self.sample_weight is None else {"sample_weight": self.sample_weight}
        return self.model(**params).fit(self.X, self.y, sensitive_features=self.groups, **weight)

    def setup(self, **params):
        """Return what the arguments of fit amount to, checked."""
        model = self.model(**params)
        return model._set_up(self.X, self.y, self.groups, self.sample_weight, {})

    def __repr__(self):
        data = {"y": self.y, "groups": self.groups, "sample_weight": self.sample_weight}
        lists = {name: None if v is None else np.asarray(v).tolist() for name, v in data.items()}
        return f"{self.model()!r} on {type(self.X).__name__} {self.X.shape}, {lists}"


def make_data(rng, n, d, n_groups, n_classes):
    """Return X, class codes or real targets, and group codes; every cell has two rows."""
    n_targets = n_classes or 1
    n = max(n, 2 * n_groups * n_targets)
    group = np.append(np.tile(np.repeat(np.arange(n_groups), n_targets), 2),
                      rng.integers(0, n_groups, n))[:n]  # fmt: skip
    X = rng.normal(size=(n, d)).round(2)
    X[:, -1] += group
    score = X.sum(axis=1) + rng.normal(size=n)
    if not n_classes:
        return X, np.abs(score).round(2) + 0.5, group
    y = np.append(np.tile(np.arange(n_classes), 2 * n_groups), np.zeros(n, int))[:n]
    edges = np.quantile(score, np.arange(1, n_classes) / n_classes)
    n_fixed = 2 * n_groups * n_classes
    y[n_fixed:] = np.digitize(score, edges)[n_fixed:]
    return X, y, group


NAMES = {
    "codes": lambda codes: codes,
    "strings": lambda codes: np.array(["b", "a", "d", "c", "e"])[codes],
    "floats": lambda codes: codes - 0.5,
    "columns": lambda codes: pd.DataFrame({"one": codes % 2, "two": codes // 2}),
}


def named(labels):
    """Return labels of classes: two may be booleans."""
    return {
        "codes": lambda codes: codes,
        "strings": lambda codes: np.array(["no", "yes", "maybe"])[codes],
        "negative": lambda codes: codes - 1,
        "booleans": lambda codes: codes == 1,
    }[labels]


CONTAINERS = {
    "array": lambda X: X,
    "single": lambda X: X.astype(np.float32),
    "fortran": np.asfortranarray,
    "frame": lambda X: pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])]),
    "sparse": sparse.csr_array,
}


def solvers_for(estimator, metric, classes, *, held_out):
    """Return the names of the solvers that take this problem."""
    task = "regression" if classes is None else "classification"
    loss = "squared_error" if classes is None else "log_loss"
    if classes is not None and not hasattr(estimator, "predict_proba"):
        loss = "zero_one"
    obstacle = implicit_obstacle(
        estimator, classes, loss=loss, scoring=None, fit_params={}, held_out=held_out
    )
    if obstacle is not None:
        return ["auto", "alternating"]
    names = ["auto", "alternating", "implicit"]
    return [*names, "gd", "sgd"] if get_metric(metric, task).surrogate() is not None else names


@st.composite
def weights_of(draw, rng, n, n_safe):
    """Return base weights or None; the first `n_safe` rows keep a positive one."""
    kind = draw(st.sampled_from(["none", "counts", "reals", "zeros", "scaled"]))
    if kind == "none":
        return None
    if kind == "counts":
        return rng.integers(1, 4, n).astype(float)
    weight = rng.uniform(0.1, 2.0, n)
    if kind == "scaled":
        weight *= 10.0 ** draw(st.integers(-6, 6))
    if kind == "zeros":
        weight[n_safe:][rng.random(n - n_safe) < 0.3] = 0.0
    return weight


@st.composite
def problems(
    draw,
    classifiers=None,
    regressors=None,
    metrics=None,
    containers=tuple(CONTAINERS),
    solvers=None,
    cv=(None, None, None, 0.4, 2),
):
    """Return a `Problem` that is no refusal; the arguments restrict what is drawn."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_classes = draw(st.sampled_from([2, 2, 3, 0]))
    n_groups, d = draw(st.integers(2, 4)), draw(st.integers(1, 4))
    X, codes, group = make_data(rng, draw(st.integers(12, 60)), d, n_groups, n_classes)
    n_safe = 2 * n_groups * max(n_classes, 1)
    if n_classes:
        kind = BADRClassifier
        choice = draw(st.sampled_from(["linear", "linear", "other", "hostile"]))
        known = {"linear": LINEAR_CLASSIFIERS, "other": OTHER_CLASSIFIERS}.get(choice)
        known, hostile = classifiers or known, HostileClassifier
        labels = ["codes", "strings", "negative"] + ["booleans"] * (n_classes == 2)
        y = named(draw(st.sampled_from(labels)))(codes)
        pool = BINARY_METRICS if n_classes == 2 else MULTICLASS_METRICS
    else:
        kind = BADRRegressor
        choice = draw(st.sampled_from(["linear", "linear", "other", "hostile"]))
        known = {"linear": LINEAR_REGRESSORS, "other": OTHER_REGRESSORS}.get(choice)
        known, hostile = regressors or known, HostileRegressor
        y, pool = codes, REGRESSION_METRICS
    if known is None:
        faults = draw(st.sets(st.sampled_from(FAULTS), max_size=2))
        estimator = hostile(tuple(sorted(faults)))
    else:
        estimator = draw(st.sampled_from(known))
    pool = tuple(m for m in pool if metrics is None or m in metrics)
    if not hasattr(estimator, "predict_proba") and not hasattr(estimator, "decision_function"):
        pool = tuple(m for m in pool if callable(m) or m not in ("covariance", "hsic"))
    metric = draw(st.sampled_from(pool))
    if flm.equalized_odds_difference is metric or flm.demographic_parity_difference is metric:
        y = codes  # fairlearn's take 0 and 1
    X_kind = draw(st.sampled_from(containers))
    if X_kind == "sparse" and not _takes_sparse(estimator):
        X_kind = "array"
    held_out = draw(st.sampled_from(cv))
    classes = np.unique(y) if n_classes else None
    usable = solvers_for(estimator, metric, classes, held_out=held_out is not None)
    goal = draw(st.sampled_from(["metric", "metric", "bound", "trade_off"]))
    params = {
        "metric": metric,
        "solver": draw(st.sampled_from([s for s in usable if solvers is None or s in solvers])),
        "partition": draw(st.sampled_from(["group", "group_target"])),
        "max_iter": draw(st.integers(2, 5)),
        "min_weight": draw(st.sampled_from([1e-6, 1e-6, 1e-3, 0.02])),
        "init": draw(st.sampled_from(["baseline", "baseline", "uniform"])),
        "cv": held_out,
        "random_state": draw(st.sampled_from([None, 0])),
    }
    if goal == "bound":
        ratio = get_metric(metric, "classification" if n_classes else "regression")
        share = draw(st.sampled_from([0.1, 0.5, 0.9]))
        params["bound"] = share if not ratio.greater_is_better else 1.0 - 0.5 * share
    if goal == "trade_off":
        params["trade_off"] = draw(st.sampled_from([0.1, 1.0, 10.0]))
    weight = draw(weights_of(rng, len(X), n_safe))
    if weight is not None and not weight.all() and not n_classes:
        # A bin of targets must not be left without weight, which is refused.
        twins = np.flatnonzero(weight == 0)
        y[twins], group[twins] = y[twins % n_safe], group[twins % n_safe]
    groups = NAMES[draw(st.sampled_from(sorted(NAMES)))](group)
    return Problem(kind, estimator, CONTAINERS[X_kind](X), y, groups, weight, params)


def _takes_sparse(estimator):
    from sklearn.utils import get_tags

    return get_tags(estimator).input_tags.sparse and not isinstance(estimator, Hostile)
