"""Claims: what holds and what does not, how a script is found and run, and one claim end to end."""

import ast
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wgfpde import cli, validate
from wgfpde.cli import main
from wgfpde.errors import CaseError
from wgfpde.validate import Claim, Table, find_scripts, fitted_order, scripts

FOLDER = Path(cli.__file__).resolve().parents[2] / "validation"
TINY = """
"Heat in a box: mass, and one cosine mode."

from wgfpde.validate import mass_drift

def check(v):
    run = v.run("heat_1d", "grid.shape=[16]", "time.end=0.02", "output.every=0.01")
    v.equal("mass", run.diagnostics["mass"][-1], EXPECTED, 1e-12, "conservation")
    v.at_most("drift", mass_drift([run]), 1e-12)
    v.at_least("smallest density", run.diagnostics["min"].min(), 0.0)
    v.draw(lambda axes, run: axes.plot(run.t, run.diagnostics["energy"]), run)
"""


MAIN = """
if __name__ == "__main__":
    from wgfpde.cli import validate_script

    raise SystemExit(validate_script(__file__))
"""


@pytest.fixture
def tiny(tmp_path):
    """A script with a mass of 1, or another, as the expected number."""

    def write(expected: float = 1.0, text: str = TINY) -> Path:
        path = tmp_path / "tiny.py"
        path.write_text(text.replace("EXPECTED", repr(expected)), encoding="utf-8")
        return path

    return write


# ---- claims ---------------------------------------------


@pytest.mark.parametrize(
    ("measured", "relation", "expected", "tolerance", "holds"),
    [
        (1.0, "=", 1.0, 0.0, True),
        (1.1, "=", 1.0, 0.11, True),
        (0.9, "=", 1.0, 0.05, False),
        (1.1, "=", 1.0, 0.05, False),
        (math.nan, "=", 1.0, math.inf, False),
        (math.inf, "=", 1.0, 1.0, False),
        (0.0, "≤", 0.0, 0.0, True),
        (1e-300, "≤", 0.0, 0.0, False),
        (math.nan, "≤", 0.0, 0.0, False),
        (1.9, "≥", 1.9, 0.0, True),
        (1.89, "≥", 1.9, 0.0, False),
        (math.nan, "≥", 1.9, 0.0, False),
    ],
)
def test_claim(measured, relation, expected, tolerance, holds):
    claim = Claim("s", "c", measured, relation, expected, tolerance)
    assert claim.holds is holds
    assert claim.row["holds"] is holds and claim.row["relation"] == relation
    assert Table([claim]).passed is holds


def test_no_claims_is_no_pass():
    assert not Table().passed


def test_table_text():
    claims = [Claim("s", "mass", 1.0, "=", 1.0, 1e-12), Claim("s", "order", 1.2, "≥", 1.9)]
    text = str(Table(claims, {"s": "A title"}, {"s": 0.1}))
    assert "s: A title" in text and "1 of 2 claims hold; see s" in text
    assert [line.split()[0] for line in text.splitlines()[1:3]] == ["holds", "FAILS"]


def test_fitted_order():
    assert fitted_order([0.1, 0.05, 0.025], [3e-2, 7.5e-3, 1.875e-3]) == pytest.approx(2.0, abs=1e-12)


# ---- scripts ---------------------------------------------


def test_names_are_the_scripts_in_the_folder():
    assert list(scripts()) == sorted(p.stem for p in FOLDER.glob("*.py"))
    assert find_scripts() == scripts()


