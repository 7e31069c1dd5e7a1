"""Parts of the data within which groups are compared: columns by themselves, and strata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from skbadr._typing import FloatArray, IntArray
from skbadr.metrics.callables import take_rows
from skbadr.partition import Groups, label_array

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet


@dataclass
class View:
    """Some of the rows, and the groups that are compared there.

    Attributes
    ----------
    whole : EvaluationSet
        Of all rows, whose groups are the crossed ones.
    place : ndarray of shape (n_crossed,)
        Group here of each crossed group; -1: not of this stratum.
    labels : list
    names : tuple of str
        Of the columns that are compared.
    stratum : tuple or None
        Values of the control columns; None: all rows.
    whole_columns : bool
        Whether all sensitive columns are compared, so that users' functions see what users gave.
    """

    whole: EvaluationSet
    place: IntArray
    labels: list[Any]
    names: tuple[str, ...]
    stratum: tuple[Any, ...] | None
    whole_columns: bool

    @property
    def text(self) -> str:
        """What is compared where, in words."""
        columns = " and ".join(map(str, self.names))
        if self.stratum is None:
            return columns
        stratum = ", ".join(map(str, self.stratum))
        return f"stratum {stratum}" if self.whole_columns else f"{columns}, stratum {stratum}"

    @cached_property
    def matrix(self) -> FloatArray:
        """What sums the crossed groups of each group here, of shape (n_here, n_crossed)."""
        return (np.arange(len(self.labels))[:, None] == self.place).astype(float)

    @cached_property
    def totals(self) -> EvaluationSet:
        """A set of no rows that has the totals of the groups here: for what is counted."""
        return self.whole.merged(self.place, self.labels, self.names)

    @cached_property
    def rows(self) -> IntArray | None:
        """Which of all rows these are; None: all of them."""
        if (self.place >= 0).all():
            return None
        return np.flatnonzero(self.place[self.whole.groups.codes] >= 0)

    @cached_property
    def data(self) -> EvaluationSet:
        """The rows here, with the groups that are compared."""
        rows = slice(None) if self.rows is None else self.rows
        data = self.whole.take(rows)
        codes = self.place[data.groups.codes]
        groups = Groups(codes, self.labels, self.names)
        features = self.whole.sensitive_features
        if not self.whole_columns:
            features = label_array(self.labels)[codes]
        elif features is not None and self.rows is not None:
            features = take_rows(features, self.rows)
        return replace(data, groups=groups, sensitive_features=features)

    def of(self, response: Any) -> Any:
        """Return what a response to all rows is to those here."""
        return response if self.rows is None else response[self.rows]


def views_of(evaluation_set: EvaluationSet, intersectional: bool) -> list[View]:
    """Return the parts of some data.

    Parameters
    ----------
    evaluation_set : EvaluationSet
        Its groups know which of their columns are control columns.
    intersectional : bool
        Whether the other columns are compared crossed; False: each by itself.
    """
    groups = evaluation_set.groups
    n_control = groups.n_control
    rows = [label if len(groups.names) > 1 else (label,) for label in groups.labels]
    n_sensitive = len(groups.names) - n_control
    strata: Sequence[Any] = [None]
    if n_control:
        strata = list(dict.fromkeys(row[n_sensitive:] for row in rows))
    columns = [tuple(range(n_sensitive))]
    if not intersectional:
        columns = [(j,) for j in range(n_sensitive)]
    views = []
    for stratum in strata:
        inside = [stratum is None or row[n_sensitive:] == stratum for row in rows]
        for own in columns:
            keys = [tuple(row[j] for j in own) for row in rows]
            found = list(dict.fromkeys(k for k, here in zip(keys, inside, strict=True) if here))
            number = {key: n for n, key in enumerate(found)}
            place = np.array(
                [number[k] if here else -1 for k, here in zip(keys, inside, strict=True)]
            )
            labels = [key[0] if len(own) == 1 else key for key in found]
            names = tuple(groups.names[j] for j in own)
            whole = len(own) == n_sensitive
            views.append(View(evaluation_set, place, labels, names, stratum, whole))
    return views
