"""`.. diagnostic-table::` and `.. step-table::`: what a run records, from the code that records it."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from words import inserted, list_table, prose

from wgfpde import diagnostics
from wgfpde.methods.jko.columns import STEP_COLUMNS as JKO_COLUMNS
from wgfpde.store.layout import STEP_COLUMNS
from wgfpde.transport import distances as transport


def where_words(diagnostic: diagnostics.Diagnostic) -> str:
    applies, asked = diagnostic.applies.words, diagnostic.on_request.words
    return prose("; on request: ".join(filter(None, [applies, asked])) if applies else f"on request: {asked}")


class DiagnosticTable(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        rows = [[f"``{d.name}``", where_words(d), prose(d.description)] for d in diagnostics.REGISTRY.values()]
        return inserted(self, list_table(["Name", "Recorded", "What it is"], rows, "20 20 60"))


class StepTable(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        groups = (("every run", STEP_COLUMNS), ("JKO", JKO_COLUMNS), ("geodesic", transport.STEP_COLUMNS))
        rows = [
            [f"``{column.name}``", runs, prose(column.description)] for runs, columns in groups for column in columns
        ]
        return inserted(self, list_table(["Column", "Runs", "What it is"], rows, "20 14 66"))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("diagnostic-table", DiagnosticTable)
    app.add_directive("step-table", StepTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