def test_find_by_name_or_path(tiny):
    assert list(find_scripts(["kuramoto", "gibbs_state.py"])) == ["kuramoto", "gibbs_state"]
    path = tiny()
    assert find_scripts([str(path)]) == {"tiny": path}
    with pytest.raises(CaseError, match='did you mean "kuramoto"'):
        find_scripts(["kuramotto"])


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_scripts_enter_by_the_public_door(path):
    """A title, a check, and of the package only what a user would import."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert len((ast.get_docstring(tree) or "").partition("\n")[0]) > 20
    assert "check" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {module for module in modules if module and module.startswith("wgfpde")}
    assert ours <= {"wgfpde.cli", "wgfpde.validate", "wgfpde.equations", "wgfpde.plots"}


def test_script_without_check(tiny):
    with pytest.raises(CaseError, match="check"):
        validate.validate([str(tiny(text='"A title."'))])


# ---- end to end ---------------------------------------------


def test_right_number(tiny, capsys, tmp_path):
    out, figures = tmp_path / "runs", tmp_path / "figures"
    assert main(["validate", str(tiny()), "--out", str(out), "--figures", str(figures)]) == 0
    text, progress = capsys.readouterr()
    assert "3 of 3 claims hold" in text and progress.startswith("tiny")
    assert (out / "tiny" / "01-heat_1d" / "output.h5").is_file()
    assert (figures / "tiny.png").stat().st_size > 1000


def test_wrong_number_exits_3(tiny, capsys):
    assert main(["validate", str(tiny(1.0001)), "--json"]) == 3
    record = json.loads(capsys.readouterr().out)
    assert record["passed"] is False and [c["holds"] for c in record["claims"]] == [False, True, True]
    mass = record["claims"][0]
    assert (mass["script"], mass["claim"], mass["source"]) == ("tiny", "mass", "conservation")
    assert mass["measured"] == pytest.approx(1.0) and mass["expected"] == 1.0001 and mass["tolerance"] == 1e-12


def test_unknown_name_exits_2(capsys):
    assert main(["validate", "kuramto"]) == 2
    assert 'did you mean "kuramoto"' in capsys.readouterr().err


def test_failing_run_is_a_claim_that_fails(tiny, capsys, monkeypatch):
    from wgfpde.runner import Result

    monkeypatch.setattr(
        validate, "run_case", lambda case, folder, **options: Result(folder, "failed", "at t = 0: no step.", 1, 0.0, 0)
    )
    assert main(["validate", str(tiny())]) == 3
    assert "no step" in capsys.readouterr().out


def test_bad_case_exits_2(tiny, capsys):
    assert main(["validate", str(tiny(text=TINY.replace("grid.shape", "grid.shap")))]) == 2
    assert 'did you mean "shape"' in capsys.readouterr().err


def test_heat_kernel(capsys):
    """A whole script of the folder."""
    assert main(["validate", "heat_kernel_1d"]) == 0
    assert "6 of 6 claims hold" in capsys.readouterr().out


def test_heat_kernel_can_fail(capsys, tmp_path):
    """With the first-order scheme the claim on time steps fails, and mass is still kept."""
    path = tmp_path / "heat_kernel_1d.py"
    text = (FOLDER / path.name).read_text(encoding="utf-8")
    path.write_text(text.replace('"time.start=0"', '"time.start=0", "solver.order=1"'), encoding="utf-8")
    assert main(["validate", str(path), "--json"]) == 3
    broken = {c["claim"] for c in json.loads(capsys.readouterr().out)["claims"] if not c["holds"]}
    assert "order in time, against the semidiscrete flow" in broken
    assert not any(claim.startswith("relative mass") for claim in broken)


def test_direct_call(tiny, tmp_path):
    """`python NAME.py` is the same command, with its figure beside the script."""
    path = tiny(text=TINY + MAIN)
    done = subprocess.run([sys.executable, str(path), "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["passed"] and (tmp_path / "figures" / "tiny.png").is_file()


def test_installed_layout(tmp_path):
    """Without the source tree around it, the package finds cases and scripts inside itself, as in a wheel."""
    package = tmp_path / "site" / "wgfpde"
    shutil.copytree(FOLDER.parent / "wgfpde", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(FOLDER.parent / "cases", package / "cases")
    shutil.copytree(FOLDER, package / "validation", ignore=shutil.ignore_patterns("benchmarks", "figures"))
    program = (
        "import wgfpde; from wgfpde.validate import scripts\n"
        "print(wgfpde.__file__); print(*scripts().values(), sep='\\n')"
    )
    environment = os.environ | {"PYTHONPATH": str(package.parent)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    lines = done.stdout.split()
    assert lines and all(line.startswith(str(package)) for line in lines), done.stdout + done.stderr
    assert len(lines) == 1 + len(scripts())
