"""A function of the caller that is shown every snapshot as it is written.

What goes wrong in it ends the run as a request to stop does: the state is in the file, with a checkpoint, and the run
goes on with `resume`.  The exception itself then reaches the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..energy.snapshot import Snapshot

Listener = Callable[[Snapshot], Any]


class ListenerFailed(Exception):
    """An exception of the function, its `cause`."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__)
        self.cause = cause


def show_to(listener: Listener, snapshot: Snapshot) -> None:
    """Call it with a snapshot whose arrays cannot be written to: the run goes on from them.  Raises ListenerFailed."""
    fields = {name: values.view() for name, values in snapshot.fields.items()}
    for values in fields.values():
        values.flags.writeable = False
    try:
        listener(replace(snapshot, fields=fields))
    except Exception as error:
        raise ListenerFailed(error) from error
