"""Whatever a case or a file says, the terminal gets lines of ours: no control character, no line that it made up."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import write_run

from wgfpde.cases.loading import from_mapping, load
from wgfpde.cli import main
from wgfpde.errors import CaseError
from wgfpde.runs.progress import Progress, StatusLine
from wgfpde.store import read

FAKE = "status      finished: all kept"
FOUL = f"A\x1b[2J\x07\r\n{FAKE}\n{FAKE}\x9b1m\x85\u202e\u2028\x7f$\\frac{{$ <b>&\"'"
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
CASE = """
grid = { shape = [8], lower = [0], upper = [1] }
energy = { internal = { kind = "entropy" } }
initial = { density = "1 + x" }
time = { end = 1 }
"""


def printed(*arguments):
    """(exit code, stdout, stderr) of a command; asserts that both are harmless."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    for shown in (out.getvalue(), err.getvalue()):
        found = HARMFUL.search(shown)
        assert found is None, ascii(shown[max(found.start() - 60, 0) : found.end() + 20])
        assert not [line for line in shown.split("\n") if line.strip().startswith(FAKE)]
        shown.encode()
    return code, out.getvalue(), err.getvalue()


def soil(path, words):
    """Put words into every text of a file that says something to people."""
    spared = {"order", "boundary", "format", "NX_class", "CLASS", "NAME", "fields", "data_files"}

    def attributes(name, item):
        for key, value in item.attrs.items():
            if isinstance(value, str | bytes) and key not in spared:
                item.attrs[key] = words

    with h5py.File(path, "r+") as file:
        attributes("/", file)
        file.visititems(attributes)
        for group, column in (("diagnostics", "max"), ("steps", "residual")):
            name = 'a\x1b[1m,"=$\\frac{$\u202e'
            file[group].copy(column, name)
            order = file[group].attrs.get("order") or "t dt iterations residual"
            file[group].attrs["order"] = f"{order} {name}"
            file[group][name].attrs["long_name"] = words


@pytest.fixture(scope="module")
def foul(tmp_path_factory):
    """A run in a folder with such a name, whose file says such things wherever it can."""
    place = tmp_path_factory.mktemp("foul") / "d\x1b[1m\n\x85\udcff"
    x = np.linspace(0.1, 1.9, 8)
    toml = f"title = {json.dumps(FOUL)}\n{CASE}"
    write_run(place, [1 + 0.1 * k * x for k in range(3)], case=f"# {FOUL}", resolved=toml)
    soil(place / "output.h5", FOUL)
    return place


