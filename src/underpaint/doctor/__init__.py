"""Layer 2: finds the problems of a data set before any training starts. Imports no torch."""

from underpaint.doctor.examination import examine
from underpaint.doctor.findings import Finding, Level
from underpaint.doctor.report import Report

__all__ = ["Finding", "Level", "Report", "examine"]
