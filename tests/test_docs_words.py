"""What the pages of the documentation are made with: links, and commands whose output is kept."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytest.importorskip("sphinx")


@pytest.fixture
def pages(monkeypatch, tmp_path):
    """The modules `words` and `sessions` of docs/_ext, which keep what they run in a folder of this test."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs" / "_ext"), *sys.path])
    import sessions
    import words

    monkeypatch.setattr(sessions, "BUILD", tmp_path)
    (tmp_path / "sessions").mkdir()
    monkeypatch.setattr(words, "PATIENCE", 0.2)
    return words, sessions


@pytest.mark.parametrize(
    ("text", "doi"),
    [
        ("Reimann (2002), DOI 10.1016/S0370-1573(01)00081-3.", "10.1016/S0370-1573(01)00081-3"),
        ("(Malrieu 2001, DOI 10.1016/S0304-4149(01)00095-3; Lacker)", "10.1016/S0304-4149(01)00095-3"),
        ("(see 10.1007/978-3-7643-8722-8), and", "10.1007/978-3-7643-8722-8"),
        ("DOI 10.1016/0021-9991(79)90145-1: limited", "10.1016/0021-9991(79)90145-1"),
        ("(10.1000/ends(1))", "10.1000/ends(1)"),
    ],
)
def test_a_doi_is_one_whole_link(pages, text, doi):
    link = f"`{doi} <https://doi.org/{doi}>`__"
    assert pages[0].prose(text) == text.replace(doi, link)


def test_no_doi_of_the_pages_is_left_without_its_link():
    for page in sorted((ROOT / "docs").glob("*.rst")):
        text = page.read_text(encoding="utf-8")
        assert "DOI 10." not in text and "DOI\n10." not in text, page.name


def test_a_command_may_take_its_time_and_says_so(pages, tmp_path, capfd):
    done = pages[0].run("sleep 0.5; echo out; echo err >&2; exit 3", tmp_path, name="slow")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert "docs: slow: still running, 0 s so far" in capfd.readouterr().err


def test_a_page_that_was_stopped_goes_on_where_it_was(pages, tmp_path, monkeypatch):
    _, sessions = pages
    ran, run = [], sessions.run

    def stopped(command, folder, name=""):
        if command == "echo three" and len(ran) == 2:
            raise KeyboardInterrupt
        ran.append(command)
        return run(command, folder, name=name)

    monkeypatch.setattr(sessions, "run", stopped)
    commands = ["echo one > file", "cat file", "echo three"]
    with pytest.raises(KeyboardInterrupt):
        sessions.transcript("page", commands)
    ran.append("again")
    assert sessions.transcript("page", commands) == {
        "echo one > file": ["", 0], "cat file": ["one", 0], "echo three": ["three", 0]
    }  # fmt: skip
    assert ran == ["echo one > file", "cat file", "again", "echo three"]
    sessions.transcript("page", commands)
    sessions.transcript("page", [*commands, "cat file"])  # another page: all anew
    assert ran[4:] == ["echo one > file", "cat file", "echo three", "cat file"]
