"""Tables are frames of pandas, which is imported when one is asked for."""

from __future__ import annotations

from typing import Any


def import_pandas(function: str) -> Any:
    """Return pandas.

    Raises
    ------
    ImportError
        Saying how to get it.
    """
    try:
        import pandas
    except ImportError:
        raise ImportError(f"{function} needs pandas: pip install 'skbadr[cli]'.") from None
    return pandas
