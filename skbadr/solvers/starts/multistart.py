"""Multistart: local searches from several points, of which ever fewer go on."""

from __future__ import annotations

import numpy as np


def multistart(searches, n_finalists, settings):
    """Run local searches by successive halving; return them, the best first.

    Parameters
    ----------
    searches : list
        Each with ``run(most)``, which takes at most so many more steps, and the attributes
        ``value``, ``weights`` and ``done``.
    n_finalists : int
        How many searches are run to their end.
    settings : SmoothSettings

    Returns
    -------
    finalists : list

    References
    ----------
    Jamieson and Talwalkar (2016), "Non-stochastic best arm identification and hyperparameter
    optimization", AISTATS.
    """
    while len(searches) > n_finalists and not all(search.done for search in searches):
        for search in searches:
            search.run(settings.lap)
        searches = apart(sorted(searches, key=value_of), settings.near)
        searches = searches[: max(n_finalists, len(searches) // 2)]
    searches = searches[:n_finalists]
    for search in searches:
        search.run()
    return apart(sorted(searches, key=value_of), settings.near)


def value_of(search):
    """Return the value that a search has reached, infinite if it is undefined."""
    return search.value if np.isfinite(search.value) else np.inf


def apart(searches, near):
    """Return the searches, best first, that are not in the valley of a better one."""
    chosen = []
    for search in searches:
        if all(np.abs(search.weights - other.weights).max() > near for other in chosen):
            chosen.append(search)
    return chosen
