"""Workers that die or are asked to end: every other run is done, and nothing waits for ever."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from wgfpde.cases.loading import load
from wgfpde.cases.varying import vary
from wgfpde.studies.sweep import Plan
from wgfpde.studies.sweep.engines.process_pool import ProcessPool
from wgfpde.studies.sweep.journal import Journal
from wgfpde.studies.sweep.one_run import Setup, Task

SHORT = ["grid.shape=[24]", "time.end=0.4", "output.every=0.2", "solver.tolerance=1e-3"]


class Deadly:
    """A value that ends the process that receives it."""

    def __reduce__(self):
        return os._exit, (1,)


@pytest.mark.parametrize("bad", [[0], [17], [38, 39]])
def test_a_run_that_kills_its_worker_fails_alone(tmp_path, bad):
    case = load("desai_zwanzig_1d", SHORT)
    plan = Plan(case, tuple(vary(["params.theta=0.5:1.5:40"], case)))
    draft = case._draft
    setup = Setup(draft.data, str(draft.path), draft.text, str(tmp_path), folders=False)
    values = [{"params.theta": Deadly()} if k in bad else plan.values(k) for k in range(40)]
    tasks = [Task(k, str(k), values[k], f"r{k}") for k in range(40)]
    found = list(ProcessPool(2).outcomes(setup, iter(tasks), lambda *_: None))
    assert sorted(int(o.digest) for o in found) == list(range(40)), "each once"
    failed = {int(o.digest): o.message for o in found if o.status != "finished"}
    assert sorted(failed) == bad and all("killed twice" in text for text in failed.values())
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_ends_a_sweep_with_its_own_exit_code(tmp_path, workers):
    folder = tmp_path / "a sweep"
    args = ["--vary", "params.theta=0.5:1.5:60", "--set", "time.end=40", "--set", "grid.shape=[400]"]
    command = [sys.executable, "-m", "wgfpde", "sweep", "desai_zwanzig_1d", *args, "--out", str(folder)]
    command += ["--quiet", "--no-folders", "--workers", workers]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None and not len(Journal(folder)):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGTERM)  # as a scheduler does
    text = process.communicate(timeout=30)[1]
    assert process.returncode == 143, text
    assert "stopped by SIGTERM: " in text and "interrupted by stopped" not in text
    assert f"wgfpde resume '{folder}'" in text and "Traceback" not in text


def test_a_second_request_to_stop_within_the_first_does_no_harm():
    """Ctrl-C reaches a worker from the terminal and from the sweep: two signals, often at one instant."""
    script = """
import signal
from wgfpde.studies.sweep.engines import process_pool
signal.signal(signal.SIGINT, process_pool._ask_to_stop)
print("ready", flush=True)
while not process_pool._stop:
    pass
print("stopped", flush=True)
while True:
    print(input(), flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "ready\n"
        for _ in range(5000):
            child.send_signal(signal.SIGINT)
        answer = child.communicate("still here\n", timeout=20)[0]
    finally:
        child.kill()
    assert answer == "stopped\nstill here\n"


@pytest.mark.parametrize("verb", [["sweep", "--vary", "params.theta=1,2", "--workers", "2", "--no-folders"], ["warm"]])
def test_workers_run_no_module_of_the_working_folder(tmp_path, verb):
    """Where somebody else's cases lie there may be a json.py, too."""
    for name in ("json", "signal", "numpy", "socket"):
        (tmp_path / f"{name}.py").write_text("open('was_run', 'w').close()\nraise ImportError\n")
    command = "import os, sys; sys.path.remove(''); from wgfpde.cli import main; os.chdir(sys.argv.pop(1)); "
    command += "sys.exit(main(sys.argv[1:]))"  # as the command wgfpde, which has not the folder on its path
    short = [text for item in SHORT for text in ("--set", item)]
    words = [sys.executable, "-c", command, str(tmp_path), verb[0], "desai_zwanzig_1d", *short, *verb[1:], "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "was_run").exists()
