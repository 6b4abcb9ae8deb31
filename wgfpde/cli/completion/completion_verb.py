"""The verb completion."""

from __future__ import annotations

import argparse

from ..arguments import Verbs
from ..printing import say

SHELLS = ("bash", "zsh", "fish")
HELP = (
    "Put it into force with: source <(wgfpde completion bash), likewise in zsh after compinit, or: wgfpde completion "
    "fish | source; in ~/.bashrc, ~/.zshrc or config.fish for good. It completes commands, options, packaged cases and "
    "the keys of --set."
)


def add(verbs: Verbs) -> None:
    completion = verbs.add(
        "completion", lambda args: _completion(args, verbs), "print a script for tab completion", HELP
    )
    completion.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))


def _completion(args: argparse.Namespace, verbs: Verbs) -> int:
    from ...cases.sources.case_files import presets
    from .shell_scripts import Words, script, words_of

    cases = list(presets())
    words = {name: words_of(parser, cases) for name, parser in verbs.parsers.items()}
    words["help"] = Words("Show the help of a command.", {}, first=verbs.names)
    for line in script(args.shell, words, _keys()).split("\n"):
        say(line)
    return 0


def _keys() -> list[str]:
    """The keys of a case, "grid.shape" and so on, those of all methods and laws."""
    from ...cases.table_places import UNIONS, tables_by_place

    found = []
    for where, table in tables_by_place().items():
        place = where[:-1] if where[:-1] in UNIONS else where
        names = [info.alias or name for name, info in table.model_fields.items()]
        found += [".".join((*place, name)) for name in names]
    tables = {key.rpartition(".")[0] for key in found}
    return [key for key in dict.fromkeys(found) if key not in tables]
