"""The commit of a repository is read as text: nothing that a folder brings along is run, followed or waited for."""

import ast
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import wgfpde
from wgfpde.cli import main
from wgfpde.runs import git_commit
from wgfpde.runs.git_commit import commit_around, own_commit
from wgfpde.store import read

A, B = "0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98"
CASE = """
grid = { shape = [4], lower = [0], upper = [1] }
energy = { internal = { kind = "entropy" } }
initial = { density = "1 + x" }
solver = { method = "fv", dt = 0.1 }
time = { end = 0.1 }
"""


def repository(folder, head, **files):
    """A .git with this HEAD; files : contents by name, "__" for the slash."""
    names = {"HEAD": head} | {name.replace("__", "/"): text for name, text in files.items()}
    for name, text in names.items():
        path = folder / ".git" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def told(commit):
    return f"{commit[:12]} (changes unknown)"


# ---- what is found -----------------------------------------------------------------------------------------


def test_every_usual_repository(tmp_path):
    """On a branch, detached, with packed references, from a folder inside; a loose reference comes first."""
    branch, packed = "ref: refs/heads/a/branch-ß\n", f"# pack-refs with: peeled\n{B} refs/heads/a/branch-ß\n^{A}\n"
    loose = {"refs__heads__a__branch-ß": f"{A}\n"}
    assert commit_around(repository(tmp_path / "1", branch, **loose)) == told(A)
    assert commit_around(repository(tmp_path / "2", f"{A}\n")) == told(A)
    assert commit_around(repository(tmp_path / "3", branch, **{"packed-refs": packed})) == told(B)
    assert commit_around(repository(tmp_path / "4", branch, **loose, **{"packed-refs": packed})) == told(A)
    assert commit_around(repository(tmp_path / "5", "ref: refs/heads/branch-ß", **{"packed-refs": packed})) == ""
    assert commit_around(repository(tmp_path / "6", A + B[:24])) == told(A)  # SHA-256
    inside = tmp_path / "1" / "cases" / "deep"
    inside.mkdir(parents=True)
    assert commit_around(inside) == told(A)
    assert commit_around(repository(tmp_path / "7", branch)) == ""  # no commit yet


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_as_git_says(tmp_path, monkeypatch):
    def git(*arguments):
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", "-C", tmp_path, *who, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    assert commit_around(tmp_path) == ""
    git("commit", "-q", "--allow-empty", "-m", "one")
    commit = git("rev-parse", "HEAD")
    assert commit_around(tmp_path) == told(commit)
    git("pack-refs", "--all")
    assert commit_around(tmp_path) == told(commit)
    git("checkout", "-q", "--detach")
    assert commit_around(tmp_path) == told(commit)
    git("worktree", "add", "-q", "-b", "other", str(tmp_path / "tree"))
    assert commit_around(tmp_path / "tree") == ""  # its .git names another place
    monkeypatch.setattr(git_commit, "in_source_tree", lambda: True)
    for folder in (tmp_path, tmp_path / "tree"):
        monkeypatch.setattr(git_commit, "PACKAGE", folder / "wgfpde")
        assert own_commit() == told(commit)


def test_an_installed_package_has_no_commit_of_its_own(tmp_path, monkeypatch):
    """Not that of the project in whose folder its environment lies."""
    repository(tmp_path, A)
    monkeypatch.setattr(git_commit, "PACKAGE", tmp_path / "wgfpde")
    monkeypatch.setattr(git_commit, "in_source_tree", lambda: False)
    assert own_commit() == ""


# ---- what somebody else's folder may bring -----------------------------------------------------------------


def make_the_name_of_a_branch_foul(git):
    (git / "HEAD").write_bytes(b"ref: refs/heads/a\x07b")
    (git / "refs" / "heads").mkdir(parents=True, exist_ok=True)
    (git / "refs" / "heads" / "a\x07b").write_text(A)


def make_head_a_pipe(git):
    (git / "HEAD").unlink()
    os.mkfifo(git / "HEAD")


def make_head_a_link(git):
    (git / "HEAD").unlink()
    (git / "HEAD").symlink_to(git.parent.parent / "secret")


def make_the_reference_a_link(git):
    (git / "refs/heads/main").unlink()
    (git / "refs/heads/main").symlink_to(git.parent.parent / "secret")


