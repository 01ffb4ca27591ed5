"""Report: a period on one page."""

from pipeline.report.figures import Report
from pipeline.report.measuring import measure
from pipeline.report.page import render
from pipeline.report.words import summary

__all__ = ["Report", "measure", "render", "summary"]
