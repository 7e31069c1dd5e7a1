"""A small table of people, to be written in many ways."""

import numpy as np
import pandas as pd


def make_people(n=120, seed=0):
    rng = np.random.default_rng(seed)
    people = pd.DataFrame({"age": rng.integers(18, 70, n), "sex": rng.choice(["f", "m"], n)})
    people["income"] = rng.gamma(2, 900, n).round(2)
    people["ok"] = np.where(people["income"] + 900 * rng.normal(size=n) > 1800, "yes", "no")
    return people


PEOPLE = make_people()


def to_text(frame, sep=",", **options):
    return frame.to_csv(sep=sep, index=False, **options)


def check_people(table):
    """Check that what was read is `PEOPLE`, however it was written."""
    assert table.numbers == ["age", "income"]
    np.testing.assert_array_equal(table.X[["age", "income"]], PEOPLE[["age", "income"]])
    np.testing.assert_array_equal(table.y, PEOPLE["ok"])
    np.testing.assert_array_equal(table.groups, PEOPLE["sex"])
