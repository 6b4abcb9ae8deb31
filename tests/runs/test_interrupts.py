"""Signals and the limit of wall-clock time end a run in order, and only where that does no harm."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from same_runs import ATTRACT, assert_same, case_of, fork, wait_until, with_events

import wgfpde.runs.runner as runner
from wgfpde.cli import main
from wgfpde.cli.run_verbs import seconds
from wgfpde.runs import time_loop
from wgfpde.runs.interrupts import Interrupted, Interrupts
from wgfpde.runs.runner import resume, run
from wgfpde.store import Writer, read
from wgfpde.store.checkpoint import checkpoints

CASE = case_of(solver={"method": "fv", "dt": 0.02}, **ATTRACT)


def send(number):
    os.kill(os.getpid(), number)


# ---- the context -------------------------------------------------------------------------------------------


def test_a_request_waits_until_it_may_come():
    with Interrupts() as interrupts:
        send(signal.SIGTERM)
        reached = True
        with pytest.raises(Interrupted, match="SIGTERM") as caught, interrupts.abandonable():
            reached = False
        assert reached and caught.value.exit_code == 143


def test_a_request_comes_at_once_where_it_may():
    with Interrupts() as interrupts:
        after = False
        with pytest.raises(Interrupted, match="Ctrl-C") as caught, interrupts.abandonable():
            send(signal.SIGINT)
            after = True
        assert not after and caught.value.exit_code == 130
        send(signal.SIGINT)  # a second one, now: it waits
        send(signal.SIGTERM)


def test_the_first_request_counts_and_stays():
    with Interrupts() as interrupts:
        send(signal.SIGTERM)
        send(signal.SIGINT)
        for _ in range(2):
            with pytest.raises(Interrupted, match="SIGTERM"):
                interrupts.check()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_request_lost_in_a_destructor_comes_again():
    """What is raised in __del__ goes no further; the request must."""

    class Handle:
        def __del__(self):
            send(signal.SIGTERM)
            time.sleep(0)

    with Interrupts() as interrupts:
        with interrupts.abandonable():
            handle = Handle()
            del handle
        with pytest.raises(Interrupted, match="SIGTERM"), interrupts.abandonable():
            pass


def test_handlers_and_timer_are_put_back():
    def mine(number, frame):
        pass

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = [signal.signal(number, mine) for number in numbers]
    try:
        with pytest.raises(ZeroDivisionError), Interrupts(60.0):
            assert all(signal.getsignal(number) is not mine for number in numbers)
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 50
            raise ZeroDivisionError
        assert all(signal.getsignal(number) is mine for number in numbers)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def test_what_is_ignored_stays_ignored():
    """As in the background of a shell script: Ctrl-C is not for this process."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts, interrupts.abandonable():
            send(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_limit_comes_within_what_may_be_abandoned():
    with Interrupts(0.05) as interrupts:
        after = False
        with pytest.raises(Interrupted, match="wall-clock") as caught, interrupts.abandonable():
            time.sleep(10)
            after = True
        assert caught.value.exit_code == 75 and not after


def test_elsewhere_than_in_the_main_thread_the_limit_comes_between():
    seen = []

    def work():
        with Interrupts(0.02) as interrupts:
            interrupts.check()
            time.sleep(0.03)
            try:
                interrupts.check()
            except Interrupted as request:
                seen.append(request.exit_code)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [75]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("0.5", 0.5), ("15:00", 900), ("01:30:00", 5400), ("100:00:01", 360001), ("1:0:0.25", 3600.25)],
)
def test_durations(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "1:2:3:4", "an hour", "1::2", "inf", "nan", "0:0", "00:00:00", "1:-5"])
def test_what_is_no_duration(text):
    with pytest.raises(Exception, match="expected a time such as"):
        seconds(text)


# ---- in a run ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_from_another_process(number, code, whole, tmp_path):
    """In the middle of a march; it goes on to the same file."""

    def child():
        with pytest.MonkeyPatch.context() as patch:
            with_events(patch, dict.fromkeys(range(8, 21), lambda following: time.sleep(0.2)))
            os._exit(run(CASE, tmp_path / "run").exit_code)

    process = fork(child)
    file = tmp_path / "run" / "output.h5"
    wait_until(lambda: file.exists() and len(read(file)) > 1, process)
    os.kill(process, number)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == code
    assert read(tmp_path / "run").status == "interrupted"
    assert f"wgfpde resume {tmp_path / 'run'}" in read(tmp_path / "run").message
    resume(tmp_path / "run")
    assert_same(tmp_path / "run", whole)


