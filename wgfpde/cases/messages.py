"""What is wrong with a case, one sentence per mistake: key path, what was expected, what was found."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ..base.case_table import Table
from ..base.toml import show, to_value
from ..base.unsupported import not_supported, wall_instead
from .sources.file_tables import TEXT
from .table_places import UNIONS, tables_by_place

_TAGS = {("solver",): "method", ("energy", "internal"): "kind"}
"""The key that tells the tables of a union apart, by its place."""
_EXPECTED = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
_BOUNDS = {"greater_than_equal": ("ge", "≥"), "less_than_equal": ("le", "≤"), "less_than": ("lt", "<")}


def sentences(error: ValidationError) -> list[str]:
    """All mistakes that pydantic found, each told once."""
    return list(dict.fromkeys(_sentence(dict(item)) for item in error.errors(include_url=False)))


def _sentence(item: dict[str, Any]) -> str:
    """One pydantic error as "key.path: what was expected, what was found"."""
    kind, loc, found = item["type"], tuple(item["loc"]), item.get("input")
    loc = loc[:-1] if loc[-1:] == (TEXT,) and loc[:-1] in UNIONS else loc
    context = item.get("ctx", {})
    key = _key_path(loc)
    if kind == "sentence":
        return f"{key}: {item['msg']}" if key else str(item["msg"])
    if kind == "extra_forbidden":
        return f"{key}: unknown key; {_nearest_key(loc)}"
    if kind == "missing":
        return f"{key}: missing: {_description(loc)}"
    if kind.startswith("union_tag"):
        name = context["discriminator"].strip("'")
        if kind == "union_tag_not_found":
            tags = [where[-1] for where in tables_by_place() if where[:-1] == loc]
            return f"{key}.{name}: missing; expected {_listed(tags)}"
        return f"{key}.{name}: {_not_among(context['tag'], context['expected_tags'])}"
    if loc == ("schema",):
        return f"schema: this version reads schema = 1, found {show(found)}; a newer wgfpde may read it"
    if kind == "literal_error":
        return f"{key}: {_not_among(found, context['expected'])}"
    if kind == "too_short":
        return f"{key}: expected at least {context['min_length']} of them, found none"
    if kind == "greater_than":
        return f"{key}: expected a number larger than {context['gt']:g}, found {show(found)}"
    if kind in _BOUNDS:
        what = "at least 2 cells" if loc[:2] == ("grid", "shape") else _bounded(kind, context)
        return f"{key}: expected {what}, found {show(found)}"
    expected, described = _EXPECTED.get(kind), _description(loc)
    if expected is None:
        return f"{key}: {item['msg']}, found {show(found)}"
    if described:
        expected = described if expected in described else f"{expected} ({described})"
    return f"{key}: expected {expected}, found {show(found)}{_quoting_hint(kind, found)}"


def _bounded(kind: str, context: dict[str, Any]) -> str:
    """ "an integer ≥ 1" or "a number ≥ 0", by the bound that was broken: that of an integer key is an integer."""
    name, sign = _BOUNDS[kind]
    bound = context[name]
    return f"{'an integer' if isinstance(bound, int) else 'a number'} {sign} {bound:g}"


def _quoting_hint(kind: str, found: object) -> str:
    if kind == "list_type" and isinstance(found, str) and (instead := wall_instead(found)):
        return f"; {instead}, in a list, one per axis"
    if kind == "list_type" and isinstance(found, str):
        return f"; write [{found}]" if "," in found else f"; write [{to_value(found)}], one entry per axis"
    if kind == "list_type" and not isinstance(found, str | dict):
        return f"; write [{to_value(found)}]"
    if kind == "string_type" and isinstance(found, int | float):
        return f'; write "{to_value(found)}"'
    return ""


def _untagged(loc: tuple) -> tuple:
    """pydantic puts the chosen member of a union into the location; the user did not write it."""
    for union in UNIONS:
        if loc[: len(union)] == union and len(loc) > len(union):
            return loc[: len(union)] + loc[len(union) + 1 :]
    return loc


def _key_path(loc: tuple) -> str:
    text = ""
    for part in _untagged(loc):
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _keys(table: type[Table]) -> list[str]:
    names = [info.alias or name for name, info in table.model_fields.items()]
    return [name for name in names if name not in table.refused]


def _nearest_key(loc: tuple) -> str:
    name, parent = str(loc[-1]), tuple(loc[:-1])
    tables = tables_by_place()
    keys = _keys(tables[parent]) if parent in tables else []
    if parent == ():
        keys.append("include")
    valid = f"Valid keys: {', '.join(keys)}"
    elsewhere = [where for where, table in tables.items() if name in _keys(table)]
    near = difflib.get_close_matches(name, keys, n=1)
    if not elsewhere and (refused := not_supported(name)):
        return f"{refused}. {valid}"
    if near and not (elsewhere and name not in keys):
        return f'did you mean "{near[0]}"? {valid}'
    if not elsewhere:
        return valid
    other = _key_path((*elsewhere[0], name))
    if other == _key_path(loc) and elsewhere[0][:-1] not in _TAGS:
        return valid
    if other == _key_path(loc):
        tag = f'{_TAGS[elsewhere[0][:-1]]} = "{elsewhere[0][-1]}"'
        return f'it belongs to "{elsewhere[0][-1]}", not "{parent[-1]}"; remove it, or write {tag}. {valid}'
    return f"did you mean {other}? {valid}"


def no_key_to_remove(place: tuple[str, ...], data: Mapping[str, Any]) -> str:
    """Why `--set KEY=` has nothing to take away; "" where the case has the key, or a table there may have it.

    place : the parts of the key.   data : the tables of the case.
    """
    found: Any = data
    for part in place:
        found = found.get(part, _NOTHING) if isinstance(found, Mapping) else _NOTHING
    *above, name = place
    parent = tuple(above)
    tables = [t for where, t in tables_by_place().items() if (where[:-1] if parent in UNIONS else where) == parent]
    known = [key for table in tables for key in _keys(table)]
    if found is not _NOTHING or name in known:
        return ""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {'.'.join((*above, near[0]))}?" if near else "leave it out"
    return f"--set {'.'.join(place)}=: without a value this removes the key, which the case does not have; {hint}"


_NOTHING = object()


def _description(loc: tuple) -> str:
    """What a field expects, from its own description; "" for parts of a list of numbers or texts."""
    table = tables_by_place().get(tuple(part for part in loc[:-1] if not isinstance(part, int)))
    for name, info in table.model_fields.items() if table else ():
        if (info.alias or name) == loc[-1]:
            return info.description or ""
    return ""


def _not_among(found: object, expected: str) -> str:
    """`expected` is pydantic's list of choices: 'fv', 'jko'  or  1 or 2."""
    choices = re.findall(r"'([^']*)'", expected)
    near = difflib.get_close_matches(str(found), choices, n=1)
    if not near and (refused := not_supported(str(found))):
        return f"{refused}; expected {_listed(choices) if choices else expected}, found {show(found)}"
    hint = f'; did you mean "{near[0]}"?' if near else ""
    return f"expected {_listed(choices) if choices else expected}, found {show(found)}{hint}"


def _listed(choices: Sequence[str]) -> str:
    quoted = [f'"{choice}"' for choice in choices]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]
