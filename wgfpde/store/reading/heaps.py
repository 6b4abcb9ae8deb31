"""Whether the texts of an HDF5 file can be as long as it says.

Texts and lists of any length lie in heaps, each with its size in its head.  What refers to one of them says

    length, 4 bytes     address of the heap, 8 bytes     number in it, 4 bytes

and the library takes memory for that length, or for the size of the heap, before it looks whether they are there: up to
4 GiB for a damaged byte; and it goes through a heap by the lengths of what is in it, for ever where one is 0.  So a
file is looked through before the library opens it, block by block, however large:

    GCOL 1 0 0 0   size, 8 bytes             the head of a heap
    v9 t c 0   16 0 0 0   4 bytes   size, 4  the type of a list (t = 0) or text (t = 1) of any length, version v, and
                                             the size of one of what is in it

An attribute says the sizes of its name, its type and its shape before these, and then come its values; in headers of
each kind and in the heaps of objects with many attributes.  A type is taken for that of an attribute where such a head
stands before it, at any byte: what a file once held and holds no more has lost one or the other.  A length times that
size beyond the heap that it refers to is damaged, and so is a heap whose lengths lead out of it or nowhere.

The values of a dataset may lie anywhere; the library tells where when the file is open: `check_texts`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from io import FileIO
from pathlib import Path

import h5py
import numpy as np

from ...base.amounts import size_text
from ...base.toml import shortened
from ...errors import StoreError
from ...grid import Array

BLOCK = 2**20
"""Bytes that are looked at together: they stay in the cache of a core."""
SIGNATURE, GCOL, VERSION = b"\x89HDF\r\n\x1a\n", int.from_bytes(b"GCOL", "little"), 1
HEAD = 16
"""Bytes of the head of a heap, and of a text in it, and of what refers to one."""
SMALLEST = 4096
"""Bytes of a heap; of one that claims less the library loads nothing."""
NAME, SHAPE = 1024, 600
"""Bytes of the longest name of an attribute that is looked at, its end included, and of a type and a shape."""
TYPES = np.array([v << 4 | 9 | t << 8 | c << 16 for v in range(1, 6) for t in (0, 1, 17, 33) for c in (0, 1)], "<u4")
"""The first four bytes of such a type: version and class, kind and padding, letters."""
CLASSES = np.array([v << 4 | 9 for v in range(1, 6)], "<u4")
"""The first byte alone."""
MOST_WALKED = 2**20
"""Texts in heaps, and in attributes, that are looked at in all."""
MOST_DIMENSIONS, MOST_TYPES = 32, 2**18
"""Of one attribute, and attributes of any length in a file."""
Words = tuple[Array, Array, Array, Array]


def check_heaps(path: Path, block: int = BLOCK) -> None:
    """Raise StoreError where a heap of texts, or a text in one, claims more bytes than there are.

    block : bytes that are read at once.
    """
    with path.open("rb", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        begin = _begin(file, end)
        file.seek(begin)
        head = file.read(HEAD)
        widths = {0: 14, 1: 14, 2: 10, 3: 10}  # where the superblock says how many bytes a length has, by its version
        if len(head) < HEAD or head[widths.get(head[8], 14)] != 8:
            return
        heaps: dict[int, int] = {}
        types: list[int] = []
        for at, content in _blocks(file, range(begin, end, block), end, block):
            for address, words in _words(at - begin, content):
                types += _types(address, words)
                for heap, claimed in _heaps(address, words):
                    if claimed > end - begin - heap:
                        raise _damaged(path, "a heap of texts", claimed, end - begin - heap)
                    heaps[heap] = claimed
            if len(heaps) > 2 * (end - begin) // SMALLEST:  # two, since one may lie where an older one was
                raise _overlapping(path)
            if len(types) > MOST_TYPES:
                raise StoreError(f"{path} has more than {MOST_TYPES} attributes of any length; write it with fewer.")
        if heaps:
            _check_references(path, file, (begin, end), heaps, types)


def check_texts(path: Path, name: str, data: h5py.Dataset) -> None:
    """Raise StoreError where a text of an open dataset claims more bytes than its file has, or its heap is damaged.

    data : of texts of any length; looked at where its values lie in one piece, as they are; heaps of one text alone,
    since no others are read.
    """
    offset, size, longest = data.id.get_offset(), path.stat().st_size, 0
    if offset is None:
        return
    end = min(offset + HEAD * data.size, size)
    with path.open("rb", buffering=0) as file:
        for _, content in _blocks(file, range(offset, end, BLOCK), end, BLOCK):
            whole = content[: min(len(content), BLOCK) // HEAD * HEAD]
            longest = max(longest, int(whole.view("<u4")[::4].max(initial=0)))
        if data.shape == () and end - offset == HEAD:
            _check_heap(path, file, _begin(file, size) + int(whole[4:12].view("<u8")[0]), size)
    if longest > size:
        raise _damaged(path, f"a text in {shortened(name)}", longest, size)


def _begin(file: FileIO, end: int) -> int:
    """Where HDF5 begins in a file: at 0, or after 512, 1024, … bytes of a user; its end where nowhere."""
    at = 0
    while at < end:
        file.seek(at)
        if file.read(len(SIGNATURE)) == SIGNATURE:
            return at
        at = 2 * at or 512
    return end


def _blocks(file: FileIO, begins: Iterable[int], end: int, size: int) -> Iterator[tuple[int, Array]]:
    """(where it begins, its bytes); each with the HEAD − 1 bytes that follow, so that nothing lies across a border."""
    buffer = np.empty(size + HEAD, dtype="u1")
    for at in begins:
        file.seek(at)
        count = file.readinto(buffer.data[: min(size + HEAD - 1, end - at)])
        yield at, buffer[:count]


def _words(at: int, content: Array) -> Iterator[tuple[int, Words]]:
    """(address, four words) for four addresses; those that stand there and at each fourth byte after it, with the next.

    at : address of the content.
    """
    for k in range(4):
        words = content[k : k + (len(content) - k) // 4 * 4].view("<u4")
        if len(words) > 3:
            yield at + k, (words[:-3], words[1:-2], words[2:-1], words[3:])


def _types(address: int, words: Words) -> list[int]:
    """Where something stands that is the type of a list or text of any length."""
    sized = words[1] == HEAD
    if not sized.any():
        return []
    found = np.flatnonzero(sized)
    places: list[int] = (address + 4 * found[np.isin(words[0][found] & 255, CLASSES)]).tolist()
    return places


def _heaps(address: int, words: Words) -> Iterator[tuple[int, int]]:
    """(address, bytes that it claims) of the heaps that the library would load."""
    heads = words[0] == GCOL
    for i in map(int, np.flatnonzero(heads)) if heads.any() else ():
        claimed = int(words[2][i]) | int(words[3][i]) << 32
        if words[1][i] == VERSION and claimed >= SMALLEST:
            yield address + 4 * i, claimed


def _check_references(path: Path, file: FileIO, ends: tuple[int, int], heaps: dict[int, int], types: list[int]) -> None:
    """Raise StoreError for an attribute that refers to more than its heap can hold, or to a damaged heap.

    ends : of HDF5 in the file.   heaps : address → bytes.   types : addresses of what may be the type of an attribute.
    """
    begin, end = ends
    numbers: dict[int, set[int]] = {}
    left = min((end - begin) // HEAD, MOST_WALKED)
    most = 4 * left  # where older ones are left, too
    for at in sorted(set(types)):
        for place, count, first, size in _values(file, begin + at, ends):
            if first not in TYPES:  # of kinds that are none the library reads what is not there
                raise StoreError(f"{path} has an attribute of a type that is none. The file is damaged; copy it again.")
            most -= count
            if most < 0:
                raise _overlapping(path)
            file.seek(place)
            found = file.read(HEAD * count)
            words = np.frombuffer(found[: len(found) // HEAD * HEAD], "<u4").reshape(-1, 4)
            for length, low, high, number in words.tolist():
                heap = low | high << 32
                if heap not in heaps:
                    continue
                if heap not in numbers:
                    numbers[heap] = _numbers(path, file, begin + heap, begin + heap + heaps[heap], left)
                    left -= len(numbers[heap])
                if length * size > heaps[heap] and number in numbers[heap]:
                    raise _damaged(path, "a text" if size == 1 else "a list", length * size, heaps[heap])


def _values(file: FileIO, at: int, ends: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """(where the values of an attribute begin, how many, the first bytes of their type, the size of one of what is in
    them), for heads before a place.

    At the place stands a type.

    version, flags, 1 byte each   sizes of name, type, shape, 2 each   from version 3 letters, 1   name   type   shape

    In version 1 each of the last three fills whole eights of bytes.
    """
    low = max(ends[0], at - NAME - 16)
    file.seek(low)
    content = np.frombuffer(file.read(at - low + SHAPE), "u1").astype(int)
    begins = np.arange(max(at - low - 8, 0))
    word, size = (int.from_bytes(bytes(content[at - low + k :][:4].tolist()), "little") for k in (0, 12))
    versions, names = content[begins], content[begins + 2] + 256 * content[begins + 3]
    heads = np.select([versions == 1, versions == 2, versions == 3], [8 + -(-names // 8) * 8, 8 + names, 9 + names], -1)
    for head in np.flatnonzero(begins + heads == at - low).tolist():
        kept = sizes = [int(content[head + k] + 256 * content[head + k + 1]) for k in (4, 6)]
        if content[head] == 1:
            sizes = [-(-size // 8) * 8 for size in kept]
        shape = content[at - low + sizes[0] :][: kept[1]].tolist()
        version, rank = [*shape, 0, 0][:2]
        first = 8 if version == 1 else 4
        if version not in (1, 2) or rank > MOST_DIMENSIONS or kept[1] not in (first + 8 * rank, first + 16 * rank):
            continue  # no head, but numbers that look like one
        dims = [int.from_bytes(bytes(shape[first + 8 * k :][:8]), "little") for k in range(rank)]
        place = at + sum(sizes)
        count = min(math.prod(dims), max(ends[1] - place, 0) // HEAD)
        if count:
            yield place, count, word, size


def _check_heap(path: Path, file: FileIO, at: int, end: int) -> None:
    """Raise StoreError where what stands there is a damaged heap; of one that is none the library says so."""
    if at + HEAD > end:
        return
    file.seek(at)
    head = file.read(HEAD)
    if int.from_bytes(head[:4], "little") == GCOL:
        _numbers(path, file, at, min(at + int.from_bytes(head[8:], "little"), end), MOST_WALKED)


def _numbers(path: Path, file: FileIO, at: int, end: int, most: int) -> set[int]:
    """The numbers of the texts in a heap: each begins with its number, 2 bytes, 6 others, and its length, 8 bytes.

    What is free has number 0, and its length counts its own head; what is left without room for a head is free, too.
    Raises StoreError for a length that leads the library out of the heap, or round in it for ever, and for more than
    `most` texts.
    """
    at += HEAD
    found: set[int] = set()
    for _ in range(most + 1):
        if at + HEAD > end:
            return found
        file.seek(at)
        head = file.read(HEAD)
        number, length = int.from_bytes(head[:2], "little"), int.from_bytes(head[8:], "little")
        taken = HEAD + -(-length // 8) * 8 if number else length
        if not HEAD <= taken <= end - at:
            raise _damaged(path, "a place in a heap of texts", length, end - at)
        found.add(number)
        at += taken
    raise _overlapping(path)


def _damaged(path: Path, what: str, claimed: int, left: int) -> StoreError:
    return StoreError(
        f"{path}: {what} claims {size_text(claimed)} where {size_text(left)} are left. The file is damaged; copy it "
        "again."
    )


def _overlapping(path: Path) -> StoreError:
    return StoreError(f"{path}: its heaps of texts lie over each other. The file is damaged; copy it again.")
