"""`diagnostic-table`, `step-table` and `field-table`: what a run records, from the code that records it."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from words import inserted, list_table, prose

from wgfpde import diagnostics
from wgfpde.methods import METHODS
from wgfpde.store.layout import STEP_COLUMNS


def where_words(diagnostic: diagnostics.Diagnostic) -> str:
    applies, asked = diagnostic.applies.words, diagnostic.on_request.words
    return prose("; on request: ".join(filter(None, [applies, asked])) if applies else f"on request: {asked}")


class DiagnosticTable(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        rows = [[f"``{d.name}``", where_words(d), prose(d.description)] for d in diagnostics.REGISTRY.values()]
        return inserted(self, list_table(["Name", "Recorded", "What it is"], rows, "20 20 60"))


class StepTable(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        groups = [("every run", STEP_COLUMNS), *((name, method.columns) for name, method in METHODS.items())]
        rows = [
            [f"``{column.name}``", runs, prose(column.description)] for runs, columns in groups for column in columns
        ]
        return inserted(self, list_table(["Column", "Runs", "What it is"], rows, "20 14 66"))


class FieldTable(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        rows = [
            [f"``{field.name}``", name, "always" if field.stored else "where named", prose(field.description)]
            for name, method in METHODS.items()
            for field in method.fields
        ]
        return inserted(self, list_table(["Field", "Method", "Stored", "What it is"], rows, "14 14 14 58"))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("diagnostic-table", DiagnosticTable)
    app.add_directive("step-table", StepTable)
    app.add_directive("field-table", FieldTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
