"""Signals, two writers and a clock that goes back, during verbs that are no run: nothing half written, nothing lost."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from same_runs import assert_same

from wgfpde.base import replaced_files
from wgfpde.base.replaced_files import whole_file
from wgfpde.cli import main
from wgfpde.runs.interrupts import Interrupted, stopping
from wgfpde.store import read_study

CASE = """
[grid]
shape = [24]
lower = [-2]
upper = [2]
[energy]
internal = { kind = "entropy", kappa = 0.5 }
potential = "x**4/4 - x**2/2"
[initial]
density = "exp(-x**2)"
[time]
end = 0.4
[output]
every = 0.02
[solver]
method = "fv"
dt = 0.01
"""
VERBS = {
    "report": ["report", "run", "--out", "r.html"],
    "movie": ["movie", "run", "--out", "m.gif"],
    "plot": ["plot", "run", "--out", "p.png"],
    "stationary": ["stationary", "case.toml", "--out", "t.h5", "--no-plot"],
    "spectrum": ["spectrum", "case.toml", "--out", "s.h5", "--no-plot"],
    "converge": ["converge", "case.toml", "--vary", "grid.shape=8,16,32", "--out", "c", "--quiet", "--no-plot"],
}
MADE = {"report": "r.html", "movie": "m.gif", "plot": "p.png", "stationary": "t.h5", "spectrum": "s.h5"} | {
    "converge": "c/converge.h5"
}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with a case, its run, and what each verb made of them before."""
    folder = tmp_path_factory.mktemp("begun")
    (folder / "case.toml").write_text(CASE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["run", "case.toml", "--out", "run", "--quiet"]) == 0
        for words in VERBS.values():
            assert main(words) == 0
    return folder


@pytest.fixture
def place(begun, tmp_path, monkeypatch):
    shutil.copytree(begun, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def stopped(words, number, moment):
    """Run a verb in a process of its own, which sends itself a signal when a file is written, before it is renamed."""
    script = (
        "import os, sys, signal\n"
        "from wgfpde.base import replaced_files\n"
        "real, count = os.replace, []\n"
        "def replace(old, new):\n"
        "    count.append(new)\n"
        f"    if str(new).endswith({moment!r}):\n"
        f"        os.kill(os.getpid(), {int(number)})\n"
        "    real(old, new)\n"
        "os.replace = replace\n"
        "from wgfpde.cli import main\n"
        "sys.exit(main())\n"
    )
    return subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("verb", "number", "code"), [*((verb, signal.SIGTERM, 143) for verb in VERBS), ("movie", signal.SIGINT, 130)]
)
def test_a_signal_keeps_what_was_there(verb, number, code, place):
    """At the last moment before the new file would be in place of the old one."""
    before, old = files(place), (place / MADE[verb]).read_bytes()
    done = stopped(VERBS[verb], number, Path(MADE[verb]).name)
    assert done.returncode == code and "Traceback" not in done.stderr
    assert done.stderr.count("\n") <= 2 and "interrupted by" in done.stderr
    assert files(place) == before and (place / MADE[verb]).read_bytes() == old
    assert main(VERBS[verb]) == 0


@pytest.mark.parametrize("verb", ["stationary"])
def test_a_kill_keeps_what_was_there_and_the_next_one_clears_up(verb, place):
    before, old = files(place), (place / MADE[verb]).read_bytes()
    assert stopped(VERBS[verb], signal.SIGKILL, Path(MADE[verb]).name).returncode == -signal.SIGKILL
    assert (place / MADE[verb]).read_bytes() == old and len(files(place)) == len(before) + 1
    assert main(VERBS[verb]) == 0
    assert files(place) == before


@pytest.mark.nightly
@pytest.mark.parametrize("verb", VERBS)
def test_signals_at_many_random_moments(verb, place):
    """From before the first import to after the end."""
    import numpy as np

    before, rng = files(place), np.random.default_rng(11)
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "wgfpde", *VERBS[verb]], capture_output=True)
    whole = time.perf_counter() - begin
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-m", "wgfpde", *VERBS[verb]], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        time.sleep(rng.uniform(0.3, 1.1) * whole)
        process.send_signal(rng.choice([signal.SIGTERM, signal.SIGINT]))
        _, err = process.communicate()
        assert process.returncode in (0, 130, 143, -signal.SIGTERM, -signal.SIGINT, 1), err
        assert files(place) == before
    assert main(VERBS[verb]) == 0


