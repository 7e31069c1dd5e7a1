"""Reports to hand on: one HTML page that needs no network, of a comparison or of a fitted model."""

from skbadr.estimators.reporting import Report, set_report_maker

from ._comparison import report_comparison
from ._models import report_model

set_report_maker(report_model)

__all__ = ["Report", "report_comparison"]
