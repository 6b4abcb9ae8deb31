"""Plain text → reStructuredText, and running commands for the pages."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import wgfpde

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "docs" / "_build"
"""Where pictures and transcripts are kept between builds."""
PATIENCE = 60.0
"""Seconds after which a command that runs is told of, again and again."""
PIECES = re.compile(
    r"``(?P<literal>[^`]+)``"
    r"|`(?P<code>[^`]+)`"
    r"|(?<!\S)\*\*(?P<bold>[^*\s][^*]*)\*\*(?=[\s.,;:]|$)"
    r"|\b(?P<doi>10\.\d{4,9}/(?:[^\s,;()]|\([^\s,;()]*\))*(?:[^\s,;:.()]|\([^\s,;()]*\)))"
    r"|\barXiv (?P<arxiv>\d{4}\.\d{4,5})"
    r"|(?P<special>[\\*|_`])"
)


def prose(text: str) -> str:
    """Text as it stands in a docstring, a comment or a help line; code in `backticks`, DOIs become links."""

    def piece(found: re.Match[str]) -> str:
        kind, value = str(found.lastgroup), found[str(found.lastgroup)]
        if kind in ("literal", "code"):
            return f"``{value}``"
        if kind == "bold":
            return f"**{value}**"
        if kind == "doi":
            return f"`{value} <https://doi.org/{value}>`__"
        if kind == "arxiv":
            return f"`arXiv {value} <https://arxiv.org/abs/{value}>`__"
        return "\\" + value

    return PIECES.sub(piece, text)


def block(text: str, indent: str = "    ") -> list[str]:
    """The lines of a text, indented, between blank lines."""
    return ["", *(indent + line if line else "" for line in text.splitlines()), ""]


def list_table(head: list[str], rows: list[list[str]], widths: str) -> list[str]:
    """A table of cells that are reStructuredText."""
    lines = ["", ".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", "   :class: reference", ""]
    for row in [head, *rows]:
        for k, cell in enumerate(row):
            first, *rest = cell.splitlines() or [""]
            lines.append(f"   {'* -' if k == 0 else '  -'} {first}".rstrip())
            lines += [f"       {line}" for line in rest]
    return [*lines, ""]


def inserted(directive: SphinxDirective, lines: list[str]) -> list[nodes.Node]:
    """Have reStructuredText read in the place of a directive, as if it stood there: it may hold sections.

    The page is read again when a source of the package has changed.
    """
    for file in sources():
        directive.env.note_dependency(str(file))
    directive.state_machine.insert_input([*lines, ""], directive.get_source_info()[0])
    return []


def sources() -> list[Path]:
    """The package's sources, in a fixed order."""
    return sorted((ROOT / "wgfpde").rglob("*.py"))


def sources_digest() -> str:
    """A hash of the package's sources: what a transcript depends on besides its commands."""
    found = hashlib.sha256()
    for file in sources():
        found.update(file.read_bytes())
    return found.hexdigest()


def digest(*texts: str) -> str:
    """A short name for texts and the version of the package."""
    return hashlib.sha256("\0".join([wgfpde.__version__, *texts]).encode()).hexdigest()[:16]


def tell(text: str) -> None:
    """Say where the build is, on stderr, also where Sphinx is asked to be quiet: it lasts, and must not look dead."""
    sys.stderr.write(f"docs: {text}\n")
    sys.stderr.flush()


def run(
    command: list[str] | str, folder: Path, threads: int | None = None, name: str = ""
) -> subprocess.CompletedProcess[str]:
    """A command (text: by the shell) in a folder, with this interpreter and its scripts first on the path.

    It may take as long as it does: a slow machine is no reason to give up.   name : what is told of it, each PATIENCE.
    """
    # BLAS threads would take the cores from the solvers' own; a wide terminal keeps --help from wrapping early
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
        "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "100", "PYTHONIOENCODING": "utf-8", "MPLBACKEND": "Agg",
    }  # fmt: skip
    if threads is not None:
        environment["WGFPDE_NUM_THREADS"] = str(threads)
    begun = time.monotonic()
    with subprocess.Popen(
        command, cwd=folder, env=environment, shell=isinstance(command, str), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, encoding="utf-8",
    ) as process:  # fmt: skip
        while True:
            try:
                out, err = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                tell(f"{name or command}: still running, {time.monotonic() - begun:.0f} s so far")
            else:
                return subprocess.CompletedProcess(command, process.returncode, out, err)
