"""Whether kernels are being compiled, or only loaded from the disk: the user is told of the first, which happens once.

Numba announces what it compiles as an event; what it finds in its cache it does not.  The package caches its kernels
(`base.kernel_cache`), so that a second run only loads them, which on a slow disk takes seconds too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

COMPILING = "compiling the kernels of this kind of energy, once …"
LOADING = "loading the kernels …"


@contextmanager
def compiler_watched() -> Iterator[threading.Event]:
    """An event that is set as soon as anything is compiled inside."""
    from numba.core import event

    begun = threading.Event()

    class Listener(event.Listener):
        def on_start(self, happening: Any) -> None:
            begun.set()

        def on_end(self, happening: Any) -> None:
            """It has begun, that is all."""

    with event.install_listener("numba:compile", Listener()):
        yield begun


@contextmanager
def compilations_counted() -> Iterator[Callable[[], int]]:
    """A function that says how many kernels have been compiled inside, those that others call among them."""
    from numba.core import event

    with event.install_recorder("numba:compile") as recorder:
        yield lambda: sum(happening.is_start for _, happening in recorder.buffer)
