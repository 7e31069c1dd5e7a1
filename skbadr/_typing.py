"""Types that signatures share: what a caller may pass, without the packages that make it.

Protocols name the methods that are called, so that objects of scikit-learn, pandas, Polars, SciPy,
Dask and joblib pass whether or not those packages are installed or typed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, SupportsFloat, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

# What is returned, and what travels inside.
Array: TypeAlias = NDArray[Any]
FloatArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.integer[Any]]

# Numbers, Python's or NumPy's.
Float: TypeAlias = float | np.floating[Any] | np.integer[Any]
Int: TypeAlias = int | np.integer[Any]


class _HasShape(Protocol):
    """An array, Series, DataFrame, sparse matrix or Dask array."""

    @property
    def shape(self) -> Any: ...


class _Sparse(Protocol):
    """A sparse matrix, whose `shape` some checkers do not see."""

    @property
    def toarray(self) -> Callable[..., Any]: ...


class _HasArray(Protocol):
    """What NumPy makes an array of."""

    def __array__(self) -> Any: ...


_Item = TypeVar("_Item", covariant=True)


class Items(Protocol[_Item]):
    """A list, tuple or range. A str is none, since it can be asked for no other object."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[_Item]: ...
    def __contains__(self, value: object, /) -> bool: ...
    def __getitem__(self, index: int, /) -> _Item: ...


ArrayLike: TypeAlias = _HasShape | _HasArray | _Sparse | Items[Any]
# Groups of samples: one column, several, or a dict of columns.
Features: TypeAlias = ArrayLike | Mapping[Any, Any]
# A few numbers.
Numbers: TypeAlias = _HasShape | _HasArray | Sequence[Float]


class Estimator(Protocol):
    """What scikit-learn can clone and fit."""

    @property
    def fit(self) -> Callable[..., Any]: ...
    @property
    def get_params(self) -> Callable[..., Any]: ...
    @property
    def set_params(self) -> Callable[..., Any]: ...


class FittedModel(Protocol):
    """What predicts."""

    @property
    def predict(self) -> Callable[..., Any]: ...


class MetricFunction(Protocol):
    """A fairness metric as fairlearn's functions are, and as every `FairnessMetric` is."""

    def __call__(
        self, y_true: Any, y_pred: Any, /, *, sensitive_features: Any
    ) -> SupportsFloat: ...


class Scorer(Protocol):
    """What scikit-learn's `make_scorer` makes."""

    def __call__(self, estimator: Any, X: Any, y: Any, /) -> SupportsFloat: ...


class Splitter(Protocol):
    """A cross-validator of scikit-learn."""

    @property
    def split(self) -> Callable[..., Iterable[Any]]: ...
    @property
    def get_n_splits(self) -> Callable[..., Any]: ...


class Memory(Protocol):
    """A joblib.Memory."""

    @property
    def cache(self) -> Callable[..., Any]: ...


class Objective(Protocol):
    """What ranks evaluations: an `UpperObjective`, seen from the layers below it."""

    metric: Any
    bound: Float | None

    def calibrate(self, baseline: Any) -> None: ...
    def cost(self, value: Any) -> Any: ...
    def key(self, evaluation: Any) -> tuple[float, ...]: ...
    def is_met(self, evaluation: Any) -> bool: ...


# Names. Scripts keep them in variables, which a type checker takes for any str: so every str
# passes. Editors propose the literals, and a misspelt name is refused before any fit.
TaskName: TypeAlias = Literal["classification", "regression"] | str
SolverName: TypeAlias = Literal["auto", "implicit", "alternating", "gd", "sgd"] | str
PartitionName: TypeAlias = Literal["auto", "group", "group_target"] | str
# Names that are seldom in variables: no other str passes.
Task: TypeAlias = Literal["classification", "regression"]
ResponseMethod: TypeAlias = Literal["predict", "predict_proba", "decision_function"]
Transform: TypeAlias = Literal["difference", "ratio", "group_min", "group_max"]
Method: TypeAlias = Literal["between_groups", "to_overall"]
Agg: TypeAlias = Literal["worst_case", "mean"]

# Arguments that several functions take.
# Several bounds at once: metrics, by name or not, to bounds.
Bounds: TypeAlias = Mapping[Any, Float]
MetricLike: TypeAlias = str | MetricFunction | Bounds
Scoring: TypeAlias = str | Scorer
CV: TypeAlias = Literal["auto"] | Float | Splitter | Iterable[tuple[ArrayLike, ArrayLike]]
Columns: TypeAlias = str | Int | Sequence[str | Int] | Callable[[Any], Features]
Partition: TypeAlias = PartitionName | Callable[[Any, Any], ArrayLike]
Init: TypeAlias = Literal["baseline", "uniform", "nash"] | str | Numbers
MemoryLike: TypeAlias = str | os.PathLike[str] | Memory
RandomState: TypeAlias = Int | np.random.RandomState
