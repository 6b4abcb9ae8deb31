"""Pages that run what they show.

`.. session::` holds lines "$ command"; all sessions of a page run in one folder, in order, when the page is built,
and the page shows what they printed.  A command that fails is a warning (`:fails:` says that it should).  Option
`lines` cuts long output, `as` names the language of what one command prints.
`.. session-figure:: path` shows a picture that they left.
`.. example:: name.py` shows a script of examples/, what it prints, and its pictures; of one that imports a library
that is not installed, what it left in examples/kept when it last ran.  `.. example-figures::` shows a thumbnail
of each.
Transcripts are kept, command by command, until a command or a source of the package changes: a build that was stopped
goes on where it was.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from words import BUILD, ROOT, block, digest, inserted, run, sources_digest, tell

logger = logging.getLogger(__name__)
EXAMPLES = ROOT / "docs" / "examples"
SESSION = re.compile(r"^\.\. session::\n((?:   .*\n|\n)*)", re.MULTILINE)


def commands_of(text: str) -> list[str]:
    """Commands of a directive's content: lines that begin with "$ "; a backslash at the end continues one."""
    joined = text.replace("\\\n", "\\\0")
    return [line.strip()[2:].replace("\\\0", "\\\n") for line in joined.splitlines() if line.strip().startswith("$ ")]


def transcript(name: str, commands: list[str], *depends: str) -> dict[str, Any]:
    """What the commands of a page printed, {command: [output, exit code]}; run again where anything has changed."""
    folder, kept = BUILD / "sessions" / name, BUILD / "sessions" / f"{name}.json"
    key = digest(sources_digest(), *commands, *depends)
    outputs: dict[str, Any] = {}
    ended = 0
    if kept.is_file():
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        if found["key"] == key:
            outputs, ended = dict(found["outputs"]), found.get("ended", len(commands))
    if not ended:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for k, command in enumerate(commands, 1):
        if k <= ended:
            continue
        tell(f"{name}, command {k} of {len(commands)}: {command}")
        done = run(command, folder, name=command)
        text = done.stdout if done.returncode == 0 else done.stdout + done.stderr
        outputs[command] = [text.replace(f"{folder}/", "").rstrip(), done.returncode]
        part = kept.with_suffix(".part")  # after each command: a build that is stopped goes on there
        part.write_text(json.dumps({"key": key, "outputs": outputs, "ended": k}), encoding="utf-8")
        part.replace(kept)
    return outputs


def complain(directive: SphinxDirective, name: str, command: str, code: int, text: str) -> None:
    """A command did not end as it should: say so, and run the page again next time."""
    (BUILD / "sessions" / f"{name}.json").unlink(missing_ok=True)
    logger.warning("`%s` ended with exit code %d: %s", command, code, text[-600:], location=directive.get_location())


class Session(SphinxDirective):
    has_content = True
    option_spec: ClassVar = {
        "fails": directives.flag, "lines": directives.nonnegative_int, "as": directives.unchanged
    }  # fmt: skip

    def run(self) -> list[nodes.Node]:
        page = Path(self.env.doc2path(self.env.docname)).read_text(encoding="utf-8")
        everything = [c for body in SESSION.findall(page) for c in commands_of(body)]
        name = self.env.docname.replace("/", "-")
        outputs = transcript(name, everything)
        shown = []
        for command in commands_of("\n".join(self.content) + "\n"):
            text, code = outputs[command]
            if (code != 0) != ("fails" in self.options):
                complain(self, name, command, code, text)
            shown.append((f"$ {command}", self._cut(text)))
        if "as" in self.options:  # the output in a language of its own
            [(command, text)] = shown
            lines = [".. code-block:: console", *block(command, "   ")]
            return inserted(self, ["", *lines, f".. code-block:: {self.options['as']}", *block(text, "   ")])
        together = "\n".join(part for pair in shown for part in pair if part)
        return inserted(self, ["", ".. code-block:: console", *block(together, "   ")])

    def _cut(self, text: str) -> str:
        lines, most = text.splitlines(), self.options.get("lines")
        return text if most is None or len(lines) <= most else "\n".join([*lines[:most], "…"])


class SessionFigure(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {"alt": directives.unchanged, "width": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        name = self.env.docname.replace("/", "-")
        picture = BUILD / "sessions" / name / self.arguments[0]
        if not picture.is_file():
            logger.warning("no picture %s: the session left none", picture, location=self.get_location())
            return []
        return inserted(self, figure(picture, self.options.get("alt", ""), self.options.get("width", "100%")))


class Example(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        script = EXAMPLES / self.arguments[0]
        lines = ["", f".. _{label_of(script)}:", ""]
        lines += [f".. literalinclude:: /examples/{script.name}", "   :language: python", ""]
        (text, code), pictures = example_output(script)
        if code != 0:
            complain(self, label_of(script), script.name, code, text)
        if text:
            lines += ["It prints", "", ".. code-block:: text", *block(text, "   ")]
        for picture in pictures:
            lines += figure(picture, f"picture made by {script.name}", "80%")
        return inserted(self, lines)


class ExampleFigures(SphinxDirective):
    """A thumbnail of each script of examples/ that leaves a picture, with a link to where it stands on its page."""

    def run(self) -> list[nodes.Node]:
        lines = ["", ".. container:: thumbnails", "", "   .. a picture of each", ""]
        for script in sorted(EXAMPLES.glob("*.py")):
            for picture in example_output(script)[1][:1]:
                lines += [f"   .. figure:: {place_of(picture)}"]
                lines += [f"      :target: {page_of(script)}.html#{nodes.make_id(label_of(script))}"]
                lines += [f"      :alt: {script.name}", "", f"      ``{script.name}``", ""]
        return inserted(self, lines)


def page_of(script: Path) -> str:
    """The page that shows a script; each is shown by one."""
    shown = f".. example:: {script.name}\n"
    [page] = [page for page in (ROOT / "docs").glob("*.rst") if shown in page.read_text(encoding="utf-8")]
    return page.stem


def label_of(script: Path) -> str:
    return f"example-{script.stem}"


def missing_libraries(script: Path) -> list[str]:
    """What a script imports and is not installed."""
    found = ast.walk(ast.parse(script.read_text(encoding="utf-8")))
    names = {alias.name.split(".")[0] for node in found if isinstance(node, ast.Import) for alias in node.names}
    return sorted(name for name in names if importlib.util.find_spec(name) is None)


def example_output(script: Path) -> tuple[list[Any], list[Path]]:
    """What a script printed with its exit code, and the pictures it left."""
    if missing_libraries(script):
        kept = EXAMPLES / "kept" / f"{script.stem}.txt"
        return [kept.read_text(encoding="utf-8").rstrip(), 0], sorted(kept.parent.glob(f"{script.stem}*.png"))
    name, command = label_of(script), f"python {script}"
    output = transcript(name, [command], script.read_text(encoding="utf-8"))[command]
    return output, sorted((BUILD / "sessions" / name).glob("*.png"))


def figure(picture: Path, alt: str, width: str) -> list[str]:
    """A picture under docs/, as reStructuredText."""
    return ["", f".. image:: {place_of(picture)}", f"   :alt: {alt}", f"   :width: {width}", "   :align: center", ""]


def place_of(picture: Path) -> str:
    """A file under docs/, as pages name it."""
    return "/" + picture.relative_to(ROOT / "docs").as_posix()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("session", Session)
    app.add_directive("session-figure", SessionFigure)
    app.add_directive("example", Example)
    app.add_directive("example-figures", ExampleFigures)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