def make_a_folder_of_references_a_link(git):
    shutil.rmtree(git / "refs/heads")
    (git.parent.parent / "main").write_text(A)
    (git / "refs/heads").symlink_to(git.parent.parent)


def make_git_a_link(git):
    git.rename(git.parent.parent / "elsewhere")
    git.symlink_to(git.parent.parent / "elsewhere")


def make_git_a_file(git):
    git.rename(git.parent / "elsewhere")
    git.write_text(f"gitdir: {git.parent / 'elsewhere'}\n")


HOSTILE = {
    "climbing": "ref: ../../secret",
    "climbing from refs": "ref: refs/../../../secret",
    "absolute": "ref: /etc/passwd",
    "absolute below refs": "ref: refs//etc/passwd",
    "another drive": "ref: refs/heads/C:\\secret",
    "escape": b"\x1b[2J\x1b]0;owned\x07",
    "escape in a name": b"ref: refs/heads/\x1b[2J",
    "null": b"ref: refs/heads/a\0b",
    "two lines": f"{A}\n{B}",
    "no text": b"ref: refs/heads/\xff\xfe",
    "huge": A.encode() + b"\n" * 10**6,
    "long name": "ref: refs/heads/" + "a" * 3000,
    "empty": "",
    "not quite": A[:-1] + "g",
    "capital": A.upper(),
    "a branch of that name": make_the_name_of_a_branch_foul,
    "a pipe": make_head_a_pipe,
    "a link": make_head_a_link,
    "a reference that is a link": make_the_reference_a_link,
    "a folder that is a link": make_a_folder_of_references_a_link,
    "all of it a link": make_git_a_link,
    "a file": make_git_a_file,
}


@pytest.mark.parametrize("head", HOSTILE.values(), ids=HOSTILE)
def test_nothing_comes_back_from_a_hostile_folder(tmp_path, head):
    (tmp_path / "secret").write_text(A)
    place = tmp_path / "unpacked"
    repository(place, "ref: refs/heads/main" if callable(head) else head, refs__heads__main=A)
    if callable(head):
        assert commit_around(place) == told(A)
        head(place / ".git")
    assert commit_around(place) == ""


def test_running_a_case_runs_nothing_else(tmp_path, monkeypatch):
    """A repository, from an archive, whose configuration names commands: a whole run leaves no mark, starts nothing."""
    place, mark = tmp_path / "unpacked", tmp_path / "mark"
    place.mkdir()
    command = f"touch {mark}; false"
    if shutil.which("git"):
        subprocess.run(["git", "init", "-q", place], check=True)
    config = f'[core]\n\trepositoryformatversion = 0\n\tfsmonitor = "{command}"\n\thooksPath = hooks\n'
    config += f'[filter "x"]\n\tclean = "{command}"\n\tsmudge = "{command}"\n\trequired = true\n'
    repository(place, "ref: refs/heads/main", config=config, refs__heads__main=A)
    (place / ".gitattributes").write_text("* filter=x\n")
    (place / "case.toml").write_text(CASE)
    if shutil.which("git"):  # the trap is set: whoever asks git walks into it
        subprocess.run(["git", "-C", place, "add", "case.toml"], capture_output=True)
        assert mark.exists()
        mark.unlink()

    def refused(*arguments, **options):
        raise AssertionError(f"a process was started: {arguments}")

    monkeypatch.setattr(subprocess, "Popen", refused)
    monkeypatch.setattr(os, "system", refused)
    monkeypatch.chdir(place)
    assert main(["run", "case.toml", "--quiet"]) == 0
    assert read("runs/case").attributes["git_case"] == told(A)
    assert not mark.exists()


def test_no_module_starts_processes():
    package = Path(wgfpde.__file__).parent
    itself = package / "studies" / "warming" / "side_by_side.py"  # no word of a case is on its command line
    assert '[sys.executable, "-P", "-m", "wgfpde.studies.warming.kernel_worker"]' in itself.read_text(encoding="utf-8")
    for path in set(package.rglob("*.py")) - {itself}:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            names += [node.attr] if isinstance(node, ast.Attribute) else []
            started = {"subprocess", "popen", "system", "posix_spawn", "execv", "execvp", "pty"} & set(names)
            assert not started, f"{path.name}: {started}"