@pytest.mark.parametrize("tries", [6, pytest.param(200, marks=pytest.mark.nightly)])
def test_signals_at_random_moments(tries, whole, tmp_path):
    """From another process, at any instruction: what is abandoned leaves nothing behind.  Try k has the seed [5, k]."""
    codes = []
    begin = time.perf_counter()
    run(CASE, tmp_path / "timed")
    seconds = time.perf_counter() - begin
    for k in range(tries):
        place = tmp_path / str(k)

        def child(place=place):
            try:
                os._exit(run(CASE, place).exit_code)
            except Interrupted as request:  # before anything was written
                os._exit(request.exit_code)

        process = fork(child)
        time.sleep(np.random.default_rng([5, k]).uniform(0.0, seconds))
        os.kill(process, signal.SIGTERM)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
        assert codes[-1] in (0, 143, -signal.SIGTERM)
        if codes[-1] == 143 and place.exists():
            assert read(place).status == "interrupted"
        assert (resume(place) if (place / "resolved.toml").exists() else run(CASE, place)).status == "finished"
        assert_same(place, whole, ["sources_json"])
    assert 143 in codes


@pytest.mark.parametrize("inside", ["append_step", "append", "flush_steps", "save", "compute", "the log"])
def test_a_signal_between_steps_waits(inside, whole, tmp_path, monkeypatch):
    """The state, the file and the checkpoint are brought in line first."""
    case = case_of(
        solver={"method": "fv", "dt": 0.02}, output={"every": 0.1, "checkpoint": 1e-9 if inside == "save" else 300.0},
        **ATTRACT,
    )  # fmt: skip
    calls = []

    def signalled(real):
        def call(*args, **named):
            calls.append(inside)
            if len(calls) == 3:
                send(signal.SIGINT)
            result = real(*args, **named)
            if len(calls) == 3:
                send(signal.SIGTERM)
            return result

        return call

    if inside == "save":
        monkeypatch.setattr(time_loop, "save", signalled(time_loop.save))
    elif inside == "compute":
        monkeypatch.setattr(time_loop.diagnostics, "compute", signalled(time_loop.diagnostics.compute))
    elif inside == "the log":
        monkeypatch.setattr(runner.folder.Log, "__call__", signalled(runner.folder.Log.__call__))
    else:
        monkeypatch.setattr(Writer, inside, signalled(getattr(Writer, inside)))
    result = run(case, tmp_path / "run")
    monkeypatch.undo()
    if inside == "flush_steps":  # called but at the checkpoint at the end: there was nothing left to stop
        assert result.status == "finished"
    else:
        assert (result.status, result.exit_code) == ("interrupted", 130)
        found, latest = read(tmp_path / "run"), next(checkpoints(tmp_path / "run"))
        assert found.t[-1] == latest.snapshot.t and len(found.steps["t"]) == latest.snapshot.step == result.steps
        assert found.rho[-1].tobytes() == latest.snapshot.rho.tobytes()
        resume(tmp_path / "run")
    assert_same(tmp_path / "run", whole, ["resolved_toml", "case_toml", "sources_json"])


def test_impatience_does_not_tear_the_last_state(whole, tmp_path, monkeypatch):
    """Ctrl-C again and again while the state is being secured."""
    secure, append = runner._secure, Writer.append

    def impatient(loop):
        send(signal.SIGINT)
        monkeypatch.setattr(Writer, "append", lambda *args: (send(signal.SIGINT), append(*args), send(signal.SIGTERM)))
        return secure(loop)

    with_events(monkeypatch, {13: lambda following: send(signal.SIGINT)})
    monkeypatch.setattr(runner, "_secure", impatient)
    result = run(CASE, tmp_path / "run")
    assert (result.status, result.exit_code, result.steps) == ("interrupted", 130, 12)
    monkeypatch.undo()
    assert read(tmp_path / "run").t[-1] == pytest.approx(0.24, rel=1e-9, abs=0)
    resume(tmp_path / "run")
    assert_same(tmp_path / "run", whole)


