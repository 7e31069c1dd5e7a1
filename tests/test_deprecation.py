"""Names and arguments on their way out."""

import inspect
import pickle
import re

import pytest
from sklearn.base import BaseEstimator, clone

import skbadr
from skbadr import _deprecation
from skbadr._deprecation import DEPRECATED, RenamedParameter, deprecated, renamed_arguments

# What the package itself deprecates; the lines below add to it.
PENDING = dict(_deprecation.pending)
WHEN = {"since": "0.4", "removed_in": "0.5"}


@deprecated(**WHEN, instead="use area")
def surface(a, b=2):
    """Return a product.

    Parameters
    ----------
    a, b : int
    """
    return a * b


@renamed_arguments(**WHEN, width="a", height="b")
def area(a, b=2):
    return a * b


@deprecated(**WHEN, instead="use Model")
class OldModel(BaseEstimator):
    """A model."""

    def __init__(self, depth=3):
        self.depth = depth


LEVELS = RenamedParameter("levels", "depth", **WHEN)


class Model(BaseEstimator):
    def __init__(self, depth=3, levels=DEPRECATED):
        self.depth, self.levels = depth, levels

    def fit(self, X=None, y=None):
        self.depth_ = LEVELS.value(self)
        return self

    @property
    @deprecated(**WHEN, instead="use depth_")
    def levels_(self):
        """Depth."""
        return self.depth_

    @deprecated(**WHEN, instead="use depth_")
    @property
    def n_levels_(self):
        """Depth."""
        return self.depth_


def warns(message):
    return pytest.warns(FutureWarning, match=f"^{re.escape(message)}$")


def test_function():
    with warns("surface is deprecated since 0.4 and goes in 0.5: use area.") as caught:
        assert surface(3) == 6
    assert caught[0].filename == __file__
    assert str(inspect.signature(surface)) == "(a, b=2)"
    assert surface.__doc__.splitlines()[:6] == [
        "Return a product.",
        "",
        ".. deprecated:: 0.4",
        "   It goes in 0.5: use area.",
        "",
        "Parameters",
    ]


def test_class_is_an_estimator_still():
    message = "OldModel is deprecated since 0.4 and goes in 0.5: use Model."
    with warns(message):
        model = OldModel(depth=5)
    assert model.get_params() == {"depth": 5}
    with warns(message):
        assert clone(model).depth == 5
    assert pickle.loads(pickle.dumps(model)).depth == 5  # without a warning
    assert OldModel.__doc__.startswith("A model.\n\n.. deprecated:: 0.4\n")


@pytest.mark.parametrize("name", ["levels_", "n_levels_"])
def test_attribute(name):
    model = Model().fit()
    with warns(f"Model.{name} is deprecated since 0.4 and goes in 0.5: use depth_."):
        assert getattr(model, name) == 3


def test_arguments():
    with warns("argument height of area is deprecated since 0.4 and goes in 0.5: use b."):
        assert area(2, height=5) == 10
    assert area(2, b=5) == 10
    with pytest.raises(TypeError, match=r"area\(\) got b and height, its former name: give b\."):
        area(2, b=5, height=5)
    assert str(inspect.signature(area)) == "(a, b=2)"


def test_parameter_of_an_estimator():
    assert Model(depth=4).fit().depth_ == 4
    old = Model().set_params(levels=7)
    with warns("parameter levels is deprecated since 0.4 and goes in 0.5: use depth."):
        assert old.fit().depth_ == 7
    assert old.get_params() == {"depth": 3, "levels": 7}
    assert clone(old).levels == 7
    with pytest.raises(ValueError, match="depth and levels, its former name, are both set"):
        Model(depth=4, levels=7).fit()


def as_numbers(version):
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def test_nothing_outlives_its_version():
    now = as_numbers(skbadr.__version__)
    late = {name: goes for name, goes in PENDING.items() if as_numbers(goes) <= now}
    assert late == {}, "these were to be removed by this version"
