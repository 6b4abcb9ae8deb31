"""Values as TOML: text of whole tables for files, of single values for messages; tables with dotted keys and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any


def to_toml(data: Mapping[str, Any]) -> str:
    """Numbers, text, lists and tables as TOML: plain keys first, then one [table] each, the rest inline."""
    lines = [f"{_toml_key(k)} = {to_value(v)}" for k, v in data.items() if not isinstance(v, Mapping)]
    for name, table in data.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{_toml_key(name)}]"]
            lines += [f"{_toml_key(k)} = {to_value(v)}" for k, v in table.items()]
    return "\n".join(lines) + "\n"


def to_value(value: Any) -> str:
    """A single value as TOML; a table is put in one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(float(value))  # NumPy's own would not be TOML
    if isinstance(value, int):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_toml_key(k)} = {to_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(to_value(v) for v in value) + "]"
    return str(value)


def flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys of nested tables, and their values."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of dotted keys: {"a.b": 1} as {"a": {"b": 1}}."""
    tables: dict[str, Any] = {}
    for key, value in values.items():
        *above, last = key.split(".")
        table = tables
        for name in above:
            table = table.setdefault(name, {})
        table[last] = value
    return tables


def plain(value: Any) -> Any:
    """Tables and lists of Python's own numbers, from what a script may hold: tuples, arrays, NumPy's numbers."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return value.tolist()
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def alike(value: Any) -> Any:
    """A value in which whole numbers are integers, so that 1 and 1.0 are one; −0.0 and very large ones stay."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 and str(value) != "-0.0":
        return int(value)
    if isinstance(value, Mapping):
        return {key: alike(item) for key, item in value.items()}
    return [alike(item) for item in value] if isinstance(value, list | tuple) else value


def show(value: object) -> str:
    """A value as it stands in TOML, with its type where that is the point."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return to_value(value) if len(value) <= 6 else f"a list of {len(value)} entries"
    if isinstance(value, bool | int | float | str):
        return shortened(to_value(value))
    return f"a {type(value).__name__}"


def shortened(text: str, most: int = 80) -> str:
    """A text of at most so many letters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
