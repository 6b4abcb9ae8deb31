"""Tables laid over tables: what `include`, `--set` and keyword arguments say beyond a case file.

["grid.shape=[64]", "solver.dt=0.1"]   →   {"grid": {"shape": [64]}, "solver": {"dt": 0.1}}   →   over those below
["target="]                            →   the table, or the key, is taken away
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..base.toml import flat
from ..energy.laws import LAWS
from ..errors import CaseError
from .tables.density_tables import INITIAL_SOURCES

DATA = ("file", "samples", "image")
"""Keys that name data files."""
REMOVED = object()
"""Stands for the value of a key that is to go."""
_EXCLUSIVE: dict[tuple[str, ...], tuple[str, ...]] = {
    ("initial",): INITIAL_SOURCES,
    ("target",): INITIAL_SOURCES,
    ("output",): ("every", "times"),
}


def as_tables(items: Sequence[str]) -> dict[str, Any]:
    """["a.b=1", …] as nested tables; a key without a value, "a.b=", is to be removed: its value is REMOVED."""
    data: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        parts = [part.strip() for part in key.split(".")]
        if not equals or not all(parts):
            raise CaseError(f"--set {item}: expected key=value, for example --set grid.shape=[64,64]")
        if parts == ["include"]:
            raise CaseError(f"--set {item}: files are included by a case file only; write the line at its top")
        table = data
        for part in parts[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                how = "removed" if table is REMOVED else "set to a value"
                raise CaseError(f"--set {item}: {part} was already {how} and has no keys")
        table[parts[-1]] = parse_value(text.strip()) if text.strip() else REMOVED
    absolute_paths(data, Path())
    return data


def parse_value(text: str) -> Any:
    """A value as TOML, else as text; in a list words may stand without quotes, as in [periodic, no-flux]."""
    for written in (text, _quoted(text)):
        try:
            parsed = tomllib.loads(f"value = {written}")
        except (tomllib.TOMLDecodeError, RecursionError):
            continue
        if set(parsed) == {"value"}:
            return parsed["value"]
    return text


def _quoted(text: str) -> str:
    """A list with its bare words in quotes."""
    if not re.fullmatch(r"\[[\w\s,-]*\]", text):
        return text
    return re.sub(r"[A-Za-z][\w-]*", lambda word: word[0] if word[0] in ("true", "false") else f'"{word[0]}"', text)


def merge(base: dict[str, Any], top: Mapping[str, Any], path: tuple[str, ...] = ()) -> None:
    """Lay `top` over `base`, key by key.

    A solver with another method replaces the old one, and a kernel with another kind; an internal energy with another
    kind keeps only κ, and one of several exclusive keys replaces the others.  What is REMOVED is taken away.
    """
    for place, tag in ((("solver",), "method"), (("solver", "kernel"), "kind")):
        if path == place and top.get(tag, base.get(tag)) != base.get(tag):
            base.clear()
    if path in (("energy", "internal"), ("terminal", "internal")) and top.get("kind", base.get("kind")) != base.get(
        "kind"
    ):
        law = LAWS.get(top["kind"]) if isinstance(top["kind"], str) else None
        kept = {"kappa"} if law is None or "kappa" in law.table.model_fields else set()
        for key in set(base) - kept:
            del base[key]
    exclusive = _EXCLUSIVE.get(path, ())
    if any(key in top and top[key] is not REMOVED for key in exclusive):
        for key in (*exclusive, *(("bandwidth",) if "samples" in exclusive and "samples" not in top else ())):
            base.pop(key, None)
    for key, value in top.items():
        if isinstance(value, dict):
            if not isinstance(base.get(key), dict):
                if value and all(leaf is REMOVED for _, leaf in flat(value)):
                    continue  # nothing there to take it from
                base[key] = {}
            merge(base[key], value, (*path, key))
        elif value is REMOVED:
            base.pop(key, None)
        else:
            base[key] = value


def removals(top: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The places of what is to be removed, as parts of dotted keys."""
    for key, value in top.items():
        if isinstance(value, Mapping):
            yield from removals(value, (*above, key))
        elif value is REMOVED:
            yield (*above, key)


def absolute_paths(data: dict[str, Any], folder: Path) -> None:
    """Data files are named relative to the file that names them; a resolved case reads from anywhere."""
    for table in (data.get("initial"), data.get("target")):
        _absolute(table, DATA, folder)
        _absolute(table.get("file") if isinstance(table, dict) else None, ("file",), folder)
    parts = "potential", "interaction"
    for name, keys in (("energy", parts), ("terminal", parts), ("dynamics", ("diffusion",))):
        above = data.get(name)
        for key in keys:
            _absolute(above.get(key) if isinstance(above, dict) else None, ("file",), folder)
        features = above.get("features") if isinstance(above, dict) else None
        _absolute(features, ("data",), folder)


def _absolute(table: Any, keys: Sequence[str], folder: Path) -> None:
    for key in keys:
        if isinstance(table, dict) and isinstance(table.get(key), str):
            table[key] = str((folder / table[key]).resolve())
