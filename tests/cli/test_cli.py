"""The command line from outside: what it prints where, its exit codes, and never a traceback."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from wgfpde import __version__, cli
from wgfpde.cases.loading import load
from wgfpde.cases.sources.case_files import presets
from wgfpde.claims.checking import scripts
from wgfpde.cli import main
from wgfpde.errors import SolverError

COMPILING = "compiling the kernels of this kind of energy, once …\n"
LOADING = "loading the kernels …\n"
"""What a first run may tell."""
SMALL = ["--set", "grid.shape=[16]", "--set", "time.end=0.02", "--set", "output.every=0.01"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Every test runs in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WGFPDE_DEBUG", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A small finished run."""
    out = tmp_path_factory.mktemp("runs") / "heat"
    assert main(["run", "heat_1d", *SMALL, "--out", str(out), "--quiet"]) == 0
    return out


def fails(capsys, code: int, *arguments: str) -> str:
    """Run a command that must fail with `code`; returns stderr, which must be sentences."""
    assert main(list(arguments)) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert all(line.startswith(("error: ", "usage: ", "wgfpde", " ")) for line in err.splitlines())
    return err


# ---- usage ---------------------------------------------


def test_help_lists_the_verbs(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    looking = ["inspect", "report", "plot", "movie", "compare", "w2", "export"]
    verbs = ["run", "resume", "check", *looking, "validate", "schema", "new", "completion"]
    assert all(re.search(rf"^    {verb}\s", out, re.M) for verb in verbs)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"wgfpde {__version__}\n"


def test_no_command_prints_help(capsys):
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("usage: wgfpde")


def test_unknown_command(capsys):
    assert 'did you mean "inspect"?' in fails(capsys, 2, "inspct", "x")
    assert "did you mean: wgfpde run a.toml" in fails(capsys, 2, "a.toml")
    assert "required: CASE" in fails(capsys, 2, "run")
    assert "unknown argument --frobnicate" in fails(capsys, 2, "schema", "--frobnicate")
    assert "unknown argument --josn; did you mean --json?" in fails(capsys, 2, "check", "heat_1d", "--josn")


def test_run_help_names_the_threads(capsys):
    assert main(["run", "--help"]) == 0
    assert "WGFPDE_NUM_THREADS" in capsys.readouterr().out


def test_libraries_stay_serial_unless_told(monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "DUCC0_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    main(["--version"])
    assert [os.environ[f"{name}_NUM_THREADS"] for name in ("OPENBLAS", "MKL", "OMP")] == ["1", "3", "1"]
    assert os.environ["DUCC0_NUM_THREADS"] == str(os.cpu_count())


def test_python_dash_m():
    done = subprocess.run([sys.executable, "-m", "wgfpde", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == f"wgfpde {__version__}\n"


# ---- run ---------------------------------------------


def test_run_prints_a_summary(capsys, folder):
    assert main(["run", "heat_1d", *SMALL]) == 0
    out, err = capsys.readouterr()
    assert err in ("", COMPILING, LOADING)
    for part in (
        "Heat equation in 1D",
        "finished: t = 0 to 0.02",
        "16 cells on [0, 1]",
        "vs exact",
        "output.h5",
    ):
        assert part in out
    assert out.count("kept") == 3
    assert (folder / "runs" / "heat_1d" / "output.h5").is_file()


def test_run_json(capsys, folder):
    assert main(["run", "heat_1d", *SMALL, "--json", "--out", "r"]) == 0
    out, err = capsys.readouterr()
    record = json.loads(out)
    assert record["status"] == "finished" and record["exit_code"] == 0
    assert record["t_last"] == 0.02 and record["snapshots"] == 3
    assert [p["kept"] for p in record["promises"]] == [True, True, True]
    assert record["diagnostics"]["error_l1"]["last"] < 1e-2
    assert err in ("", COMPILING, LOADING)


def test_quiet_run_prints_nothing(capsys):
    assert main(["run", "heat_1d", *SMALL, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_existing_run_needs_overwrite(capsys, finished):
    before = (finished / "output.h5").read_bytes()
    assert "--overwrite" in fails(capsys, 2, "run", "heat_1d", "--out", str(finished))
    assert (finished / "output.h5").read_bytes() == before


def test_overwrite(finished, folder):
    assert main(["run", "heat_1d", *SMALL, "--out", "r", "--quiet"]) == 0
    assert main(["run", "heat_1d", *SMALL, "--out", "r", "--quiet", "--overwrite"]) == 0


def test_unwritable_folder(capsys, folder):
    (folder / "file").write_text("")
    assert "file" in fails(capsys, 2, "run", "heat_1d", *SMALL, "--out", "file/run")
    if os.geteuid() != 0:
        (folder / "locked").mkdir(mode=0o500)
        assert "locked" in fails(capsys, 2, "run", "heat_1d", *SMALL, "--out", "locked/run")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("solver.ordr=2", 'did you mean "order"?'),
        ("grid.shape=[4000000000]", "GiB"),
        ('energy.potential="().__class__"', "energy.potential"),
        ('initial.density="x - 0.5"', "initial.density"),
        ("solver={method='jko', tau=0.1}", "0.02 is not a multiple of tau = 0.1"),
        ("solver={method='jko', tau=-1}", "solver.tau: expected a number larger than 0, found -1"),
        ("solver={method='jko', tau=0.01, algorithm='pdhg', congestion=0.5}", "lies below the mean density 1 (mass 1"),
        ("solver.method=geodesic", "target: missing"),
        ("output.diagnostics=['w2_prev']", 'did you mean "w2_previous"?'),
        ("solver.dt=0", "solver.dt"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "check"])
def test_bad_case_writes_nothing(capsys, folder, verb, override, expected):
    assert expected in fails(capsys, 2, verb, "heat_1d", "--set", override)
    assert list(folder.iterdir()) == []


def test_a_bad_number_of_threads(capsys, monkeypatch, folder):
    monkeypatch.setenv("WGFPDE_NUM_THREADS", "two")
    assert 'found "two"' in fails(capsys, 2, "run", "heat_1d")
    assert list(folder.iterdir()) == []


def test_missing_case(capsys):
    assert 'did you mean the packaged case "heat_1d"' in fails(capsys, 2, "run", "heat_1")


def test_solver_failure_exits_1(capsys, monkeypatch):
    def fail(*args, **options):
        raise SolverError("no step could be solved; try a smaller dt")

    monkeypatch.setattr("wgfpde.runs.runner.run", fail)
    assert fails(capsys, 1, "run", "heat_1d") == "error: no step could be solved; try a smaller dt\n"


def test_failed_result_is_told(capsys, monkeypatch, finished):
    from wgfpde.runs.runner import Result

    result = Result(finished, "failed", "no step could be solved", 1, 1.0, 3)
    monkeypatch.setattr("wgfpde.runs.runner.run", lambda *args, **options: result)
    assert main(["run", "heat_1d"]) == 1
    out, err = capsys.readouterr()
    assert "failed" in out and err == "error: no step could be solved\n"


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (MemoryError(), 1), (OSError(28, "No space left"), 2)]
)
def test_other_ends(capsys, monkeypatch, error, code):
    def stop(*args, **options):
        raise error

    monkeypatch.setattr("wgfpde.runs.runner.run", stop)
    assert fails(capsys, code, "run", "heat_1d").startswith("error: ")


def test_debug_shows_the_traceback(monkeypatch):
    from wgfpde.errors import CaseError

    monkeypatch.setenv("WGFPDE_DEBUG", "1")
    with pytest.raises(CaseError):
        main(["run", "nowhere.toml"])


def test_closed_pipe_is_silent():
    command = f"{sys.executable} -m wgfpde schema | head -c 10"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == "" and len(done.stdout) == 10


# ---- check, inspect, plot, schema, new, validate ---------------------------------------------


@pytest.mark.parametrize("name", sorted(presets()))
def test_check_presets(capsys, name, folder):
    fine = {"ula_bias_1d": 64, "svgd_gaussian_1d": 64, "sinkhorn_double_well_1d": 64}  # as fine as a noise
    dim, least = load(name).dim, fine.get(name, 8)
    assert main(["check", name, "--set", f"grid.shape={[least] * dim}"]) == 0
    out = capsys.readouterr().out
    assert "equation" in out and "snapshots from t =" in out
    assert list(folder.iterdir()) == []


def test_check_json(capsys):
    assert main(["check", "heat_1d", "--json", "--set", "grid.shape=[8]"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["cells"] == 8 and len(facts["times"]) == 11


def test_inspect(capsys, finished):
    for path in (finished, finished / "output.h5"):
        assert main(["inspect", str(path)]) == 0
        out = capsys.readouterr().out
        assert "finished" in out and "mass drift" in out and "energy" in out
    assert main(["inspect", str(finished), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["equation"] == "heat" and record["steps"] > 0


def test_w2(capsys, finished):
    """One cosine mode with walls: W₂ between the start and its own copy, and between start and end."""
    assert main(["w2", str(finished), str(finished / "output.h5")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "W2   0  (exact)"
    assert main(["w2", str(finished), str(finished), "--index-a", "0", "--time-b", "0.02", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["a"]["t"] == 0 and record["b"]["t"] == 0.02 and record["gap"] == 0
    # to first order in the amplitude 0.5 (1 − e^{−0.02π²}) = 0.09: W₂ = amplitude/(π√2)
    assert record["w2"] == pytest.approx(0.09 / (3.14159 * 2**0.5), rel=0.15, abs=0)


def test_w2_refuses(capsys, finished, folder):
    plane = ["heat_2d", "--set", "grid.shape=[8,8]", "--set", "time.end=0.01"]
    assert main(["run", "heat_1d", *SMALL, "--quiet", "--set", "initial.mass=2", "--out", "heavy"]) == 0
    assert main(["run", "heat_1d", *SMALL, "--quiet", "--set", "grid.boundary=['periodic']", "--out", "circle"]) == 0
    assert main(["run", *plane, "--quiet", "--out", "2d"]) == 0
    capsys.readouterr()
    assert "found 1 and 2. Rescale one of them" in fails(capsys, 2, "w2", str(finished), "heavy")
    assert "on one line or on one circle" in fails(capsys, 2, "w2", str(finished), "circle")
    assert "the first is 1D and the second 2D" in fails(capsys, 2, "w2", str(finished), "2d")
    assert "the nearest is at t = 0.02" in fails(capsys, 2, "w2", str(finished), "heavy", "--time-a", "0.5")
    assert "number 9 was asked for" in fails(capsys, 2, "w2", str(finished), "heavy", "--index-b", "9")
    assert "not allowed with" in fails(capsys, 2, "w2", "a", "b", "--index-b", "9", "--time-b", "1")
    assert "--tolerance > 0" in fails(capsys, 2, "w2", str(finished), "heavy", "--tolerance", "0")
    assert "does not exist" in fails(capsys, 2, "w2", str(finished), "nowhere")


def test_inspect_tells_broken_promises(capsys, monkeypatch, finished):
    from wgfpde import store

    run = store.read(finished)
    run.diagnostics["mass"][-1] *= 1 + 1e-9
    run.diagnostics["min"][-1] = -1e-20
    run.diagnostics["energy"][-1] += 1.0
    monkeypatch.setattr(store, "read", lambda path: run)
    assert main(["inspect", str(finished)]) == 0
    assert capsys.readouterr().out.count("BROKEN") == 3


def test_inspect_bad_files(capsys, folder, finished):
    assert "does not exist" in fails(capsys, 2, "inspect", "nowhere")
    (folder / "empty").mkdir()
    assert "output.h5" in fails(capsys, 2, "inspect", "empty")
    whole = (finished / "output.h5").read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 100):
        (folder / "cut.h5").write_bytes(whole[:size])
        assert "cut.h5" in fails(capsys, 2, "inspect", "cut.h5")
    (folder / "text.h5").write_text("not HDF5")
    assert "text.h5" in fails(capsys, 2, "inspect", "text.h5")


def test_plot(capsys, monkeypatch, folder):
    monkeypatch.setattr("wgfpde.cli.picture_verbs.plot_figures", lambda path, out: [Path("a.png"), Path("b.png")])
    assert main(["plot", "runs/a"]) == 0
    assert capsys.readouterr().out == "a.png\nb.png\n"


def test_schema(capsys):
    assert main(["schema"]) == 0
    assert "solver" in json.loads(capsys.readouterr().out)["properties"]


def test_new_copies_a_preset(capsys, folder):
    assert main(["new", "heat_1d"]) == 0
    assert (folder / "heat_1d.toml").read_text() == presets()["heat_1d"].read_text()
    capsys.readouterr()
    assert "is kept" in fails(capsys, 2, "new", "heat_1d")
    assert main(["new", "heat_1d", "--out", "mine.toml"]) == 0
    assert load("mine.toml").title == "Heat equation in 1D"


def test_new_lists_presets(capsys):
    assert main(["new"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in presets())
    assert 'did you mean "heat_1d"?' in fails(capsys, 2, "new", "heat1d")


def test_validate(capsys, monkeypatch):
    import types

    class Table:
        passed = False
        rows = ({"claim": "mass", "passed": False},)
        seconds = {"mass": 0.1}  # noqa: RUF012

        def __str__(self):
            return "mass  FAILED"

    module = types.SimpleNamespace(validate=lambda names, **options: Table())
    monkeypatch.setitem(sys.modules, "wgfpde.claims.checking", module)
    assert main(["validate", "mass"]) == 3
    assert capsys.readouterr().out == "mass  FAILED\n"
    assert main(["validate", "--json", "--no-report"]) == 3
    assert json.loads(capsys.readouterr().out)["passed"] is False


# ---- an installed wheel ---------------------------------------------


def test_wheel_ships_the_presets(tmp_path):
    pytest.importorskip("setuptools", minversion="77")  # older ones do not know `license = "MIT"`
    root = Path(cli.__file__).resolve().parents[2]
    source = tmp_path / "source"  # building writes into the source tree
    source.mkdir()
    for name in ("wgfpde", "cases", "validation"):
        shutil.copytree(root / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        "wheels",
        "./source",
    ]
    subprocess.run(command, check=True)
    (wheel,) = Path("wheels").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"wgfpde/_cases/{name}.toml" for name in presets()} <= names
    assert {f"wgfpde/_validation/{name}.py" for name in scripts()} <= names
    assert not any("benchmarks" in name for name in names)
