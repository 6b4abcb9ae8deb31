"""Looking on: what a folder says now, in a terminal and by a page on this machine; nothing is locked or written."""

import json
import math
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import numpy as np
import pytest
from samples import hills, ramp, write_run

from wgfpde.cases.loading import load
from wgfpde.cases.varying import vary
from wgfpde.cli import main
from wgfpde.errors import StoreError
from wgfpde.runs.interrupts import Interrupted
from wgfpde.runs.runner import run
from wgfpde.store import read
from wgfpde.studies.sweep import Kept, Plan, one_run, sweep
from wgfpde.studies.sweep.engines import engine
from wgfpde.studies.sweep.outcome import Outcome
from wgfpde.studies.watch import state as states
from wgfpde.studies.watch.local_page import LocalPage, record
from wgfpde.studies.watch.state import State, run_state, watcher_of

SHORT = ["grid.shape=[24]", "time.end=0.4", "output.every=0.2", "solver.tolerance=1e-3"]


def listing(folder):
    return {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in folder.rglob("*")}


def test_a_run_that_is_over(tmp_path, capsys):
    run(load("desai_zwanzig_1d", SHORT), tmp_path / "R")
    before = listing(tmp_path)
    state = watcher_of(tmp_path / "R")()
    stored = read(tmp_path / "R")
    assert (state.kind, state.status, state.share, state.over) == ("run", "finished", 1.0, True)
    assert (
        state.more["rho"] == stored.rho[-1].tolist() and state.more["energy"] == stored.diagnostics["energy"].tolist()
    )
    assert main(["watch", str(tmp_path / "R")]) == 0
    assert "t = 0.4 of 0.4" in capsys.readouterr().out
    assert listing(tmp_path) == before


def test_a_run_while_it_goes_on_is_not_disturbed(tmp_path):
    """Looked at as often as can be, it ends as the same run alone does, bit for bit; its share never falls."""
    overrides = ["grid.shape=[200]", "time.end=4", "output.every=0.1"]
    args = ["run", "desai_zwanzig_1d", *(part for text in overrides for part in ("--set", text)), "--quiet"]
    folder = tmp_path / "R"
    process = subprocess.Popen([sys.executable, "-m", "wgfpde", *args, "--out", str(folder)])
    shares, running = [], 0
    while process.poll() is None:
        try:
            state = watcher_of(folder)()
        except StoreError:
            continue  # not yet there
        running += state.status == "running"
        if not math.isnan(state.share):
            shares.append(state.share)
    assert process.returncode == 0 and shares == sorted(shares) and running > 0
    assert run_state(folder).status == "finished"
    run(load("desai_zwanzig_1d", overrides), tmp_path / "alone")
    a, b = read(folder), read(tmp_path / "alone")
    assert np.array_equal(np.asarray(a.rho), np.asarray(b.rho)) and np.array_equal(a.steps["t"], b.steps["t"])


def test_a_run_whose_process_is_gone(tmp_path):
    folder = write_run(tmp_path, ramp(3), end="running").folder
    (folder / "run.log").write_text("process 999999999, from the start\n")
    assert run_state(folder).status == "stopped"
    (folder / "run.log").write_text(f"process {os.getpid()}, from the start\n")
    assert run_state(folder).status == "running"
    (folder / "run.log").write_text("process 99999999999999999999999999\n")
    assert run_state(folder).status in ("running", "stopped")


def test_a_large_map_is_averaged(tmp_path, monkeypatch):
    monkeypatch.setattr(states, "SIDE", 8)
    run = write_run(tmp_path, hills(2, nx=40, ny=30))
    more, rho = run_state(run.folder).more, run.rho[-1]
    assert np.shape(more["rho"]) == (7, 8) and len(more["x"]) == 8 and len(more["y"]) == 7
    assert more["rho"][0][0] == pytest.approx(rho[:4, :5].mean(), rel=1e-14, abs=0)


