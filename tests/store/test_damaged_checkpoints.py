"""Checkpoints and run folders that were damaged, or made to do harm: passed over or refused, and never waited for.

What the fuzz job (tests/fuzz, kind "resumes") found is kept here.
"""

import hashlib
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from same_runs import ATTRACT, JKO, assert_same, case_of

from wgfpde.cli import main
from wgfpde.runs.runner import resume, run
from wgfpde.store.checkpoint import checkpoints

CASES = {"fv": case_of(**ATTRACT), "jko": case_of(solver=JKO | {"tau": 0.05}, **ATTRACT)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    for name, case in CASES.items():
        run(case, folder / name)
        shutil.copytree(folder / name, folder / f"{name}-longer")
        resume(folder / f"{name}-longer", until=0.5)
    return folder


@pytest.fixture(params=CASES)
def place(request, whole, tmp_path):
    shutil.copytree(whole / request.param, tmp_path / request.param)
    return tmp_path / request.param


def exchanged(path, change):
    """A checkpoint by one who knows its checksums.   change : of (state, arrays), in place."""
    with np.load(path) as file:
        arrays = dict(file)
    state = json.loads(str(arrays.pop("state")))
    change(state, arrays)
    for name, values in arrays.items():
        about = f"{values.dtype.str} {values.shape} ".encode()
        state["arrays"][name] = hashlib.blake2b(about + values.tobytes(), digest_size=16).hexdigest()
    np.savez(path, **arrays, state=np.array(json.dumps(state)))


def of_state(**values):
    return lambda state, arrays: state.update(values)


def of_array(name, values):
    return lambda state, arrays: arrays.__setitem__(name, values)


CHANGES = {
    "no density": of_array("field_rho", np.zeros(0)),
    "another shape": of_array("field_rho", np.ones((3, 2))),
    "not finite": of_array("field_rho", np.full(24, np.nan)),
    "texts": of_array("field_rho", np.full(24, "x")),
    "complex": of_array("field_rho", np.ones(24, complex)),
    "another snapshot": of_array("previous", np.ones(3)),
    "a time of another run": of_state(t=99.0),
    "a time before the start": of_state(t=-1.0, previous_t=-2.0),
    "a snapshot that is to come": of_state(previous_t=0.55),
    "no time": of_state(t="now"),
    "NaN": of_state(t=float("nan")),
    "no step": of_state(step=-1),
    "a step of a half": of_state(step=1.5),
    "rows of many": of_state(rows=[1, 2]),
    "a step back": of_state(dt_next=-1.0),
    "seconds of text": of_state(wall={"a": 1}),
    "a number too large": of_state(cpu=10**400),
    "no report": of_state(report=[]),
    "a report of text": of_state(report={"residual": "small"}),
    "a report of more": of_state(report={"more": {"x": None}}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_checkpoint_that_cannot_be_is_passed_over(name, place, whole):
    """All of them: the run starts again, and ends as the other did."""
    for path in place.glob("checkpoint/*.npz"):
        exchanged(path, CHANGES[name])
    assert resume(place, until=0.5).status == "finished"
    assert_same(place, whole / f"{place.name}-longer")


def test_the_one_before_is_taken(whole, tmp_path):
    shutil.copytree(whole / "fv-longer", tmp_path / "fv")
    latest = max((tmp_path / "fv").glob("checkpoint/*.npz"))
    known = len(list(checkpoints(tmp_path / "fv")))
    exchanged(latest, of_state(t="now"))
    assert len(list(checkpoints(tmp_path / "fv"))) == known - 1


def rewritten(path, **options):
    """The same members, packed otherwise, or with another header."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", options.get("compression", zipfile.ZIP_STORED)) as archive:
        for name, content in members.items():
            archive.writestr(name, content.replace(b"(24,)", options.get("shape", b"(24,)")))


@pytest.mark.parametrize("options", [{"compression": zipfile.ZIP_DEFLATED}, {"shape": b"(9999999999999,)"}])
def test_nothing_is_unpacked_and_no_length_is_believed(options, whole, tmp_path):
    shutil.copytree(whole / "fv", tmp_path / "fv")
    for path in (tmp_path / "fv").glob("checkpoint/*.npz"):
        rewritten(path)
    assert list(checkpoints(tmp_path / "fv"))
    for path in (tmp_path / "fv").glob("checkpoint/*.npz"):
        rewritten(path, **options)
    assert not list(checkpoints(tmp_path / "fv"))


@pytest.mark.parametrize("change", ["shape", "type"])
def test_the_same_bytes_as_another_array_are_no_state(change, whole, tmp_path):
    """A checksum is of an array, its shape and its type, not of the bytes alone."""
    shutil.copytree(whole / "fv", tmp_path / "fv")
    path = max((tmp_path / "fv").glob("checkpoint/*.npz"))
    known = len(list(checkpoints(tmp_path / "fv")))
    with np.load(path) as file:
        arrays = dict(file)
    rho = arrays["field_rho"]
    np.savez(path, **arrays)
    assert len(list(checkpoints(tmp_path / "fv"))) == known
    arrays["field_rho"] = rho.reshape(2, -1) if change == "shape" else rho.view(np.int64)
    np.savez(path, **arrays)
    assert len(list(checkpoints(tmp_path / "fv"))) == known - 1


@pytest.mark.parametrize("name", ["case.toml", "resolved.toml", "run.log", "output.xdmf", "checkpoint/*.npz"])
def test_a_pipe_in_a_run_folder_is_not_waited_for(name, whole, tmp_path, capsys):
    """It would be for ever: nobody writes into it."""
    shutil.copytree(whole / "fv", tmp_path / "fv")
    path = max((tmp_path / "fv").glob(name))
    path.unlink()
    os.mkfifo(path)
    assert main(["resume", str(tmp_path / "fv"), "--until", "0.5"]) == 2
    assert f"{path.name} is no regular file" in capsys.readouterr().err
    assert path.is_fifo()
    if name != "checkpoint/*.npz":
        (tmp_path / "case.toml").write_text(CASES["fv"].resolved_toml())
        assert main(["run", str(tmp_path / "case.toml"), "--out", str(tmp_path / "fv"), "--overwrite"]) == 2


@pytest.mark.parametrize("name", ["case.toml", "resolved.toml"])
def test_texts_that_are_none(name, whole, tmp_path, capsys):
    shutil.copytree(whole / "fv", tmp_path / "fv")
    (tmp_path / "fv" / "output.h5").unlink()
    (tmp_path / "fv" / name).write_bytes(b"title = '\xff'")
    assert main(["resume", str(tmp_path / "fv")]) == 2
    assert "is damaged, no text" in capsys.readouterr().err
    assert Path(tmp_path / "fv" / name).read_bytes() == b"title = '\xff'"
