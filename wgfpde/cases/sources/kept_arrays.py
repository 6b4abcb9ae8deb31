"""A function in Python as arrays of a file, and back: its values where it was asked, or the table that it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ... import store
from ...grid.axis import AXIS_NAMES, Array
from ...grid.grid import Grid
from ...grid.tables.kept_function import KEY_BYTES, Kept
from ...grid.tables.radial_table import RadialTable
from ...grid.tables.table import Table
from ...grid.tables.tabulated import KINDS, Tabulated

MOST_AXES = 4
"""Of an array of values that a function gave."""


def arrays_of(function: Any) -> dict[str, Array | str]:
    """What is to be kept of a function or a table."""
    if isinstance(function, Kept):
        kept: dict[str, Array | str] = _values(function.values)
        return kept | {f"results/{name}": values for name, values in function.results.items()}
    table = function.table
    places = {f"places_{name}": values for name, values in zip(AXIS_NAMES, table.places, strict=False)}
    missing = function.missing if isinstance(function, Tabulated) else function.at_zero
    periods = np.array([np.nan if period is None else period for period in table.periods])
    words = f"{function.kind} {missing}"
    return {**places, "table": table.values, "periods": periods, "interpolation": words, "text": function.text}


def _values(values: Mapping[bytes, Array]) -> dict[str, Array | str]:
    shapes = np.full((len(values), MOST_AXES), -1)
    for row, one in zip(shapes, values.values(), strict=True):
        row[: one.ndim] = one.shape
    keys = np.array([list(key) for key in values], dtype=np.uint8).reshape(-1, KEY_BYTES)
    flat = np.concatenate([np.zeros(0), *(one.ravel() for one in values.values())])
    return {"keys": keys, "shapes": shapes, "values": flat}


def kept_from(path: Path, name: str, arrays: Mapping[str, Any], between: Grid | None) -> Any:
    """The function or the table that arrays of a file stand for.   name : how messages call it.

    between : the grid on whose cells it may be interpolated.   Raises StoreError where they make none.
    """
    damage = store.damaged(path, f"/code holds no values for {name.rpartition(': ')[2]}")
    if "table" in arrays:
        return _table_from(arrays, damage)
    keys, shapes, values = (arrays.get(key, np.zeros(0)) for key in ("keys", "shapes", "values"))
    whole = keys.ndim == 2 and keys.dtype == np.uint8 and keys.shape[1] == KEY_BYTES and values.ndim == 1
    if not whole or shapes.shape != (len(keys), MOST_AXES) or shapes.dtype.kind != "i":
        raise damage
    sizes = [tuple(int(n) for n in row if n >= 0) for row in shapes]
    counts = [float(np.prod([float(n) for n in size])) for size in sizes]
    if sum(counts) != len(values):
        raise damage
    parts = np.split(np.asarray(values, dtype=float), np.cumsum(counts)[:-1].astype(int)) if counts else []
    known = {key.tobytes(): part.reshape(size) for key, part, size in zip(keys, parts, sizes, strict=True)}
    results = {key.removeprefix("results/"): values for key, values in arrays.items() if key.startswith("results/")}
    if any(values.dtype.kind != "f" or np.any(np.isnan(values)) for values in results.values()):
        raise damage
    return Kept(name, None, known, results, between=between)


def _table_from(arrays: Mapping[str, Any], damage: Exception) -> Tabulated | RadialTable:
    places = tuple(arrays[key] for key in ("places_x", "places_y") if key in arrays)
    values, words = arrays["table"], str(arrays.get("interpolation", "")).split()
    periods = np.asarray(arrays.get("periods", np.zeros(0)))
    fits = periods.dtype.kind == "f" and periods.shape == (len(places),) and len(words) == 2
    rising = all(p.ndim == 1 and len(p) > 1 and np.all(np.diff(p) > 0) for p in places)
    if not places or not fits or not rising or values.shape != tuple(len(p) for p in reversed(places)):
        raise damage
    if words[0] not in KINDS:
        raise damage
    text = str(arrays.get("text", ""))
    known = Table(places, values, text, periods=tuple(None if np.isnan(p) else float(p) for p in periods))
    if words[1] in ("refuse", "constant"):
        return RadialTable(known, words[0], words[1], text)  # type: ignore[arg-type]
    return Tabulated(known, words[0], words[1], text)  # type: ignore[arg-type]
