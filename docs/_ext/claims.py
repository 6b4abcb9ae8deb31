"""`.. claims::`: the scripts of validation/, with what each is about, from their titles."""

from __future__ import annotations

import ast

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from words import inserted, list_table, prose

from wgfpde.claims.checking import scripts


class Claims(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        rows = []
        for name, path in scripts().items():
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            rows.append([f"``{name}``", prose(text.partition("\n")[0])])
        return inserted(self, list_table(["Script", "Claims"], rows, "24 76"))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("claims", Claims)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
