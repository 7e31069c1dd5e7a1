"""The UCI Adult table, which is part of the package."""

from __future__ import annotations

from importlib import resources
from typing import Any

from sklearn.utils import Bunch

from ._pandas import import_pandas

_TARGET = "income"


def load_adult(*, as_frame: bool = True, return_X_y: bool = False) -> Any:
    """Load the UCI Adult table: who earned more than 50,000 dollars in 1994.

    The table is part of the package, so no download is needed.

    Parameters
    ----------
    as_frame : bool, default=True
        Whether the data are a DataFrame, with texts as categories, and a Series. False: arrays.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    adult : Bunch, or tuple of data and target
        The Bunch has the items

        - ``data``: 30,162 rows and 13 columns. "sex", "race" and "age" are the usual sensitive
          columns;
        - ``target``: 1 for an income above 50,000 dollars (a quarter of the rows), else 0;
        - ``frame``: both in one DataFrame (None if `as_frame` is False);
        - ``feature_names``, ``target_names``, and ``DESCR``, the origin, licence and changes.

    Notes
    -----
    The data are licensed under CC BY 4.0, unlike the package. Rows with missing values and the
    column "fnlwgt" are left out.

    References
    ----------
    Becker and Kohavi (1996), "Adult", UCI Machine Learning Repository,
    https://doi.org/10.24432/C5XW20.

    Examples
    --------
    >>> from skbadr.datasets import load_adult
    >>> adult = load_adult()
    >>> adult.data.shape
    (30162, 13)
    >>> adult.target.groupby(adult.data["sex"], observed=True).mean().round(3).to_dict()
    {'Female': 0.114, 'Male': 0.314}
    """
    pd = import_pandas("load_adult")
    folder = resources.files("skbadr.datasets") / "data"
    with resources.as_file(folder / "adult.csv.gz") as path:
        frame = pd.read_csv(path)
    data, target = frame.drop(columns=_TARGET), frame[_TARGET]
    for name in data.columns:
        if not pd.api.types.is_numeric_dtype(data[name]):
            # Text as objects: what every version of the encoders understands as categories.
            data[name] = data[name].astype(object).astype("category")
    names = list(data.columns)
    frame = data.assign(**{_TARGET: target}) if as_frame else None
    if not as_frame:
        data, target = data.to_numpy(dtype=object), target.to_numpy()
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        frame=frame,
        feature_names=names,
        target_names=["<=50K", ">50K"],
        DESCR=(folder / "ADULT_LICENSE.md").read_text(encoding="utf-8"),
    )
