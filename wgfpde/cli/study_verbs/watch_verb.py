"""The verb watch."""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import StoreError
from ...runs.progress import status_line
from ..arguments import Verbs, json_of
from ..printing import print_json, say

if TYPE_CHECKING:
    from ...studies.watch.state import State

HELP = """
It only reads: what is watched is neither locked nor slowed.  The page of --browser is served to this machine alone,
under an address that nobody else knows.
Exit code: 0 when what is watched has finished, 1 where it failed or was stopped.
"""
EVERY = 1.0
"""Seconds from one look to the next."""


def add(verbs: Verbs) -> None:
    sub = verbs.add("watch", _watch, "follow a run or a sweep that goes on in another terminal", HELP)
    sub.add_argument("path", type=Path, metavar="DIR", help="folder of a run or of a sweep")
    sub.add_argument("--browser", action="store_true", help="serve a page that shows it, and say its address")
    sub.add_argument("--open", action="store_true", help="and open that page in the browser of this machine")
    sub.add_argument("--once", action="store_true", help="one look, and no waiting")
    json_of(sub)


def _watch(args: argparse.Namespace) -> int:
    from ...studies.watch.state import watcher_of

    look = watcher_of(args.path)
    if args.once or args.json:
        return _said(look(), args.json)
    with ExitStack() as stack:
        if args.browser or args.open:
            from ...studies.watch.local_page import LocalPage

            page = stack.enter_context(LocalPage(look))
            say(f"page    {page.address}")
            if args.open:
                import webbrowser

                webbrowser.open(page.address)
        line = stack.enter_context(status_line(at_once=False))
        while True:
            try:
                state = look()
            except StoreError as error:  # between two files of one name
                line(str(error))
            else:
                if state.over:
                    break
                line(f"{state.status}   {state.text}")
            time.sleep(EVERY)
        if args.browser or args.open:
            time.sleep(2 * EVERY)  # the page asks once more
    return _said(state, False)


def _said(state: State, as_json: bool) -> int:
    if as_json:
        more = {name: value for name, value in state.more.items() if name == "going"}
        print_json(
            {"kind": state.kind, "title": state.title, "status": state.status, "share": state.share}
            | {"text": state.text, "message": state.message}
            | more
        )
    else:
        say(f"{state.kind:<8}{state.title}")
        say(f"{state.status:<12}  {state.text}")
        if state.message:
            say(f"message {state.message}")
    return 1 if state.status in ("failed", "stopped", "interrupted") else 0
