"""Verbs about files: schema, new."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import CaseError
from .arguments import Verbs
from .words import print_json


def add(verbs: Verbs) -> None:
    verbs.add("schema", _schema, "print the JSON Schema of case files")
    new = verbs.add("new", _new, "copy a packaged case to start from; without a name, list them")
    new.add_argument("preset", metavar="PRESET", nargs="?")
    new.add_argument("--out", type=Path, metavar="FILE", help="where to write (default: PRESET.toml here)")


def _schema(args: argparse.Namespace) -> int:
    from ..case import json_schema

    print_json(json_schema())
    return 0


def _new(args: argparse.Namespace) -> int:
    import difflib
    import tomllib

    from ..case import presets

    known = presets()
    if args.preset is None:
        for name, file in known.items():
            print(f"{name:<28}{tomllib.loads(file.read_text(encoding='utf-8')).get('title', '')}")
        return 0
    name = args.preset.removesuffix(".toml")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f'did you mean "{near[0]}"? ' if near else ""
        raise CaseError(f'there is no packaged case "{name}"; {hint}Packaged cases: {", ".join(known)}')
    target = args.out or Path(f"{name}.toml")
    if target.is_dir():
        target = target / f"{name}.toml"
    try:
        with target.open("x", encoding="utf-8") as copy:
            copy.write(known[name].read_text(encoding="utf-8"))
    except FileExistsError:
        raise CaseError(f"{target} exists and is kept; remove it or choose another --out") from None
    print(f"wrote {target}; solve it with: wgfpde run {target}")
    return 0
