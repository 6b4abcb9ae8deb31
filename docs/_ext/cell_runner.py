"""Run the code cells of a Markdown page, one after the other in one namespace: python cell_runner.py PAGE.md

A page is a notebook of Jupytext's MyST kind: its cells stand in fences ```{code-cell}.  Printed to stdout is a list
with, for each cell, {"text": what it printed and the value of its last expression, "figures": [files]}; into the
working folder go the figures and PAGE.ipynb, the page with these outputs.  A figure is the value of a cell, or what
pyplot has open when the cell ends.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

FENCE = re.compile(r"^```\{code-cell\}[^\n]*\n(?::\w+:[^\n]*\n)*(.*?)^```[^\n]*\n", re.MULTILINE | re.DOTALL)
HEADER = re.compile(r"\A---\n.*?^---\n", re.MULTILINE | re.DOTALL)


def cells_of(page: str) -> list[str]:
    """The code of the cells."""
    return [found[1].rstrip("\n") for found in FENCE.finditer(page)]


def run_cell(code: str, namespace: dict[str, Any], stem: str) -> dict[str, Any]:
    """What a cell left: {"text", "figures"}.   stem : the names of its figures begin so."""
    *lines, last = ast.parse(code).body or [ast.Pass()]
    shown = isinstance(last, ast.Expr) and not code.endswith(";")
    body = ast.Module([*lines] if shown else [*lines, last], [])
    value, out = None, io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(body, stem, "exec"), namespace)
        if shown:
            value = eval(compile(ast.Expression(last.value), stem, "eval"), namespace)  # type: ignore[attr-defined]
    figures = figures_of(value)
    if value is not None and not figures:
        out.write(repr(value))
    names = [f"{stem}-{k}.png" for k in range(len(figures))]
    for name, figure in zip(names, figures, strict=True):
        figure.savefig(name, dpi=110)
    return {"text": out.getvalue().rstrip(), "figures": names}


def figures_of(value: Any) -> list[Any]:
    """The figure that a value is, or that pyplot has open; those are closed."""
    if hasattr(value, "savefig"):
        return [value]
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return []
    found = [pyplot.figure(number) for number in pyplot.get_fignums()]
    pyplot.close("all")
    return found


def notebook(page: str, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    """The page as a notebook of Jupyter, format 4.5, with its outputs."""
    cells: list[dict[str, Any]] = []
    pieces = FENCE.split(HEADER.sub("", page))  # text, code, text, …, text
    for k, piece in enumerate(pieces):
        cell: dict[str, Any] = {"id": f"cell-{k}", "metadata": {}}
        if k % 2:
            shown = outputs[k // 2]
            made = [{"data": {"text/plain": shown["text"]}, "metadata": {}}] if shown["text"] else []
            for name in shown["figures"]:
                picture = base64.b64encode(Path(name).read_bytes()).decode()
                made.append({"data": {"image/png": picture}, "metadata": {}})
            made = [{"output_type": "display_data", **one} for one in made]
            cell |= {"cell_type": "code", "execution_count": k // 2 + 1, "source": piece.rstrip("\n"), "outputs": made}
        elif text := plain_markdown(piece):
            cell |= {"cell_type": "markdown", "source": text}
        else:
            continue
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def plain_markdown(text: str) -> str:
    """Without what Jupyter does not know: roles and directives; formulas stay formulas."""
    text = re.sub(r"^```\{math\}\n(.*?)^```", r"$$\n\1$$", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```\{.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"\{math\}`([^`]*)`", r"$\1$", text)
    return re.sub(r"\{\w+\}`([^`]*)`", r"\1", text).strip()


def main(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    outputs = [run_cell(code, namespace, f"{page.stem}-{k}") for k, code in enumerate(cells_of(text), 1)]
    Path(f"{page.stem}.ipynb").write_text(json.dumps(notebook(text, outputs), indent=1), encoding="utf-8")
    sys.stdout.write(json.dumps(outputs))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
