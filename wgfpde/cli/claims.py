"""The verb validate, which is also how a validation script is run by itself."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import Verbs, json_of
from .words import print_json

if TYPE_CHECKING:
    from ..validate import Table


def add(verbs: Verbs) -> None:
    validate = verbs.add("validate", _validate, "check the quick claims on this machine")
    validate.add_argument("names", metavar="NAME", nargs="*", help="claims to check (default: all)")
    validate.add_argument("--figures", type=Path, metavar="DIR", help="also draw a figure of each into DIR")
    validate.add_argument("--out", type=Path, metavar="DIR", help="keep the runs in DIR (default: nowhere)")
    json_of(validate)


def _validate(args: argparse.Namespace) -> int:
    """Prints the table of claims; exit code 3 when one does not hold."""
    from ..validate import validate

    def done(table: Table, name: str) -> None:
        print(f"{name:<28}{table.seconds[name]:6.1f} s", file=sys.stderr, flush=True)

    table = validate(args.names, runs=args.out, figures=args.figures, done=done)
    if args.json:
        print_json({"passed": table.passed, "claims": table.rows, "seconds": table.seconds})
    else:
        print(table)
    return 0 if table.passed else 3


def validate_script(file: str) -> int:
    """`python validation/NAME.py [--json]`: its claims, and its figure in the folder figures/ beside it."""
    from .dispatch import main

    return main(["validate", file, "--figures", str(Path(file).parent / "figures"), *sys.argv[1:]])
