"""NumPy's warnings become sentences: where the run logs, else on stderr; those of others stay."""

import warnings
from pathlib import Path

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.base.floating_point import PACKAGE, install, noted

SOURCE = """
import numpy as np
def overflow(): return np.exp(np.array([1e3]))
def nothing(): return np.array([0.0]) / np.array([0.0])
def zero(): return np.log(np.array([0.0]))
def library(): return np.linalg.norm(np.array([1e200, 1e200]))
"""


def functions(file):
    """Functions that NumPy warns of, as if they stood in that file."""
    found = {}
    exec(compile(SOURCE, str(file), "exec"), found)
    return found


@pytest.fixture
def heard():
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: others.append(str(message))
        others: list[str] = []
        install()
        install()
        yield others


@pytest.mark.parametrize(
    ("name", "words"),
    [("overflow", "beyond double"), ("nothing", "not defined"), ("zero", "divided by zero"), ("library", "beyond")],
)
def test_a_sentence_in_the_log_or_on_stderr(heard, capsys, name, words):
    function, log = functions(Path(PACKAGE) / "room" / "file.py")[name], []
    with noted(log.append):
        function()
    function()
    said = capsys.readouterr().err
    assert len(log) == 1 and words in log[0] and "room.file, line" in log[0] and "encountered" not in log[0] + said
    assert said == f"note: {log[0]}\n" and heard == []


def test_what_is_not_ours_stays(heard, tmp_path):
    functions(tmp_path / "mine.py")["overflow"]()
    warnings.warn("another", RuntimeWarning, stacklevel=1)
    assert heard == ["overflow encountered in exp", "another"]


def test_a_run_logs_what_numpy_warns_of_and_shows_nothing(heard, capsys, tmp_path, monkeypatch):
    from wgfpde.runs import time_loop

    overflow, check = functions(Path(PACKAGE) / "runs" / "file.py")["overflow"], time_loop.check_step
    monkeypatch.setattr(time_loop, "check_step", lambda *a: (overflow(), check(*a)))
    run = wgf.run("heat_1d", tmp_path / "a", progress=False, grid={"shape": [8]}, time={"end": 0.04})
    assert run.status == "finished" and capsys.readouterr() == ("", "") and heard == []
    assert "floating point: a number grew beyond double precision, in runs.file" in (tmp_path / "a/run.log").read_text()


def test_where_python_raises_warnings_it_still_does(heard):
    warnings.simplefilter("error")
    with pytest.raises(RuntimeWarning, match="overflow"):
        functions(Path(PACKAGE) / "file.py")["overflow"]()
    assert np.geterr()["over"] == "warn"
