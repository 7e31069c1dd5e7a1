"""What estimators that are made of others will be able to do once they are fitted."""

from __future__ import annotations

import inspect
from typing import Any

from sklearn import get_config
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from skbadr._sklearn import ensemble_classes
from skbadr.metrics.inputs.responses import has_method

_ENSEMBLES = ("StackingClassifier", "StackingRegressor", "VotingClassifier", "VotingRegressor")
# What meta-estimators call a part that None stands in for: they take one of their own then.
_DEFAULTED = {"estimator", "base_estimator", "final_estimator", "regressor", "classifier"}


def last_step(estimator: Any) -> Any:
    """Return the last step of (nested) pipelines, any other estimator itself."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def without_sample_weight(estimator: Any) -> Any:
    """Return the (sub-)estimator whose fit takes no sample_weight, or None.

    Searches and the like take anything by ``**kwargs`` and pass it on to what they wrap. Pipelines
    that are wrapped take weights by metadata routing alone.
    """
    if _takes_weights(estimator) or isinstance(estimator, FrozenEstimator):
        return None
    if isinstance(estimator, Pipeline):
        routing = get_config()["enable_metadata_routing"]
        return without_sample_weight(last_step(estimator)) if routing else estimator
    parameters = inspect.signature(estimator.fit).parameters.values()
    if all(p.kind is not p.VAR_KEYWORD for p in parameters):
        return estimator
    parts, has_default = _trained_parts(estimator)
    if not parts and not has_default:
        return estimator
    return next(filter(None, map(without_sample_weight, parts)), None)


def is_frozen(estimator: Any) -> bool:
    """Whether no part of an estimator is trained by its fit."""
    if isinstance(estimator, FrozenEstimator):
        return True
    if _takes_weights(estimator):
        return False
    parts, has_default = _trained_parts(estimator)
    return bool(parts) and not has_default and all(is_frozen(last_step(part)) for part in parts)


def resampling_step(estimator: Any) -> tuple[str, Any] | None:
    """Return name and step of a pipeline, anywhere in an estimator, that changes rows, or None."""
    for part in [estimator, *estimator.get_params(deep=True).values()]:
        steps = part.steps[:-1] if isinstance(part, Pipeline) else []
        for name, step in steps:
            if hasattr(step, "fit_resample"):
                return name, step
    return None


def _takes_weights(estimator):
    """Whether a fit takes weights itself, which ensembles of scikit-learn 1.6 only pass on."""
    passes_on = isinstance(estimator, ensemble_classes(*_ENSEMBLES))
    return has_fit_parameter(estimator, "sample_weight") and not passes_on


def _trained_parts(estimator):
    """Return the estimators that a fit passes weights on to, and whether None stands for one."""
    params = estimator.get_params(deep=False)
    if params.get("cv") == "prefit":
        params.pop("estimators", None)
    values = list(params.values())
    for value in params.values():
        if isinstance(value, (list, tuple)):
            values += [item[1] for item in value if isinstance(item, tuple) and len(item) > 1]
    parts = [value for value in values if hasattr(value, "fit") and has_method(value, "predict")]
    return parts, any(name in _DEFAULTED and params[name] is None for name in params)
