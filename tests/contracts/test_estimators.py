"""Estimators of other packages: fit, search, save and load, with their own missing values.

Not part of the tests proper, as the packages are many: `.ci/run contracts` installs and runs them.
"""

import io
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from catboost import CatBoostClassifier, CatBoostRegressor
from imblearn.ensemble import BalancedRandomForestClassifier
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_resampled
from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn import config_context
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from skrub import TableVectorizer, tabular_pipeline
from xgboost import XGBClassifier, XGBRegressor

from skbadr import BADRClassifier, BADRRegressor

N = 400
RNG = np.random.default_rng(0)
GROUP = np.where(RNG.random(N) < 0.4, "a", "b")
SCORE = RNG.normal(size=N)
# Numbers with gaps, and a column of categories, which say something of the target.
X = pd.DataFrame(
    {
        "age": np.where(RNG.random(N) < 0.1, np.nan, SCORE + 0.5 * RNG.normal(size=N)),
        "job": pd.Categorical(np.where(SCORE + RNG.normal(size=N) > 0, "clerk", "cook")),
        "town": RNG.normal(size=N) + 2 * (GROUP == "b"),
    }
)
WAGE = SCORE + (GROUP == "b") + 0.5 * RNG.normal(size=N)
Y = np.where(WAGE > 0.5, "yes", "no")

XGB = {"n_estimators": 10, "max_depth": 3, "enable_categorical": True, "n_jobs": 1}
LGBM = {"n_estimators": 10, "num_leaves": 7, "n_jobs": 1, "verbose": -1}
CAT = {"iterations": 10, "depth": 3, "thread_count": 1, "verbose": False}
CAT["allow_writing_files"] = False
EBM = {"max_rounds": 30, "outer_bags": 2, "interactions": 0, "n_jobs": 1}
NETWORK = {"hidden_layer_sizes": (8,), "max_iter": 40, "solver": "lbfgs"}
CLASSIFIERS = {
    "catboost": CatBoostClassifier(**CAT),
    "interpret": ExplainableBoostingClassifier(**EBM),
    "lightgbm": LGBMClassifier(**LGBM),
    "network": make_pipeline(TableVectorizer(), SimpleImputer(), MLPClassifier(**NETWORK)),
    "skrub": tabular_pipeline(LogisticRegression()),
    "skrub and lightgbm": make_pipeline(TableVectorizer(), LGBMClassifier(**LGBM)),
    "imbalanced": make_pipeline(
        TableVectorizer(),
        SimpleImputer(),
        BalancedRandomForestClassifier(n_estimators=10, max_depth=4, sampling_strategy="all",
                                       replacement=True, bootstrap=False),
    ),
    "xgboost": XGBClassifier(**XGB),
}  # fmt: skip
REGRESSORS = {
    "catboost": CatBoostRegressor(**CAT),
    "interpret": ExplainableBoostingRegressor(**EBM),
    "lightgbm": LGBMRegressor(**LGBM),
    "network": make_pipeline(TableVectorizer(), SimpleImputer(), MLPRegressor(**NETWORK)),
    "xgboost": XGBRegressor(**XGB),
}
# What a search varies of each.
GRIDS = {
    "catboost": {"estimator__depth": [2, 3]},
    "interpret": {"estimator__max_rounds": [10, 30]},
    "lightgbm": {"estimator__num_leaves": [4, 7]},
    "xgboost": {"estimator__max_depth": [2, 3]},
}
# xgboost takes codes for labels.
LABELS = {"xgboost": (Y == "yes").astype(int)}
# catboost copies a list of columns in its constructor, so that scikit-learn cannot clone it.
FIT_PARAMS = {"catboost": {"cat_features": ["job"]}}

pytestmark = [
    pytest.mark.filterwarnings("ignore:Missing values detected"),  # of interpret's pictures
    pytest.mark.filterwarnings("ignore:lbfgs failed to converge"),
    pytest.mark.filterwarnings("ignore:no visited model has"),
]


def labels(name):
    return LABELS.get(name, Y)


def fit(name, model, y=None):
    params = FIT_PARAMS.get(name, {})
    return model.fit(X, labels(name) if y is None else y, sensitive_features=GROUP, **params)


def equal(one, other, method):
    return np.array_equal(getattr(one, method)(X), getattr(other, method)(X))


