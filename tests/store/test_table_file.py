"""Tables in files of every kind, and files that are hostile."""

import struct

import h5py
import numpy as np
import pytest

from wgfpde.errors import CaseError
from wgfpde.grid.tables import array_file, table
from wgfpde.store import table_file
from wgfpde.store.table_file import read_table

X, Y = np.linspace(-1, 1, 5), np.linspace(0, 1, 4)
VALUES = X + 10 * Y[:, None]


def holds_all(found):
    places = zip(found.places, (X, Y), strict=True)
    return all(np.array_equal(*pair) for pair in places) and np.array_equal(found.values, VALUES)


# ---- npy ---------------------------------------------------------------------------------------------------


def test_npy_at_centres_and_from_end_to_end(tmp_path):
    np.save(tmp_path / "v.npy", VALUES)
    bounds = [-1.25, -1 / 6], [1.25, 7 / 6]
    found = read_table(tmp_path / "v.npy", 2, bounds=bounds)
    assert found.places[0] == pytest.approx(X, abs=1e-12) and found.places[1] == pytest.approx(Y, abs=1e-12)
    assert np.array_equal(found.values, VALUES)
    assert holds_all(read_table(tmp_path / "v.npy", 2, bounds=([-1, 0], [1, 1]), points="ends"))


@pytest.mark.parametrize(
    ("values", "bounds", "message"),
    [
        (VALUES, None, "does not say where its values lie; give 2 of each"),
        (VALUES, ([0], [1]), "give 2 of each"),
        (VALUES, ([0, 1], [1, 1]), "expected lower < upper along y, found 1 and 1"),
        (VALUES[0], ([0, 0], [1, 1]), "real numbers along 2 axes; found float64 of shape"),
        (VALUES + 0j, ([0, 0], [1, 1]), "found complex128"),
    ],
)
def test_npy_that_is_refused(tmp_path, values, bounds, message):
    np.save(tmp_path / "v.npy", values)
    with pytest.raises(CaseError, match=message):
        read_table(tmp_path / "v.npy", 2, bounds=bounds)


