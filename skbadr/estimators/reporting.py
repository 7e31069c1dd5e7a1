"""The method `report` of fitted models and the page it returns, made by a package above this."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

from sklearn.utils.validation import check_is_fitted

from skbadr._typing import ArrayLike, Features, FittedModel, Float


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


_maker: Callable[..., Report] | None = None


def set_report_maker(maker: Callable[..., Report]) -> None:
    """Say what makes the page; `skbadr.report` does so when the package is imported."""
    global _maker
    _maker = maker


class Reporting:
    """What fitted models report to other people."""

    def report(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sensitive_features: Features | None = None,
        control_features: Features | None = None,
        baseline: FittedModel | None = None,
        others: Mapping[str, FittedModel] | None = None,
        confidence: Float = 0.95,
        title: str | None = None,
    ) -> Report:
        """Return a page to hand on: what was asked for, what was found, and how sure that is.

        The page needs no network and no script. It needs jinja2 and matplotlib:
        ``pip install 'skbadr[report]'``.

        Parameters
        ----------
        X, y : data of shape (n, d) and (n,)
            Rows that no model of the report was trained on.
        sensitive_features : array-like of shape (n,) or (n, m), default=None
            Group of each row; None if `sensitive_columns` names the groups in X.
        control_features : array-like of shape (n,) or (n, m), default=None
            Stratum of each row, for a model that was fitted within strata; None if
            `control_columns` names the strata in X.
        baseline : fitted estimator, default=None
            The unweighted model. The page compares this model with it: who gained and who lost.
        others : dict of str to fitted estimator, default=None
            Further models, by their names in the report.
        confidence : float, default=0.95
            Confidence of the limits on the metric and on the groups' rates.
        title : str, default=None
            Title of the page.

        Returns
        -------
        report : Report
            ``report.save("report.html")`` writes it; a notebook shows it.

        Raises
        ------
        ImportError
            If jinja2 or matplotlib is not installed, saying how to get them.

        Examples
        --------
        >>> from skbadr import BADRClassifier
        >>> from skbadr.datasets import make_applicants
        >>> from sklearn.linear_model import LogisticRegression
        >>> X, y = make_applicants(2000)
        >>> numbers, sex = X[["income", "debt"]], X["sex"]
        >>> model = BADRClassifier(LogisticRegression(), bound=0.1)
        >>> model = model.fit(numbers[:1000], y[:1000], sensitive_features=sex[:1000])
        >>> page = model.report(
        ...     numbers[1000:], y[1000:], sensitive_features=sex[1000:]
        ... )  # doctest: +SKIP
        >>> page.save("report.html")  # doctest: +SKIP
        """
        check_is_fitted(self)
        assert _maker is not None  # the package is imported as a whole
        return _maker(
            self,
            X,
            y,
            sensitive_features=sensitive_features,
            control_features=control_features,
            baseline=baseline,
            others=others,
            confidence=confidence,
            title=title,
        )
