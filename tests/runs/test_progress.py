"""The line that says how far something is: on a terminal, in a log, in a notebook."""

import sys
import warnings
from types import ModuleType, SimpleNamespace

import pytest

from wgfpde.runs.progress import Progress, StatusLine, progress_text, status_line


class Screen(list):
    """A stream that remembers what was written."""

    def __init__(self, terminal: bool):
        self.terminal = terminal

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.append(text)

    def flush(self):
        pass


@pytest.fixture
def clock(monkeypatch):
    """Seconds, to be set."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr("wgfpde.runs.progress.time.monotonic", lambda: now.seconds)
    return now


def during(wall: float, note: str = "", warning: bool = False) -> Progress:
    """A run of ten seconds."""
    return Progress(wall / 10, 0.0, 1.0, int(wall), 0.1, wall, note, warning)


@pytest.mark.parametrize(("terminal", "expected"), [(True, 9), (False, 2)])
def test_progress_is_rare(terminal, expected):
    """One call each second for 10 s: a terminal waits 2 s, a log has a line every 5 s (first at 5 s)."""
    screen = Screen(terminal)
    line = StatusLine(screen)
    for k in range(1, 11):
        line(during(float(k)))
    assert len(screen) == expected
    assert ("\r" in screen[0]) is terminal
    line.clear()
    assert ("\r\x1b[K" in screen[expected:]) is terminal


@pytest.mark.parametrize(("terminal", "expected"), [(True, 9), (False, 2)])
def test_words_are_as_rare(terminal, expected, clock):
    screen = Screen(terminal)
    line = StatusLine(screen, head="search: ")
    for k in range(1, 11):
        clock.seconds = float(k)
        line(f"{k} of 10")
    assert len(screen) == expected
    assert screen[0].strip("\r\x1b[K\n") == ("search: 2 of 10" if terminal else "search: 5 of 10")


def test_words_at_once(clock):
    screen = Screen(False)
    line = StatusLine(screen, at_once=True)
    line("factors")
    line("modes")
    line.clear()
    assert screen == ["factors\n", "modes\n"]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_note_is_shown_at_once_and_goes_with_the_first_step(terminal):
    screen = Screen(terminal)
    line = StatusLine(screen)
    line(during(2.0, "compiling"))
    line(during(0.0))
    line(during(0.1))
    assert screen == (["\r\x1b[Kcompiling", "\r\x1b[K"] if terminal else ["compiling\n"])


def test_a_warning_stays():
    screen = Screen(True)
    line = StatusLine(screen)
    line(during(0.1, "warning: disk full", warning=True))
    line.clear()
    assert "".join(screen).startswith("\r\x1b[Kwarning: disk full\n")


def test_progress_text():
    p = Progress(t=1.5, start=1.0, end=3.0, step=50, dt=0.01, wall=10.0)
    for part in ("25.0 %", "t = 1.5 of 3", "step 50", "dt = 0.01", "5 steps/s", "30 s left"):
        assert part in progress_text(p)
    assert "? s left" in progress_text(Progress(1.0, 1.0, 3.0, 0, 0.0, 0.0))


def test_a_reader_that_is_gone_does_not_stop_a_run():
    class Gone(Screen):
        def write(self, text):
            raise BrokenPipeError

    line = StatusLine(Gone(False))
    line(during(9.0))
    line(during(9.0, "compiling"))
    line.clear()


def test_nothing_is_shown_where_nothing_is_wanted(capsys):
    with status_line(shown=False, at_once=False) as line:
        line("words")
        line(during(9.0))
        line(during(9.0, "compiling", warning=True))
    assert capsys.readouterr() == ("", "")


# ---- in a notebook ----------------------------------------------------------------------------------------


class FakeBar:
    """What is used of tqdm's bars."""

    made: list["FakeBar"]

    def __init__(self, total=None, bar_format=None, leave=True, file=None):
        self.total, self.bar_format, self.leave, self.n, self.open = total, bar_format, leave, 0, True
        self.texts = []
        self.made.append(self)

    def set_description_str(self, desc=None, refresh=True):
        self.desc = desc

    def refresh(self):
        self.texts.append((self.n, self.desc))

    def close(self):
        self.open = False


@pytest.fixture
def notebook(monkeypatch):
    """A process that runs a notebook; the bars that tqdm makes in it."""
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    ipython, auto = ModuleType("IPython"), ModuleType("tqdm.auto")
    monkeypatch.setattr(ipython, "get_ipython", lambda: shell, raising=False)
    monkeypatch.setattr(auto, "tqdm", FakeBar, raising=False)
    for name, module in (("IPython", ipython), ("tqdm", ModuleType("tqdm")), ("tqdm.auto", auto)):
        monkeypatch.setitem(sys.modules, name, module)
    FakeBar.made = []
    return FakeBar.made


def test_a_bar_in_a_notebook(notebook):
    screen = Screen(False)
    line = StatusLine(screen, head="run 1 of 3   ")
    for k in range(1, 6):
        line(during(float(k)))
    (bar,) = notebook
    assert bar.total == 1.0 and "{bar}" in bar.bar_format and bar.leave is False
    assert [n for n, _ in bar.texts] == pytest.approx([0.2, 0.3, 0.4, 0.5], rel=1e-9, abs=0)
    assert bar.texts[0][1].startswith("run 1 of 3    20.0 %")
    line(during(6.0, "warning: disk full", warning=True))
    assert bar.texts[-1][1] == "warning: disk full" and screen == ["warning: disk full\n"]
    line.clear()
    assert not bar.open


def test_words_alone_in_a_notebook(notebook):
    line = StatusLine(Screen(False), at_once=True)
    line("factors")
    assert notebook[0].texts == [(0.0, "factors")] and notebook[0].bar_format == "{desc}"
    line.clear()
    line("modes")
    assert len(notebook) == 2


def test_a_notebook_without_tqdm_has_a_log(notebook, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    screen = Screen(False)
    StatusLine(screen, at_once=True)("factors")
    assert screen == ["factors\n"] and not notebook


def test_a_notebook_without_widgets_says_nothing_of_it(notebook, monkeypatch, tmp_path):
    """tqdm.auto warns as it is imported there."""
    (tmp_path / "tqdm").mkdir()
    (tmp_path / "tqdm" / "__init__.py").touch()
    (tmp_path / "tqdm" / "auto.py").write_text(
        "import warnings\nwarnings.warn('IProgress not found')\nseen = tqdm = 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("tqdm", "tqdm.auto"):
        monkeypatch.delitem(sys.modules, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        StatusLine(Screen(False))
    assert sys.modules["tqdm.auto"].seen


def test_tqdm_is_not_used_outside_notebooks(notebook):
    sys.modules["IPython"].get_ipython().config.clear()
    for terminal in (True, False):
        StatusLine(Screen(terminal), at_once=True)("factors")
    assert not notebook
