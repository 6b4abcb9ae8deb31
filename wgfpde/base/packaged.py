"""Where the files lie that ship beside the code: case files, and the scripts of claims with their references.

In a source tree they are folders beside the package; in a wheel they are the packages `wgfpde._cases` and
`wgfpde._validation`, so that no room of the package can be taken for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

PACKAGE = Path(__file__).resolve().parents[1]


def packaged_folder(name: Literal["cases", "validation"]) -> Path | None:
    """The folder of the packaged cases or claims; None where an installation left them out."""
    for folder in (PACKAGE / f"_{name}", PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    return None


def in_source_tree() -> bool:
    """Whether the package runs from a source tree, in which results may be kept beside the scripts."""
    return not (PACKAGE / "_validation").is_dir() and (PACKAGE.parent / "validation").is_dir()