def test_a_sweep(tmp_path, capsys):
    case = load("desai_zwanzig_1d", SHORT)
    plan = Plan(case, tuple(vary(["params.theta=0.5:1.5:4"], case)))
    sweep(plan, tmp_path / "S", Kept(folders=False), share=(1, 2))
    look = watcher_of(tmp_path / "S")
    assert (look().status, look().share) == ("running", 0.5) and look().text.startswith("2 of 4 runs")
    sweep(plan, tmp_path / "S", Kept(folders=False))
    assert (look().status, look().share) == ("finished", 1.0)
    assert main(["watch", str(tmp_path / "S"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "sweep"


class Looking:
    """A watcher of a sweep that looks on from outside, at each run that has ended."""

    def __init__(self, folder):
        self.folder, self.seen = folder, []

    def begun(self, plan, known, workers):
        self.working()

    def working(self, *_):
        state = watcher_of(self.folder)()
        self.seen.append((state.status, state.share))

    def done(self, *_):
        self.working()


@pytest.mark.parametrize("share", [None, (1, 2)])
def test_a_sweep_that_does_runs_again_is_not_over(tmp_path, share, monkeypatch):
    """Those that failed, and those that lack what is wanted; when it ends, or is stopped, all is as before."""
    case = load("desai_zwanzig_1d", SHORT)
    plan = Plan(case, tuple(vary(["params.theta=0.5:1.5:4"], case)))
    alone = one_run.solve

    def failing(setup, task, progress=None):
        return alone(setup, task) if task.number % 2 else Outcome(task.digest, "failed", "no luck")

    monkeypatch.setattr(engine, "solve", failing)
    sweep(plan, tmp_path / "S", Kept(folders=False))
    look = watcher_of(tmp_path / "S")
    assert (look().status, look().share) == ("failed", 1.0)

    def stopped(setup, task, progress=None):
        return Outcome(task.digest, "interrupted", "Ctrl-C")

    monkeypatch.setattr(engine, "solve", stopped)
    with pytest.raises(Interrupted):
        sweep(plan, tmp_path / "S", Kept(folders=False), share=share)
    assert (look().status, look().share) == ("failed", 1.0)

    monkeypatch.setattr(engine, "solve", alone)
    sweep(plan, tmp_path / "S", Kept(folders=False), share=share, watcher=(seen := Looking(tmp_path / "S")))
    between = [share for status, share in seen.seen if status == "running"]
    assert between == [0.75] and (look().status, look().share) == ("finished", 1.0)

    wider = Kept(folders=False, density=True)
    sweep(plan, tmp_path / "S", wider, share=share, watcher=(seen := Looking(tmp_path / "S")))
    between = [share for status, share in seen.seen if status == "running"]
    assert between == ([0.25, 0.5, 0.75] if share is None else [0.75])
    assert (look().status, look().share) == ("finished", 1.0)


@pytest.mark.parametrize(
    "line",
    ['{"again": {"rows.jsonl": "many"}, "wanted": [], "share": null}', '{"again": 1}', '{"again": {}, "share": [1, 0]}',
     '{"again": {"rows.jsonl": 1e999}, "wanted": 3, "share": null}', '"again"', '{"again": {"rows.jsonl"'],
)  # fmt: skip
def test_a_mark_by_another_hand_is_none(tmp_path, line):
    case = load("desai_zwanzig_1d", SHORT)
    plan = Plan(case, tuple(vary(["params.theta=1"], case)))
    sweep(plan, tmp_path / "S", Kept(folders=False))
    with (tmp_path / "S" / "rows.jsonl").open("a") as file:
        file.write(f"{line}\n")
    assert watcher_of(tmp_path / "S")().status == "finished"


def test_a_folder_that_is_neither(tmp_path, capsys):
    assert main(["watch", str(tmp_path)]) == 2
    assert "neither" in capsys.readouterr().err


# ---- the page --------------------------------------------------------------------------------------------------

DONE = State("run", '<script>alert("x")</script>', "finished", 1.0, "t = 1 of 1", "", {"energy": [math.nan, 1.0]})


def get(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


def test_a_page_is_served_to_who_knows_its_address():
    with LocalPage(lambda: DONE) as page:
        assert page.address.startswith("http://127.0.0.1:")
        code, headers, text = get(page.address)
        assert code == 200 and "default-src 'none'" in headers["Content-Security-Policy"] and "alert" not in text
        code, _, text = get(page.address + "now.json")
        assert code == 200 and json.loads(text)["more"]["energy"] == [None, 1.0]
        root = page.address.rsplit("/", 2)[0]
        for url in (root + "/", root + "/x/", page.address + "../etc", page.address + "page.js", root + "//now.json"):
            assert get(url)[0] == 404, url
        assert get(page.address, Host="evil.example:80")[0] == 404
        request = urllib.request.Request(page.address, data=b"x", method="POST")
        with pytest.raises(urllib.error.HTTPError, match="501"):
            urllib.request.urlopen(request, timeout=10)
    with pytest.raises(OSError):
        urllib.request.urlopen(page.address, timeout=2)


def test_two_pages_have_two_tokens():
    tokens = {LocalPage(lambda: DONE).address.rsplit("/", 2)[1] for _ in range(2)}
    assert len(tokens) == 2 and min(map(len, tokens)) >= 32


def test_the_files_are_looked_at_once_a_second_however_many_ask():
    looks = []

    def look():
        looks.append(time.monotonic())
        return DONE

    with LocalPage(look) as page:
        for _ in range(20):
            get(page.address + "now.json")
    assert len(looks) <= 3


def test_what_cannot_be_read_is_told_on_the_page():
    def look():
        raise StoreError("no such\x1b[2J file")

    found = json.loads(record(look))
    assert found["status"] == "running" and "\x1b" not in found["error"]


def test_a_browser_that_goes_away_is_not_told_in_the_terminal(capfd):
    with LocalPage(lambda: DONE) as page:
        page._server.handle_error(None, ("127.0.0.1", 1))
    assert capfd.readouterr() == ("", "")


def test_an_end_that_is_none_is_the_last_snapshot():
    deep = "x = " + "[" * 5000
    for text in ("", "[time]\nend = [1]\n", "[time]\nstart = 0\n", f"[time]\nend = {10**400}\n", deep):
        assert states._end(SimpleNamespace(resolved_toml=text, t=np.array([0.0, 2.0]))) == 2.0
