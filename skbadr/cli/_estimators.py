"""Estimators by name, each in a Pipeline that encodes a table the way it likes it."""

from functools import partial

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.validation import has_fit_parameter

from ._errors import UsageError
from ._features import MAX_CATEGORIES

# Leaves of one row repeat the training labels, whose disparity no weights can change.
_tree = {"min_samples_leaf": 20}
_forest = {"min_samples_leaf": 5}
_ESTIMATORS = {
    "classification": {
        "logistic_regression": partial(LogisticRegression, max_iter=1000),
        "ridge": RidgeClassifier,
        "hist_gradient_boosting": HistGradientBoostingClassifier,
        "gradient_boosting": GradientBoostingClassifier,
        "random_forest": partial(RandomForestClassifier, **_forest),
        "decision_tree": partial(DecisionTreeClassifier, **_tree),
        "mlp": partial(MLPClassifier, early_stopping=True),
    },
    "regression": {
        "ridge": Ridge,
        "hist_gradient_boosting": HistGradientBoostingRegressor,
        "gradient_boosting": GradientBoostingRegressor,
        "random_forest": partial(RandomForestRegressor, **_forest),
        "decision_tree": partial(DecisionTreeRegressor, **_tree),
        "mlp": partial(MLPRegressor, early_stopping=True),
    },
}
_SCALED = {"logistic_regression", "ridge", "mlp"}


def estimator_names(task):
    """Return the names that `make_estimator` knows for `task`."""
    # The multi-layer perceptron takes weights since scikit-learn 1.7.
    return [
        name
        for name, make in _ESTIMATORS[task].items()
        if has_fit_parameter(make(), "sample_weight")
    ]


def make_estimator(name, task, numbers, categories, random_state=0):
    """Return an unfitted Pipeline for a table.

    Parameters
    ----------
    name : str or None
        Name of the estimator; None for the linear one of the task.
    task : {"classification", "regression"}
        What is predicted.
    numbers, categories : list of str or int
        The columns of each kind.
    random_state : int, default=0
        Seed of the estimator, if it takes one.

    Returns
    -------
    Pipeline
        Encoding and estimator.
    """
    if name is None:
        name = "logistic_regression" if task == "classification" else "ridge"
    if name not in estimator_names(task):
        raise UsageError(
            f"unknown estimator {name!r} for {task}; valid names are "
            f"{', '.join(estimator_names(task))}."
        )
    estimator = _ESTIMATORS[task][name]()
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=random_state)
    if name == "hist_gradient_boosting":
        encoding = _encode_natively(numbers, categories, estimator.max_bins)
        if categories:
            # The encoded categories come first, see below.
            estimator.set_params(categorical_features=list(range(len(categories))))
    else:
        encoding = _encode_as_numbers(numbers, categories, scale=name in _SCALED)
    return Pipeline([("encode", encoding), (name, estimator)])


def _encode_natively(numbers, categories, max_categories):
    """Categories as codes and missing values as NaN, both understood by the estimator."""
    codes = OrdinalEncoder(
        max_categories=max_categories, handle_unknown="use_encoded_value", unknown_value=np.nan
    )
    return ColumnTransformer(
        [("categories", codes, categories), ("numbers", "passthrough", numbers)],
        sparse_threshold=0.0,
    )


def _encode_as_numbers(numbers, categories, scale):
    """One-hot categories, a missing one being a category; imputed and maybe scaled numbers."""
    one_hot = OneHotEncoder(
        max_categories=MAX_CATEGORIES, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return ColumnTransformer(
        [
            ("categories", one_hot, categories),
            ("numbers", make_pipeline(fill, StandardScaler()) if scale else fill, numbers),
        ],
        sparse_threshold=0.0,
    )
