"""Tab completion: the scripts complete in real shells, where these are installed."""

import shutil
import subprocess
import sys

import pytest

from wgfpde.cli import main
from wgfpde.cli.dispatch import make_parser

VERBS = make_parser()[1].names


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """The script of each shell, in a file."""
    folder = tmp_path_factory.mktemp("scripts")
    for shell in ("bash", "zsh", "fish"):
        done = subprocess.run(
            [sys.executable, "-m", "wgfpde", "completion", shell], capture_output=True, text=True, check=True
        )
        (folder / shell).write_text(done.stdout)
    return folder


def completed(script, line, folder):
    """What bash offers for a line that ends in the word to be completed."""
    words = line.split(" ")
    program = (
        f"source {script}; compopt() {{ :; }}; COMP_WORDS=({' '.join(repr(word) for word in words)}); "
        f'COMP_CWORD={len(words) - 1}; _wgfpde; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, cwd=folder)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(("line", "some", "none"), [
    ("wgfpde ", VERBS, ["heat_1d"]),
    ("wgfpde in", ["inspect"], ["run"]),
    ("wgfpde run he", ["heat_1d", "heat_2d", "hello.toml"], ["ou_1d", "--help"]),
    ("wgfpde run --ov", ["--overwrite"], ["--out"]),
    ("wgfpde run heat_1d --set grid.", ["grid.shape=", "grid.boundary="], ["time.end="]),
    ("wgfpde run heat_1d --set solver.t", ["solver.tau=", "solver.tolerance="], ["solver.newton="]),
    ("wgfpde check heat_1d --set energy.internal.", ["energy.internal.kind=", "energy.internal.m="], ["grid.shape="]),
    ("wgfpde plot x --scale ", ["shared", "each"], ["hello.toml"]),
    ("wgfpde plot x --fo", ["--format"], ["--out"]),
    ("wgfpde export x --to n", ["nc"], ["csv"]),
    ("wgfpde plot he", ["hello.toml"], ["heat_1d"]),
    ("wgfpde help mo", ["movie"], ["plot"]),
    ("wgfpde completion ", ["bash", "zsh", "fish"], []),
])  # fmt: skip
def test_bash_completes(scripts, tmp_path, line, some, none):
    (tmp_path / "hello.toml").write_text("")
    found = completed(scripts / "bash", line, tmp_path)
    assert set(some) <= set(found) and not set(none) & set(found)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_read_without_an_error(scripts, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    done = subprocess.run([shell, "-n", scripts / shell], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_all_verbs_and_options_stand_in_the_script(scripts, shell):
    text = (scripts / shell).read_text()
    parser = make_parser()[1].parsers
    for name in VERBS:
        assert name in text
        for action in parser[name]._actions:
            for option in action.option_strings:
                assert not option.startswith("--") or option.removeprefix("--") in text
    assert "double_well_2d" in text and "energy.internal.kappa" in text


def test_a_shell_that_there_is_not(capsys):
    assert main(["completion", "tcsh"]) == 2
    assert "invalid choice: 'tcsh'" in capsys.readouterr().err
