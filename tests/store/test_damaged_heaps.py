"""Heaps of texts that were damaged, or made to do harm: found in any file, and refused before HDF5 reads them."""

import h5py
import numpy as np
import pytest

from wgfpde.errors import StoreError
from wgfpde.store import read_study
from wgfpde.store.reading.heaps import BLOCK, check_heaps, check_texts

HEAP = b"GCOL\x01\0\0\0"


@pytest.mark.parametrize("claimed", [10**9, 2**63])
def test_a_heap_of_texts_cannot_be_larger_than_its_file(claimed, study):
    content = study.read_bytes()
    at = content.index(HEAP) + 8
    assert int.from_bytes(content[at : at + 8], "little") <= len(content)
    study.write_bytes(content[:at] + claimed.to_bytes(8, "little") + content[at + 8 :])
    with pytest.raises(StoreError, match="a heap of texts claims"):
        read_study(study)


@pytest.mark.parametrize("of", ["an attribute", "a list of dimensions", "a text"])
@pytest.mark.parametrize("claimed", [2**31, 2**32 - 1])
def test_nor_can_a_text_be_longer_than_its_file(of, claimed, study):
    """The library took 4 GiB for it.   of : where what refers to the text stands."""
    content = bytearray(study.read_bytes())
    with h5py.File(study) as file:
        offset = file["case_toml"].id.get_offset()
    heaps = [at for at in range(len(content)) if content.startswith(HEAP, at)]
    addresses = {at.to_bytes(8, "little") for at in heaps}
    sites = [at for at in range(4, len(content) - 8) if bytes(content[at : at + 8]) in addresses]
    sizes = {at: int.from_bytes(content[at - 4 : at], "little") for at in sites}
    if of == "a text":
        at = offset + 4
    else:
        at = next(at for at in sites if (b"DIMENSION_LIST" in content[at - 80 : at]) == (of != "an attribute"))
    assert sizes[at] < 100
    content[at - 4 : at] = claimed.to_bytes(4, "little")
    study.write_bytes(content)
    with pytest.raises(StoreError, match=r"a (text( in /case_toml)?|list) claims ([24]|16|32) GiB"):
        read_study(study)


def test_nor_can_what_is_in_a_list_be_larger_than_its_heap(study):
    """One reference of 1 GiB: the library took that much."""
    content = bytearray(study.read_bytes())
    reference = bytes([0x17, 0, 0, 0]) + (8).to_bytes(4, "little")  # its class and version, its size
    at = content.index(reference, content.index(b"DIMENSION_LIST")) + 4
    content[at : at + 4] = (2**30).to_bytes(4, "little")
    study.write_bytes(content)
    with pytest.raises(StoreError, match="a list claims 1 GiB where 4 KiB are left"):
        read_study(study)


@pytest.mark.parametrize("kind", [0x0F, 0x02, 0xFF])
def test_nor_can_a_list_be_of_no_kind(kind, study):
    """Neither of numbers nor of letters: the library read at address 0."""
    content = bytearray(study.read_bytes())
    at = content.index(bytes([0x19, 0, 0, 0, 16]), content.index(b"DIMENSION_LIST")) + 1
    content[at] = kind
    study.write_bytes(content)
    with pytest.raises(StoreError, match="an attribute of a type that is none"):
        read_study(study)


def references_in(content):
    """Where, in the bytes of a file, something says its length and the address of a heap."""
    heaps = {at.to_bytes(8, "little") for at in range(len(content)) if content.startswith(HEAP, at)}
    return [at for at in range(len(content) - 16) if bytes(content[at + 4 : at + 12]) in heaps]


