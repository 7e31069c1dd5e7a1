"""Data lent to other people's code, which may write into them, and stay as they are."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from skbadr._rows import steps

# Code of these packages keeps to its `copy` parameters, and takes arrays that are read-only.
_KNOWN = {"sklearn", "numpy", "scipy", "pandas", "joblib", "skbadr", "fairlearn", "builtins"}
_ATOMS = {str, bytes, int, float, bool, complex, type(None)}


class Guard:
    """Call other people's code so that nothing it writes into its arguments reaches their owner.

    scikit-learn's own estimators get the data themselves, locked against writing. Those that are
    told to work in place get copies: a fit that writes into X and then transforms it has to see
    what it wrote. Other code, also as a part of a pipeline or a search, gets copies too. Where a
    call leaves them as they are, the next of its kind gets locked arrays, and copies again if it
    then tries to write. A memory map is copied for nothing but that.

    Parameters
    ----------
    *code : estimators, functions, or containers of these
        All that is going to be called; the ``copy_X`` of the first one counts.
    """

    def __init__(self, *code: Any) -> None:
        parts = list(_parts(code))
        self._known = all(map(_is_known, parts))
        self._is_safe = self._known and not any(isinstance(part, _Told) for part in parts)
        # Who copies X anyway would copy locked data twice.
        self._copied_anyway = self._known and getattr(code[0], "copy_X", None) is True
        # Kinds of calls that have written into nothing, and whether one has been caught at it.
        self._harmless: set[Any] = set()
        self._caught = False

    def call(self, function: Callable[..., Any], *data: Any, **options: Any) -> Any:
        """Return ``function(*data, **options)``, which may do with its arguments what it likes."""
        if self._copied_anyway:
            return function(*data, **options)
        kind = getattr(function, "__name__", None), *map(_kind, options.items())
        owned, names = [*data, *options.values()], list(options)

        def run(lent):
            n_data = len(data)
            return function(*lent[:n_data], **dict(zip(names, lent[n_data:], strict=True)))

        if not self._caught:
            lent = [self._lend(values, kind) for values in owned]
            try:
                result = run(lent)
            except ValueError as error:
                if not _is_of_lock(error):
                    raise
            else:
                if not (self._is_safe or kind in self._harmless) and all(map(_equal, owned, lent)):
                    self._harmless.add(kind)
                return result
        self._caught = True
        return run([_copied(values, maps=True) for values in owned])

    def _lend(self, values, kind):
        if isinstance(values, np.memmap):
            return _lock(values)
        if (self._is_safe or kind in self._harmless) and isinstance(values, np.ndarray):
            return _lock(values)
        if (self._is_safe or kind in self._harmless) and sparse.issparse(values):
            return _lock_sparse(values)
        if not self._is_safe:
            return _copied(values)
        return values.copy(deep=False) if hasattr(values, "iloc") else values


def guarded(code: Any) -> Any:
    """Return a function that lends its arguments to a function; what is none, as it is."""
    return partial(Guard(code).call, code) if callable(code) else code


class _Told:
    """Stands for a parameter that asks an estimator to work in place."""


def _parts(code):
    """Yield all that estimators are made of: steps, functions and values."""
    if isinstance(code, (list, tuple, set, frozenset)):
        for part in code:
            yield from _parts(part)
    elif isinstance(code, Mapping):
        for name, part in code.items():
            if str(name).rpartition("__")[2].startswith("copy") and part is not True:
                yield _Told()
            yield from _parts(part)
    else:
        yield code
        if hasattr(code, "get_params") and not isinstance(code, type):
            yield from _parts(code.get_params(deep=False))


def _is_known(part):
    module = getattr(part, "__module__", None) or type(part).__module__
    return module.partition(".")[0] in _KNOWN


def _kind(option):
    """Return what of an option tells one kind of call from another: its name, and text."""
    name, value = option
    return (name, value) if isinstance(value, str) else name


def _is_of_lock(error):
    """Whether an error is that of code which writes into data that are locked."""
    return "read-only" in str(error) or "WRITEABLE" in str(error)


def _lock(array):
    """Return a view that is read-only for good where there can be one, or else a copy."""
    if isinstance(array, np.memmap):  # which is to stay one
        view = array.view()
        view.flags.writeable = False
        return view
    if type(array) is np.ndarray:
        try:
            return np.asarray(memoryview(array).toreadonly())
        except ValueError:  # dates, say
            pass
    return array.copy(order="K")


def _lock_sparse(matrix):
    if matrix.format in ("lil", "dok"):  # of Python's lists and dicts
        return matrix.copy()
    locked = copy.copy(matrix)
    for name, values in vars(matrix).items():
        if isinstance(values, np.ndarray):
            setattr(locked, name, _lock(values))
        elif isinstance(values, tuple) and all(isinstance(v, np.ndarray) for v in values):
            setattr(locked, name, tuple(map(_lock, values)))
    return locked


def _copied(values, *, maps=False):
    """Return a copy, down to the values; of memory maps with ``maps=True`` alone."""
    if isinstance(values, np.memmap):
        return np.array(values) if maps else _lock(values)
    if isinstance(values, np.ndarray):
        return values.copy(order="K")
    if sparse.issparse(values):
        return values.copy()
    if hasattr(values, "iloc"):
        return _copied_frame(values)
    if type(values) in (list, tuple):
        if set(map(type, values)) <= _ATOMS:
            return copy.copy(values)
        return type(values)(_copied(value, maps=maps) for value in values)
    if type(values) is dict:
        return {name: _copied(value, maps=maps) for name, value in values.items()}
    if hasattr(values, "shape") and not isinstance(values, np.generic):
        return copy.deepcopy(values)  # of Polars, say, where it costs nothing
    return values


def _copied_frame(frame):
    """Return a copy in the same order in memory, on which the rounding of a fit depends."""
    types = set(frame.dtypes) if frame.ndim == 2 else set()
    if len(types) != 1 or not isinstance(types.pop(), np.dtype):
        return frame.copy()
    copied = type(frame)(
        frame.to_numpy().copy(order="K"), index=frame.index, columns=frame.columns, copy=False
    )
    copied.attrs = copy.deepcopy(frame.attrs)
    return copied


def _equal(a, b):
    """Whether data are the same as what was made of them by `_copied`, as far as can be told."""
    if isinstance(a, np.memmap):  # of which the lock is enough, without a look at all of it
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        if a.dtype.hasobject or a.ndim == 0:
            return all(map(operator.is_, a.ravel().tolist(), b.ravel().tolist()))
        return all(_equal_rows(a[rows], b[rows]) for rows in steps(len(a)))
    if sparse.issparse(a):
        return a.shape == b.shape and _equal(_arrays_of(a), _arrays_of(b))
    if type(a) in (list, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    if type(a) is dict:
        return a.keys() == b.keys() and all(_equal(a[name], b[name]) for name in a)
    return a is b


def _equal_rows(a, b):
    equal = a == b
    if equal.all():
        return True
    a, b = a[~equal], b[~equal]  # NaN, perhaps
    return bool(((a != a) & (b != b)).all())


def _arrays_of(matrix):
    return [values for values in vars(matrix).values() if isinstance(values, np.ndarray)]
