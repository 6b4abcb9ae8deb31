"""Claims: what holds and what does not, how a script is found and run, and one claim end to end."""

import ast
import base64
import json
import math
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from wgfpde import cli
from wgfpde.claims import checking as validate
from wgfpde.claims.checking import find_scripts, fitted_order, scripts
from wgfpde.claims.claim import Claim, Table, promises_kept, subject_of
from wgfpde.cli import main
from wgfpde.errors import CaseError

FOLDER = Path(cli.__file__).resolve().parents[2] / "validation"
TINY = """
"Heat in a box: mass, and one cosine mode."

from wgfpde.claims import mass_drift

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


def test_one_table():
    """By equation, in its usual order, and by script; aligned, a time for each, the total in the last line."""
    drift = {"equation": "Fokker-Planck", "solver": "1D fv"}
    claims = [
        Claim("s", "mass", 1.0, "=", 1.0, 1e-12, **drift),
        Claim("s", "order", 1.234567, "≥", 0.9, **drift),
        Claim("s", "another order", 1.8999999, "≥", 1.9, equation="heat", solver="1D fv, 1D jko"),
        Claim("other", "a claim in more words", math.nan, "=", 0.5, 0.25),
    ]
    table = Table(claims, {"s": "A title", "other": "Another"}, {"s": 0.1, "other": 2.0})
    lines = str(table).splitlines()
    assert lines[0].split() == ["measured", "expected", "tolerance", "off", "by", "verdict"]
    headings = [k for k, line in enumerate(lines) if line.startswith(("heat", "Fokker", "other"))]
    assert [lines[k] for k in headings] == ["heat: ∂t ρ = κΔρ", "Fokker-Planck: ∂t ρ = κΔρ + ∇·(ρ∇V)", "other"]
    assert [lines[k + 1] for k in headings] == [" s: A title  (0.1 s)"] * 2 + [" other: Another  (2.0 s)"]
    rows = [line for line in lines if line.startswith("  ") and line.split()[-1] in ("holds", "FAILS")]
    assert [row.split()[-1] for row in rows] == ["FAILS", "holds", "holds", "FAILS"]
    assert len({row.rindex("  ") for row in [lines[0], *rows]}) == 1
    assert rows[0].split()[2:9] == ["1D", "fv,", "1D", "jko", "1.8999999", "≥", "1.9"]  # all digits of what fails
    assert rows[2].split()[1:6] == ["1D", "fv", "1.235", "≥", "0.9"]
    assert lines[-1] == "2 of 4 claims hold; see s, other  (2.1 s)"


def run_like(equation="heat", **columns):
    """What the promises of a finite-volume run are judged by."""
    diagnostics = {"mass": [1.0, 1.0], "min": [0.1, 0.2], "energy": [0.5, 0.4]} | columns
    return types.SimpleNamespace(
        attributes={"equation": equation, "method": "fv"}, dim=1, steps={}, resolved_toml="", boundary=(),
        diagnostics={name: np.array(values) for name, values in diagnostics.items()},
        number=lambda name, default=np.nan: default,
    )  # fmt: skip


def test_promises_of_all_runs():
    """The worst of each, by equation and solver; what is broken is seen also where it is not a number."""
    runs = [
        run_like(), run_like(mass=[1.0, 1.0 + 1e-9]), run_like("Fokker-Planck"),
        run_like("Fokker-Planck", min=[0.1, np.nan]),
        run_like("Fokker-Planck", energy=[0.5, 0.6]), run_like("unheard of", min=[0.0, -1e-300]),
    ]  # fmt: skip
    claims = promises_kept([(subject_of(run, f"case_{k}"), run) for k, run in enumerate(runs)])
    assert {claim.script for claim in claims} == {"promises"}
    assert [claim.equation for claim in claims] == ["heat"] * 3 + ["Fokker-Planck"] * 3 + ["other"] * 3
    assert [claim.holds for claim in claims] == [False, True, True, True, False, False, True, False, True]
    assert claims[0].measured == pytest.approx(1e-9, rel=1e-6, abs=0) and claims[0].case == "case_0, case_1"
    assert claims[1].claim == "smallest density of 2 runs" and claims[1].measured == 0.1
    assert math.isnan(claims[4].measured) and claims[5].measured == 1
    assert claims[7].measured == -1e-300 and claims[7].solver == "1D fv"


ABOUT = """
"Claims about runs, about the same runs again, and about none."

def check(v):
    v.equal("before any run", 0, 0, 0)
    v.run("heat_1d", *TINY)
    v.run("ou_1d", *TINY)
    v.equal("both", 0, 0, 0)
    v.equal("both again", 0, 0, 0)
    v.converge("jko_gaussian_1d", {"grid.shape": [16, 32]}, "solver.tau=0.01", *TINY)
    v.equal("a study", 0, 0, 0)
    v.about("aggregation", "case", "1D stationary")
    v.equal("as said", 0, 0, 0)
    v.about("aggregation" if not v.full else "agregation")