@pytest.fixture(scope="module", params=CLASSIFIERS)
def fitted(request):
    model = BADRClassifier(CLASSIFIERS[request.param], bound=0.1, max_iter=4, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Missing values|lbfgs failed|no visited model")
        return request.param, fit(request.param, model)


def test_fit(fitted):
    name, model = fitted
    assert model.metric_value_ <= 0.1 or model.metric_value_ < model.baseline_metric_value_
    rates = pd.Series(model.predict(X) == model.classes_[1]).groupby(GROUP).mean()
    if model.evaluated_on_.startswith("training"):
        assert model.metric_value_ == pytest.approx(abs(rates["a"] - rates["b"]))


def test_the_model_is_what_fit_returns(fitted):
    name, model = fitted
    weight = model.compute_sample_weight(X, labels(name), sensitive_features=GROUP)
    plain = clone(model.estimator_)  # with the random state that the search gave it
    last = plain.steps[-1][0] + "__" if hasattr(plain, "steps") else ""
    plain.fit(X, labels(name), **{f"{last}sample_weight": weight}, **FIT_PARAMS.get(name, {}))
    assert equal(plain, model.estimator_, "predict_proba")


@pytest.mark.parametrize("library", [pickle, joblib])
def test_saved_models_predict_the_same(fitted, library):
    name, model = fitted
    file = io.BytesIO()
    library.dump(model, file)
    file.seek(0)
    loaded = library.load(file)
    assert equal(loaded, model, "predict_proba")
    assert loaded.summary() == model.summary()


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_saved_by_skops(name):
    model = fit(name, BADRClassifier(CLASSIFIERS[name], max_iter=2, random_state=0))
    content = skops.io.dumps(model)
    # The file names types of the other package, which a reader may trust.
    asked = skops.io.get_untrusted_types(data=content)
    assert all(kind.split(".")[0] in (name, "skbadr", "sklearn", "collections") for kind in asked)
    assert equal(skops.io.loads(content, trusted=asked), model, "predict_proba")


@pytest.mark.parametrize("name", ["skrub", "xgboost"])
def test_frames_of_polars(name):
    frame = pl.from_pandas(X).with_columns(group=pl.Series(GROUP, dtype=pl.Categorical))
    model = BADRClassifier(CLASSIFIERS[name], bound=0.1, max_iter=3, random_state=0)
    model.fit(frame.drop("group"), labels(name), sensitive_features=frame["group"])
    same = clone(model).fit(X, labels(name), sensitive_features=GROUP)
    assert model.metric_value_ == pytest.approx(same.metric_value_)
    assert np.array_equal(model.predict(frame.drop("group")), same.predict(X))


@pytest.mark.parametrize("name", GRIDS)
def test_search(name):
    model = BADRClassifier(CLASSIFIERS[name], bound=0.1, max_iter=2, random_state=0, cv=None)
    search = GridSearchCV(model, GRIDS[name], cv=2, error_score="raise")
    fit(name, search)
    assert set(search.best_params_) == set(GRIDS[name])
    assert search.best_estimator_.cell_weights_.min() > 0


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name):
    model = BADRRegressor(REGRESSORS[name], bound=0.1, max_iter=4, random_state=0)
    fit(name, model, WAGE)
    assert model.metric_value_ < model.baseline_metric_value_
    assert equal(pickle.loads(pickle.dumps(model)), model, "predict")


def test_samplers_are_refused_within_and_taken_before():
    sampled = make_resampled(TableVectorizer(), SimpleImputer(), RandomOverSampler(),
                             LogisticRegression())  # fmt: skip
    with pytest.raises(TypeError, match="RandomOverSampler"):
        BADRClassifier(sampled).fit(X, Y, sensitive_features=GROUP)
    rows = RandomOverSampler(random_state=0).fit_resample(np.arange(N)[:, None], Y)[0].ravel()
    model = BADRClassifier(tabular_pipeline(LogisticRegression()), bound=0.1)
    model.fit(X.iloc[rows], Y[rows], sensitive_features=GROUP[rows])
    assert model.metric_value_ < model.baseline_metric_value_


@pytest.mark.parametrize("name", ["lightgbm", "skrub"])
def test_groups_from_a_column_with_routing(name):
    with config_context(enable_metadata_routing=True):
        model = BADRClassifier(CLASSIFIERS[name], bound=0.1, max_iter=3, random_state=0)
        search = GridSearchCV(model, {"bound": [0.05, 0.2]}, cv=2, error_score="raise")
        search.fit(X, Y, sensitive_features=GROUP)
    assert search.best_estimator_.n_refits_ >= 1
