"""The one place for scikit-learn's private or version-dependent names."""

from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import _get_threadpool_controller
from sklearn.utils.validation import (
    _check_method_params,
    _check_sample_weight,
    _num_samples,
)

try:  # scikit-learn 1.9 and later
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """Stand-in where scikit-learn has no callbacks: there is nothing to set."""

    def with_callbacks(method):
        """Return `method` unchanged where scikit-learn has no callbacks."""
        return method


__all__ = [
    "CallbackSupportMixin",
    "_check_method_params",
    "_check_sample_weight",
    "_get_threadpool_controller",
    "_num_samples",
    "_safe_indexing",
    "with_callbacks",
]
