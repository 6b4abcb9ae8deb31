"""References: each case has one, a changed number is seen, and only what has changed is written."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from wgfpde.cases.loading import load
from wgfpde.claims import regression
from wgfpde.cli import main
from wgfpde.errors import StoreError
from wgfpde.runs.runner import run
from wgfpde.store import read, read_study, write_study

NAME = "ou_1d"


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """The run that a reference is made of."""
    folder = tmp_path_factory.mktemp("reference") / NAME
    assert run(load(NAME, regression.coarse(NAME)), folder).status == "finished"
    return read(folder)


@pytest.fixture
def place(tmp_path, monkeypatch, solved):
    """A folder with the reference of one case, in the place of the packaged ones."""
    regression.write(tmp_path / f"{NAME}.h5", solved, NAME, regression.coarse(NAME))
    monkeypatch.setattr(regression, "folder", lambda: tmp_path)
    return tmp_path


def rewrite(path, variables=None, **texts):
    """The file with other variables or texts."""
    study = read_study(path)
    kept = {name: v for name, v in (dict(study.variables) | (variables or {})).items() if v is not None}
    write_study(path, dataclasses.replace(study, variables=kept, texts=study.texts | texts))


def changed(path, name, change):
    variable = read_study(path).variables[name]
    values = np.array(variable.values)
    values[-1] = change(values[-1])
    rewrite(path, {name: type(variable)(name, variable.dims, values)})


def test_each_case_has_its_reference():
    assert sorted(path.stem for path in regression.folder().glob("*.h5")) == sorted(regression.names())
    for name in regression.names():
        study = regression.reference(name)
        assert study.attributes["case"] == name and np.all(np.isfinite(study["rho"]))
        load(name, regression.overrides(study))
    assert sum(path.stat().st_size for path in regression.folder().glob("*.h5")) <= 5 * 2**20


def test_a_run_is_its_own_reference(solved, place):
    study = regression.reference(NAME)
    change = regression.changes(solved, study)
    assert change.value == 0 and not change.notes
    names = {metric.name for metric in change.arrays}
    assert {"rho", "mass", "energy", "error_l1"} <= names and "min" not in names
    assert np.array_equal(study["rho"], solved.rho[:]) and study.variables["rho"].dims == ("t", "x")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("rho", lambda rho: rho + 2e-9 * np.eye(1, len(rho), 40)[0] * rho.max()),
        ("rho", lambda rho: np.where(np.arange(len(rho)) == 3, np.nan, rho)),
        ("energy", lambda energy: energy * (1 + 1e-8)),
        ("mass", lambda mass: mass * (1 - 1e-8)),
    ],
)
def test_a_changed_number_is_seen(solved, place, name, change):
    changed(place / f"{NAME}.h5", name, change)
    found = regression.changes(solved, regression.reference(NAME))
    assert found.value > regression.RTOL and found.worst.name == name


def test_less_is_not(solved, place):
    changed(place / f"{NAME}.h5", "rho", lambda rho: rho + 0.5e-9 * rho.max())
    assert 0.4e-9 < regression.changes(solved, regression.reference(NAME)).value < 0.6e-9


def test_other_names_and_times(solved, place):
    path = place / f"{NAME}.h5"
    rewrite(path, {"mass": None})
    found = regression.changes(solved, regression.reference(NAME))
    assert found.value == np.inf and found.notes == ("not there before: mass",)
    changed(path, "t", lambda t: 2 * t)
    found = regression.changes(solved, regression.reference(NAME))
    assert found.value == np.inf and "output times were" in found.notes[0]


def test_regenerate_writes_what_has_changed(place, capsys):
    path = place / f"{NAME}.h5"
    before = path.read_bytes()
    assert main(["validate", "--regenerate", NAME]) == 0
    assert "the same up to rounding" in capsys.readouterr().out and path.read_bytes() == before
    changed(path, "energy", lambda energy: energy + 1e-6)
    assert main(["validate", "--regenerate", NAME]) == 0
    out = capsys.readouterr().out
    assert f"{NAME:<28} changed" in out and "energy " in out and "1 of 1 references written" in out
    assert main(["validate", "--regenerate", NAME, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["written"] == [] and record["cases"][0]["changes"] == {}
    rewrite(path, overrides=json.dumps(["grid.shape=[8]"]))
    assert main(["validate", "--regenerate", NAME]) == 0
    assert "overrides were grid.shape=[8] and are grid.shape=[64]" in capsys.readouterr().out
    path.unlink()
    assert main(["validate", "--regenerate", NAME]) == 0
    assert f"{NAME:<28} new" in capsys.readouterr().out and path.exists()


def test_regenerate_names_what_it_does_not_know(place, capsys):
    assert main(["validate", "--regenerate", "heat_3d"]) == 2
    assert 'there is no packaged case "heat_3d"' in capsys.readouterr().err


def test_claims_about_references(place, monkeypatch, capsys):
    """One per case; a lost reference is a claim that fails and says what to do."""
    monkeypatch.setattr(regression, "names", lambda: [NAME, "heat_1d"])
    assert main(["validate", "regression"]) == 3
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if line.endswith(("holds", "FAILS"))]
    assert lines[0].split()[0] == f"{NAME}:" and lines[0].endswith("holds")
    assert "wgfpde validate --regenerate heat_1d" in lines[-1] and lines[-1].endswith("FAILS")


def test_no_reference(place):
    shutil.copy(place / f"{NAME}.h5", place / "heat_1d.h5")
    rewrite(place / "heat_1d.h5")
    with pytest.raises(StoreError, match="--regenerate kuramoto_1d"):
        regression.reference("kuramoto_1d")
    study = read_study(place / "heat_1d.h5")
    write_study(place / "heat_1d.h5", dataclasses.replace(study, kind="spectrum"))
    with pytest.raises(StoreError, match="found a study of spectrum"):
        regression.reference("heat_1d")
