"""Reports of training runs: one HTML file that opens anywhere, with everything in it."""

from fastmlp.report.page import write_report
from fastmlp.report.story import Mistake, Story

__all__ = ["Mistake", "Story", "write_report"]
