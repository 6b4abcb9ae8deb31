"""Where case files lie, the packaged ones among them, and their text as tables."""

from __future__ import annotations

import difflib
import errno
import tomllib
from pathlib import Path
from typing import Any

from ... import store
from ...base.packaged import packaged_folder
from ...base.toml import flat
from ...errors import CaseError
from ..overrides import DATA


def find_case(name: Path | str) -> Path:
    """The file meant by a path or by the name of a packaged preset.  Raises CaseError naming the nearest."""
    path = Path(name)
    preset = presets().get(str(name).removesuffix(".toml"))
    if not path.is_file() and preset is not None:  # a folder of that name does not hide it
        return preset
    return existing(path)


def presets() -> dict[str, Path]:
    """The packaged cases by name: beside the package in a source tree, inside it once installed."""
    folder = packaged_folder("cases")
    return {} if folder is None else {file.stem: file for file in sorted(folder.glob("*.toml"))}


def copied_case(preset: Path, target: Path) -> list[Path]:
    """Copy a packaged case, and the data files that it names beside it, to a file and its folder.

    Returns the paths written, the case first.  Raises FileExistsError before anything is written where one is there.
    """
    text = preset.read_text(encoding="utf-8")
    data = parsed(text, preset)
    named = dict.fromkeys(
        value for key, value in flat(data) if isinstance(value, str) and key.rpartition(".")[2] in DATA
    )
    copies = {preset: target} | {preset.parent / name: target.parent / name for name in named}
    for path in copies.values():
        if path.exists() or path.is_symlink():
            raise FileExistsError(errno.EEXIST, "exists", str(path))
    for source, path in copies.items():
        with path.open("xb") as copy:
            copy.write(source.read_bytes())
    return list(copies.values())


def existing(path: Path) -> Path:
    """A path that is a case file.  Raises CaseError naming the nearest."""
    if path.is_file():
        return path
    if path.is_dir():
        inside = [path / name for name in (store.FILE_NAME, "case.toml") if (path / name).is_file()]
        hint = f"; did you mean {inside[0]}?" if inside else ""  # the first repeats the run, overrides included
        what = "the folder of a sweep" if (path / store.SWEEP_FILE).is_file() else "a folder"
        raise CaseError(f"{path}: expected a case file, found {what}{hint}")
    folder = path.parent
    here = {p.name: str(p) for p in folder.glob("*.toml")} if folder.is_dir() else {}
    known = presets()
    if near := difflib.get_close_matches(path.name.removesuffix(".toml") + ".toml", here, n=1):
        hint = f"; did you mean {here[near[0]]}?"
    elif near := difflib.get_close_matches(path.stem, known, n=1):
        hint = f'; did you mean the packaged case "{near[0]}"?'
    else:
        hint = f"; packaged cases: {', '.join(known)}" if known else ""
    raise CaseError(f"{path}: no such case file{hint}")


def parsed(text: str, source: Path) -> dict[str, Any]:
    """The tables of a text.  Raises CaseError where it is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CaseError(f"{source}: not valid TOML: {error}") from error
