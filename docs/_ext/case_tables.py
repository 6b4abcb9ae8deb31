"""`.. case-tables::` and `.. formula-names::`: the case-file reference, from the models that validate a case."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from words import inserted, list_table, prose

from wgfpde.base.case_table import Table
from wgfpde.cases.schema import Case
from wgfpde.cases.sources.file_tables import FILE
from wgfpde.cases.table_places import tables_by_place
from wgfpde.formulas.vocabulary import CONSTANTS, FUNCTIONS

UNION_KEYS = {("energy", "internal"): "kind", ("solver",): "method"}
"""The key that chooses among the members of a union, by the union's place."""


def title_of(place: tuple[str, ...]) -> str:
    """How a table is written: [grid], [solver] with method = "fv"."""
    if not place:
        return "Top level"
    if place[-1] == FILE:
        return f"{'.'.join(place[:-1])} = {{ file = … }}"
    if len(place) == 3 and place[0] == "solver":
        return f'{place[2]} of [solver] with method = "{place[1]}"'
    key = UNION_KEYS.get(place[:-1])
    if key is None:
        return f"[{'.'.join(place)}]"
    name = f"[{place[0]}]" if len(place) == 2 else f"{'.'.join(place[:-1])} ="
    if len(place) == 2:
        return f'{name} with {key} = "{place[-1]}"'
    return f'{name} {{ {key} = "{place[-1]}" }}'


def type_words(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """A JSON Schema in a few words: "number > 0", "list of integers ≥ 2"."""
    if "anyOf" in schema or "oneOf" in schema:
        members = [m for m in schema.get("anyOf", schema.get("oneOf", [])) if m.get("type") != "null"]
        words = list(dict.fromkeys(type_words(m, definitions) for m in members))
        return " or ".join(words)
    if "$ref" in schema:
        return "table"
    if "const" in schema:
        return _literal(schema["const"])
    if "enum" in schema:
        return " or ".join(_literal(value) for value in schema["enum"])
    kind = schema.get("type", "value")
    if kind == "array":
        return f"list of {_plural(schema['items'], definitions)}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"table of {_plural(inner, definitions)}" if isinstance(inner, dict) else "table"
    return {"string": "text", "boolean": "true or false"}.get(kind, kind) + _bound(schema)


def _plural(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    word = type_words(schema, definitions)
    for one, many in (("text", "texts"), ("integer", "integers"), ("number", "numbers")):
        if word.startswith(one):
            return many + word.removeprefix(one)
    return word


def _bound(schema: dict[str, Any]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    return "".join(f" {sign} {schema[key]:g}" for key, sign in signs.items() if key in schema)


def _literal(value: object) -> str:
    return f'``"{value}"``' if isinstance(value, str) else f"``{value}``"


def _default(name: str, schema: dict[str, Any], required: list[str]) -> str:
    if name in required:
        return "*required*"
    value = schema.get("default")
    if value is None or value == [] or value == {} or isinstance(value, dict):
        return "—"
    return f"``{value:g}``" if isinstance(value, float) else _literal(value)


def rows_of(model: type[Table]) -> list[list[str]]:
    """One row per key: key, type, default, description."""
    schema = model.model_json_schema(by_alias=True)
    definitions, required = schema.get("$defs", {}), list(schema.get("required", []))
    rows = []
    for name, entry in schema["properties"].items():
        if model is Case and name == "title":
            required.remove("title")
        words, meaning = type_words(entry, definitions), entry.get("description", "chooses these keys")
        rows.append([f"``{name}``", words, _default(name, entry, required), prose(meaning)])
    return rows


FIRST: tuple[tuple[str, ...], ...] = (
    (), ("grid",), ("energy",), ("energy", "internal"), ("initial",), ("time",), ("solver", "fv"), ("solver", "jko"),
    ("output",),
)  # fmt: skip
"""The tables that most cases have, in the order in which one writes them; all others come after them."""


def _rank(place: tuple[str, ...]) -> int:
    """Where a table stands on the page; the parts of one stand with it where it is among the first."""
    found = [
        k for k, first in enumerate(FIRST) if place == first or (first == ("energy", "internal") and place[:2] == first)
    ]
    return found[0] if found else len(FIRST)


class CaseTables(SphinxDirective):
    """A section per table of a case file."""

    def run(self) -> list[nodes.Node]:
        lines: list[str] = []
        for place, model in sorted(tables_by_place().items(), key=lambda item: _rank(item[0])):
            title = title_of(place)
            lines += ["", f".. _case-{'-'.join(place) or 'top'}:", "", f"``{title}``" if place else title]
            about = " ".join((model.__doc__ or "").split()) if place else "Keys outside any table; they come first."
            lines += ["^" * (len(title) + 4), "", prose(about), ""]
            lines += list_table(["Key", "Type", "Default", "Meaning"], rows_of(model), "16 24 16 44")
        return inserted(self, lines)


class FormulaNames(SphinxDirective):
    """The constants and functions that formulas may use."""

    def run(self) -> list[nodes.Node]:
        names = [", ".join(f"``{name}``" for name in group) for group in (CONSTANTS, FUNCTIONS)]
        return inserted(self, ["", f"Constants: {names[0]}.", "", f"Functions: {names[1]}.", ""])


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("case-tables", CaseTables)
    app.add_directive("formula-names", FormulaNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
