"""Files of studies that were damaged, or made to do harm: a sentence, and the file stays as it is.

What the fuzz job (tests/fuzz, kind "studies") found is kept here.
"""

import os

import h5py
import numpy as np
import pytest

from wgfpde.cli import main
from wgfpde.errors import CaseError, StoreError
from wgfpde.store import check_place, read_study
from wgfpde.store.table_file import read_table


def virtual(file):
    layout = h5py.VirtualLayout(shape=(4,), dtype=float)
    layout[:] = h5py.VirtualSource("/nowhere.h5", "data", shape=(4,))
    del file["gap"]
    file.create_virtual_dataset("gap", layout)


def linked(target):
    def change(file):
        del file["gap"]
        file["gap"] = target

    return change


def endless(file):
    del file["gap"]
    file.create_dataset("gap", (10**10,), float, chunks=(10**6,))


def bare_references(file):
    """The list of a dimension's scales leads to nothing: HDF5 fails while it walks along it."""
    del file["mode"]


CHANGES = {
    "a link within": (linked(h5py.SoftLink("/mode")), "is a link to another place"),
    "a link outside": (linked(h5py.ExternalLink("/dev/zero", "/t")), "is a link to another place"),
    "virtual": (virtual, "lies in other files"),
    "more than is stored": (endless, "claims 74.5 GiB"),
    "a group": (lambda file: file.create_group("more"), "more is no array"),
    "an attribute of many": (lambda file: file.attrs.__setitem__("title", np.zeros(4)), "attribute title"),
    "kind of many": (lambda file: file.attrs.__setitem__("kind", np.zeros(4)), "attribute kind"),
    "units of many": (lambda file: file["gap"].attrs.__setitem__("units", np.zeros(2)), "attribute units of /gap"),
    "another kind": (lambda file: file.attrs.__setitem__("kind", "a song"), "expected a study of wgfpde"),
    "a scale that is gone": (bare_references, "may be damaged|is damaged|cannot read"),
    "bytes": (
        lambda file: file.create_dataset("case", data=np.bytes_(b"\xff\xfe")),
        "not UTF-8|neither numbers nor text",
    ),
    "complex": (lambda file: file.create_dataset("z", data=np.zeros(2, complex)), "neither numbers nor text"),
}


def test_the_study_is_whole(study):
    found = read_study(study)
    assert found.kind == "spectrum" and found["gap"].tolist() == [1.0] * 4 and found.texts == {"case_toml": "x = 1"}
    assert found.attributes == {"title": "A study"} and found.variables["gap"].units == "1/time"


@pytest.mark.parametrize("name", CHANGES)
def test_each_damage_is_one_sentence(name, study, capsys):
    change, sentence = CHANGES[name]
    with h5py.File(study, "r+") as file:
        change(file)
    before = study.read_bytes()
    with pytest.raises(StoreError, match=sentence) as raised:
        read_study(study)
    assert "\n" not in str(raised.value)
    assert main(["spectrum", "ou_1d", "--out", str(study), "--no-plot"]) == 2
    assert "holds no spectrum; it is kept" in capsys.readouterr().err
    assert study.read_bytes() == before


def test_a_pipe_is_no_study(tmp_path):
    os.mkfifo(tmp_path / "s.h5")
    with pytest.raises(StoreError, match="no regular file"):
        read_study(tmp_path / "s.h5")
    with pytest.raises(StoreError, match="it is kept"):
        check_place(tmp_path / "s.h5", "spectrum")


@pytest.mark.parametrize("cut", [0, 1, 100, 2000])
def test_a_study_cut_short(cut, study):
    study.write_bytes(study.read_bytes()[:cut])
    with pytest.raises(StoreError):
        read_study(study)


@pytest.mark.parametrize("kind", [1, 0xFF])
def test_attributes_of_another_type_are_not_read(kind, study):
    """A text of variable length whose type is damaged: the library ended the process.   kind : 1 is a text."""
    content = bytearray(study.read_bytes())
    at = content.index(b"units\0\0\0\x19\x01") + 9
    content[at] = kind
    study.write_bytes(content)
    if kind == 1:
        read_study(study)
        return
    with pytest.raises(StoreError, match=r"of a type that is none|units that is neither numbers nor text"):
        read_study(study)


ODD = {
    "CLASS": ("CLASS", np.zeros(3)), "CLASS of any length": ("CLASS", ""),
    "NAME": ("NAME", 1e308), "DIMENSION_LABELS": ("DIMENSION_LABELS", np.zeros(3)),
    "DIMENSION_LIST": ("DIMENSION_LIST", np.zeros((2, 2))), "REFERENCE_LIST": ("REFERENCE_LIST", np.zeros(4, complex)),
}  # fmt: skip


@pytest.mark.parametrize("damage", ODD)
def test_dimensions_of_another_type_are_refused(damage, study):
    """The library reads them as what they should be: it wrote beyond its memory, and the process was aborted."""
    key, value = ODD[damage]
    name = "gap" if key == "DIMENSION_LIST" else "mode"
    with h5py.File(study, "r+") as file:
        if key in file[name].attrs:
            del file[name].attrs[key]
        file[name].attrs[key] = value
    with pytest.raises(StoreError, match=f"/{name} has an attribute {key} that is none of a dimension"):
        read_study(study)


@pytest.mark.parametrize("damage", ODD)
def test_nor_are_they_read_of_a_table(damage, tmp_path):
    key, value = ODD[damage]
    place = tmp_path / "v.h5"
    with h5py.File(place, "w") as file:
        file["x"], file["v"] = np.linspace(-1, 1, 9), np.linspace(-1, 1, 9) ** 2
        file["x"].make_scale("x")
        file["v"].dims[0].attach_scale(file["x"])
    assert read_table(place, 1).values.shape == (9,)
    with h5py.File(place, "r+") as file:
        name = "v" if key == "DIMENSION_LIST" else "x"
        if key in file[name].attrs:
            del file[name].attrs[key]
        file[name].attrs[key] = value
    with pytest.raises(CaseError, match=f"has an attribute {key} that is none of a dimension"):
        read_table(place, 1)


def test_a_class_of_another_word(study):
    """Of the same length it is freed twice by the library."""
    study.write_bytes(study.read_bytes().replace(b"DIMENSION_SCALE\0", b"DIMENSION_SSALE\0"))
    with pytest.raises(StoreError, match="has an attribute CLASS that is none of a dimension"):
        read_study(study)


@pytest.mark.parametrize("of", ["a study", "a table"])
def test_a_list_of_dimensions_that_holds_no_references(of, study, tmp_path):
    """Of variable length and of the right shape, but of numbers: the library would take them for addresses."""
    place, name = (study, "gap") if of == "a study" else (tmp_path / "v.h5", "v")
    if of == "a table":
        with h5py.File(place, "w") as file:
            file["x"], file["v"] = np.linspace(-1, 1, 9), np.linspace(-1, 1, 9) ** 2
    with h5py.File(place, "r+") as file:
        if "DIMENSION_LIST" in file[name].attrs:
            del file[name].attrs["DIMENSION_LIST"]
        numbers = np.empty(1, dtype=object)
        numbers[0] = np.array([800, 0], dtype="i8")
        file[name].attrs.create("DIMENSION_LIST", numbers, dtype=h5py.vlen_dtype(np.dtype("i8")))
    with pytest.raises((StoreError, CaseError), match=f"/?{name} has an attribute DIMENSION_LIST that is none"):
        read_study(place) if of == "a study" else read_table(place, 1)
