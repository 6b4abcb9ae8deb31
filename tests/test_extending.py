"""How to extend: the blocks of that page run as they stand, and the files that it names are there."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

from test_imports import LINE

import wgfpde as wgf

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "extending.rst").read_text(encoding="utf-8")


def blocks(language):
    found = re.findall(rf"^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)", PAGE, flags=re.MULTILINE)
    return [textwrap.dedent(text) for text in found]


def test_a_law_a_diagnostic_and_a_method_from_outside(tmp_path):
    """Registered by one script, run from a case file, drawn; in a process of its own, since records stay."""
    (case,) = blocks("toml")
    python = blocks("python")
    assert len(python) == 4
    (tmp_path / "crowd.toml").write_text(case, encoding="utf-8")
    verbs = 'for verb in ("inspect", "plot", "report"):\n    assert main([verb, "crowd"]) == 0\n'
    script = "\n".join([*python, "from wgfpde.cli import main", verbs])
    (tmp_path / "mine.py").write_text(script, encoding="utf-8")
    done = subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "energy rise" in done.stdout and "BROKEN" not in done.stdout
    assert (tmp_path / "crowd.png").stat().st_size > 10_000 and (tmp_path / "crowd" / "report.html").is_file()
    run = wgf.read(tmp_path / "crowd")  # here the method and the law are not known
    assert run.status == "finished" and run.attributes["equation"] == "relaxation to the mean"
    assert list(run.fields) == ["above"] and "skewness_x" in run.diagnostics


def test_the_line_of_rooms_is_that_of_the_test():
    line = re.search(r"^    cli → .*\n    .*\n", PAGE, flags=re.MULTILINE)
    assert line is not None and " ".join(line[0].split()) == LINE


def test_the_files_that_the_page_names_are_there():
    """Paths with slashes, from the root or from the package."""
    named = {name.rstrip("/") for name in re.findall(r"``([\w./]+/[\w./]*)``", PAGE)}
    assert len(named) > 20
    missing = {name for name in named if not any((base / name).exists() for base in (ROOT, ROOT / "wgfpde"))}
    assert missing == {"docs/_build/html", "docs/_build"} - {n for n in named if (ROOT / n).exists()}
