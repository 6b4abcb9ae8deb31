"""Formulas as MathML, which browsers draw themselves: no LaTeX at build time, no script and no font from a network.

Docutils translates TeX to MathML; a formula that it does not know is a warning, and shown as TeX.
"""

from __future__ import annotations

import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)
BARE_FRACTION = re.compile(r"\\([td]?frac)\s*(\w)\s*(\w)")
"""\\frac12, which docutils reads as a fraction of 12."""


def visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(f'<span class="math">{_mathml(node, False)}</span>')
    raise nodes.SkipNode


def visit_block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math") + _mathml(node, True) + "</div>\n")
    raise nodes.SkipNode


def _mathml(node: nodes.Element, as_block: bool) -> str:
    tex = node.astext()
    try:
        return tex2mathml(BARE_FRACTION.sub(r"\\\1{\2}{\3}", tex), as_block=as_block)
    except MathError as error:
        logger.warning("formula not understood: %s in %s", error, tex, location=node)
        return f"<code>{nodes.Text(tex)}</code>"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
