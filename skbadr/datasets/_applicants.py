"""A table of loan applicants, drawn at random: no real person, no download."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from skbadr._typing import Int

from ._pandas import import_pandas

_PURPOSES = ("car", "education", "furniture", "home", "other")
_REGIONS = ("north", "south", "east", "west")


def make_applicants(n_samples: Int = 4000, *, random_state: Int | None = 0) -> tuple[Any, Any]:
    """Draw loan applicants, and whether each repaid.

    Women earn less and work part-time more often. At equal income they repay a little more often
    than men. Young applicants have had less time to save. The savings of some are not known.

    Parameters
    ----------
    n_samples : int, default=4000
        Number of applicants.
    random_state : int, default=0
        Seed; None for another table at each call.

    Returns
    -------
    X : DataFrame of shape (n_samples, 9)
        Numbers, two categorical columns, and missing values in "savings". "sex" and "age_band" are
        the sensitive columns.
    y : Series of shape (n_samples,)
        1 if the loan was repaid, 0 if not.

    Examples
    --------
    >>> from skbadr.datasets import make_applicants
    >>> X, y = make_applicants(1000)
    >>> y.groupby(X["sex"]).mean().round(2).to_dict()
    {'female': 0.54, 'male': 0.68}
    """
    if isinstance(n_samples, bool) or not isinstance(n_samples, Integral) or n_samples < 1:
        raise ValueError(f"n_samples must be an integer >= 1, got {n_samples!r}.")
    pd = import_pandas("make_applicants")
    n = int(n_samples)
    rng = np.random.default_rng(random_state)
    female = rng.random(n) < 0.45
    age = rng.integers(20, 70, n)
    part_time = rng.random(n) < np.where(female, 0.4, 0.1)
    experience = np.clip(age - 20 - rng.exponential(6, n), 0, None)
    income = np.exp(
        3.3 + 0.015 * experience - 0.45 * part_time - 0.25 * female + rng.normal(0, 0.35, n)
    )
    debt = np.exp(1.8 + rng.normal(0, 0.7, n))
    savings = np.exp(0.5 + 0.03 * (age - 20) + 0.02 * income + rng.normal(0, 0.7, n))
    purpose = rng.choice(_PURPOSES, n, p=(0.3, 0.15, 0.2, 0.25, 0.1))
    region = rng.choice(_REGIONS, n)
    ability = (
        2.4 * np.log(income / 28)
        + 0.7 * np.log(savings / 6)
        - 1.1 * np.log(debt / 6)
        + 0.3 * female
        - 0.4 * (purpose == "education")
        + 0.3 * (purpose == "home")
    )
    repaid = (rng.random(n) < 1 / (1 + np.exp(-0.4 - ability))).astype(int)
    unknown = rng.random(n) < np.where(age < 30, 0.25, 0.08)
    X = pd.DataFrame(
        {
            "income": income.round(1),
            "debt": debt.round(1),
            "savings": np.where(unknown, np.nan, savings.round(1)),
            "experience": experience.round(1),
            "part_time": part_time.astype(int),
            "purpose": pd.Categorical(purpose, _PURPOSES),
            "region": pd.Categorical(region, _REGIONS),
            "sex": np.where(female, "female", "male"),
            "age_band": np.select([age < 30, age < 50], ["under 30", "30 to 49"], "50 and over"),
        }
    )
    return X, pd.Series(repaid, name="repaid")
