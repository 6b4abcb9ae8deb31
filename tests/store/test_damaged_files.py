"""Files that were damaged, or made to do harm: each verb says what is wrong in a sentence, and touches nothing else.

What the fuzz job (tests/fuzz) found is kept here, one small change of a file each.
"""

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from wgfpde.cases.loading import loads
from wgfpde.cli import main
from wgfpde.errors import StoreError
from wgfpde.output.plots.series import figure_steps
from wgfpde.runs.runner import run as march
from wgfpde.store import read
from wgfpde.store.layout import NO_VARIABLE
from wgfpde.store.reading.structure import check_regular

CASE = """
[grid]
lower = [-3]
upper = [3]
shape = [12]
[energy]
internal = { kind = "entropy", kappa = 0.5 }
potential = "x**2/2"
[initial]
density = "exp(-(x - 1)**2)"
[time]
end = 0.1
[solver]
method = "fv"
dt = 0.05
"""


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory):
    """The bytes of a run's file."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    march(loads(CASE), folder)
    return (folder / "output.h5").read_bytes()


@pytest.fixture
def file(whole_file, tmp_path):
    path = tmp_path / "output.h5"
    path.write_bytes(whole_file)
    return path


def replaced(name, data):
    """A dataset with other data, its attributes kept."""

    def change(file):
        kept = {key: value for key, value in file[name].attrs.items() if "_LIST" not in key}
        del file[name]
        file[name] = data
        file[name].attrs.update(kept)

    return change


def attribute(name, value, at="/"):
    return lambda file: file[at].attrs.__setitem__(name, value)


def linked(name, target):
    def change(file):
        del file[name]
        file[name] = target

    return change


def set_value(name, place, value):
    return lambda file: file[name].__setitem__(place, value)


def virtual(file):
    layout = h5py.VirtualLayout(shape=(12,), dtype=float)
    layout[:] = h5py.VirtualSource("/nowhere.h5", "data", shape=(12,))
    del file["x"]
    file.create_virtual_dataset("x", layout)


def stored_elsewhere(file):
    del file["x"]
    file.create_dataset("x", (12,), float, external=[("/dev/zero", 0, h5py.h5f.UNLIMITED)])


def endless(file):
    """A row that claims 80 GB, of which nothing is stored."""
    del file["diagnostics/mass"]
    file.create_dataset("diagnostics/mass", (10**10,), float, chunks=(10**6,))


def grouped(file):
    del file["diagnostics/mass"]
    file.create_group("diagnostics/mass")


def deep(file):
    group = file
    for _ in range(20):
        group = group.create_group("deeper")


CHANGES = {
    "a link within": (linked("t", h5py.SoftLink("/x")), "/t is a link to another place"),
    "a link outside": (linked("rho", h5py.ExternalLink("/dev/zero", "/rho")), "/rho is a link to another place"),
    "a link to nothing": (linked("steps/dt", h5py.SoftLink("/nowhere")), "/steps/dt is a link"),
    "virtual": (virtual, "/x lies in other files"),
    "external storage": (stored_elsewhere, "/x lies in other files"),
    "more than is stored": (endless, "/diagnostics/mass claims 74.5 GiB where 0 KiB are stored"),
    "deep": (deep, "lies deeper than 8 groups"),
    "compound": (replaced("t", np.zeros(3, dtype=[("a", float)])), "which is neither numbers nor text"),
    "complex": (replaced("rho", np.zeros((3, 12), complex)), "which is neither numbers nor text"),
    "rho of another shape": (replaced("rho", np.zeros((3, 5))), "rho has another shape than the grid"),
    "rho of one axis less": (replaced("rho", np.zeros(3)), "rho has another shape than the grid"),
    "rho of integers": (replaced("rho", np.zeros((3, 12), int)), "rho has another shape than the grid"),
    "t of two axes": (replaced("t", np.zeros((3, 2))), "t is no row of numbers"),
    "t a text": (replaced("t", "now"), "t is no row of numbers"),
    "mass a group": (grouped, "mass is no row of numbers"),
    "no mass": (attribute("order", "energy min", "diagnostics"), "holds no diagnostic mass"),
    "no edges": (lambda f: f.__delitem__("x_bnds"), "x_bnds holds no edges"),
    "edges that fall": (set_value("x_bnds", (3, 0), -9.0), "x_bnds holds no edges"),
    "edges without measure": (set_value("x_bnds", (3, 0), np.nan), "x_bnds holds no edges"),
    "no axis": (lambda f: f.__delitem__("x"), "rho has another shape than the grid"),
    "walls of no kind": (attribute("boundary", "open", "x"), 'the ends of axis x are "open"'),
    "walls of numbers": (attribute("boundary", np.arange(3), "x"), "attribute boundary of /x is neither"),
    "a radius in 7D": (attribute("radial", 7, "x"), "radial is 2 or 3"),
    "an array as title": (attribute("title", np.zeros(4)), "attribute title of / is neither a number nor a text"),
    "kappa a text": (attribute("kappa", "half"), "kappa is a number; found half"),
    "seconds a text": (attribute("wall_seconds", "\x1b[31mlong"), r"wall_seconds is a number; found \x1b[31mlong"),
    "format a text": (attribute("format", "one"), "is an HDF5 file but no wgfpde run"),
    "no TOML": (replaced("resolved_toml", "[grid"), "resolved_toml is no TOML"),
    "no JSON": (replaced("sources_json", "{"), "sources_json is no JSON"),
    "no texts in it": (replaced("sources_json", '{"a": 1}'), "sources_json is no table of texts"),
    "TOML of numbers": (replaced("resolved_toml", np.zeros(3)), "resolved_toml is no text"),
    "bytes that are no text": (replaced("resolved_toml", np.bytes_(b"title = '\xff'")), "bytes that are not UTF-8"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_damage_is_one_sentence(file, name, capsys):
    change, sentence = CHANGES[name]
    with h5py.File(file, "r+") as store:
        change(store)
    assert main(["inspect", str(file), "--json"]) == 2
    out, error = capsys.readouterr()
    assert not out and sentence in error
    assert error.startswith("error: ") and error.count("\n") == 1 and "\x1b" not in error


@pytest.mark.parametrize("verb", [["plot", "--out", "x.png"], ["report"], ["export", "--to", "csv", "--out", "o.csv"],
                                  ["check"], ["movie"], ["resume"]])  # fmt: skip
def test_every_verb_says_so(file, verb, capsys, monkeypatch):
    monkeypatch.chdir(file.parent)
    with h5py.File(file, "r+") as store:
        linked("t", h5py.ExternalLink("/dev/zero", "/t"))(store)
    where = file.parent if verb[0] == "resume" else file
    assert main([verb[0], str(where), *verb[1:]]) == 2
    assert "/t is a link to another place" in capsys.readouterr().err


@pytest.mark.parametrize("value", [np.nan, -1e-300, -8.8e305, np.inf])
def test_densities_are_judged_as_they_are_stored(file, value, capsys):
    with h5py.File(file, "r+") as store:
        store["rho"][1, 4] = value
    assert main(["inspect", str(file)]) == 0
    found = next(line for line in capsys.readouterr().out.splitlines() if "min density" in line)
    assert "BROKEN" in found, found


@pytest.mark.parametrize("value", [np.nan, -8.8e305, np.inf])
def test_what_cannot_be_drawn_is_a_sentence(file, value, capsys, tmp_path):
    with h5py.File(file, "r+") as store:
        store["rho"][0, 4] = value
    assert main(["plot", str(file), "--out", str(tmp_path / "x.png")]) == 2
    assert "snapshot 0 holds" in capsys.readouterr().err


def test_numbers_without_measure_are_shown(file, tmp_path, capsys):
    with h5py.File(file, "r+") as store:
        store["diagnostics/energy"][1] = 1e308
        store["diagnostics/kl_gibbs"][:3] = [-1e308, 1e308, 1e308]
    assert main(["inspect", str(file)]) == 0 and main(["plot", str(file), "--out", str(tmp_path / "x.png")]) == 0
    assert not capsys.readouterr().err


@pytest.mark.parametrize("kind", ["fifo", "device", "loop", "folder"])
def test_only_regular_files_are_opened(tmp_path, kind, capsys):
    path = tmp_path / "output.h5"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    else:
        path.mkdir()
    for verb in ("inspect", "report", "check", "plot"):
        assert main([verb, str(path)]) == 2
    assert capsys.readouterr().err.count("error: ") == 4
    if kind != "loop":
        with pytest.raises(StoreError, match="no regular file"):
            check_regular(path)


def test_a_long_attribute_is_not_read(file):
    with h5py.File(file, "r+", libver="latest") as store:
        store.attrs.create("title", "x", dtype=h5py.string_dtype("utf-8", 60_000))
    assert read(file).title == "x"


def test_a_dimension_of_many_particles_stores_nothing(file):
    """It lends its length alone; a column of that name is looked at all the same."""
    with h5py.File(file, "r+") as store:
        scale = store.create_dataset("particle", (10**6,), "f4", maxshape=(None,), chunks=(1024,))
        scale.make_scale(f"{NO_VARIABLE}{10**6:10d}")
    assert len(read(file)) == 11
    with h5py.File(file, "r+") as store:
        endless(store)
        store["diagnostics/mass"].make_scale(f"{NO_VARIABLE}{10**6:10d}")
    with pytest.raises(StoreError, match="mass claims"):
        read(file)


def test_names_that_are_not_there_are_named(file):
    run = read(file)
    with pytest.raises(StoreError, match="no diagnostic energie; did you mean energy"):
        run.diagnostics["energie"]
    with pytest.raises(StoreError, match="no column of the steps zz; it holds t, dt"):
        run.steps["zz"]


def test_a_corrupt_length_takes_no_memory(file):
    """3.7 GB were once taken for one byte of a dimension."""
    with h5py.File(file, "r+") as store:
        endless(store)
    code = (
        "import resource, sys; from wgfpde.cli import main; resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30));"
        "sys.exit(main(['inspect', sys.argv[1]]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "claims 74.5 GiB" in done.stderr


@pytest.mark.parametrize("name", ["dt", "residual", "iterations"])
@pytest.mark.parametrize("value", [np.inf, np.nan, 1e308, -1e308])
def test_steps_with_numbers_that_no_figure_shows(name, value, file):
    """They are left out of the lines of the steps, and the axes end at the others."""
    with h5py.File(file, "r+") as store:
        kind, values = store[f"steps/{name}"].dtype.kind, store["steps"][name][...]
        values[1] = value if kind == "f" else np.iinfo(values.dtype).max
        store["steps"][name][...] = values
    figure = figure_steps(read(file))
    figure.canvas.draw()
    assert all(np.isfinite(axes.get_ylim()).all() for axes in figure.axes)
    if name == "dt":
        assert figure.axes[0].get_ylim()[1] == pytest.approx(1.1 * np.delete(values, 1).max(), rel=1e-12, abs=0)