@pytest.mark.parametrize("verb", VERBS)
def test_two_writers_of_one_file(verb, place, capsys):
    """The second is refused while the first writes, and what the first writes is whole."""
    before, target = files(place), place / MADE[verb]
    with whole_file(target, keep_ending=target.suffix in (".gif", ".png")) as part:
        part.write_bytes(b"the first")
        assert main(VERBS[verb]) == 2
        assert re.search(f"{target.name}: it is being written by another process", capsys.readouterr().err)
        assert part.read_bytes() == b"the first"
    assert target.read_bytes() == b"the first" and files(place) == before


def test_two_studies_in_one_folder(place, capsys):
    """While a run of the study is being written it is left alone, and its own writer goes on."""
    import fcntl

    shutil.rmtree(place / "c")
    (place / "c" / "02-16").mkdir(parents=True)
    with (place / "c" / "02-16" / "run.log").open("ab") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        assert main(VERBS["converge"]) == 2
        assert "is being written by another run" in capsys.readouterr().err
    assert main(VERBS["converge"]) == 0


# ---- the file itself -----------------------------------------------------------------------------------------


def test_many_writers_one_after_the_other(tmp_path):
    """Threads that take turns as they can: the file is always that of one of them, whole."""
    target, refused, texts = tmp_path / "out.txt", [], {f"{k}" * 5000 for k in range(6)}

    def write(text):
        for _ in range(30):
            try:
                with whole_file(target) as part:
                    part.write_text(text)
            except OSError:
                refused.append(text)
            assert target.read_text() in texts if target.exists() else True

    writers = [threading.Thread(target=write, args=[text]) for text in texts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert target.read_text() in texts and files(tmp_path) == ["out.txt"]


def test_a_part_that_was_renamed_in_between_is_not_the_target(tmp_path, monkeypatch):
    """Between opening the part and locking it the first writer put it in place: the second begins another, alone."""
    target, part = tmp_path / "out.txt", tmp_path / "out.txt.part"
    part.write_text("the first")
    real = replaced_files._lock

    def lock(handle, path):
        if part.exists() and part.read_text() == "the first":
            os.replace(part, target)
        real(handle, path)

    monkeypatch.setattr(replaced_files, "_lock", lock)
    with pytest.raises(ZeroDivisionError), whole_file(target) as place:
        place.write_text("the second")
        with pytest.raises(replaced_files.BeingWritten), whole_file(target):
            pass
        raise ZeroDivisionError
    assert target.read_text() == "the first" and files(tmp_path) == ["out.txt"]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/null"), Path.mkdir])
def test_what_stands_in_the_way_is_not_written_to(make, tmp_path):
    make(tmp_path / "out.txt.part")
    with pytest.raises(OSError), whole_file(tmp_path / "out.txt"):
        pass
    assert not (tmp_path / "out.txt").exists()


def test_a_second_signal_does_not_disturb_the_end():
    ended = []
    with pytest.raises(Interrupted) as raised, stopping():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            ended.append(True)
    assert ended and raised.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


# ---- the clock -----------------------------------------------------------------------------------------------


def test_a_clock_that_goes_back_changes_nothing(place, monkeypatch):
    """Dates are told and never compared: a study that goes on takes the runs that were made "later"."""
    moments = iter(range(10**6))

    class Back(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2020, 1, 1, tzinfo=tz) - timedelta(days=next(moments))

    for room in ("runs.folder", "store.writer"):
        monkeypatch.setattr(f"wgfpde.{room}.datetime", Back)
    monkeypatch.setattr(time, "time", lambda: 1e9 - 1e5 * next(moments))
    made = {file: os.stat(file).st_mtime_ns for file in place.glob("c/*/output.h5")}
    assert main(["run", "case.toml", "--out", "again", "--quiet"]) == 0
    assert_same(place / "again", place / "run")
    known = read_study(place / "c" / "converge.h5")
    for words in VERBS.values():
        assert main(words) == 0
    assert read_study(place / "c" / "converge.h5")["error_l1"].tobytes() == known["error_l1"].tobytes()
    assert made == {file: os.stat(file).st_mtime_ns for file in made}


def test_ctrl_c_while_the_command_line_is_loaded_is_no_traceback():
    script = """
import sys

class Stopped:
    def find_spec(self, name, path, target=None):
        if name == "wgfpde.cli.dispatch":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Stopped())
import wgfpde.cli
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, "")
