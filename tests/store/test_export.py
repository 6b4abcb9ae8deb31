"""Runs in the files of others: what is written there is what the run holds, read back with their own readers."""

import csv
import xml.etree.ElementTree as ElementTree

import h5py
import netCDF4
import numpy as np
import pytest
import xarray
from sample_runs import ATTRIBUTES, GRID_1D, GRID_2D, LABELS, fill, make, state
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkIOXML import vtkXMLImageDataReader, vtkXMLRectilinearGridReader

from wgfpde.cli import main
from wgfpde.errors import StoreError
from wgfpde.grid import Grid
from wgfpde.store import Writer, read
from wgfpde.store.export import to_csv as export
from wgfpde.store.layout import Layout

LINE = Grid([-2.0], [3.0], [10])
STRETCHED_2D = Grid([0.0, -1.0], [3.0, 1.0], [6, 4], mapping=[lambda s: s**1.5, None])
GRIDS = pytest.mark.parametrize("grid", [LINE, GRID_1D, GRID_2D, STRETCHED_2D], ids=["1d", "1d*", "2d", "2d*"])


def table(path):
    with path.open(encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    return dict(zip(names, np.array(rows, dtype=float).T, strict=True))


# ---- netCDF ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
@GRIDS
def test_netcdf(tmp_path, engine, grid):
    run = read(make(tmp_path / "output.h5", grid))
    (path,) = export.netcdf(run, tmp_path / "flat.nc")
    with xarray.open_dataset(path, engine=engine) as data, xarray.open_dataset(run.path, engine=engine) as original:
        for name in ("t", *original.coords, *(f"{axis.name}_bnds" for axis in grid.axes), "rho", "case_toml"):
            xarray.testing.assert_equal(data[name], original[name])
            assert data[name].attrs["long_name"]
        for name, values in run.diagnostics.items():
            assert data[name].dims == ("t",) and data[name].attrs["long_name"] == run.labels[name].long_name
            np.testing.assert_array_equal(data[name], values)
        for name, values in run.steps.items():
            assert data[f"step_{name}"].dims == ("step",) and data[f"step_{name}"].attrs["description"]
            np.testing.assert_array_equal(data[f"step_{name}"], values)
        assert (data.attrs["title"], data.attrs["status"]) == ("Füße ρ", "finished")
        assert data.rho.sel(t=1.0).equals(original.rho.sel(t=1.0))


def test_netcdf_of_a_running_a_packed_and_a_chosen_run(tmp_path):
    running = make(tmp_path / "running.h5", planned=9, count=3, status="")
    (path,) = export.netcdf(read(running), tmp_path / "a.nc")
    with netCDF4.Dataset(path) as data:
        assert not data.groups and data["rho"].shape == (3, 4, 6) and data["step_dt"].shape == (4,)
    with Writer(
        tmp_path / "packed.h5", Layout(GRID_2D, LABELS, precision="float32", compression="gzip"), ATTRIBUTES, 4
    ) as writer:
        fill(writer, GRID_2D, 4)
        writer.finish("finished")
    (path,) = export.netcdf(read(tmp_path / "packed.h5"), tmp_path / "b.nc", [1, -1])
    with netCDF4.Dataset(path) as data:
        assert data["rho"].dtype == np.float32 and data["rho"].filters()["zlib"]
        np.testing.assert_array_equal(data["t"][:], [0.5, 1.5])
        np.testing.assert_array_equal(data["mass"][:], [2.0, 4.0])
        np.testing.assert_array_equal(data["rho"][1], state(GRID_2D, 3).rho)


# ---- VTK ---------------------------------------------------------------------------------------------------


@GRIDS
def test_vtk(tmp_path, grid):
    run = read(make(tmp_path / "output.h5", grid))
    index, *files = export.vtk(run, tmp_path / "vtk")
    assert [path.name for path in files] == [f"rho_{k}.{'vti' if grid.uniform else 'vtr'}" for k in range(4)]
    entries = list(ElementTree.parse(index).iter("DataSet"))
    assert [(float(e.get("timestep")), e.get("file")) for e in entries] == [
        (0.5 * k, path.name) for k, path in enumerate(files)
    ]
    for k, path in enumerate(files):
        reader = vtkXMLImageDataReader() if grid.uniform else vtkXMLRectilinearGridReader()
        reader.SetFileName(str(path))
        reader.Update()
        data = reader.GetOutput()
        np.testing.assert_array_equal(vtk_to_numpy(data.GetCellData().GetArray("rho")), state(grid, k).rho.ravel())
        assert data.GetFieldData().GetArray("TimeValue").GetValue(0) == 0.5 * k
        box = [end for axis in grid.axes for end in (axis.lower, axis.upper)]
        np.testing.assert_allclose(data.GetBounds()[: len(box)], box, rtol=1e-15)
        if not grid.uniform:
            np.testing.assert_array_equal(vtk_to_numpy(data.GetXCoordinates()), grid.x.edges)


def test_vtk_keeps_single_precision_and_sorts_by_name(tmp_path):
    with Writer(tmp_path / "output.h5", Layout(GRID_1D, LABELS, precision="float32"), ATTRIBUTES, 12) as writer:
        fill(writer, GRID_1D, 12)
    _, *files = export.vtk(read(tmp_path), tmp_path / "vtk", [2, 11])
    assert [path.name for path in files] == ["rho_02.vtr", "rho_11.vtr"]
    reader = vtkXMLRectilinearGridReader()
    reader.SetFileName(str(files[1]))
    reader.Update()
    values = vtk_to_numpy(reader.GetOutput().GetCellData().GetArray("rho"))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, state(GRID_1D, 11).rho)


