"""Fields beside the density: one dataset each, with dimensions, in files that grow, go on, shrink and are exported."""

import h5py
import netCDF4
import numpy as np
import pytest
import xarray

from wgfpde.energy.snapshot import Column, Field, Report, Snapshot
from wgfpde.errors import SolverError, StoreError
from wgfpde.grid import Grid
from wgfpde.store import Label, Writer, read
from wgfpde.store.export.to_netcdf import netcdf
from wgfpde.store.layout import Layout

GRID = Grid([0.0, -1.0], [3.0, 1.0], [6, 4])
PHI = Field("phi", "m^2", "potential", "One value a cell.")
POSITION = Field("position", "m", "positions", "One row a particle.", (("particle", 5), ("axis", 2)))
FIELDS = (PHI, POSITION)
LABELS = [Label("mass", "1", "mass", "Total mass.")]
ABOUT = {"title": "with fields", "equation": "heat", "method": "fv"}


def state(k, lacking=()):
    fields = {"rho": np.full(GRID.shape, 1.0 + k), "phi": np.arange(24.0).reshape(4, 6) + 100 * k}
    fields["position"] = np.arange(10.0).reshape(5, 2) - k
    return Snapshot(0.5 * k, k, {name: v for name, v in fields.items() if name not in lacking})


def fill(writer, first, last):
    for k in range(first, last):
        writer.append_step(0.5 * k, 0.5, Report())
        writer.append(state(k, ("phi",) if k == 0 else ()), {"mass": 1.0 + k})


def make(path, count, planned=3, **options):
    with Writer(path, Layout(GRID, LABELS, fields=FIELDS, **options), ABOUT, planned) as writer:
        fill(writer, 0, count)
        writer.finish("finished")
    return read(path)


def check(run, count):
    assert list(run.fields) == ["phi", "position"] and len(run.fields["phi"]) == count
    assert run.fields["phi"].shape == (count, 4, 6) and run.fields["position"].shape == (count, 5, 2)
    assert np.all(np.isnan(run.fields["phi"][0]))  # that snapshot lacked it
    for k in range(1, count):
        np.testing.assert_array_equal(run.fields["phi"][k], state(k).fields["phi"])
    np.testing.assert_array_equal(run.fields["position"][:], [state(k).fields["position"] for k in range(count)])


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"precision": "float32"}], ids=str)
@pytest.mark.parametrize("count", [2, 3, 8])
def test_what_goes_in_comes_out(tmp_path, count, options):
    """Also where the file must grow, is cut to its rows, or is packed."""
    run = make(tmp_path / "run.h5", count, **options)
    check(run, count)
    assert run.attributes["fields"] == "phi position" and run.attributes["format"] == 1
    assert run.field_dims == {"phi": ("t", "y", "x"), "position": ("t", "particle", "axis")}
    assert run.field_labels["position"] == Label("position", "m", "positions", "One row a particle.")


@pytest.mark.parametrize("planned", [3, 12], ids=["by a copy", "in place"])
def test_a_file_goes_on_with_its_fields(tmp_path, planned):
    path = tmp_path / "run.h5"
    with Writer(path, Layout(GRID, LABELS, fields=FIELDS), ABOUT, planned) as writer:
        fill(writer, 0, 3)
    with Writer.reopen(path, Layout(GRID, LABELS, fields=FIELDS), ABOUT, 6, rows=2, step_rows=2) as writer:
        fill(writer, 2, 6)
        writer.finish("finished")
    check(read(path), 6)


def test_a_file_with_other_fields_does_not_go_on(tmp_path):
    make(tmp_path / "run.h5", 3)
    with pytest.raises(StoreError, match="beside rho it holds phi position; expected phi"):
        Writer.reopen(tmp_path / "run.h5", Layout(GRID, LABELS, fields=(PHI,)), ABOUT, 6, rows=2, step_rows=2)


@pytest.mark.parametrize("order", [("position", "phi"), ()], ids=["another order", "none"])
def test_fields_are_those_that_are_asked_for_and_no_others(tmp_path, order):
    make(tmp_path / "run.h5", 3)
    asked = tuple(field for name in order for field in FIELDS if field.name == name)
    with pytest.raises(StoreError, match=f"it holds phi position; expected {' '.join(order) or 'nothing'}"):
        Writer.reopen(tmp_path / "run.h5", Layout(GRID, LABELS, fields=asked), ABOUT, 6, rows=2, step_rows=2)


def test_a_file_whose_field_is_short_does_not_go_on(tmp_path):
    path = make(tmp_path / "run.h5", 3).path
    with h5py.File(path, "r+") as file:
        file["position"].resize(1, axis=0)
    with pytest.raises(StoreError, match="a row for each snapshot"):
        Writer.reopen(path, Layout(GRID, LABELS, fields=FIELDS), ABOUT, 6, rows=2, step_rows=2)


def test_a_file_is_as_large_as_what_it_holds():
    """24 cells of rho and of phi, 10 numbers a position, t and mass; nine columns of steps."""
    column = Column("more", "1", "", "")
    for precision, size in (("float64", 8), ("float32", 4)):
        layout = Layout(GRID, LABELS, (column,), precision=precision, fields=FIELDS)
        assert layout.bytes_of(3, 5) == 3 * (58 * size + 16) + 5 * 72


def test_opened_elsewhere(tmp_path):
    run = make(tmp_path / "run.h5", 3)
    for engine in ("h5netcdf", "netcdf4"):
        with xarray.open_dataset(run.path, engine=engine) as data:
            assert data["position"].dims == ("t", "particle", "axis") and data["phi"].dims == ("t", "y", "x")
            assert data["phi"].attrs["units"] == "m^2"
    with netCDF4.Dataset(run.path) as data:
        assert data.variables["position"].dimensions == ("t", "particle", "axis")