def test_a_limit_is_reached_and_the_run_goes_on(whole, tmp_path, monkeypatch):
    """In the middle of a step that would outlast it; and in the next part again."""
    with_events(monkeypatch, {8: lambda following: time.sleep(30)})
    for go_on in (
        lambda: run(CASE, tmp_path / "run", wall_limit=1.2),
        lambda: resume(tmp_path / "run", wall_limit=1.2),
    ):
        result = go_on()
        assert (result.status, result.exit_code) == ("interrupted", 75) and result.steps <= 7
        assert "the limit of wall-clock time" in result.message and "wgfpde resume" in result.message
    monkeypatch.undo()
    assert resume(tmp_path / "run", wall_limit=3600).status == "finished"
    assert_same(tmp_path / "run", whole)


def test_a_limit_on_the_command_line(tmp_path, monkeypatch, capsys):
    """Exit code 75, and what to type next, which then ends with 0."""
    (tmp_path / "case.toml").write_text(CASE.resolved_toml())
    monkeypatch.chdir(tmp_path)
    with_events(monkeypatch, {8: lambda following: time.sleep(30)})
    assert main(["run", "case.toml", "--out", "run", "--wall-limit", "00:00:01.2", "--quiet"]) == 75
    assert "Go on with: wgfpde resume run" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert main(["resume", "run", "--wall-limit", "01:00:00"]) == 0
    assert "finished" in capsys.readouterr().out


def test_a_limit_that_is_long_enough_changes_nothing(whole, tmp_path):
    assert run(CASE, tmp_path / "run", wall_limit=600).status == "finished"
    assert_same(tmp_path / "run", whole)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_limit_in_a_thread(whole, tmp_path, monkeypatch):
    results = []
    with_events(monkeypatch, {9: lambda following: time.sleep(1.6)})
    thread = threading.Thread(target=lambda: results.append(run(CASE, tmp_path / "run", wall_limit=1.5)))
    thread.start()
    thread.join()
    assert results[0].exit_code == 75 and results[0].steps <= 9
    monkeypatch.undo()
    resume(tmp_path / "run")
    assert_same(tmp_path / "run", whole)


def test_interrupted_while_the_kernels_compile(whole, tmp_path, monkeypatch):
    """The start is in the file, and the run goes on from there."""
    with_events(monkeypatch, {})
    build = runner.build

    def compiling(case):
        problem = build(case)
        problem.stepper.warm_up = lambda: send(signal.SIGINT)
        return problem

    monkeypatch.setattr(runner, "build", compiling)
    result = run(CASE, tmp_path / "run")
    assert (result.status, result.exit_code, result.steps) == ("interrupted", 130, 0)
    assert np.array_equal(read(tmp_path / "run").t, [0.0])
    monkeypatch.undo()
    resume(tmp_path / "run")
    assert_same(tmp_path / "run", whole)


@pytest.mark.parametrize("limit", [None, 1e-6])
def test_interrupted_while_it_is_built(limit, whole, tmp_path, monkeypatch):
    """The start is written then, so that there is a run to go on with."""
    build = runner.build

    def interrupted(case):
        if limit is None:
            send(signal.SIGTERM)
        return build(case)

    monkeypatch.setattr(runner, "build", interrupted)
    result = run(CASE, tmp_path / "run", wall_limit=limit)
    assert (result.status, result.exit_code, result.steps) == ("interrupted", 75 if limit else 143, 0)
    assert list(read(tmp_path / "run").t) == [0.0]
    monkeypatch.undo()
    resume(tmp_path / "run")
    assert_same(tmp_path / "run", whole)


def test_what_becomes_of_a_request_in_compiled_code_is_still_the_request():
    """Numba asks Python for the address of a kernel; a request that comes there leaves as a TypeError."""
    with Interrupts() as interrupts, pytest.raises(Interrupted, match="SIGTERM"), interrupts.abandonable():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        except Interrupted:
            raise TypeError("missing 1 required positional argument") from None
    with Interrupts() as interrupts, pytest.raises(TypeError), interrupts.abandonable():
        raise TypeError("of its own")