# ---- CSV ---------------------------------------------------------------------------------------------------


@GRIDS
def test_csv(tmp_path, grid):
    run = read(make(tmp_path / "output.h5", grid))
    diagnostics, steps, density = (table(path) for path in export.csv(run, tmp_path / "csv"))
    assert list(diagnostics) == ["t", "mass", "energy"]
    np.testing.assert_array_equal(diagnostics["energy"], run.diagnostics["energy"])
    assert list(steps) == list(run.steps)
    for name in steps:
        np.testing.assert_array_equal(steps[name], run.steps[name])
    assert list(density) == [*("x", "y")[: grid.dim], "rho"]
    np.testing.assert_array_equal(density["rho"], state(grid, 3).rho.ravel())
    for name, places in grid.coordinates().items():
        np.testing.assert_array_equal(density[name], np.broadcast_to(places, grid.shape).ravel())


def test_csv_of_several_snapshots_keeps_all_digits(tmp_path):
    with Writer(tmp_path / "output.h5", Layout(GRID_1D, LABELS), ATTRIBUTES, 2) as writer:
        fill(writer, GRID_1D, 1)
        odd = state(GRID_1D, 1)
        odd.rho[:] = np.random.default_rng(0).random(16)
        writer.append(odd, {"mass": 0.1 + 0.2, "energy": np.nan})
    *_, density = export.csv(read(tmp_path), tmp_path, [0, 1])
    rows = table(density)
    assert list(rows) == ["t", "x", "rho"]
    np.testing.assert_array_equal(rows["t"], np.repeat([0.0, 0.5], 16))
    np.testing.assert_array_equal(rows["rho"][16:], odd.rho)
    rows = table(tmp_path / "diagnostics.csv")
    assert rows["mass"][1] == 0.1 + 0.2 and np.isnan(rows["energy"][1])


# ---- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [export.netcdf, export.vtk, export.csv])
def test_files_are_kept_unless_asked(tmp_path, write):
    run = read(make(tmp_path / "output.h5"))
    target = tmp_path / "there"
    first = write(run, target)
    before = {path: path.read_bytes() for path in first}
    with pytest.raises(StoreError, match=r"exists and is kept; .* --overwrite"):
        write(run, target)
    first[-1].write_text("mine")
    calls = []
    assert write(run, target, None, True, lambda done, count: calls.append((done, count))) == first
    assert {path: path.read_bytes() for path in first} == before
    assert calls[-1][0] == calls[-1][1] == len(calls)
    assert not list(tmp_path.rglob("*.part"))


def test_the_run_itself_is_never_replaced(tmp_path):
    run = read(make(tmp_path / "output.h5"))
    with pytest.raises(StoreError, match="is the run that is exported"):
        export.netcdf(run, run.path, overwrite=True)


@pytest.mark.parametrize("write", [export.netcdf, export.vtk, export.csv])
def test_a_run_without_snapshots_and_a_folder_that_cannot_be(tmp_path, write):
    with pytest.raises(StoreError, match="holds no snapshot"):
        write(read(make(tmp_path / "empty.h5", count=0, status="")), tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*Check that the folder"):
        write(read(make(tmp_path / "output.h5")), tmp_path / "file" / "out")
    assert not (tmp_path / "out").exists()


# ---- the command -------------------------------------------------------------------------------------------


def test_the_command(tmp_path, capsys):
    make(tmp_path / "output.h5")
    assert main(["export", str(tmp_path), "--to", "nc"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'export' / 'output.nc'}\n"
    assert main(["export", str(tmp_path), "--to", "vtk"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == str(tmp_path / "export" / "rho.pvd") and out[-1] == f"and 2 more in {tmp_path / 'export'}"
    assert main(["export", str(tmp_path), "--to", "csv", "--out", str(tmp_path / "one"), "--time", "0.5"]) == 0
    np.testing.assert_array_equal(table(tmp_path / "one" / "density.csv")["rho"], state(GRID_2D, 1).rho.ravel())
    assert main(["export", str(tmp_path), "--to", "csv", "--all"]) == 0
    assert len(table(tmp_path / "export" / "density.csv")["t"]) == 4 * GRID_2D.size
    assert main(["export", str(tmp_path), "--to", "nc", "--out", str(tmp_path / "one"), "--index", "-2"]) == 0
    with xarray.open_dataset(tmp_path / "one" / "output.nc") as data:
        np.testing.assert_array_equal(data.t, [1.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "nc"], "exists and is kept"),
        (["--to", "vtk", "--time", "0.6"], "the nearest is at t = 0.5"),
        (["--to", "csv", "--index", "7"], "holds 4 snapshots"),
        (["--to", "xls"], "invalid choice"),
        ([], "required: --to"),
        (["--to", "csv", "--index", "1", "--all"], "not allowed with"),
    ],
)
def test_the_command_refuses(tmp_path, capsys, options, message):
    make(tmp_path / "output.h5")
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "output.nc").write_text("")
    assert main(["export", str(tmp_path), *options]) == 2
    assert message in capsys.readouterr().err


def test_newer_foreign_and_missing_files_are_refused(tmp_path, capsys):
    path = make(tmp_path / "output.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = 99
    assert main(["export", str(path), "--to", "nc"]) == 2
    err = capsys.readouterr().err
    assert str(path) in err and "format 99, written by wgfpde" in err and "Update wgfpde" in err
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["t"] = [1.0]
    assert main(["export", str(tmp_path / "other.h5"), "--to", "vtk"]) == 2
    assert "no wgfpde run" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "nothing"), "--to", "csv"]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert not (tmp_path / "export").exists()