@pytest.mark.parametrize("block", [100, 4096, BLOCK])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_lengths_are_found_in_headers_of_each_kind(libver, block, tmp_path):
    """At any byte, also across the border of two blocks; the attributes of y fill a heap of objects of their own."""
    place = tmp_path / "a.h5"
    with h5py.File(place, "w", libver=libver, userblock_size=512) as file:
        file["x"], file["y"] = np.ones(600), np.zeros((2, 600))
        file["x"].make_scale("x")
        file["y"].dims[1].attach_scale(file["x"])
        file["y"].attrs.update({f"about {k}": f"text {k}" for k in range(12)} | {"größe": "m"})
        file["text"] = "a text"
        raw = file["text"].id.get_offset()
    content = place.read_bytes()
    check_heaps(place, block)
    sites = [at for at in references_in(content[512:]) if at + 512 != raw]
    assert len(sites) == 14 and (b"OHDR" in content) == (b"FRHP" in content) == (libver == "latest")
    for at in sites:
        damaged = bytearray(content)
        damaged[at + 512 : at + 516] = (5000).to_bytes(4, "little")
        place.write_bytes(damaged)
        with pytest.raises(StoreError, match=r"a (text claims 4.88|list claims 39.1) KiB where 4 KiB are left"):
            check_heaps(place, block)


@pytest.mark.parametrize("block", [1, 100, 4096])
def test_heaps_are_found_across_the_border_of_two_blocks(block, study):
    content = study.read_bytes()
    at = content.index(HEAP)
    study.write_bytes(content[: at + 8] + (10**9).to_bytes(8, "little") + content[at + 16 :])
    with pytest.raises(StoreError, match="a heap of texts claims"):
        check_heaps(study, block)


def test_no_file_is_too_large_to_be_looked_through(tmp_path):
    """A length behind 40 MiB of zeros."""
    place = tmp_path / "large.h5"
    with h5py.File(place, "w") as file:
        file["x"] = np.zeros(5 * 2**20)
        file.attrs.update({f"about {k}": f"text {k}" for k in range(100)})
    content = bytearray(place.read_bytes())
    at = content.rindex(content.index(HEAP).to_bytes(8, "little")) - 4
    assert at > 40 * 2**20
    content[at : at + 4] = bytes([255] * 4)
    place.write_bytes(content)
    with pytest.raises(StoreError, match="a text claims 4 GiB"):
        check_heaps(place)


def test_a_text_of_a_dataset_that_refers_to_no_heap_is_not_read(study):
    """As a file that was made to do harm has it: the library takes the memory before it looks for the heap."""
    with h5py.File(study) as file:
        at = file["case_toml"].id.get_offset()
    content = bytearray(study.read_bytes())
    content[at : at + 12] = bytes([255] * 4) + (8).to_bytes(8, "little")
    study.write_bytes(content)
    with pytest.raises(StoreError, match="a text in /case_toml claims 4 GiB"):
        read_study(study)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("name", ["a", "seven77", "eight888", "n" * 300])
def test_each_text_of_a_list_is_looked_at(name, libver, tmp_path):
    """Behind names of each length, in shapes of two dimensions."""
    place = tmp_path / "a.h5"
    with h5py.File(place, "w", libver=libver) as file:
        file.attrs[name] = np.array([[f"text {i} {j}" for j in range(5)] for i in range(3)], h5py.string_dtype())
    check_heaps(place)
    content = place.read_bytes()
    sites = [at for at in references_in(content) if int.from_bytes(content[at : at + 4], "little") == 8]
    assert len(sites) == 15
    for at in (sites[0], sites[-1]):
        damaged = bytearray(content)
        damaged[at : at + 4] = (100_000).to_bytes(4, "little")
        place.write_bytes(damaged)
        with pytest.raises(StoreError, match=r"a text claims 97\.7 KiB"):
            check_heaps(place)


def test_what_a_file_once_held_and_holds_no_more_is_no_damage(study):
    """Freed space keeps what was there, over a part of which something else was written: as after some sessions."""
    content = study.read_bytes()
    heap = content.index(HEAP)
    old = b"\x19\1\1\0\x10\0\0\0" + bytes(24) + b"\x0e\x5d\xaf\0" + heap.to_bytes(8, "little") + b"\1\0\0\0"
    study.write_bytes(content + old + bytes(64))
    check_heaps(study)


def test_numbers_that_look_like_the_head_of_an_attribute_are_none(study):
    """Its sizes fit its name and its type, but its shape is none: of so many values there would be no end."""
    head = b"\1\0\x08\0\x10\0\x18\0" + b"a name \0" + b"\x19\1\1\0\x10\0\0\0" + bytes(8)
    study.write_bytes(study.read_bytes() + 40 * (head + b"\7\2" + bytes([255]) * 62))
    check_heaps(study)