def test_npy_is_not_unpickled_and_not_read_where_it_is_too_large(tmp_path):
    np.save(tmp_path / "v.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(CaseError, match="cannot be read as a NumPy array"):
        read_table(tmp_path / "v.npy", 1, bounds=([0], [1]))
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    (tmp_path / "w.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    with pytest.raises(CaseError, match="cannot be read"):
        read_table(tmp_path / "w.npy", 1, bounds=([0], [1]))


# ---- HDF5 and netCDF ---------------------------------------------------------------------------------------


@pytest.fixture
def h5(tmp_path):
    """Makes a file with places x, y and what is written into it."""

    def made(write, name="v.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            for key, places in (("x", X), ("y", Y)):
                file.create_dataset(key, data=places).make_scale(key)
            write(file)
        return tmp_path / name

    return made


def scaled(dataset, file, names=("y", "x")):
    for k, name in enumerate(names):
        dataset.dims[k].attach_scale(file[name])
    return dataset


def test_hdf5_with_scales(h5):
    path = h5(lambda f: scaled(f.create_dataset("V", data=VALUES), f))
    assert holds_all(read_table(path, 2))
    path = h5(lambda f: scaled(f.create_dataset("V", data=VALUES.T), f, ("x", "y")), "turned.h5")
    assert holds_all(read_table(path, 2, dataset="V"))

    def labelled(f):
        dataset = f.create_dataset("a/V", data=VALUES)
        dataset.dims[0].label, dataset.dims[1].label = "y", "x"

    assert holds_all(read_table(h5(labelled, "labels.h5"), 2, dataset="a/V"))


@pytest.mark.parametrize("format", ["NETCDF4", "NETCDF3_CLASSIC"])
@pytest.mark.parametrize("dims", [("y", "x"), ("x", "y")])
def test_netcdf(tmp_path, format, dims):
    netcdf = pytest.importorskip("netCDF4")
    with netcdf.Dataset(tmp_path / "v.nc", "w", format=format) as file:
        for name, places in (("x", X), ("y", Y)):
            file.createDimension(name, len(places))
            file.createVariable(name, "f8", (name,))[:] = places
        variable = file.createVariable("V", "i2", dims, fill_value=-99)
        variable.scale_factor, variable.add_offset = 0.5, -1.0
        hidden = VALUES.copy()
        hidden[1, 2] = np.nan
        variable[:] = np.ma.masked_invalid(hidden if dims == ("y", "x") else hidden.T)
    found = read_table(tmp_path / "v.nc", 2)
    assert np.isnan(found.values[1, 2])
    assert np.nanmax(np.abs(found.values - VALUES)) <= 0.25  # packed in steps of a half


def test_an_xarray_dataset_as_it_is_written(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    array = xarray.DataArray(VALUES, {"y": Y, "x": X}, ("y", "x"), name="V")
    array.to_netcdf(tmp_path / "v.nc", engine="h5netcdf")
    assert holds_all(read_table(tmp_path / "v.nc", 2))


def elsewhere(f):
    with h5py.File(f.filename + ".other", "w") as other:
        other["V"] = VALUES


def external_link(f):
    elsewhere(f)
    f["V"] = h5py.ExternalLink(f.filename + ".other", "V")


def soft_link(f):
    external_link(f)
    f["W"] = h5py.SoftLink("/V")


def external_storage(f):
    with open(f.filename + ".raw", "wb") as raw:
        raw.write(VALUES.tobytes())
    scaled(f.create_dataset("V", VALUES.shape, "f8", external=[(f.filename + ".raw", 0, VALUES.nbytes)]), f)


def virtual(f):
    elsewhere(f)
    layout = h5py.VirtualLayout(VALUES.shape, "f8")
    layout[:] = h5py.VirtualSource(f.filename + ".other", "V", VALUES.shape)
    scaled(f.create_virtual_dataset("V", layout), f)


@pytest.mark.parametrize(
    ("write", "name", "message"),
    [
        (external_link, "V", "no dataset 'V' of its own"),
        (soft_link, "W", "no dataset 'W' of its own"),
        (external_storage, "V", "V lies in other files, which are not read"),
        (virtual, "V", "V lies in other files, which are not read"),
        (external_link, None, "holds 0 datasets of 2 dimensions"),
        (lambda f: f.create_dataset("V", data=VALUES), "V", "dimension 0 of V has no scale"),
        (lambda f: scaled(f.create_dataset("V", data=VALUES > 3), f), "V", "must hold real numbers; found bool"),
        (lambda f: f.create_dataset("V", (2**20, 2**20), "f8", chunks=(1, 64)), "V", "1099511627776 values; at most"),
        (lambda f: f.create_dataset("V", (4, 5), "f8", chunks=(2**12, 2**12), maxshape=(None, None)), "V", "at most"),
        (lambda f: f.create_group("V"), "V", "'V' is no dataset"),
        (lambda f: f.create_dataset("V", data=X), "V", "V has 1 dimensions, and the grid 2"),
        (lambda f: [scaled(f.create_dataset(n, data=VALUES), f) for n in "VW"], None, r"holds 2 datasets .*\(V, W\)"),
    ],
)
def test_hdf5_that_is_refused(h5, write, name, message):
    with pytest.raises(CaseError, match=message):
        read_table(h5(write), 2, dataset=name)


@pytest.mark.parametrize("cut", [12, 100, 900, 2000])
@pytest.mark.parametrize("begin", ["hdf5", "classic"])
def test_damaged_files_are_refused_by_a_sentence(tmp_path, h5, cut, begin):
    path = h5(lambda f: scaled(f.create_dataset("V", data=VALUES), f))
    raw = bytearray(path.read_bytes())
    if begin == "classic":
        raw = bytearray(b"CDF\x01" + b"\x7f" * 3000)
    raw[cut : cut + 64] = b"\xff" * 64
    (tmp_path / "bad.nc").write_bytes(raw[: max(cut, 1500)])
    with pytest.raises(CaseError, match=r"bad\.nc"):
        read_table(tmp_path / "bad.nc", 2)


# ---- any -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gone.dat", {}, "found nothing at"),
        ("v.nc", {}, "neither HDF5 nor netCDF, as its name says"),
        ("v.csv", {"dataset": "V"}, "dataset: v.csv has none"),
        ("v.npy", {"column": "V"}, "column: v.npy has none"),
        ("v.csv", {"bounds": ([0], [1])}, "the places are in v.csv"),
    ],
)
def test_options_that_do_not_belong(tmp_path, name, options, message):
    for known in ("v.nc", "v.csv", "v.npy"):
        (tmp_path / known).write_text("0 1\n1 2\n")
    with pytest.raises(CaseError, match=message):
        read_table(tmp_path / name, 1, **options)


def test_large_text_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(table_file, "MOST_BYTES", 10)
    (tmp_path / "v.csv").write_text("0 1\n1 2\n2 3\n")
    with pytest.raises(CaseError, match="has 12 bytes; at most 10 are read"):
        read_table(tmp_path / "v.csv", 1)


def test_many_values_are_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "MOST_VALUES", 5)
    (tmp_path / "v.csv").write_text("".join(f"{k} 1\n" for k in range(6)))
    with pytest.raises(CaseError, match="has 6 values; at most 5"):
        read_table(tmp_path / "v.csv", 1)


def test_a_picture_is_no_program(tmp_path):
    """PostScript would start one."""
    (tmp_path / "p.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(CaseError, match="cannot be read as a picture"):
        array_file.picture(tmp_path / "p.png")
