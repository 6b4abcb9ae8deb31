"""Kernels compiled before they are needed: what there is to compile, by whom, and what is said of it."""

import json
import subprocess
import sys

import numpy as np
import pytest

from wgfpde.cases.building import build
from wgfpde.cases.loading import load, presets
from wgfpde.cli import main
from wgfpde.diagnostics.certificates import constants
from wgfpde.energy.snapshot import warm_parts
from wgfpde.errors import CaseError, WgfpdeError
from wgfpde.methods import METHODS
from wgfpde.methods.finite_volumes import linear_sweep, schemes
from wgfpde.studies.warming import kernel_worker, side_by_side
from wgfpde.studies.warming.kernel_worker import PARTS

CASE = "heat_1d"
SMALL = ["grid.shape=[16]"]


def test_all_packaged_cases_are_compiled_and_every_method_is_among_them():
    jobs = side_by_side.packaged_jobs()
    assert sorted(job.case for job in jobs) == sorted(presets())
    assert set(side_by_side.FIRST) <= set(presets()) and jobs[0].case == side_by_side.FIRST[0]
    assert {load(name).solver.method for name in presets()} == set(METHODS)


def test_a_case_is_split_where_there_are_processes_to_share_it():
    assert [job.parts for job in side_by_side.jobs_of(CASE, SMALL, 1)] == [PARTS]
    assert [job.parts for job in side_by_side.jobs_of(CASE, SMALL, 2)] == [(part,) for part in PARTS]
    with pytest.raises(CaseError, match="shape"):
        side_by_side.jobs_of(CASE, ["grid.shape=[-1]"], 2)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("heat_1d", ["grid.shape=[16]"]),
        ("heat_circle_1d", ["grid.shape=[16]"]),
        ("ou_stretched_1d", ["grid.shape=[16]"]),
        ("double_well_2d", ["grid.shape=[8,8]"]),
        ("aggregation_1d", ["grid.shape=[16]"]),
    ],
)
@pytest.mark.skipif(not hasattr(linear_sweep.sweep, "py_func"), reason="compilation is switched off")
def test_parts_are_compiled_for_the_types_of_a_sweep(name, overrides, monkeypatch):
    """For others they would be compiled for nothing.  The body of the sweep in Python calls them as the kernel does."""
    stepper = build(load(name, overrides)).stepper
    _, beside = warm_parts(stepper)
    monkeypatch.setattr(schemes, "sweep", linear_sweep.sweep.py_func)
    one = stepper._one
    one._prepare_and_split(np.ones(one.rows), 1e-3, 2, True)  # guarded lines take the whole way
    kernels = linear_sweep._repair, linear_sweep.restore_account
    known = [set(kernel.signatures) for kernel in kernels]
    assert all(known)
    one.compile_first()
    beside()
    assert [set(kernel.signatures) for kernel in kernels] == known


def test_what_a_run_says_of_its_potential_is_compiled_with_its_numbers(monkeypatch):
    asked, real = [], constants._lower_hull
    monkeypatch.setattr(constants, "_lower_hull", lambda *given: (asked.append(given), real(*given))[1])
    kernel_worker.done({"case": "double_well_2d", "overrides": ["grid.shape=[9,7]"], "parts": ["numbers"]})
    assert asked


def test_the_command_compiles_once_and_says_where(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    case = ["warm", "kuramoto_particles_1d", "--set", "grid.shape=[8]"]
    assert main([*case, "--workers", "2", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["compiled"] > 0 and found["workers"] == 2 and found["folder"] == str(tmp_path)
    assert sorted(part for job in found["jobs"] for part in job["parts"]) == sorted(PARTS)
    assert list(tmp_path.rglob("*.nbc"))

    assert main([*case, "--workers", "1"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith("all kernels were there, of kuramoto_particles_1d, in ") and str(tmp_path) in out
    assert "1 of 1  kuramoto_particles_1d (steps, beside, numbers): nothing to compile" in err


def test_bad_words_end_as_sentences(capsys):
    assert main(["warm", "--set", "grid.shape=[8]"]) == 2
    assert "name it" in capsys.readouterr().err
    assert main(["warm", "no_such_case"]) == 2
    assert main(["warm", CASE, "--workers", "0"]) == 2
    assert "1 or more" in capsys.readouterr().err


def test_a_case_that_cannot_be_built_and_a_process_that_dies(monkeypatch):
    bad = side_by_side.Job("bad", CASE, ("initial.density=log(x - 10)",))
    with pytest.raises(CaseError):
        side_by_side.warm([bad], 1)

    def dying():
        return subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.exit(9)"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    monkeypatch.setattr(side_by_side, "_started", dying)
    with pytest.raises(WgfpdeError, match=r"ended with code 9.*--workers 1"):
        side_by_side.warm([side_by_side.Job("heat", CASE)], 2)


def test_the_parent_needs_no_numba():
    code = "import sys; from wgfpde.studies.warming import side_by_side; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_answer_that_is_none_ends_the_wait(monkeypatch):
    def talking():
        return subprocess.Popen(
            [sys.executable, "-c", "print('warning: hello'); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    monkeypatch.setattr(side_by_side, "_started", talking)
    with pytest.raises(WgfpdeError, match="answered nonsense"):
        side_by_side.warm([side_by_side.Job("heat", CASE)], 1)
