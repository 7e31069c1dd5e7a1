"""Bad arguments: one sentence that names the argument, before anything is fitted."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from data import CountingClassifier, classifier, make_people, make_wages, regressor
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skbadr import BADRClassifier, BADRRegressor
from skbadr.metrics import get_metric_names, make_fairness_metric
from skbadr.solvers import SOLVERS, AlternatingSolver

X, Y, GROUP = make_people()
N = len(Y)
XR, YR, GROUP_R = make_wages()


@pytest.fixture(autouse=True)
def no_fits():
    """Whatever is refused, no estimator has been fitted."""
    CountingClassifier.n_fits = 0
    yield
    assert CountingClassifier.n_fits == 0


def counted(**params):
    return classifier(CountingClassifier(), **params)


def replaced(values, rows, by):
    changed = np.array(values, dtype=object)
    changed[rows] = by
    return changed


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (replaced(GROUP, [0, 4], None), "sensitive_features has 2 missing values: drop these rows"),
        (replaced(GROUP, [3], np.nan), "sensitive_features has 1 missing value:"),
        (np.where(GROUP == "a", 1.0, np.nan), f"{np.sum(GROUP == 'b')} missing values"),
        (pd.Series(replaced(GROUP, [3], pd.NA), name="race"), "column 'race' of .* 1 missing"),
        (pd.DataFrame({"sex": GROUP, "race": replaced(GROUP, [0], None)}), "column 'race'"),
        (pl.DataFrame({"sex": GROUP, "race": [None] + ["x"] * (N - 1)}), "column 'race'"),
        (GROUP[:-1], f"sensitive_features has {N - 1} rows but X has {N}: give one per sample"),
        (np.repeat("a", N), "sensitive_features holds the single group 'a': at least two"),
        ("sex", "must hold one value .* per sample, got 'sex': name a col"),
        (3, "must hold one value"),
        (np.ones((N, 2, 2)), "must be 1- or 2-dimensional"),
        (sparse.csr_array(np.ones((N, 1))), "must be dense"),
        ([["a"], ["b", "c"]] * (N // 2), "must all have the same length"),
        ([{}] * N, "hashable"),
        (pd.DataFrame(index=range(N)), "has no column"),
        (None, "nothing says what the groups are: pass sensitive_features .* sensitive_columns"),
    ],
)
def test_groups(groups, message):
    with pytest.raises(ValueError, match=message):
        counted().fit(X, Y, sensitive_features=groups)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (9, "column 9, but X has 4 columns"),
        ("sex", "names 'sex', but X has no column names"),
        ([], "sensitive_columns is empty"),
        (
            lambda X: X["sex"],
            "the callable sensitive_columns failed on X, of type ndarray: IndexError",
        ),
        (lambda X: None, "sensitive_columns must hold one value"),
        (lambda X: X[:5, 0] > 0, f"sensitive_columns has 5 rows but X has {N}"),
        (lambda X: np.zeros(N), "sensitive_columns holds the single group 0.0"),
        (lambda X: np.where(X[:, 0] > 0, np.nan, 1), "sensitive_columns has .* missing values"),
    ],
)
def test_columns(columns, message):
    with pytest.raises(ValueError, match=message) as caught:
        counted(sensitive_columns=columns).fit(X, Y)
    if "failed" in message:
        assert isinstance(caught.value.__cause__, IndexError)
    with pytest.raises(ValueError, match="'sex', which is not in X; it has 'age'"):
        counted(sensitive_columns="sex").fit(pd.DataFrame({"age": X[:, 0]}), Y)


def above_mean(X):
    return np.asarray(X, dtype=float)[:, 0] > np.mean(np.asarray(X, dtype=float)[:, 0])


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (np.where(X > 2, np.nan, X), ValueError, "Input X contains NaN"),
        (np.where(X > 2, np.inf, X), ValueError, "Input X contains infinity"),
        (replaced(X, (0, 0), "x"), ValueError, "could not convert string to float"),
        (X.astype(complex), ValueError, "Complex data not supported"),
        (X[:, :0], ValueError, r"0 feature\(s\) \(shape=\(240, 0\)\) while a minimum of 1"),
        ([[]] * N, ValueError, r"0 feature\(s\) \(shape=\(240, 0\)\)"),
        (X[:0], ValueError, r"0 sample\(s\) \(shape=\(0, 4\)\) while a minimum of 1 is required."),
        ([], ValueError, r"0 sample\(s\)"),
        (pd.DataFrame(index=range(N)), ValueError, r"0 feature\(s\)"),
        (X[:, 0], ValueError, "(?s)Expected 2D array, got 1D array instead.*Reshape your data"),
        (X[:, 0].tolist(), ValueError, "Reshape your data"),
        (pd.Series(X[:, 0]), ValueError, "Reshape your data"),
        (pl.Series(X[:, 0]), ValueError, "Reshape your data"),
        (3.0, TypeError, "Expected sequence or array-like"),
        (None, TypeError, "Expected sequence or array-like"),
        (X[:10], ValueError, "inconsistent numbers of samples"),
    ],
)
def test_features_at_fault_are_not_blamed_on_the_groups(data, error, message):
    with pytest.raises(error, match=message):
        counted(sensitive_columns=above_mean).fit(data, Y)


def test_sparse_features_that_a_callable_cannot_read():
    with pytest.raises(ValueError, match="failed on X, of type csr_array: ValueError"):
        counted(sensitive_columns=above_mean).fit(sparse.csr_array(X), Y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        counted(sensitive_columns=above_mean).fit(sparse.csr_array(np.where(X > 2, np.nan, X)), Y)


def test_data_frames_are_not_blamed():
    frame = pd.DataFrame({"job": ["x", "y"] * (N // 2)})
    with pytest.raises(ValueError, match="failed on X, of type DataFrame: KeyError"):
        counted(sensitive_columns=lambda X: X["sex"]).fit(frame, Y)
    with pytest.raises(ValueError, match="the single group"):
        counted(sensitive_columns=lambda X: [1] * len(X)).fit(frame, Y)


@pytest.mark.parametrize("data", [X[0], X[0].tolist(), pd.Series(X[0])], ids=type)
def test_predicting_one_dimensional_numbers(data):
    model = classifier(max_iter=1).fit(X, Y, sensitive_features=GROUP)
    for method in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(ValueError, match="Reshape your data"):
            getattr(model, method)(data)


class NoPredict(BaseEstimator):
    def fit(self, X, y, sample_weight=None):
        return self


class Plain:
    def fit(self, X, y, sample_weight=None):
        return self


NEIGHBOURS = KNeighborsClassifier()


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (NEIGHBOURS, "KNeighborsClassifier does not take sample_weight in fit"),
        (make_pipeline(StandardScaler(), NEIGHBOURS), "KNeighborsClassifier, the last step of the"),
        (GridSearchCV(NEIGHBOURS, {}), "KNeighborsClassifier in GridSearchCV does not take"),
        (GridSearchCV(make_pipeline(NEIGHBOURS), {}), "in GridSearchCV does not take"),
        (Ridge(), "BADRClassifier needs a classifier, got the regressor Ridge: use BADRRegressor"),
        (make_pipeline(Ridge()), "needs a classifier, got the regressor Pipeline"),
        (LogisticRegression, "must be an estimator instance with a fit method, got <class"),
        ("logistic", "must be an estimator instance with a fit method, got 'logistic'"),
        (make_pipeline(CountingClassifier(), StandardScaler()), "the last step .* StandardScaler"),
        (
            Pipeline([("a", StandardScaler()), ("b", "passthrough")]),
            "the last step .* 'passthrough'",
        ),
        (NoPredict(), "estimator NoPredict has no predict method"),
        (Plain(), "estimator Plain has no get_params"),
    ],
)
def test_estimators(estimator, message):
    model = classifier(estimator)
    with pytest.raises(TypeError, match=message):
        model.fit(X, Y, sensitive_features=GROUP)
    assert "BADRClassifier" in repr(model)


def test_estimators_of_a_regressor():
    with pytest.raises(TypeError, match="BADRRegressor needs a regressor, got the classifier"):
        regressor(CountingClassifier()).fit(XR, YR, sensitive_features=GROUP_R)
    with pytest.raises(
        TypeError, match="BADRRegressor needs a regressor, got the clusterer KMeans"
    ):
        regressor(KMeans(2)).fit(XR, YR, sensitive_features=GROUP_R)


PROBABILITIES = make_fairness_metric(
    lambda y, p, *, sensitive_features: 0.0, response_method="predict_proba"
)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"metric": "kolmogorov_smirnov"}, ValueError, "for regression, not for classification"),
        ({"metric": "fairness"}, ValueError, "metric='fairness' is not known"),
        ({"metric": "demographic_party"}, ValueError, "did you mean 'demographic_parity'"),
        ({"metric": None}, TypeError, "metric must be a name, a callable"),
        ({"solver": "adam"}, ValueError, "solver='adam' is not known; use one of .*alternating"),
        ({"solver": AlternatingSolver}, TypeError, "solver must be a name"),
        ({"partition": "cell"}, ValueError, "partition must be one of .*group_target.*'cell'"),
        ({"partition": lambda y, g: y[:3]}, ValueError, "one cell label per sample"),
        ({"partition": lambda y, g: ["all"] * len(y)}, ValueError, "leaves a single cell"),
        ({"init": "random"}, ValueError, "init must be 'baseline', 'uniform', 'nash' or an"),
        ({"init": [1, 2, 3]}, ValueError, "one weight for each of the 2 cells, in the order"),
        ({"init": [1, -1]}, ValueError, "init must hold non-negative finite weights"),
        ({"init": [0, 0]}, ValueError, "not all zero"),
        ({"init": [np.nan, 1]}, ValueError, "init must hold"),
        ({"stage2_tolerance": 0.1}, ValueError, "init='nash', but init='baseline' has no"),
        ({"init": "nash", "stage2_tolerance": -1}, ValueError, "stage2_tolerance must be None or"),
        ({"bound": 0.1, "trade_off": 1.0}, ValueError, "exclude each other"),
        ({"bound": -0.1}, ValueError, "bound=-0.1 cannot be met: demographic_parity is at least 0"),
        ({"bound": 1.1, "metric": "demographic_parity_ratio"}, ValueError, "is at most 1"),
        ({"bound": "tight"}, ValueError, "bound must be None or a finite number"),
        ({"bound": np.inf}, ValueError, "bound must be None or a finite number"),
        ({"bound": True}, ValueError, "bound must be None or a finite number"),
        ({"trade_off": -1.0}, ValueError, "trade_off must be a number >= 0"),
        ({"trade_off": np.nan}, ValueError, "trade_off must be a number >= 0"),
        ({"trade_off": None}, ValueError, "trade_off must be a number >= 0"),
        ({"max_iter": 0}, ValueError, "max_iter must be None or an integer >= 1"),
        ({"max_iter": 2.5}, ValueError, "max_iter must be None or an integer >= 1"),
        ({"max_iter": True}, ValueError, "max_iter must be None or an integer >= 1"),
        ({"tol": -1.0}, ValueError, "tol must be a number >= 0"),
        ({"min_weight": 0.0}, ValueError, "min_weight must be > 0"),
        ({"min_weight": 0.5}, ValueError, "min_weight=0.5 is too large for 2 cells"),
        ({"scoring": "sharpness"}, ValueError, "sharpness"),
        ({"scoring": ["accuracy", "f1"]}, TypeError, "scoring must be the name of a scorer"),
        ({"cv": 1}, ValueError, "cv as a number of folds must lie between 2 and the 240 samples"),
        ({"cv": 1000}, ValueError, "cv as a number of folds"),
        ({"cv": 1.5}, ValueError, "cv as a fraction must lie strictly between 0 and 1"),
        ({"cv": True}, ValueError, "cv must be None, a fraction"),
        ({"cv": "5-fold"}, ValueError, "cv"),
        ({"cv": []}, ValueError, "cv leaves a fold without"),
        ({"cv": [([0, 1], [])]}, ValueError, "cv leaves a fold without"),
        ({"cv": [([0, 1], [999])]}, ValueError, "cv names row 999, but there are 240 samples"),
        ({"cv": GroupKFold(3)}, ValueError, "groups"),
        ({"random_state": "seed"}, ValueError, "cannot be used to seed"),
    ],
)  # fmt: skip
def test_parameters(params, error, message):
    with pytest.raises(error, match=message):
        counted(**params).fit(X, Y, sensitive_features=GROUP)


def test_lists_of_what_is_valid_are_complete():
    with pytest.raises(ValueError) as caught:
        counted(metric="fairness").fit(X, Y, sensitive_features=GROUP)
    assert all(repr(name) in str(caught.value) for name in get_metric_names("classification"))
    with pytest.raises(ValueError) as caught:
        counted(solver="adam").fit(X, Y, sensitive_features=GROUP)
    assert all(repr(name) in str(caught.value) for name in ["auto", *SOLVERS])


def test_metric_of_probabilities_without_any():
    with pytest.raises(TypeError, match="needs predict_proba, which RidgeClassifier does not have"):
        classifier(RidgeClassifier(), metric=PROBABILITIES).fit(X, Y, sensitive_features=GROUP)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"metric": "equalized_odds"}, ValueError, "for classification, not for regression"),
        ({"n_target_bins": 1}, ValueError, "n_target_bins must be an integer >= 2"),
        ({"n_target_bins": 2.0}, ValueError, "n_target_bins must be an integer >= 2"),
        ({"scoring": "sharpness"}, ValueError, "sharpness"),
    ],
)
def test_parameters_of_a_regressor(params, error, message):
    with pytest.raises(error, match=message):
        regressor(**params).fit(XR, YR, sensitive_features=GROUP_R)


@pytest.mark.parametrize("value", [0, -1, 1.5, "many", True])
def test_options_of_the_solver(value):
    with pytest.raises(ValueError, match="max_iter must be an integer >= 1"):
        AlternatingSolver(max_iter=value)


@pytest.mark.parametrize("option", ["time_limit", "min_gain"])
@pytest.mark.parametrize("value", [-1, "long", True, float("nan")])
def test_numbers_of_the_solver(option, value):
    with pytest.raises(ValueError, match=f"{option} must be a number >= 0"):
        AlternatingSolver(**{option: value})


@pytest.mark.parametrize(
    ("weight", "params", "message"),
    [
        (np.where(np.arange(N) < 2, -1.0, 1.0), {}, "sample_weight has 2 negative values"),
        (np.zeros(N), {}, "sample_weight must not be zero for every sample|non-zero"),
        (np.ones(N - 1), {}, "sample_weight.shape"),
        (np.full(N, np.nan), {}, "sample_weight contains NaN"),
        (np.where(GROUP == "a", 0.0, 1.0), {}, "zero for every sample of the cell 'a'"),
        (np.where((GROUP == "a") & (Y == 1), 0.0, 1.0), {"partition": "group_target"},
         r"zero for every sample of the cell \('a', 1\)"),
        (np.where(np.arange(N) < 120, 0.0, 1.0), {"cv": KFold(2)}, "positive weight"),
    ],
)  # fmt: skip
def test_weights(weight, params, message):
    with pytest.raises(ValueError, match=message):
        counted(**params).fit(X, Y, sensitive_features=GROUP, sample_weight=weight)


@pytest.mark.parametrize(
    ("make", "y", "message"),
    [
        (BADRClassifier, np.ones(N), "y holds one class, .*1.0.*: a classifier needs at least 2"),
        (BADRClassifier, X[:, 0], "Unknown label type: continuous"),
        (BADRClassifier, np.where(X[:, 0] > 0, np.nan, 1.0), "y contains NaN"),
        (BADRClassifier, np.column_stack([Y, Y]), "1d array"),
        (BADRClassifier, None, "requires y to be passed"),
        (BADRRegressor, np.where(X[:, 0] > 0, "low", "high"), "could not convert string|numeric"),
        (BADRRegressor, np.where(X[:, 0] > 0, np.inf, 1.0), "y contains infinity"),
        (BADRRegressor, np.column_stack([Y, Y]), "1d array"),
        (BADRRegressor, None, "requires y to be passed"),
    ],
)
def test_targets(make, y, message):
    with pytest.raises(ValueError, match=message):
        make().fit(X, y, sensitive_features=GROUP)


def test_weights_of_other_data_are_not_made_up():
    model = classifier(max_iter=1).fit(X, Y, sensitive_features=GROUP)
    with pytest.raises(ValueError, match=r"have the cells \['b', 'c'\], but the model"):
        model.compute_sample_weight(X, Y, sensitive_features=np.where(GROUP == "a", "c", "b"))


def missing(values, by=None):
    return replaced(np.asarray(values, dtype=object), [3, 50], by)


NAMED = np.where(Y, "yes", "no")


@pytest.mark.parametrize(
    ("y", "what"),
    [
        (missing(NAMED), "None"),
        (missing(NAMED, np.nan), "nan"),
        (missing(NAMED, pd.NA), "<NA>"),
        (missing(NAMED, pd.NaT), "NaT"),
        (missing(NAMED).tolist(), "None"),
        (missing(NAMED, float("nan")).tolist(), "nan"),
        (tuple(missing(NAMED, float("nan"))), "nan"),
        (missing(Y), "None"),
        (missing(Y == 1), "None"),
        (pd.Series(missing(NAMED)), "None|nan"),
        (pd.Series(missing(NAMED), dtype="string"), "<NA>|nan"),
        (pd.Series(missing(NAMED), dtype="category"), "nan"),
        (pl.Series(missing(NAMED).tolist()), "None"),
        (pl.Series(missing(Y == 1).tolist()), "None"),
        (np.ma.array(Y, mask=np.isin(np.arange(N), [3, 50])), "masked"),
        (missing(np.full(N, np.datetime64("2020-01-01", "D")), "NaT").astype("M8[D]"), "NaT"),
        (pd.DataFrame({"y": missing(NAMED)}), "None|nan"),
    ],
)
@pytest.mark.filterwarnings("ignore:A column-vector")
def test_missing_labels(y, what):
    words = rf"y has 2 missing values \(({what})\): drop these rows"
    with pytest.raises(ValueError, match=words):
        counted().fit(X, y, sensitive_features=GROUP)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (missing(XR[:, 0]), "y has 2 missing values"),
        (missing(XR[:, 0], pd.NA), "y has 2 missing values"),
        (missing(XR[:, 0].astype(str)), "y has 2 missing values"),
        (np.ma.array(XR[:, 0], mask=np.arange(N) == 3), r"y has 1 missing value \(masked\)"),
        (np.where(np.arange(N) == 3, np.nan, XR[:, 0]), "y contains NaN"),
    ],
)
def test_missing_real_targets(y, message):
    with pytest.raises(ValueError, match=message):
        regressor(Ridge()).fit(XR, y, sensitive_features=GROUP_R)


@pytest.mark.parametrize("by", [1, True, 2.5, ("yes",)])
def test_labels_of_several_types(by):
    y = NAMED.astype(object)
    y[7] = by
    with pytest.raises(ValueError, match=r"y holds labels of several types \(.*str"):
        counted().fit(X, y, sensitive_features=GROUP)


def test_labels_that_only_look_missing():
    y = np.where(Y, "None", "nan")
    assert classifier(max_iter=1).fit(X, y, sensitive_features=GROUP).classes_[0] == "None"
    masked = np.ma.array(Y, mask=False)
    assert classifier(max_iter=1).fit(X, masked, sensitive_features=GROUP).classes_[1] == 1


AGE = 40.0 + 10.0 * XR[:, 1]
DAYS = np.datetime64("2000-01-01") + np.arange(N)


@pytest.mark.parametrize(
    ("groups", "n_groups"),
    [
        (AGE, N),
        (AGE.tolist(), N),
        (np.round(AGE, 1), len(np.unique(np.round(AGE, 1)))),
        (np.arange(N), N),
        (np.arange(N) // 3, N // 3),
        (DAYS, N),
        (pd.Series(AGE).map("{:.9f}".format), N),
        (pd.DataFrame({"sex": GROUP, "age": AGE}), N),
        (pl.Series(AGE), N),
    ],
)
def test_continuous_groups(groups, n_groups):
    words = f"sensitive_features makes {n_groups} groups of {N} rows, .*cut it into bands"
    with pytest.raises(ValueError, match=words):
        counted().fit(X, Y, sensitive_features=groups)


def test_continuous_columns_and_cells():
    with pytest.raises(ValueError, match="sensitive_columns makes 240 groups"):
        counted(sensitive_columns=1).fit(X, Y)
    cells = counted(partition=lambda y, groups: list(range(len(y))))
    with pytest.raises(ValueError, match="the partition callable makes 240 groups"):
        cells.fit(X, Y, sensitive_features=GROUP)


@pytest.mark.parametrize("groups", [np.arange(N) % 40, np.arange(N) // 5, np.arange(N) % 20])
def test_many_groups_that_are_no_mistake(groups):
    model = classifier(max_iter=1).fit(X, Y, sensitive_features=groups)
    assert len(model.cells_) == len(np.unique(groups))
