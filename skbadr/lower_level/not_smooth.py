"""The border of the smooth problem: where the lower level has no derivatives to search with."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from scipy.linalg import LinAlgError

logger = logging.getLogger(__name__)


class NotSmooth(Exception):
    """The lower level has no exact derivatives, or is not what the estimator's own fit returns."""


@contextmanager
def smooth_border() -> Iterator[None]:
    """Raise `NotSmooth` for failures of the linear algebra within, and log why.

    Raises
    ------
    NotSmooth
        If the lower level diverged, is singular, or takes more memory than there is.
    """
    try:
        yield
    except NotSmooth as error:
        logger.debug("the search leaves exact derivatives: %s", error)
        raise
    except (LinAlgError, FloatingPointError, MemoryError) as error:
        logger.debug("the search leaves exact derivatives: %r", error)
        raise NotSmooth(str(error)) from error
