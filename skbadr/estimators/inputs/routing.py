"""Which metadata of a fit go where."""

from __future__ import annotations

from typing import Any

from sklearn import get_config
from sklearn.base import clone
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import has_fit_parameter

from skbadr.estimators.inputs.parts import last_step
from skbadr.problem import takes_groups


def router_of(owner: Any) -> MetadataRouter:
    """Return the router of a BADR estimator."""
    router = MetadataRouter(owner=owner).add_self_request(owner)
    router.add(
        estimator=without_weight_request(owner._estimator()),
        method_mapping=MethodMapping().add(caller="fit", callee="fit"),
    )
    if hasattr(owner.cv, "get_metadata_routing"):
        router.add(
            splitter=owner.cv, method_mapping=MethodMapping().add(caller="fit", callee="split")
        )
    return router


def split_fit_params(owner: Any, fit_params: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return the fit parameters that are the estimator's, and the groups of `cv` or None.

    Without metadata routing, ``groups`` are those of `cv` where it takes any, and of a wrapped
    search as well where its own splitter does.
    """
    if get_config()["enable_metadata_routing"]:
        routed = process_routing(owner, "fit", **fit_params)
        splitter = getattr(routed, "splitter", {})
        return dict(routed.estimator.fit), splitter.get("split", {}).get("groups")
    if fit_params.get("groups") is None or not takes_groups(owner.cv):
        return fit_params, None
    own = dict(fit_params)
    groups = own["groups"]
    if not takes_groups(getattr(owner._estimator(), "cv", None)):
        del own["groups"]
    return own, groups


def without_weight_request(estimator: Any) -> Any:
    """Return a copy whose last step requests no weights: the searched ones are not routed.

    Otherwise weights that are routed to it would arrive here, unasked for.
    """
    if not get_config()["enable_metadata_routing"] or not hasattr(estimator, "get_params"):
        return estimator
    estimator = clone(estimator)
    final = last_step(estimator)
    if has_fit_parameter(final, "sample_weight") and hasattr(final, "set_fit_request"):
        final.set_fit_request(sample_weight=False)
    return estimator