TINY = ["time.end=0.02", "output.every=0.01"]
"""


def test_what_a_claim_is_about(tiny):
    table = validate.validate([str(tiny(text=ABOUT))])
    found = [(c.equation, c.case, c.solver) for c in table.of("tiny")]
    both = ("Fokker-Planck", "heat_1d, ou_1d", "1D fv")
    study = ("Fokker-Planck", "jko_gaussian_1d", "1D jko")
    assert found == [("other", "", ""), both, both, study, ("aggregation", "case", "1D stationary")]
    promised = {(c.equation, c.case, c.solver) for c in table.of("promises")}
    assert promised == {("heat", "heat_1d", "1D fv"), ("Fokker-Planck", "ou_1d", "1D fv"), study}
    with pytest.raises(CaseError, match=r"expected an equation among heat, .*found 'agregation'"):
        validate.validate([str(tiny(text=ABOUT))], full=True)


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
    imports = [alias for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    title, _, why = (ast.get_docstring(tree) or "").partition("\n\n")
    assert len(title) > 20 and "\n" not in title and len(why) > 80
    assert "check" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert "wgfpde" not in {alias.name.split(".")[0] for alias in imports if alias.name != "wgfpde"}
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {module for module in modules if module and module.startswith("wgfpde")}
    doors = ("claims", "claims.regression", "cli", "energy.equations", "errors", "output.plots")
    assert ours <= {f"wgfpde.{name}" for name in doors}


def test_script_without_check(tiny):
    with pytest.raises(CaseError, match="check"):
        validate.validate([str(tiny(text='"A title."'))])


# ---- end to end ---------------------------------------------


def test_right_number(tiny, capsys, tmp_path):
    out, figures = tmp_path / "runs", tmp_path / "figures"
    assert main(["validate", str(tiny()), "--out", str(out), "--figures", str(figures)]) == 0
    text, progress = capsys.readouterr()
    assert "6 of 6 claims hold" in text and progress.startswith("tiny")
    assert (out / "tiny" / "01-heat_1d" / "output.h5").is_file()
    assert (figures / "tiny.png").stat().st_size > 1000


def test_wrong_number_exits_3(tiny, capsys):
    assert main(["validate", str(tiny(1.0001)), "--json"]) == 3
    record = json.loads(capsys.readouterr().out)
    assert record["passed"] is False and [c["holds"] for c in record["claims"]] == [False, *5 * [True]]
    mass = record["claims"][0]
    assert (mass["script"], mass["claim"], mass["source"]) == ("tiny", "mass", "conservation")
    assert (mass["equation"], mass["case"], mass["solver"]) == ("heat", "heat_1d", "1D fv")
    assert (
        mass["measured"] == pytest.approx(1.0, rel=1e-9, abs=0)
        and mass["expected"] == 1.0001
        and mass["tolerance"] == 1e-12
    )


# ---- the page ---------------------------------------------


@pytest.fixture
def alone(tiny, monkeypatch, tmp_path):
    """The tiny script is the only one there is, and the page goes into a folder that is not there yet."""
    monkeypatch.setattr(validate, "scripts", lambda: {"tiny": tiny()})
    monkeypatch.setattr(validate, "report_path", lambda: tmp_path / "pages" / "report.html")
    return tmp_path / "pages" / "report.html"


def test_page_of_all_claims(alone, capsys):
    assert main(["validate"]) == 0
    assert f"report: {alone}" in capsys.readouterr().err
    assert [path.name for path in alone.parent.iterdir()] == ["report.html"]


@pytest.mark.parametrize("arguments", [["--no-report"], ["tiny"]])
def test_no_page_unasked(alone, monkeypatch, arguments):
    """A page about some claims would replace that about all; without a page no figure is drawn."""
    drawn = []
    monkeypatch.setattr(validate.Validation, "draw", lambda v, *args, **options: drawn.append(v.figures))
    assert main(["validate", *arguments]) == 0
    assert drawn == [None] and not alone.parent.exists()


def test_page_holds_everything_and_needs_nothing(tiny, tmp_path, capsys):
    path = tiny(0.5, TINY.replace('mode."', 'mode.\n\nWhy <this> is so."').replace('"Heat', '"""Heat').replace(
        'so."', 'so."""'
    ))  # fmt: skip
    page = tmp_path / "page.html"
    assert main(["validate", str(path), "--report", str(page), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["passed"] is False
    text = page.read_text(encoding="utf-8")
    assert "5 of 6 claims hold; see tiny" in text and "Heat in a box: mass, and one cosine mode." in text
    assert "<p>Why &lt;this&gt; is so.</p>" in text
    cells = re.findall(r"<td[^>]*>(.*?)</td>", text)
    row = cells[cells.index("mass") :][:9]
    assert row[1:8] == ["1D fv", "heat_1d", "1", "= 0.5", "1e-12", "5.0e-01", "conservation"] and "FAILS" in row[8]
    assert '<a href="#equation-heat">' in text and '<h2 id="equation-heat">heat: ∂t ρ = κΔρ</h2>' in text
    (png,) = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert base64.b64decode(png).startswith(b"\x89PNG")
    assert "v.at_most(&quot;drift&quot;" in text  # the script itself
    assert f"Python</td><td>{sys.version.split()[0]}" in text
    assert not re.search(r"""(src|href)=["'](?!data:|#)|url\(|@import|<script|<link""", text)


def test_page_that_cannot_be_written(alone, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert main(["validate", "--report", str(tmp_path / "file" / "page.html")]) == 2
    out, err = capsys.readouterr()
    assert "6 of 6 claims hold" in out  # what was measured is told first
    assert "cannot write" in err and "--report" in err and "Traceback" not in err


def test_page_beside_the_scripts():
    assert validate.report_path() == FOLDER / "report.html"


# ---- what goes wrong ---------------------------------------------


def test_unknown_name_exits_2(capsys):
    assert main(["validate", "kuramto"]) == 2
    assert 'did you mean "kuramoto"' in capsys.readouterr().err


def test_failing_run_is_a_claim_that_fails(tiny, capsys, monkeypatch):
    from wgfpde.runs.runner import Result

    monkeypatch.setattr(
        validate, "run_case", lambda case, folder, **options: Result(folder, "failed", "at t = 0: no step.", 1, 0.0, 0)
    )
    assert main(["validate", str(tiny())]) == 3
    assert "no step" in capsys.readouterr().out


def test_a_signal_ends_all(tiny, capsys, monkeypatch):
    from wgfpde.runs.runner import Result

    monkeypatch.setattr(
        validate, "run_case", lambda case, folder, **options: Result(folder, "interrupted", "by SIGTERM.", 143, 0.0, 0)
    )
    assert main(["validate", str(tiny())]) == 143
    assert capsys.readouterr() == ("", "error: interrupted\n")


def test_an_older_figure_is_no_evidence(tiny, tmp_path):
    """A script that draws nothing leaves none of an earlier call."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "tiny.png").write_bytes(b"old")
    path = tiny(text=TINY[: TINY.index("    v.draw")])
    table = validate.validate([str(path)], figures=tmp_path / "figures")
    assert table.passed and not (tmp_path / "figures" / "tiny.png").exists()


def test_bad_case_exits_2(tiny, capsys):
    assert main(["validate", str(tiny(text=TINY.replace("grid.shape", "grid.shap")))]) == 2
    assert 'did you mean "shape"' in capsys.readouterr().err


def test_whole_script(capsys):
    assert main(["validate", "mckean_vlasov_quadratic"]) == 0
    total = re.search(r"(\d+) of (\d+) claims hold", capsys.readouterr().out)
    assert total and total[1] == total[2] and int(total[1]) >= 8


def test_broken_solver_breaks_a_claim(capsys, tmp_path):
    """With the first-order scheme the claim on time steps fails, and mass is still kept."""
    path = tmp_path / "heat_kernel_1d.py"
    text = (FOLDER / path.name).read_text(encoding="utf-8")
    quick = text.replace("CELLS = (60, 120, 240, 480)", "CELLS = (60, 120)")
    assert quick != text
    path.write_text(quick.replace('"time.start=0"', '"time.start=0", "solver.order=1"'), encoding="utf-8")
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
    shutil.copytree(FOLDER.parent / "cases", package / "_cases")
    shutil.copytree(FOLDER, package / "_validation", ignore=shutil.ignore_patterns("benchmarks", "figures"))
    program = (
        "import wgfpde; from wgfpde.claims.checking import report_path, scripts\n"
        "print(report_path()); print(wgfpde.__file__); print(*scripts().values(), sep='\\n')"
    )
    environment = os.environ | {"PYTHONPATH": str(package.parent)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    page, *lines = done.stdout.split()
    assert page == "validation-report.html"
    assert lines and all(line.startswith(str(package)) for line in lines), done.stdout + done.stderr
    assert len(lines) == 1 + len(scripts())


def test_not_a_number_in_any_run_is_seen():
    columns = [{name: np.array([1.0, last]) for name in ("mass", "energy")} for last in (1.0, np.nan)]
    runs = [types.SimpleNamespace(diagnostics=found, number=lambda name, default=np.nan: default) for found in columns]
    assert np.isnan(validate.mass_drift(runs)) and np.isnan(validate.energy_rise(runs))
