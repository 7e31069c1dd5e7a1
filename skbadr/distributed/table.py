"""Training rows whose X is a Dask array: collected but for X, or left with its blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from skbadr.distributed.evaluator import (
    BlockEvaluator,
    CollectedEvaluator,
    DaskSample,
    draw_sample,
)
from skbadr.distributed.groups import read_groups
from skbadr.distributed.lower_level import (
    DaskLowerLevel,
    SolvedLowerLevel,
    is_solved_on_blocks,
)
from skbadr.distributed.rows import DaskRows, read_rows
from skbadr.lower_level import PeeledEstimator
from skbadr.metrics import FairnessMetric
from skbadr.partition import Cells, check_sizes
from skbadr.problem import Evaluator, Table


def check_parameters(params: dict[str, Any], default_score: str) -> None:
    """Refuse what would collect a Dask array.

    Parameters
    ----------
    params : dict
        Of a BADR estimator.
    default_score : str
        Name of the score that predictions give.

    Raises
    ------
    TypeError
        Naming the argument.
    """
    for name, why in (
        ("cv", "would collect rows of it"),
        ("confidence", "needs rows that models have not seen, which would collect rows of it"),
        ("memory", "recognises data by their values, which it would have to collect"),
    ):
        if params[name] is not None and params[name] != "auto":
            raise TypeError(f"X is a Dask array, and {name} {why}: leave {name}=None.")
    scoring = params["scoring"]
    if scoring is not None and not (isinstance(scoring, str) and scoring == default_score):
        raise TypeError(
            f"X is a Dask array, which scoring would collect: leave scoring=None ({default_score})."
        )


def stays_on_blocks(estimator: Any, task: str, metric: FairnessMetric, partition: Any) -> bool:
    """Whether targets, groups and weights are left with the blocks of X on a cluster's workers.

    They are where the estimator trains on Dask arrays itself, and all that is asked of them are
    sums over rows. A linear model's training problem takes vectors here, and so do metrics that are
    no sums and partitions that are functions.

    Raises
    ------
    TypeError
        If the estimator's own fit would collect X.
    """
    classes = np.arange(2) if task == "classification" else None
    if is_solved_on_blocks(PeeledEstimator(estimator).final, classes):
        return False
    return metric.additive and not callable(partition)


@dataclass
class CollectedTable(Table):
    """Rows of which X alone stays with the workers."""

    can_split: ClassVar[bool] = False

    @property
    def all_cells(self) -> Cells:
        """Cells that have the totals of all rows."""
        return self.cells

    def lower_level(self, estimator: Any, X: Any, **options: Any) -> DaskLowerLevel:  # noqa: D102
        final = PeeledEstimator(estimator).final
        solved = is_solved_on_blocks(final, self.data.classes)
        kind = SolvedLowerLevel if solved else DaskLowerLevel
        options |= {"weigh": self.sample_weight, "weighted": self.weighted}
        return kind(estimator, X, self.y, self.all_cells, **options)

    @property
    def evaluator(self) -> Callable[..., Evaluator]:  # noqa: D102
        return CollectedEvaluator


@dataclass
class BlockTable(CollectedTable):
    """Rows that stay with the workers, of which `data` and `cells` are a sample.

    Attributes
    ----------
    rows : DaskRows
    sample : DaskSample
    """

    rows: DaskRows
    sample: DaskSample
    # Refits are the cluster's own, one after another.
    has_jobs: ClassVar[bool] = False

    @property
    def all_cells(self) -> Cells:  # noqa: D102
        return self.rows.cells

    def sample_weight(self, cell_weights: Any) -> Any:  # noqa: D102
        return self.rows.sample_weight(cell_weights)

    @property
    def evaluator(self) -> Callable[..., Evaluator]:  # noqa: D102
        return partial(BlockEvaluator, rows=self.rows, sample=self.sample)


def read_blocks(
    X: Any,
    y: Any,
    features: Any,
    argument: str,
    sample_weight: Any,
    *,
    check_groups: Callable[..., None],
    **options: Any,
) -> BlockTable:
    """Code targets, groups and weights where the blocks of X are.

    Parameters
    ----------
    X : dask array of shape (n, d)
    y, features, sample_weight : Dask collections or array-likes
    argument : str
        What the features were given by, for messages.
    check_groups : callable
        Gets the groups, and refuses them before anything else is read.
    **options
        As of `read_rows`.

    Returns
    -------
    table : BlockTable
    """
    lengths = X.chunks[0]
    groups, codes = read_groups(features, lengths, argument)
    check_groups(groups)
    rows = read_rows(y, groups, codes, sample_weight, lengths=lengths, **options)
    check_sizes(rows.totals.rows.sum(axis=1), argument)
    sample = draw_sample(X, rows)
    return BlockTable(rows.y, sample.data, sample.cells, sample_weight is not None, rows, sample)
