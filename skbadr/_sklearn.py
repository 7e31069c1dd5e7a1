"""The one place for scikit-learn's private or version-dependent names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import _get_threadpool_controller
from sklearn.utils.validation import (
    _check_method_params,
    _check_sample_weight,
    _num_samples,
)

if TYPE_CHECKING:  # scikit-learn has no types: these decorators would hide those of ours
    _Method = TypeVar("_Method", bound=Callable[..., Any])

    class CallbackSupportMixin:
        def set_callbacks(self, *callbacks: Any) -> Self: ...

    def with_callbacks(method: _Method) -> _Method: ...
    def available_if(check: Callable[[Any], bool]) -> Callable[[_Method], _Method]: ...

else:
    from sklearn.utils.metaestimators import available_if

    try:  # scikit-learn 1.9 and later
        from sklearn.callback import CallbackSupportMixin, with_callbacks
    except ImportError:

        class CallbackSupportMixin:
            """Stand-in where scikit-learn has no callbacks: there is nothing to set."""

        def with_callbacks(method):
            """Return `method` unchanged where scikit-learn has no callbacks."""
            return method


def rows_being_scored() -> tuple[Any, Any]:
    """Return the estimator and the X of the scikit-learn scorer that is calling, or None twice.

    TunedThresholdClassifierCV has the function within a scorer called for each threshold, with no
    more than labels: only the caller knows of which rows they are.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == "sklearn.metrics._scorer" and "X" in frame.f_locals:
            return frame.f_locals.get("estimator"), frame.f_locals["X"]
        frame = frame.f_back
    return None, None


def ensemble_classes(*names: str) -> tuple[Any, ...]:
    """Return classes of `sklearn.ensemble`, none if nobody has imported it.

    Importing it takes as long as half of this package, and without that there are no instances.
    """
    module = sys.modules.get("sklearn.ensemble")
    return () if module is None else tuple(getattr(module, name) for name in names)


__all__ = [
    "CallbackSupportMixin",
    "_check_method_params",
    "_check_sample_weight",
    "_get_threadpool_controller",
    "_num_samples",
    "_safe_indexing",
    "available_if",
    "ensemble_classes",
    "rows_being_scored",
    "with_callbacks",
]
