"""Names and arguments on their way out: they work, and a FutureWarning says what to write instead.

doc/versions.md has the policy. Every deprecation names the version in which it goes; a test fails
in that version until it is gone.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from skbadr._warnings import warn_user

_Item = TypeVar("_Item")
_Function = TypeVar("_Function", bound=Callable[..., Any])

# The default of a constructor parameter that has another name now.
DEPRECATED = "deprecated"
# What is deprecated, and the version in which it goes.
pending: dict[str, str] = {}


def deprecated(*, since: str, removed_in: str, instead: str) -> Callable[[_Item], _Item]:
    """Return a decorator for a function, a method, a class or a property that is going.

    The docstring gets a ``deprecated`` directive below its summary.

    Parameters
    ----------
    since, removed_in : str
        Versions.
    instead : str
        What to do, such as ``"use cell_weights_"``.
    """

    def decorate(item: Any) -> Any:
        function: Any = item.fget if isinstance(item, property) else item
        message = _announce(function.__qualname__, since, removed_in, instead)
        function.__doc__ = _marked(function.__doc__, since, removed_in, instead)
        if inspect.isclass(item):
            # Of subclasses, too, which call it.
            item.__init__ = _warning(item.__init__, message)  # type: ignore[method-assign]
            return item
        wrapped = _warning(function, message)
        return property(wrapped) if isinstance(item, property) else wrapped

    return decorate


def renamed_arguments(
    *, since: str, removed_in: str, **renamed: str
) -> Callable[[_Function], _Function]:
    """Return a decorator for a function or method whose keyword arguments have new names.

    Parameters
    ----------
    since, removed_in : str
        Versions.
    **renamed : str
        The new name of each old one.
    """

    def decorate(function: Any) -> Any:
        name = function.__qualname__
        messages = {
            old: _announce(f"argument {old} of {name}", since, removed_in, f"use {new}")
            for old, new in renamed.items()
        }

        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            for old in renamed.keys() & kwargs.keys():
                new = renamed[old]
                if new in kwargs:
                    raise TypeError(f"{name}() got {new} and {old}, its former name: give {new}.")
                warn_user(messages[old], FutureWarning)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return wrapper

    return decorate


class RenamedParameter:
    """A constructor parameter of an estimator that has a new name.

    scikit-learn sets parameters by name and wants them stored as given. So the old one stays in the
    signature with the default ``DEPRECATED``, and `fit` asks for the value that counts.

    Parameters
    ----------
    old, new : str
        Names of the parameter.
    since, removed_in : str
        Versions.
    """

    def __init__(self, old: str, new: str, *, since: str, removed_in: str) -> None:
        self.old, self.new = old, new
        self._message = _announce(f"parameter {old}", since, removed_in, f"use {new}")

    def value(self, estimator: Any) -> Any:
        """Return the value of the parameter, with a warning if it has the old name.

        Raises
        ------
        ValueError
            If both names are given.
        """
        old, new = getattr(estimator, self.old), getattr(estimator, self.new)
        if isinstance(old, str) and old == DEPRECATED:
            return new
        default = inspect.signature(type(estimator)).parameters[self.new].default
        if type(new) is not type(default) or new != default:
            raise ValueError(
                f"{self.new} and {self.old}, its former name, are both set: set {self.new}."
            )
        warn_user(self._message, FutureWarning)
        return old


def _announce(name, since, removed_in, instead):
    pending[name] = removed_in
    return f"{name} is deprecated since {since} and goes in {removed_in}: {instead}."


def _warning(function, message):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        warn_user(message, FutureWarning)
        return function(*args, **kwargs)

    return wrapper


def _marked(doc, since, removed_in, instead):
    summary, _, rest = inspect.cleandoc(doc or "").partition("\n\n")
    note = f".. deprecated:: {since}\n   It goes in {removed_in}: {instead}."
    return "\n\n".join(part for part in (summary, note, rest) if part)
