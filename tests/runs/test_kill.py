"""SIGKILL at any moment: the file opens without repair, and the run that goes on gives the file of one never killed."""

import os
import re
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from same_runs import ATTRACT, JKO, assert_same, case_of, fork, in_child

from wgfpde.cli import main
from wgfpde.runs.runner import resume, run
from wgfpde.store import Writer, read

ADAPTIVE = {"method": "fv", "dt": "adaptive"}
CASES = {
    "fv": case_of(solver=ADAPTIVE, output={"every": 0.05, "checkpoint": 0.01}, **ATTRACT),
    "jko": case_of(solver=JKO | {"tau": 0.02}, output={"every": 0.04, "checkpoint": 0.01}, **ATTRACT),
    "packed": case_of(output={"every": 0.04, "checkpoint": 0.01, "compression": "gzip", "precision": "float32"}),
}
BUT = ["sources_json"]
"""What is only in the file: where the values of a case come from is not known to a run killed before that is there."""


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """No pool of threads is there when the process is forked."""
    monkeypatch.setenv("WGFPDE_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """name → the folder of the run never killed, and how long a child took for it.  All kernels are loaded then."""
    folder, seconds = tmp_path_factory.mktemp("whole"), {}

    def never_killed(name):
        if name not in seconds:
            run(CASES[name], folder / name)
            seconds[name] = min(duration(name, folder / f"again {k}") for k in range(3))
        return folder / name, seconds[name]

    return never_killed


def duration(name, place):
    """Seconds that a child takes for a run."""
    begin = time.perf_counter()
    os.waitpid(fork(lambda: run(CASES[name], place)), 0)
    return time.perf_counter() - begin


def go_on(case, place):
    """Run, or resume where there is something to resume."""
    begun = any((place / name).exists() for name in ("output.h5", "resolved.toml"))
    return resume(place) if begun else run(case, place)


def check_opens(place, reference):
    """What is readable is the beginning of what the reference holds, in every dataset.   Returns its snapshots."""
    path = place / "output.h5"
    if not path.exists():
        return -1
    with h5py.File(path, "r", locking=False) as file:
        file.visititems(lambda name, item: item[()] if isinstance(item, h5py.Dataset) else None)
    found, expected = read(place), read(reference)
    rows, steps = len(found), len(found.steps["t"])
    assert rows <= len(expected) and found.status in ("running", "finished")
    assert found.t.tobytes() == expected.t[:rows].tobytes()
    assert np.asarray(found.rho).tobytes() == np.asarray(expected.rho)[:rows].tobytes()
    for name, values in found.diagnostics.items():
        assert values.tobytes() == expected.diagnostics[name][:rows].tobytes(), name
    for name, values in found.steps.items():
        assert values.tobytes() == expected.steps[name][:steps].tobytes(), name
    assert steps >= np.count_nonzero(expected.steps["t"] <= found.t[-1]) if rows else True
    if (place / "output.xdmf").exists():
        assert "<Xdmf" in (place / "output.xdmf").read_text()
    return rows


def killed_after(seconds, work):
    """Let a child process work for so long.   Returns whether it was killed in its work."""
    child = fork(work)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def kill_at_random(case, place, reference, seconds, rng):
    """One run killed at a random moment, as often as a coin says so again when it goes on.  Returns what was seen."""
    seen = []
    while True:
        killed_after(rng.uniform(0.0, 1.1 * seconds), lambda: go_on(case, place))
        seen.append(check_opens(place, reference))
        if rng.random() < 0.5:
            break
    assert go_on(case, place).status == "finished"
    assert_same(place, reference, BUT)
    return seen


@pytest.mark.parametrize(("name", "tries"), [("fv", 8), ("jko", 4), ("packed", 6)])
def test_sigkill_at_random_moments(name, tries, whole, tmp_path):
    """Some thirty kills from before the file is there to after the end; try k of `name` draws from the seed [7, k].

    How fast a child works is not ours to say: where all kills struck before the beginning or after the end, there are
    more of them, sooner or later than the last.
    """
    reference, seconds = whole(name)
    end, seen, k = read(reference).t.size, [], 0
    while k < tries or (len(set(seen)) < 3 and k < 8 * tries):
        seen += kill_at_random(CASES[name], tmp_path / str(k), reference, seconds, np.random.default_rng([7, k]))
        seconds *= 0.8 if seen[-1] == end else 1.25 if seen[-1] == -1 else 1.0
        k += 1
    assert len(seen) > tries and len(set(seen)) > 2, f"the kills all struck at the same moments: {seen}"


@pytest.mark.nightly
@pytest.mark.parametrize("name", CASES)
def test_sigkill_at_many_random_moments(name, whole, tmp_path):
    reference, seconds = whole(name)
    for k in range(150):
        kill_at_random(CASES[name], tmp_path / str(k), reference, seconds, np.random.default_rng([8, k]))


# ---- at every operation on files ---------------------------------------------------------------------------

SHORT = case_of(
    solver={"method": "fv", "dt": 0.1}, output={"every": 0.2, "checkpoint": 1e-9, "compression": "gzip"}, **ATTRACT
)
"""Four steps and three snapshots, with a checkpoint after each step."""
EVERY = pytest.param(1, marks=pytest.mark.nightly)
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.truncate", "h5py.")


def counting(place, work, last=None):
    """Do `work`, counting what it does to files in a folder; the process is killed just before operation `last`."""
    done = []

    def note(event, args):
        named = any(str(place) in str(arg) for arg in args[:2])
        if event.startswith(EVENTS) and (named or event.startswith("h5py.")):
            done.append(event)
            if len(done) == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(note)
    for cls, name in ((h5py.File, "flush"), (h5py.File, "close"), (h5py.Dataset, "resize"), (Writer, "annotate")):
        real = getattr(cls, name)

        def audited(*args, real=real, name=name, **named):
            note(f"h5py.{name}", ())
            return real(*args, **named)

        setattr(cls, name, audited)
    work()
    return len(done)


def kill_at_operations(numbers, work, begin, reference, tmp_path):
    """Kill `work` before each of these operations, opening the file and going on each time; its whole count."""
    seen = set()
    for number in numbers:
        place = tmp_path / f"at{number}"
        begin(place)
        code = in_child(lambda place=place, number=number: counting(place, lambda: work(place), number))
        if code == 0:
            return seen
        assert code == -signal.SIGKILL
        seen.add(check_opens(place, reference))
        assert go_on(SHORT, place).status == "finished"
        assert_same(place, reference, BUT)
    return seen


@pytest.mark.parametrize("stride", [19, EVERY])
def test_killed_before_operations_of_a_run(stride, tmp_path):
    run(SHORT, tmp_path / "whole")
    numbers = range(2, 500, stride)
    seen = kill_at_operations(
        numbers, lambda place: run(SHORT, place), lambda place: None, tmp_path / "whole", tmp_path
    )
    assert len(seen) > 1


@pytest.mark.parametrize("stride", [23, EVERY])
def test_killed_before_operations_of_a_run_that_goes_on(stride, tmp_path):
    """The earlier kill left a snapshot that the checkpoint does not know."""
    run(SHORT, tmp_path / "whole")

    def begin(place):
        def child():
            real = Writer.append

            def append(writer, snapshot, numbers):
                real(writer, snapshot, numbers)
                if snapshot.step == 2:
                    os.kill(os.getpid(), signal.SIGKILL)

            Writer.append = append
            run(SHORT, place)

        assert in_child(child) == -signal.SIGKILL
        assert len(read(place)) == 2

    seen = kill_at_operations(range(2, 500, stride), resume, begin, tmp_path / "whole", tmp_path)
    assert len(seen) > 1


# ---- the command line --------------------------------------------------------------------------------------

FILE = """
[grid]
shape = [200]
lower = [-3]
upper = [3]
[energy]
internal = { kind = "entropy", kappa = 0.3 }
potential = "x**4/4 - x**2/2"
interaction = "0.5*x**2"
[initial]
density = "exp(-(x - 0.2)**2)"
mass = 1
[solver]
method = "fv"
dt = 0.001
[time]
end = 1.5
[output]
every = 0.05
checkpoint = 0.02
"""


def wgfpde(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "wgfpde", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, **options,
    )  # fmt: skip


def test_the_command_line_survives(tmp_path):
    """Killed as soon as it has three snapshots; in use until then; resumed to the file of a run never killed."""
    case = tmp_path / "well.toml"
    case.write_text(FILE)
    reference, place = tmp_path / "whole", tmp_path / "killed"
    assert main(["run", str(case), "--out", str(reference), "--quiet"]) == 0
    process = wgfpde("run", case, "--out", place, "--quiet")
    while not (place / "output.h5").exists() or len(read(place)) < 3 or not any(place.glob("checkpoint/*.npz")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert read(place).status == "running" and len(read(place)) < 31
    with wgfpde("resume", place) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert re.search("finished", out)
    assert read(place).attributes["command"].endswith(f"; __main__.py resume {place}")
    assert_same(place, reference)
