"""Whether the texts of an HDF5 file can be as long as it says.

Texts and lists of any length lie in heaps, each with its size in its head.  What refers to one of them says

    length, 4 bytes     address of the heap, 8 bytes     number in it, 4 bytes

and the library takes memory for that length, or for the size of the heap, before it looks whether they are there: up to
4 GiB for a damaged byte.  So the bytes of a file are looked through before the library opens it: a length beyond the
end of the file, before the address of a heap and a number that is in it, is damaged.

That stands at a multiple of four bytes where objects have headers of the first kind, as h5py writes them.  In files
of newer kinds it may stand anywhere, where other things look like it; there it is not looked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...base.amounts import size_text
from ...errors import StoreError

SCANNED = 2**24
"""Bytes of files that are looked through."""
SIGNATURE, HEAP = b"\x89HDF\r\n\x1a\n", b"GCOL\x01\0\0\0"
HEAD = 16
"""Bytes of the head of a heap: HEAP, and its size; as many as the head of a text in it."""


def check_heaps(path: Path) -> None:
    """Raise StoreError where a heap of texts, or a text in one, claims more bytes than the file has.

    Files of more than SCANNED bytes are not looked through.
    """
    size = path.stat().st_size
    if size > SCANNED:
        return
    content = path.read_bytes()
    content = content[_begin(content) :]  # addresses count from there
    size = len(content)
    widths = {0: 14, 1: 14, 2: 10, 3: 10}  # where the superblock says how many bytes a length has, by its version
    if not content.startswith(SIGNATURE) or len(content) < 16 or content[widths.get(content[8], 14)] != 8:
        return
    texts: list[int] = []
    at = content.find(HEAP)
    while at >= 0:
        claimed = int.from_bytes(content[at + len(HEAP) : at + HEAD], "little")
        if claimed > size - at:
            raise _damaged(path, "a heap of texts", claimed, size - at)
        texts += [at + (number << 32) for number in _numbers(content, at + HEAD, at + claimed)]
        if len(texts) > size // HEAD:
            raise StoreError(f"{path}: its heaps of texts lie over each other. The file is damaged; copy it again.")
        at = content.find(HEAP, at + 1)
    if texts and (claimed := _longest(content, np.array(texts, dtype="<u8"))):
        raise _damaged(path, "a text", claimed, size)


def _begin(content: bytes) -> int:
    """Where the file begins in the content: at 0, or after 512, 1024, … bytes of a user; the end where nowhere."""
    at = 0
    while at < len(content) and not content.startswith(SIGNATURE, at):
        at = 2 * at or 512
    return min(at, len(content))


def _numbers(content: bytes, start: int, end: int) -> Iterator[int]:
    """The numbers of the texts in a heap: each begins with its number, 2 bytes, 6 others, and its length, 8 bytes."""
    while start + 16 <= end and (number := int.from_bytes(content[start : start + 2], "little")):
        yield number
        start += 16 + -(-int.from_bytes(content[start + 8 : start + 16], "little") // 8) * 8


def _longest(content: bytes, texts: np.ndarray) -> int:
    """The largest length beyond the end of the content in what refers to a text; 0 for none.

    texts : address of the heap + 2³² × number.
    """
    words = np.frombuffer(content, "<u4", len(content) // 4)
    length, low, high, number = words[:-3], words[1:-2], words[2:-1], words[3:]
    at = np.flatnonzero((length > len(content)) & (high == 0) & (low < len(content)) & (number < 2**16))
    refers = np.isin(low[at] + (number[at].astype("<u8") << np.uint64(32)), texts)
    return int(length[at[refers]].max(initial=0))


def _damaged(path: Path, what: str, claimed: int, left: int) -> StoreError:
    return StoreError(
        f"{path}: {what} claims {size_text(claimed)} where {size_text(left)} are left. The file is damaged; copy it "
        "again."
    )
