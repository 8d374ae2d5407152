"""The page in a bundle that shows what was compared and measured."""

from __future__ import annotations

from mobile_nelf.bundles.report.page import REPORT_NAME, render_report

__all__ = ["REPORT_NAME", "render_report"]
