"""Methods of a fitted model that are those of its `estimator_`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, validate_data

from skbadr._sklearn import available_if
from skbadr._typing import Array, ArrayLike, FloatArray
from skbadr.estimators.inputs.features import check_dimensions
from skbadr.metrics.inputs.responses import has_method


def delegates(method: str) -> Callable[[Any], bool]:
    """Whether the wrapped estimator, fitted or not, has a method."""

    def check(self):
        inner = getattr(self, "estimator_", None)
        if inner is not None or not has_method(self._estimator(), method):
            getattr(self._estimator() if inner is None else inner, method)
        return True

    return check


class PredictorDelegation:
    """What classifiers and regressors pass on to `estimator_`."""

    def predict(self, X: ArrayLike) -> Array:
        """Return the predictions of `estimator_`; sensitive features are not needed.

        Parameters
        ----------
        X : array-like of shape (n, d)
            As passed to fit.

        Returns
        -------
        y_pred : ndarray of shape (n,)
        """
        return self._fitted(X).predict(X)

    @available_if(delegates("score"))
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the score of `estimator_`: accuracy of classifiers, R^2 of regressors.

        Parameters
        ----------
        X : array-like of shape (n, d)
            As passed to fit.
        y : array-like of shape (n,)
            True labels or targets.
        sample_weight : array-like of shape (n,), default=None
            Weights of the samples in the score.

        Returns
        -------
        score : float
        """
        estimator = self._fitted(X)
        if sample_weight is None:
            return estimator.score(X, y)
        # A Pipeline would route the weights, and refuse those that its steps did not request.
        while isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        return estimator.score(X, y, sample_weight=sample_weight)

    def _fitted(self, X):
        check_is_fitted(self)
        check_dimensions(X, self.estimator_)
        validate_data(self, X, reset=False, skip_check_array=True)
        return self.estimator_


class ClassifierDelegation(PredictorDelegation):
    """What classifiers alone pass on to `estimator_`."""

    @available_if(delegates("predict_proba"))
    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Return class probabilities of `estimator_`.

        Parameters
        ----------
        X : array-like of shape (n, d)
            As passed to fit.

        Returns
        -------
        proba : ndarray of shape (n, C)
        """
        return self._fitted(X).predict_proba(X)

    @available_if(delegates("predict_log_proba"))
    def predict_log_proba(self, X: ArrayLike) -> FloatArray:
        """Return logarithms of class probabilities of `estimator_`.

        Parameters
        ----------
        X : array-like of shape (n, d)
            As passed to fit.

        Returns
        -------
        log_proba : ndarray of shape (n, C)
        """
        return self._fitted(X).predict_log_proba(X)

    @available_if(delegates("decision_function"))
    def decision_function(self, X: ArrayLike) -> FloatArray:
        """Return the scores of `estimator_`.

        Parameters
        ----------
        X : array-like of shape (n, d)
            As passed to fit.

        Returns
        -------
        score : ndarray of shape (n,) or (n, C)
        """
        return self._fitted(X).decision_function(X)