def test_sources_of_virtual_data_are_no_texts(tmp_path):
    """They lie in a heap, too: where a table says nothing of a virtual dataset beside it, it is read."""
    place = tmp_path / "v.h5"
    with h5py.File(place, "w") as file:
        layout = h5py.VirtualLayout(shape=(4,), dtype=float)
        layout[:] = h5py.VirtualSource("/nowhere.h5", "data", shape=(4,))
        file.create_virtual_dataset("gap", layout)
        file.attrs["title"] = "gaps"
    check_heaps(place)


def test_numbers_far_from_any_type_are_no_texts(tmp_path):
    """A picture of counts, in which all that a damaged text would say stands."""
    place = tmp_path / "a.h5"
    with h5py.File(place, "w") as file:
        file["x"] = np.zeros((256, 256), "i2")
        file["x"].attrs["units"] = "m"
        raw = file["x"].id.get_offset()
    content = bytearray(place.read_bytes())
    (site,) = references_in(content)
    content[raw + 65536 : raw + 65552] = bytes([255, 255, 0, 0]) + content[site + 4 : site + 16]
    place.write_bytes(content)
    check_heaps(place)
    with h5py.File(place) as file:
        assert file["x"][128, 0] == -1


def test_a_user_block_hides_no_damage(study):
    """HDF5 lets a file begin after 512, 1024, … bytes of anything."""
    content = bytearray(study.read_bytes())
    at = content.index(HEAP) + 8
    content[at : at + 8] = (10**9).to_bytes(8, "little")
    study.write_bytes(bytes(1024) + content)
    with pytest.raises(StoreError, match="a heap of texts claims"):
        check_heaps(study)


def test_heaps_that_lie_over_each_other_are_not_walked_for_each(study):
    """A thousand heads, each with a text that ends where the same thousand texts begin."""
    texts = (b"\1" + bytes(15)) * 1000
    begins = 96 + 32 * 1000
    heads = [
        HEAP
        + (begins + len(texts) - at).to_bytes(8, "little")
        + b"\1"
        + bytes(7)
        + (begins - at - 32).to_bytes(8, "little")
        for at in range(96, begins, 32)
    ]
    study.write_bytes(study.read_bytes()[:96] + b"".join(heads) + texts)
    with pytest.raises(StoreError, match="lie over each other"):
        check_heaps(study)


def test_addresses_of_heaps_among_numbers_are_none(study):
    """Whole numbers that look like the address of a heap, one after the other, are numbers."""
    content = study.read_bytes()
    at = content.index(HEAP)
    with h5py.File(study, "r+") as file:
        file["counts"] = np.array([at, 1, -1, at, 2**20, at, 1], dtype="i8")
        file["counts"].make_scale("counts")
    read_study(study)


@pytest.mark.parametrize("of", ["attributes", "a text"])
@pytest.mark.parametrize("length", [0, 8, 2**40, 2**64 - 16, 2**64 - 8])
@pytest.mark.parametrize("free", [True, False])
def test_a_heap_in_which_the_library_goes_round_for_ever(of, length, free, tmp_path):
    """It goes from text to text by their lengths; what is free, of number 0, counts its own head."""
    place = tmp_path / "a.h5"
    with h5py.File(place, "w") as file:
        if of == "attributes":
            file.attrs.update({f"about {k}": "a text" for k in range(4)})
        else:
            file["text"] = "a text"
    content = bytearray(place.read_bytes())
    at = content.index(HEAP) + 16
    if not free and length < 16:
        length = 2**64 - 20  # of a text each small length is sound
    content[at : at + 2] = (0 if free else 1).to_bytes(2, "little")
    content[at + 8 : at + 16] = length.to_bytes(8, "little")
    place.write_bytes(content)
    with pytest.raises(StoreError, match="a place in a heap of texts claims"):
        if of == "attributes":
            check_heaps(place)
        else:
            with h5py.File(place) as file:
                check_texts(place, "text", file["text"])
