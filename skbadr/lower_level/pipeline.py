"""Pipelines taken apart: transformers are fitted once, the last step at every weight."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object, process_routing

from skbadr._guard import Guard
from skbadr._typing import FloatArray


class PeeledEstimator:
    """An estimator split into transformers and the step that is trained with weights.

    The transformers never see the weights, so the feature map does not depend on them and is
    computed once. Nested pipelines are peeled down to the innermost last step.

    Parameters
    ----------
    estimator : estimator
        A Pipeline or any other estimator; not modified.
    routing : bool, default=False
        Whether fit parameters follow metadata routing rather than ``step__parameter``.
    """

    def __init__(self, estimator: Any, *, routing: bool = False) -> None:
        self.routing = routing
        self.pipelines = []
        self.heads = []
        while isinstance(estimator, Pipeline):
            pipeline = clone(estimator)
            head = copy.copy(pipeline)
            head.steps = list(pipeline.steps[:-1])
            self.pipelines.append(pipeline)
            self.heads.append(head if head.steps else None)
            estimator = pipeline.steps[-1][1]
        self.final = estimator
        self._guard = Guard(self.heads)

    def fit_transform(
        self, X: Any, y: Any, fit_params: dict[str, Any], sample_weight: FloatArray | None = None
    ) -> tuple[Any, Any, dict[str, Any]]:
        """Fit the transformers, which may write into what they are given.

        Parameters
        ----------
        X, y : training data
        fit_params : dict
        sample_weight : ndarray of shape (n,) or None, default=None
            The user's own weights, for transformers that request them by metadata routing.

        Returns
        -------
        X : transformed training data of the last step
        y : its targets
            As given, but for transformers that change them in place.
        final_params : dict
            The fit parameters that belong to the last step.
        """
        if not self.transforms:
            return self._fit_transform(X, y, fit_params, sample_weight)
        X, seen, params = self._guard.call(
            self._fit_transform, X, y, fit_params, sample_weight=sample_weight
        )
        return X, y if np.array_equal(seen, y) else seen, params

    def _fit_transform(self, X, y, fit_params, sample_weight):
        for pipeline, head in zip(self.pipelines, self.heads, strict=True):
            if self.routing:
                head_params, fit_params = _route(pipeline, head, fit_params, sample_weight)
            else:
                head_params, fit_params = _split(pipeline, fit_params)
            if head is not None:
                X = head.fit_transform(X, y, **head_params)
                for name in set(getattr(pipeline, "transform_input", None) or ()) & {*fit_params}:
                    fit_params[name] = _apply(head, fit_params[name])
        return X, y, fit_params

    def transform(self, X: Any) -> Any:
        """Apply the fitted transformers."""
        return self._guard.call(self._transform, X) if self.transforms else X

    def _transform(self, X):
        for head in self.heads:
            if head is not None:
                X = _apply(head, X)
        return X

    def assemble(self, model: Any) -> Any:
        """Put a fitted last step back into (nested) fitted pipelines."""
        for pipeline, head in zip(reversed(self.pipelines), reversed(self.heads), strict=True):
            assembled = copy.copy(pipeline)
            fitted = [] if head is None else list(head.steps)
            assembled.steps = [*fitted, (pipeline.steps[-1][0], model)]
            model = assembled
        return model

    @property
    def transforms(self) -> bool:
        """Whether there is any transformer."""
        return any(head is not None for head in self.heads)


def _apply(head, X):
    """Transform by each step: a Pipeline would refuse where its last one shows no fitted state."""
    for _, step in head.steps:
        if step is not None and step != "passthrough":
            X = step.transform(X)
    return X


def _route(pipeline, head, fit_params, sample_weight):
    """Return the parameters of the transformers and of the last step, by metadata routing."""
    head_params = {}
    if head is not None:
        offered = dict(fit_params)
        if sample_weight is not None:
            offered.setdefault("sample_weight", sample_weight)
        consumed = get_routing_for_object(head).consumes("fit_transform", offered)
        head_params = {name: offered[name] for name in consumed}
    routed = process_routing(pipeline, "fit", **fit_params)
    return head_params, dict(routed[pipeline.steps[-1][0]]["fit"])


def _split(pipeline, fit_params):
    """Return the parameters of the transformers and of the last step, by ``step__parameter``."""
    names = [name for name, _ in pipeline.steps]
    head_params, final_params = {}, {}
    for key, value in fit_params.items():
        step, separator, name = key.partition("__")
        if not separator or step not in names:
            raise ValueError(
                f"fit parameter {key!r} reaches no step of the pipeline: name it step__parameter "
                f"with a step of {names}."
            )
        if step == names[-1]:
            final_params[name] = value
        else:
            head_params[key] = value
    return head_params, final_params
