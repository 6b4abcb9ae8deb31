"""One file, opened by the readers of others: xarray on both netCDF libraries, VTK twice over, NeXus viewers."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import h5py
import netCDF4
import numpy as np
import pytest
import xarray
from sample_runs import ATTRIBUTES, GRID_1D, GRID_2D, LABELS, TEXTS, fill, make, state
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline
from vtkmodules.vtkIOHDF import vtkHDFReader
from vtkmodules.vtkIOXdmf2 import vtkXdmfReader

from wgfpde.grid import Grid
from wgfpde.store import Writer, read
from wgfpde.store.layout import Layout

LINE = Grid([-2.0], [3.0], [10])
STRETCHED_2D = Grid([0.0, -1.0], [3.0, 1.0], [6, 4], mapping=[lambda s: s**1.5, None])
GRIDS = pytest.mark.parametrize("grid", [LINE, GRID_1D, GRID_2D, STRETCHED_2D], ids=["1d", "1d*", "2d", "2d*"])
UNIFORM = pytest.mark.parametrize("grid", [LINE, GRID_2D], ids=["1d", "2d"])
ENGINES = pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])


def times_of(reader):
    reader.UpdateInformation()
    return reader.GetOutputInformation(0).Get(vtkStreamingDemandDrivenPipeline.TIME_STEPS())


def check_vtk(reader, path, grid, count, height=0.0):
    """The reader sees `count` snapshots, their times, their densities and the box of the grid."""
    reader.SetFileName(str(path))
    times = times_of(reader)
    assert times == tuple(0.5 * k for k in range(count))
    for k, t in enumerate(times):
        reader.UpdateTimeStep(t)
        data = reader.GetOutputDataObject(0)
        np.testing.assert_array_equal(vtk_to_numpy(data.GetCellData().GetArray("rho")), state(grid, k).rho.ravel())
    box = [end for axis in grid.axes for end in (axis.lower, axis.upper)]
    box += [0.0, height, 0.0, 0.0] if grid.dim == 1 else [0.0, 0.0]
    np.testing.assert_allclose(data.GetBounds(), box, rtol=1e-15)
    return data


# ---- xarray ------------------------------------------------------------------------------------------------


@ENGINES
@GRIDS
def test_xarray(tmp_path, engine, grid):
    path = make(tmp_path / "output.h5", grid)
    with xarray.open_dataset(path, engine=engine) as data:
        names = ("x", "y")[: grid.dim]
        assert data.rho.dims == ("t", *reversed(names)) and data.rho.dtype == np.float64
        assert set(data.coords) == {"t", *names}
        for axis in grid.axes:
            np.testing.assert_array_equal(data[axis.name], axis.centers)
            assert data[axis.name].attrs["bounds"] == f"{axis.name}_bnds"
            bounds = data[f"{axis.name}_bnds"]
            assert bounds.dims == (axis.name, "vertices")
            np.testing.assert_array_equal(bounds, np.stack([axis.edges[:-1], axis.edges[1:]], axis=1))
        np.testing.assert_array_equal(data.rho.sel(t=1.0), state(grid, 2).rho)
        assert (data.rho.attrs["long_name"], data.t.attrs["units"]) == ("density", "1")
        assert data.attrs["Conventions"] == "CF-1.11" and data.attrs["status"] == "finished"
        assert str(data.case_toml.values) == TEXTS["case_toml"]


@ENGINES
def test_xarray_groups_and_tree(tmp_path, engine):
    path = make(tmp_path / "output.h5")
    with xarray.open_dataset(path, engine=engine, group="diagnostics") as data:
        assert data.mass.dims == ("t",) and data.sizes["t"] == 4
        assert data.mass.attrs["long_name"] == "mass"
    with xarray.open_dataset(path, engine=engine, group="steps") as data:
        assert data.dt.dims == ("step",) and data.sizes["step"] == 6 and set(data.coords) == {"t"}
        np.testing.assert_array_equal(data.t, read(path).steps["t"])  # while xarray holds the file open
    with xarray.open_datatree(path, engine=engine) as tree:
        assert tree["steps"].sizes["step"] == 6 and tree["diagnostics/mass"].sizes["t"] == tree.rho.sizes["t"] == 4
        np.testing.assert_array_equal(tree["diagnostics"].t, [0.0, 0.5, 1.0, 1.5])  # its own, from above
        for name in ("VTKHDF/CellData/rho", "entry/density/rho"):
            np.testing.assert_array_equal(tree[name], tree.rho)


@ENGINES
def test_xarray_on_a_run_that_goes_on(tmp_path, engine):
    path = make(tmp_path / "output.h5", planned=9, count=3, status="")
    with xarray.open_datatree(path, engine=engine) as tree:
        assert tree.sizes["t"] == 9
        data = tree.to_dataset().dropna("t", subset=["rho"])
    np.testing.assert_array_equal(data.t, [0.0, 0.5, 1.0])


def test_plain_netcdf_sees_each_variable_once(tmp_path):
    with netCDF4.Dataset(make(tmp_path / "output.h5")) as data:
        assert set(data.dimensions) == {"t", "x", "y", "vertices"}
        assert set(data.variables) == {"t", "x", "y", "x_bnds", "y_bnds", "rho", "case_toml", "resolved_toml"}
        assert not data["VTKHDF/CellData"].dimensions and data["VTKHDF/CellData/rho"].dimensions == ("t", "y", "x")
        assert data["steps"].dimensions["step"].isunlimited() and "step" not in data["steps"].variables


# ---- VTKHDF ------------------------------------------------------------------------------------------------


@UNIFORM
@pytest.mark.parametrize("status", ["", "finished"])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_vtkhdf(tmp_path, grid, status, precision):
    path = tmp_path / "output.h5"
    with Writer(path, Layout(grid, LABELS, texts=TEXTS, precision=precision), ATTRIBUTES, 9) as writer:
        fill(writer, grid, 3)
        check_vtk(vtkHDFReader(), path, grid, 3)
        fill(writer, grid, 1, first=3)
        if status:
            writer.finish(status)
    data = check_vtk(vtkHDFReader(), path, grid, 4)
    assert data.GetDimensions() == tuple(n + 1 for n in (*reversed(grid.shape), 0, 0)[:3])
    np.testing.assert_allclose(data.GetSpacing()[0], grid.x.length / grid.x.size, rtol=1e-15)
    with h5py.File(path) as file:
        assert file["VTKHDF/CellData/rho"] == file["rho"]  # one object under two names
        np.testing.assert_array_equal(file["VTKHDF/Steps/Values"], file["t"][:4])


def test_vtkhdf_of_a_grown_a_compressed_and_a_continued_file(tmp_path):
    path = tmp_path / "output.h5"
    with Writer(path, Layout(GRID_2D, LABELS, texts=TEXTS, compression="gzip"), ATTRIBUTES, 1) as writer:
        fill(writer, GRID_2D, 5)
        check_vtk(vtkHDFReader(), path, GRID_2D, 5)
        writer.finish("finished")
    check_vtk(vtkHDFReader(), path, GRID_2D, 5)
    for rows in (4, 3):  # the first by a copy, the second in place
        with Writer.reopen(
            path, Layout(GRID_2D, LABELS, texts=TEXTS), ATTRIBUTES, 6, rows=rows, step_rows=2 * rows - 2
        ):
            check_vtk(vtkHDFReader(), path, GRID_2D, rows)


def test_vtkhdf_is_for_equal_cells_and_two_snapshots(tmp_path):
    with h5py.File(make(tmp_path / "stretched.h5", GRID_1D)) as file:
        assert "VTKHDF" not in file
    with h5py.File(make(tmp_path / "one.h5", count=1)) as file:  # VTK would take t for an axis of space
        assert file["VTKHDF"].attrs["Type"] != b"ImageData"


# ---- XDMF --------------------------------------------------------------------------------------------------


@GRIDS
@pytest.mark.parametrize("status", ["", "finished"])
def test_xdmf(tmp_path, grid, status):
    height = 0.1 * grid.x.length if grid.dim == 1 else 0.0
    path = make(tmp_path / "output.h5", grid, planned=3, count=5, status=status)
    data = check_vtk(vtkXdmfReader(), tmp_path / "output.xdmf", grid, 5, height)
    np.testing.assert_array_equal(vtk_to_numpy(data.GetXCoordinates()), grid.x.edges)
    with h5py.File(path) as file:  # other readers trust the numbers in the text
        for item in ElementTree.parse(tmp_path / "output.xdmf").iter("DataItem"):
            if item.get("Format") == "HDF":
                name, place = item.text.split(":")
                assert name == path.name
                assert [int(n) for n in item.get("Dimensions").split()] == list(file[place].shape)
                assert int(item.get("Precision")) == file[place].dtype.itemsize


def test_xdmf_lists_what_is_there_at_every_moment(tmp_path):
    path, document = tmp_path / "run & output.h5", tmp_path / "run & output.xdmf"
    with Writer(path, Layout(GRID_1D, LABELS, precision="float32"), ATTRIBUTES, 4) as writer:
        for k in range(3):
            assert len(list(ElementTree.parse(document).iter("Time"))) == k
            fill(writer, GRID_1D, 1, first=k)
    check_vtk(vtkXdmfReader(), document, GRID_1D, 3, 0.1)
    Writer.reopen(path, Layout(GRID_1D, LABELS, precision="float32"), ATTRIBUTES, 4, rows=2, step_rows=2).close()
    check_vtk(vtkXdmfReader(), document, GRID_1D, 2, 0.1)


def test_the_run_goes_on_without_its_xdmf(tmp_path):
    path = tmp_path / "output.h5"
    with Writer(path, Layout(GRID_1D, LABELS), ATTRIBUTES, 4) as writer:
        (tmp_path / "output.xdmf").unlink()
        (tmp_path / "output.xdmf").mkdir()
        fill(writer, GRID_1D, 3)
        writer.finish("finished")
    assert len(read(path)) == 3 and not (tmp_path / "output.xdmf.part").exists()


# ---- NeXus -------------------------------------------------------------------------------------------------


@GRIDS
def test_default_plot(tmp_path, grid):
    """The attributes by which a NeXus viewer finds the signal and its axes."""
    with h5py.File(make(tmp_path / "output.h5", grid)) as file:
        entry = file[file.attrs["default"]]
        data = entry[entry.attrs["default"]]
        classes = [group.attrs["NX_class"] for group in (file, entry, data)]
        assert classes == ["NXroot", "NXentry", "NXdata"]
        signal = data[data.attrs["signal"]]
        assert signal == file["rho"]
        assert len(data.attrs["axes"]) == signal.ndim
        for k, name in enumerate(data.attrs["axes"]):
            assert data[name] == file[name] and data[name].shape == signal.shape[k : k + 1]
            assert data.attrs[f"{name}_indices"] == k


# ---- all at once -------------------------------------------------------------------------------------------

HELD_OPEN = """
    import sys, h5py, netCDF4, xarray
    from vtkmodules.vtkIOHDF import vtkHDFReader
    reader = vtkHDFReader()
    reader.SetFileName(sys.argv[1])
    reader.Update()
    a = netCDF4.Dataset(sys.argv[1])
    b = xarray.open_dataset(sys.argv[1], engine="h5netcdf")
    c = h5py.File(sys.argv[1])
    t = [a["t"][1], float(b.t[1]), c["t"][1], reader.GetNumberOfSteps()]
    print(*t)
"""


def test_another_process_reads_a_file_that_is_being_written(tmp_path):
    path = tmp_path / "output.h5"
    with Writer(path, Layout(GRID_2D, LABELS), ATTRIBUTES, 9) as writer:
        fill(writer, GRID_2D, 2)
        program = "\n".join(line.strip() for line in HELD_OPEN.splitlines())
        done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True)
        assert done.stdout.split() == ["0.5", "0.5", "0.5", "2"], done.stderr
        fill(writer, GRID_2D, 1, first=2)
    assert len(read(path)) == 3
