"""Estimators other than linear models that benchmarks compare searches on, and their tables."""

import numpy as np
import pandas as pd
from _tables import TABLES, read_table
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

# Sensitive column, and of how many of its values the rows are kept.
GROUPS = {"compas": ("race", 3)}


def pipeline():
    """Return boosting behind encoders of categories and missing values."""
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", min_frequency=20),
         make_column_selector(dtype_exclude=np.number)),
        (SimpleImputer(add_indicator=True), make_column_selector(dtype_include=np.number)),
        sparse_threshold=0.0,
    )  # fmt: skip
    return make_pipeline(encode, HistGradientBoostingClassifier(random_state=0))


ESTIMATORS = {
    "boosting": lambda: HistGradientBoostingClassifier(random_state=0),
    "forest": lambda: RandomForestClassifier(min_samples_leaf=5, random_state=0),
    "network": lambda: MLPClassifier(early_stopping=True, random_state=0),
    "pipeline": pipeline,
}


def load_frame(folder, name, seed=0):
    """Return a table as a data frame with its categories, a tenth of its entries missing."""
    target, sensitive, _ = TABLES[name]
    frame = read_table(folder, name)
    X = frame.drop(columns=target)
    gaps = np.random.default_rng(seed).random(X.shape) < 0.1
    gaps[:, X.columns.get_loc(sensitive)] = False
    X = X.astype({column: float for column in X.select_dtypes("number")})
    X = X.mask(pd.DataFrame(gaps, index=X.index, columns=X.columns))
    return X, frame[target].to_numpy(int), frame[sensitive].to_numpy(str)
