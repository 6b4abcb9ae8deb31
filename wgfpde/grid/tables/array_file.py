"""Arrays of numbers in NumPy's .npy files and in pictures, which others may have written.

Nothing is unpickled, no program is started (as for PostScript), and what is too large is refused by its header, before
it is read.
"""

from __future__ import annotations

import warnings
from os import PathLike
from pathlib import Path

import numpy as np

from ...errors import CaseError
from ..grid import Array
from .table import MOST_VALUES

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".pgm", ".ppm", ".webp")
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "PPM", "WEBP")
"""What a picture may be, whatever its name says."""
_WHITE = {"I;16": 65535.0, "I": 65535.0}


def existing_file(path: str | PathLike[str], what: str = "the initial data", key: str = "[initial]") -> Path:
    """A path that is a file.   what, key : name it in the message.  Raises CaseError."""
    file = Path(path)
    if not file.is_file():
        found = "a folder" if file.is_dir() else "nothing"
        raise CaseError(f"{what} must be a file; found {found} at {file}. Check {key}.")
    return file


def looked_in(path: Path) -> str:
    """Where a path that does not exist was looked for: the end of a message."""
    return (
        f"; looked in {path.parent}: a path in a case begins at the folder of its file, one of --set at the folder you "
        "are in"
    )


def opened_binary(file: Path):
    """The file, open to read bytes.  Raises CaseError."""
    try:
        return file.open("rb")
    except OSError as error:
        raise CaseError(f"{file} cannot be opened: {error.strerror}. Check its permissions.") from None


def read_bytes(file: Path, most: int) -> bytes:
    """All of a file of at most so many bytes.  Raises CaseError."""
    with opened_binary(file) as stream:
        raw = stream.read(most + 1)
    if len(raw) > most:
        raise CaseError(f"{file} has {file.stat().st_size} bytes; at most {most} are read. Use wider bins.")
    return raw


def npy_array(file: Path) -> Array:
    """The array in a .npy file, mapped to memory and not yet read.  Raises CaseError."""
    with opened_binary(file) as stream:
        magic = stream.read(6)
    if magic != b"\x93NUMPY":
        raise CaseError(f"{file} is not a NumPy .npy file. Write one with numpy.save(path, rho).")
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header may raise anything that Python's tokeniser raises
        raise CaseError(
            f"{file} cannot be read as a NumPy array of numbers: {str(error).rstrip('.')}. "
            "Write it with numpy.save(path, rho), where rho holds real numbers."
        ) from None


def check_size(file: Path, size: int, most: int = MOST_VALUES) -> None:
    """Raises CaseError for more than so many values."""
    if size > most:
        raise CaseError(f"{file} has {size} values; at most {most} are taken. Average it over larger cells.")


def picture(file: Path, invert: bool = False, most: int = MOST_VALUES) -> Array:
    """The grey values of a picture, (rows, columns), the bottom row first; bright is much, inverted dark is much.

    most : pixels.   Raises CaseError for what is no picture, has fewer than 2 pixels each way, or negative values.
    """
    from PIL import Image, UnidentifiedImageError  # comes with matplotlib

    try:
        # Pillow warns of damaged tags that are no part of the picture
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=FORMATS) as opened:
            check_size(file, opened.width * opened.height, most)
            deep = opened.mode in ("I", "F") or opened.mode.startswith("I;16")
            white = _WHITE.get(opened.mode[:4], 255.0) if opened.mode != "F" else None
            grey = np.asarray(opened.convert("F" if deep else "L"), dtype=float)
    except (
        UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError, OverflowError,
        TypeError,
    ) as error:  # fmt: skip
        raise CaseError(f"{file} cannot be read as a picture: {str(error).rstrip('.')}.") from None
    if min(grey.shape) < 2 or not np.all(grey >= 0) or not np.all(np.isfinite(grey)):
        raise CaseError(f"{file} must have at least 2 pixels each way and grey levels ≥ 0.")
    if invert:
        grey = (float(np.max(grey)) if white is None else max(white, float(np.max(grey)))) - grey
    return np.ascontiguousarray(grey[::-1])
