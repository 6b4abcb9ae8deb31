"""Pages that are notebooks: Markdown with ```{code-cell} fences, which Jupytext opens as a notebook (MyST).

The cells of a page run in one process when the page is built (module `cell_runner`), and the page shows what each
printed, and its figures.  They are kept as the transcripts of sessions are, until a cell or a source of the package
changes.  ```{notebook-file} links to the page as an .ipynb with these outputs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import sessions
from cell_runner import cells_of
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from words import sources

RUNNER = Path(__file__).with_name("cell_runner.py")


def outputs_of(page: Path, name: str) -> tuple[list[dict[str, Any]], str]:
    """What the cells of a page left, in order, and what went wrong, or ""."""
    cells, command = cells_of(page.read_text(encoding="utf-8")), f"python {RUNNER} {page}"
    text, code = sessions.transcript(name, [command], *cells, RUNNER.read_text(encoding="utf-8"))[command]
    return (json.loads(text), "") if code == 0 else ([], text)


class OfPage(SphinxDirective):
    """What has the outputs of its page."""

    def outputs(self) -> tuple[Path, list[dict[str, Any]]]:
        """The folder that the cells ran in, and what they left; nothing, with a warning, where one of them failed."""
        page = Path(self.env.doc2path(self.env.docname))
        for file in (*sources(), RUNNER):
            self.env.note_dependency(str(file))
        name = self.env.docname.replace("/", "-")
        found, trouble = outputs_of(page, name)
        if trouble:
            sessions.complain(self, name, page.name, 1, trouble)
        return sessions.BUILD / "sessions" / name, found


class CodeCell(OfPage):
    has_content = True
    optional_arguments = 1  # the language: Jupytext writes it
    option_spec: ClassVar = {"alt": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        code = "\n".join(self.content)
        folder, outputs = self.outputs()
        shown: list[nodes.Node] = [nodes.literal_block(code, code, language="python")]
        page = Path(self.env.doc2path(self.env.docname)).read_text(encoding="utf-8")
        for cell, output in zip(cells_of(page), outputs, strict=False):
            if cell != code:
                continue
            if output["text"]:
                shown.append(nodes.literal_block(output["text"], output["text"], language="text"))
            for name in output["figures"]:
                alt = self.options.get("alt", "figure made by the cell above")
                shown.append(nodes.image(uri=sessions.place_of(folder / name), alt=alt, width="80%", align="center"))
            break
        return shown


class NotebookFile(OfPage):
    def run(self) -> list[nodes.Node]:
        folder, outputs = self.outputs()
        if not outputs:
            return []
        name = f"{self.env.docname}.ipynb"
        link = addnodes.download_reference("", "", reftarget=sessions.place_of(folder / name))
        link += nodes.literal(name, name)
        return [nodes.paragraph("", "Download this page as a notebook: ", link)]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("code-cell", CodeCell)
    app.add_directive("notebook-file", NotebookFile)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
