"""A run in one page, and in plain values.

`summary` gathers what a stored run says of itself, reading no density; `write` makes one HTML file of it that needs
nothing but a browser: the question, what was promised and kept, the density over time, figures, numbers, and how to
repeat it.  The order is a reader's: what was asked, whether to believe the answer, the answer, the evidence.
"""

from .page import html_of, write
from .run_summary import summary

__all__ = ["html_of", "summary", "write"]