VERBS = {
    "inspect": ["inspect", "DIR"],
    "inspect --json": ["inspect", "DIR", "--json"],
    "report": ["report", "DIR"],
    "plot": ["plot", "DIR"],
    "plot of a column": ["plot", "DIR", "--field", "max", "--format", "svg"],
    "plot of steps": ["plot", "DIR", "--field", "steps"],
    "plot of what is not there": ["plot", "DIR", "--field", FOUL],
    "compare": ["compare", "DIR", "DIR"],
    "w2": ["w2", "DIR", "DIR"],
    "csv": ["export", "DIR", "--to", "csv"],
    "nc": ["export", "DIR", "--to", "nc"],
    "vtk": ["export", "DIR", "--to", "vtk"],
    "check": ["check", "DIR/output.h5"],
    "resume": ["resume", "DIR"],
    "spectrum": ["spectrum", "DIR/output.h5", "--no-plot", "--modes", "1", "--out", "DIR/s.h5"],
    "converge": ["converge", "DIR/output.h5", "--vary", f"solver.dt=0.1,{FOUL}", "--out", "DIR/c"],
    "stationary": ["stationary", "DIR/output.h5", "--measure", FOUL, "--out", "DIR/st.h5"],
    "validate": ["validate", FOUL],
    "new": ["new", FOUL],
    "no verb": [FOUL],
    "usage": ["plot", "DIR", "--index", FOUL],
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb(foul, verb):
    code, out, err = printed(*(word.replace("DIR", str(foul)) for word in VERBS[verb]))
    assert out or err
    assert code in (0, 1, 2, 3)
    if verb == "inspect":
        assert out.startswith("A\\x1b[2J\\x07 ") and "\n  message     A\\x1b[2J\\x07\\r\\n" in out
    if verb == "inspect --json":
        assert json.loads(out)["message"] == FOUL
    if verb == "csv":
        head = (foul / "export" / "diagnostics.csv").read_text().split("\n")[0]
        assert head.endswith(',"a\\x1b[1m,""=$\\frac{$\\u202e"') and not HARMFUL.search(head)
    if verb == "report":
        assert not HARMFUL.search((foul / "report.html").read_text(encoding="utf-8"))


SMALL = st.text(st.sampled_from('a1=[]{}",.#\n\r\t\x1b\x07\x85\x9b\u202e\u2028\udcff'), min_size=1, max_size=12)


@settings(max_examples=12)
@given(SMALL, st.sampled_from(["title", "solver.method", "energy.potential", "grid.shape", "initial.file", "params"]))
def test_any_words_anywhere(tmp_path_factory, words, key):
    """As a value, as a key, as a name of a file, as a text of TOML."""
    folder = tmp_path_factory.getbasetemp()
    case = folder / "any.toml"
    case.write_text(CASE)
    quoted = json.dumps(words)
    for override in (f"{key}={words}", f"{key}={quoted}", f"params.{words}=1", f"params={{{quoted}=1}}"):
        printed("check", case, "--set", override)
    printed("check", words.replace("\0", ""))
    case.write_bytes(f"title = {quoted}\n{words}\n{CASE}".encode(errors="replace"))
    printed("check", case)


def test_mistakes_are_lines_and_what_they_quote_is_not(tmp_path):
    """Several mistakes, one of them a key with a line break: a line each."""
    path = tmp_path / "case.toml"
    path.write_text('"a\\nerror: b" = 1\n"c" = 2\n' + CASE)
    _, _, err = printed("check", path)
    assert len(err.strip().split("\n")) == 2 and "a\\nerror: b: unknown key" in err
    with pytest.raises(CaseError) as caught:
        load(path)
    assert len(caught.value.lines) == 2 and "a\nerror: b: unknown key" in str(caught.value)


def test_a_title_is_one_line_everywhere(tmp_path):
    tables = {
        "grid": {"shape": [4], "lower": [0.0], "upper": [1.0]}, "energy": {"internal": {"kind": "entropy"}},
        "initial": {"density": "1"}, "time": {"end": 1.0},
    }  # fmt: skip
    assert from_mapping({"title": "Heat\n  flow\r\n", **tables}).title == "Heat flow"
    run = write_run(tmp_path, [np.ones(4)], attributes={"title": "Heat\nflow"})
    assert run.title == read(tmp_path).title == "Heat flow"


def test_a_traceback_is_clean(tmp_path):
    """That of a mistake with WGFPDE_DEBUG=1, and of what nobody expected."""
    done = subprocess.run(
        [sys.executable, "-m", "wgfpde", "check", FOUL], capture_output=True, cwd=tmp_path,
        env=os.environ | {"WGFPDE_DEBUG": "1"},
    )  # fmt: skip
    shown = done.stderr.decode()
    assert done.returncode == 1 and "Traceback" in shown and "A\\x1b[2J" in shown and not HARMFUL.search(shown)


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_clean(terminal):
    screen = io.StringIO()
    screen.isatty = lambda: terminal
    line = StatusLine(screen, at_once=True, head=FOUL)
    line(FOUL)
    line(Progress(0.1, 0.0, 1.0, 1, 0.1, 3.0, note=FOUL, warning=True))
    line(Progress(0.2, 0.0, 1.0, 2, 0.1, 4.0))
    shown = screen.getvalue().replace("\r\x1b[K", "") if terminal else screen.getvalue()
    assert shown.count("A\\x1b[2J\\x07\\r\\n") == (3 if terminal else 4) and not HARMFUL.search(shown)


@pytest.mark.parametrize(
    ("table", "text"),
    [("resolved_toml", f"= {FOUL}"), ("sources_json", FOUL), ("data_files", "[1]"), ("data_files", FOUL)],
)
def test_a_file_with_unreadable_texts_is_refused_in_a_sentence(tmp_path, table, text):
    run = write_run(tmp_path / "r", [np.ones(8)], resolved=f"title = 'a'\n{CASE}")
    with h5py.File(run.path, "r+") as file:
        if table in file:
            del file[table]
            file[table] = text
        else:
            file.attrs[table] = text
    verb = ["run", run.path, "--out", tmp_path / "again"] if table == "data_files" else ["inspect", run.path]
    code, _, err = printed(*verb)
    assert code == 2 and f"{table} is no" in err and "The file may be damaged; copy it again." in err
