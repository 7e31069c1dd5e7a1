"""The tables that come with the package."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from skbadr.datasets import load_adult, make_applicants


def test_adult_is_complete_and_as_described():
    adult = load_adult()
    assert adult.data.shape == (30162, 13) and adult.frame.shape == (30162, 14)
    assert list(adult.data.columns) == adult.feature_names
    assert not adult.frame.isna().any().any()
    assert set(adult.target) == {0, 1} and adult.target.name == "income"
    assert adult.target.mean() == pytest.approx(0.2489, abs=1e-4)
    assert set(adult.data["sex"].cat.categories) == {"Female", "Male"}
    kinds = {pd.api.types.is_numeric_dtype(adult.data[name]) for name in ("age", "hours-per-week")}
    assert kinds == {True}
    for word in ("CC BY 4.0", "Becker", "Kohavi", "10.24432/C5XW20", "fnlwgt"):
        assert word in adult.DESCR


def test_adult_as_arrays():
    adult = load_adult(as_frame=False)
    assert isinstance(adult.data, np.ndarray) and isinstance(adult.target, np.ndarray)
    assert adult.frame is None
    X, y = load_adult(return_X_y=True)
    np.testing.assert_array_equal(X.to_numpy(dtype=object), adult.data)
    np.testing.assert_array_equal(y, adult.target)


def test_each_load_is_a_table_of_its_own():
    adult = load_adult()
    adult.data.loc[0, "age"] = -1
    assert load_adult().data["age"].min() > 0


def test_applicants_are_the_same_for_a_seed():
    X, y = make_applicants(500, random_state=3)
    again, same = make_applicants(500, random_state=3)
    pd.testing.assert_frame_equal(X, again)
    pd.testing.assert_series_equal(y, same)
    assert not make_applicants(500)[0].equals(X)
    assert len(make_applicants()[1]) == 4000
    assert X["savings"].isna().any() and not X.drop(columns="savings").isna().any().any()


@pytest.mark.parametrize("n", [0, -1, 2.5, True])
def test_a_number_of_applicants_that_makes_no_sense(n):
    with pytest.raises(ValueError, match="n_samples"):
        make_applicants(n)


def test_without_pandas_there_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for function in (load_adult, make_applicants):
        with pytest.raises(ImportError, match=f"{function.__name__} needs pandas: pip install"):
            function()


def test_importing_the_package_reads_no_table():
    code = "import sys, skbadr; sys.exit('skbadr.datasets' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
