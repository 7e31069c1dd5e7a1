"""The outputs of several response methods of one model, for metrics that take more than one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from skbadr._typing import Array

if TYPE_CHECKING:
    from skbadr.metrics.base import FairnessMetric


class JointResponse:
    """Outputs by response method; rows are taken of all of them at once, as of an array.

    Parameters
    ----------
    outputs : dict of str to ndarray
    """

    def __init__(self, outputs: Mapping[str, Any]) -> None:
        self.outputs = dict(outputs)

    def __len__(self) -> int:
        return len(next(iter(self.outputs.values())))

    def __getitem__(self, rows: Any) -> JointResponse:
        return JointResponse({name: output[rows] for name, output in self.outputs.items()})


def methods_of(metrics: Iterable[FairnessMetric]) -> tuple[str, ...]:
    """Return the response methods that some metrics take, each once, in order."""
    return tuple(dict.fromkeys(name for metric in metrics for name in metric.response_methods))


def pick(metric: FairnessMetric, outputs: Mapping[str, Any]) -> Any:
    """Return what a metric takes of a model's outputs by response method."""
    names = metric.response_methods
    if len(names) == 1:
        return outputs[names[0]]
    return JointResponse({name: outputs[name] for name in names})


def part_of(metric: FairnessMetric, response: Any) -> Array:
    """Return what one of several metrics takes of the response to all of them."""
    return pick(metric, response.outputs) if isinstance(response, JointResponse) else response