def test_exported(tmp_path):
    run = make(tmp_path / "run.h5", 4, planned=4)
    (path,) = netcdf(run, tmp_path / "run.nc", [1, 3])
    with netCDF4.Dataset(path) as data:
        assert data.variables["position"].dimensions == ("t", "particle", "axis")
        np.testing.assert_array_equal(data["phi"][:], [state(k).fields["phi"] for k in (1, 3)])
        np.testing.assert_array_equal(data["position"][:], [state(k).fields["position"] for k in (1, 3)])


def test_names_that_the_file_uses_and_dimensions_of_two_sizes(tmp_path):
    for field in (Field("rho", "", "", ""), Field("a", "", "", "", (("x", 3),))):
        with pytest.raises(StoreError, match="cannot have the name"):
            Writer(tmp_path / "run.h5", Layout(GRID, LABELS, fields=(field,)), ABOUT, 3)
    two = (POSITION, Field("other", "", "", "", (("particle", 6),)))
    with pytest.raises(StoreError, match="particle has 5 places for one field and 6 for another"):
        Writer(tmp_path / "run.h5", Layout(GRID, LABELS, fields=two), ABOUT, 3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ((Field("mass", "", "", ""),), "cannot have the name mass"),
        ((Field("case_toml", "", "", ""),), "cannot have the name case_toml"),
        ((Field("step_dt", "", "", ""),), "cannot have the name step_dt"),
        ((Field("a b", "", "", ""),), "letters, digits and _; found 'a b'"),
        ((Field("a/b", "", "", ""),), "letters, digits and _; found 'a/b'"),
        ((Field("", "", "", ""),), "letters, digits and _; found ''"),
        ((PHI, PHI), "cannot both have the name phi"),
        ((Field("a", "", "", "", (("a", 3),)),), "cannot both have the name a"),
        ((Field("a", "", "", "", (("p", 3), ("p", 3))),), "cannot both have the name p"),
        ((Field("a", "", "", "", (("p", 0),)),), "p needs a whole number of places; found 0"),
        ((Field("a", "", "", "", (("p", 2.5),)),), "p needs a whole number of places; found 2.5"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_that_no_file_or_export_could_tell_apart(tmp_path, fields, words):
    with pytest.raises(StoreError, match=words):
        Writer(tmp_path / "run.h5", Layout(GRID, LABELS, fields=fields), ABOUT, 3)
    assert list(tmp_path.iterdir()) == []


def test_columns_that_no_step_reports(tmp_path):
    with pytest.raises(StoreError, match="cannot both have the name dt"):
        Writer(tmp_path / "run.h5", Layout(GRID, LABELS, columns=(Column("dt", "", "", ""),)), ABOUT, 3)
    columns = (Column("mine", "", "", ""), Column("transport", "", "", ""))
    with Writer(tmp_path / "run.h5", Layout(GRID, LABELS, columns=columns), ABOUT, 3) as writer:
        with pytest.raises(SolverError, match="no number mine"):
            writer.append_step(0.5, 0.5, Report(transport=1.0))
        writer.append_step(0.5, 0.5, Report(transport=2.0, more={"mine": 3.0}))
        writer.append(state(0), {"mass": 1.0})
        writer.finish("finished")
    steps = read(tmp_path / "run.h5").steps
    assert (list(steps["mine"]), list(steps["transport"]), list(steps["t"])) == ([3.0], [2.0], [0.5])


@pytest.mark.parametrize("names", ["absurd", "phi absurd", "/", ".", "t", "rho", "steps", "diagnostics/mass", 5])
def test_a_file_that_names_what_is_no_field(tmp_path, names):
    run = make(tmp_path / "run.h5", 3)
    with h5py.File(run.path, "r+") as file:
        file.attrs["fields"] = names
    for what in ("fields", "field_labels", "field_dims"):
        with pytest.raises(StoreError, match=r"names the field .* holds no array of numbers of that name"):
            getattr(read(run.path), what)


@pytest.mark.parametrize(
    "data",
    [1.0, "text", np.zeros(3), np.zeros((2, 4, 6)), np.zeros((3, 4, 6)), np.zeros((3, 4, 6), complex), None],
    ids=["number", "text", "no cells", "few rows", "no dimensions", "complex", "group"],
)
def test_a_field_that_is_no_array_along_the_dimensions_of_the_file(tmp_path, data):
    run = make(tmp_path / "run.h5", 3)
    with h5py.File(run.path, "r+") as file:
        del file["phi"]
        if data is None:
            file.create_group("phi")
        else:
            file["phi"] = data
    with pytest.raises(StoreError, match=r"phi.* (holds no array of numbers|is neither numbers nor text)"):
        assert read(run.path).fields
    with pytest.raises(StoreError, match=r"phi.* (holds no array of numbers|is neither numbers nor text)"):
        Writer.reopen(run.path, Layout(GRID, LABELS, fields=FIELDS), ABOUT, 6, rows=3, step_rows=2)


@pytest.mark.parametrize("boundary", ["wall", "", "no-flux, periodic", 1, "n" * 1000])
def test_a_file_with_ends_that_are_not_known(tmp_path, boundary):
    run = make(tmp_path / "run.h5", 3)
    with h5py.File(run.path, "r+") as file:
        file["y"].attrs["boundary"] = boundary
    with pytest.raises(StoreError, match=r'run\.h5: the ends of axis y are ".{0,80}", which this version does not'):
        read(run.path)


def test_a_run_without_fields_is_as_before(tmp_path):
    with Writer(tmp_path / "run.h5", Layout(GRID, LABELS), ABOUT, 2) as writer:
        writer.append(state(0), {"mass": 1.0})
        writer.finish("finished")
    assert read(tmp_path / "run.h5").fields == {}
