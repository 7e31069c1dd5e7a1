"""A page of HTML as an object: saved, and shown in notebooks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, repr=False)
class Report:
    """A page of HTML to hand on. It needs no network and runs no script.

    Parameters
    ----------
    html : str
        The page.
    title : str
        Title of the page.
    """

    html: str
    title: str

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the page to a file.

        Parameters
        ----------
        path : str or path
            Path of the file; an existing file is replaced.

        Returns
        -------
        path : str
        """
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(self.html)
        return os.fspath(path)

    def __repr__(self) -> str:
        return f"Report({self.title!r}, {len(self.html) / 1000:,.0f} kB): .save('report.html')"

    def _repr_html_(self) -> str:
        return (
            f'<iframe title="{escape(self.title)}" sandbox="" srcdoc="{escape(self.html)}" '
            'style="width: 100%; height: 80vh; border: 1px solid #8888"></iframe>'
        )
