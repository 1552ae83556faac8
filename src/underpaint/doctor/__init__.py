"""Floor 2: what is wrong with a data set, said before any minute of training. Imports no torch."""

from underpaint.doctor.examination import examine
from underpaint.doctor.findings import Finding, Level
from underpaint.doctor.report import Report

__all__ = ["Finding", "Level", "Report", "examine"]
