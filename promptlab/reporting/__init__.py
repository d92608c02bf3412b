"""A recorded run as verdicts for people: on the terminal, as Markdown, as one HTML file, as JSON and CSV."""

from promptlab.reporting.arms import arm_tables
from promptlab.reporting.build import Report, arm_table, build, comparison_frame, headline, verdicts
from promptlab.reporting.decide import Winner, winner
from promptlab.reporting.formats import FRAMES, to_csv, to_json, to_markdown, written
from promptlab.reporting.fragments import item
from promptlab.reporting.html import to_html
from promptlab.reporting.one_page import to_pdf, to_png
from promptlab.reporting.pair import EXPLORATORY, PairReport, compare, side_of
from promptlab.reporting.replicate import PAPERS, replicate
from promptlab.reporting.rescore import scorer_table
from promptlab.reporting.rows import beside_tables
from promptlab.reporting.summary import Summary, SummaryRow, summaries
from promptlab.reporting.summary_words import summary_table
from promptlab.reporting.whole import show, to_text

__all__ = [
    "EXPLORATORY",
    "FRAMES",
    "PAPERS",
    "PairReport",
    "Report",
    "Summary",
    "SummaryRow",
    "Winner",
    "arm_table",
    "arm_tables",
    "beside_tables",
    "build",
    "compare",
    "comparison_frame",
    "headline",
    "item",
    "replicate",
    "scorer_table",
    "show",
    "side_of",
    "summaries",
    "summary_table",
    "to_csv",
    "to_html",
    "to_json",
    "to_markdown",
    "to_pdf",
    "to_png",
    "to_text",
    "verdicts",
    "winner",
    "written",
]
