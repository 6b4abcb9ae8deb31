"""argv → exit code: environment, dispatch, and errors as sentences."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from .. import __version__
from ..base import own_process
from ..base.floating_point import install
from ..errors import CaseError, WgfpdeError
from ..runs.interrupts import CAUSES, stopping
from . import (
    comparison_verbs,
    file_verbs,
    inspect_verbs,
    picture_verbs,
    run_verbs,
    validate_verb,
)
from .arguments import Parser, Verbs
from .completion import completion_verb
from .printing import say, show_traceback
from .study_verbs import converge_verb, exits_verb, spectrum_verb, stationary_verb, sweep_verb, warm_verb, watch_verb

VERBS = (
    run_verbs, inspect_verbs, picture_verbs, comparison_verbs, spectrum_verb, exits_verb, stationary_verb,
    converge_verb, sweep_verb, watch_verb, warm_verb, validate_verb, file_verbs, completion_verb,
)  # fmt: skip
"""In the order of the help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _keep_libraries_serial()
    install()
    if argv is None:  # the process is ours
        sys.excepthook = show_traceback
        own_process.claim()
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        with stopping() if argv is None else nullcontext():  # signals are ours where the process is
            code = _dispatch(args)
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # argparse: 0 after --help, 2 after a usage error
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt as error:
        lines = str(error).split("\n") if str(error) else ["Ctrl-C"]
        if len(lines) == 1 and lines[0] in CAUSES:
            lines[0] = f"interrupted by {lines[0]}; what was being written is not kept"
        return _failed(lines, getattr(error, "exit_code", 130))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except WgfpdeError as error:
        return _failed(error.lines, error.exit_code)
    except MemoryError:
        return _failed(["the machine ran out of memory; use fewer cells"], 1)
    except OSError as error:
        return _failed([f"{error.filename or 'system'}: {error.strerror or error}"], 2)
    finally:
        if argv is None:
            own_process.end()


def validate_script(file: str) -> int:
    """`python validation/NAME.py [--json]`: its claims, and its figure in the folder figures/ beside it."""
    return main(["validate", file, "--figures", str(Path(file).parent / "figures"), *sys.argv[1:]])


def _keep_libraries_serial() -> None:
    """One thread for BLAS, before NumPy starts it; what the user has set stays."""
    # BLAS threads spin between calls and take the cores from the sweeps' own: up to 6 times slower was measured.
    # The FFT (ducc0) is told its threads at each call; without a bound of its own it would obey OMP_NUM_THREADS.
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("DUCC0_NUM_THREADS", str(os.cpu_count() or 1))


def _failed(lines: Sequence[str], code: int) -> int:
    """Report the exception in flight as sentences, a line each, or raise it again with WGFPDE_DEBUG=1."""
    if os.environ.get("WGFPDE_DEBUG", "") not in ("", "0"):
        raise
    for line in lines:
        say(f"error: {line}", error=True)
    return code


def _dispatch(args: list[str]) -> int:
    parser, verbs = make_parser()
    if args[:1] == ["help"]:
        args = [*args[1:2], "--help"]
    if args and not args[0].startswith("-") and args[0] not in verbs.names:
        raise CaseError(_unknown_verb(args[0], verbs.names))
    parsed = parser.parse_args(args)
    if parsed.verb is None:
        parser.print_help(sys.stderr)
        return 2
    return int(parsed.action(parsed))


def _unknown_verb(word: str, names: list[str]) -> str:
    import difflib

    if word.endswith(".toml"):
        return f"{word} is no command; did you mean: wgfpde run {word}"
    near = difflib.get_close_matches(word, names, n=1)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    return f'"{word}" is no command; {hint}Commands: {", ".join(names)}'


def make_parser() -> tuple[argparse.ArgumentParser, Verbs]:
    """The parser of the whole command line, and its verbs."""
    parser = Parser(
        prog="wgfpde",
        description="Solve Wasserstein gradient flows  ∂t ρ = ∇·(ρ ∇(U'(ρ) + V + W∗ρ))  on 1D and 2D grids.",
        epilog="Start with: wgfpde new heat_1d; wgfpde run heat_1d.toml; wgfpde plot runs/heat_1d",
    )
    parser.add_argument("--version", action="version", version=f"wgfpde {__version__}")
    verbs = Verbs(parser)
    for group in VERBS:
        group.add(verbs)
    return parser, verbs
