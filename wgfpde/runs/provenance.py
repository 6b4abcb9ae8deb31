"""Where a run comes from: what somebody else needs to know to repeat it.

    @source @wgfpde_version @libraries @python   the code          @git @git_case   its commit and that of the case
    @platform @processors @threads               the machine       @command         what was typed
    @data_files                                  checksums of what was read        @seed   of what is drawn

Wall and processor times are written at the end.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import CaseError
from ..linear.threads import default_threads
from .git_commit import commit_around, own_commit

PACKAGES = ("numpy", "scipy", "numba", "h5py", "ducc0")


def provenance_of(
    case_folder: Path,
    files: Sequence[Path],
    known: Mapping[str, str] | None = None,
    in_code: bool = False,
    seed: str = "",
) -> dict[str, Any]:
    """The attributes of an output file that say where the run comes from.

    case_folder : of the case file.   files : the data files it names.   known : checksums of those that are gone.
    in_code : put together in Python.   seed : what the random numbers start from, in words; the method, the seed and
    the number of a step fix what it draws, whatever the number of threads and however often the run was stopped.
    """
    sums = {str(path): checksum(path) or (known or {}).get(str(path), "") for path in files}
    return {
        "source": f"wgfpde {__version__}",
        "made_in": "python" if in_code else "case",
        "git": own_commit(),
        "git_case": commit_around(case_folder),
        "command": command(sys.argv),
        "libraries": _libraries(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count() or 1,
        "threads": default_threads(),
        "seed": seed,
        "data_files": json.dumps(sums),
        "resumed": 0,
        "wall_seconds": np.nan,
        "cpu_seconds": np.nan,
        "compile_seconds": np.nan,
    }


@cache
def _libraries() -> str:
    """The packages and their versions, which are found in files: some 5 ms."""
    return ", ".join(f"{name} {version(name)}" for name in PACKAGES)


def continued(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a run that goes on: what was true when it began, and after it what has changed since."""
    kept = {name: before[name] for name in ("git_case", "data_files") if name in before}
    for name in ("command", "source", "git", "libraries", "python", "platform"):
        parts = [str(before[name])] if name in before else []
        if name == "command" or not parts or parts[0].split("; ")[-1] != str(now[name]):
            parts.append(str(now[name]))
        kept[name] = "; ".join(parts)
    return kept | {"resumed": int(before.get("resumed", 0)) + 1}


def command(argv: Sequence[str]) -> str:
    """The command line, without the folders of the program."""
    return shlex.join([Path(argv[0]).name, *argv[1:]]) if argv and argv[0] else "python"


def checksum(path: Path) -> str:
    """SHA-256 of a file; of a run folder, of its HDF5 file; "" where it is gone."""
    from ..store import FILE_NAME

    file = path / FILE_NAME if path.is_dir() else path
    if not file.is_file():
        return ""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_unchanged(files: Mapping[str, str], run: Path) -> None:
    """Raises CaseError where a data file of a stored run has changed since: the run would not be the same.

    files : their checksums, by path.
    """
    for name, known in files.items():
        if known and (now := checksum(Path(name))) and now != known:
            raise CaseError(
                f"{run} read {name}, which has changed since (SHA-256 {known[:12]}…, now {now[:12]}…); restore that "
                "file, or run the case file itself to solve it with the new data"
            )
