"""The one exception of the command."""


class UsageError(Exception):
    """Input the command cannot use; its text is the one sentence that the user reads."""
