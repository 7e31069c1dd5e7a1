"""A table of loans, drawn at random, that several examples share: no download, no real person.

Women earn less and work part-time more often, and, at equal income, repay a little more often than
men. Young applicants have had less time to save, and for some of them savings are not known.
"""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

PURPOSES = ("car", "education", "furniture", "home", "other")
REGIONS = ("north", "south", "east", "west")


def make_loans(n_rows=4000, *, random_state=0):
    """Return applicants and what became of their loans.

    Parameters
    ----------
    n_rows : int, default=4000
    random_state : int, default=0

    Returns
    -------
    X : DataFrame of shape (n_rows, 9)
        Numbers, two categorical columns, missing values in "savings"; "sex" and "age_band" are the
        sensitive columns.
    y : Series of shape (n_rows,)
        1 where the loan was repaid, 0 where it was not.
    """
    rng = np.random.default_rng(random_state)
    female = rng.random(n_rows) < 0.45
    age = rng.integers(20, 70, n_rows)
    part_time = rng.random(n_rows) < np.where(female, 0.4, 0.1)
    experience = np.clip(age - 20 - rng.exponential(6, n_rows), 0, None)
    income = np.exp(
        3.3 + 0.015 * experience - 0.45 * part_time - 0.25 * female + rng.normal(0, 0.35, n_rows)
    )
    debt = np.exp(1.8 + rng.normal(0, 0.7, n_rows))
    savings = np.exp(0.5 + 0.03 * (age - 20) + 0.02 * income + rng.normal(0, 0.7, n_rows))
    purpose = rng.choice(PURPOSES, n_rows, p=(0.3, 0.15, 0.2, 0.25, 0.1))
    region = rng.choice(REGIONS, n_rows)
    ability = (
        2.4 * np.log(income / 28)
        + 0.7 * np.log(savings / 6)
        - 1.1 * np.log(debt / 6)
        + 0.3 * female
        - 0.4 * (purpose == "education")
        + 0.3 * (purpose == "home")
    )
    repaid = (rng.random(n_rows) < 1 / (1 + np.exp(-0.4 - ability))).astype(int)
    unknown = rng.random(n_rows) < np.where(age < 30, 0.25, 0.08)
    X = pd.DataFrame(
        {
            "income": income.round(1),
            "debt": debt.round(1),
            "savings": np.where(unknown, np.nan, savings.round(1)),
            "experience": experience.round(1),
            "part_time": part_time.astype(int),
            "purpose": pd.Categorical(purpose, PURPOSES),
            "region": pd.Categorical(region, REGIONS),
            "sex": np.where(female, "female", "male"),
            "age_band": np.select([age < 30, age < 50], ["under 30", "30 to 49"], "50 and over"),
        }
    )
    return X, pd.Series(repaid, name="repaid")


def loan_encoder():
    """Return a transformer for linear models; it leaves the sensitive columns out."""
    numbers = ["income", "debt", "savings", "experience", "part_time"]
    scale = make_pipeline(
        SimpleImputer(strategy="median"), FunctionTransformer(np.log1p), StandardScaler()
    )
    return make_column_transformer((scale, numbers), (OneHotEncoder(), ["purpose", "region"]))
