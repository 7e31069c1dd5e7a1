"""The command ``python -m skbadr``: a comparison on the user's table, printed, saved and drawn."""

from ._main import main as main

__all__: list[str] = []  # a command, not a function
