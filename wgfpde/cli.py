"""The command line: argv → verbs.  The only module that prints.

Results go to stdout (machine-readable with --json), progress and errors to stderr.  Exit codes: 0 ok, 1 the
solver failed, 2 usage or a bad case, 3 mismatch, 130 on Ctrl-C.  Each verb imports what it needs, so that
--help is instant.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .errors import CaseError, WgfpdeError
from .progress import QUIET_SECONDS, ProgressLine, duration

if TYPE_CHECKING:
    from .case import Case, Problem
    from .run import Result
    from .validate import Table

W2_HELP = "In 1D the distance is exact, on any two grids.  In 2D both snapshots must be on one grid of equal cells."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _keep_libraries_serial()
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(args)
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # argparse: 0 after --help, 2 after a usage error
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        return _failed("interrupted", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except WgfpdeError as error:
        return _failed(str(error), error.exit_code)
    except MemoryError:
        return _failed("the machine ran out of memory; use fewer cells", 1)
    except OSError as error:
        return _failed(f"{error.filename or 'system'}: {error.strerror or error}", 2)


def _keep_libraries_serial() -> None:
    """One thread for BLAS, before NumPy starts it; what the user has set stays."""
    # BLAS threads spin between calls and take the cores from the sweeps' own: up to 6 times slower was measured.
    # The FFT (ducc0) is told its threads at each call; without a bound of its own it would obey OMP_NUM_THREADS.
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("DUCC0_NUM_THREADS", str(os.cpu_count() or 1))


def _failed(message: str, code: int) -> int:
    """Report the exception in flight as a sentence, or raise it again with WGFPDE_DEBUG=1."""
    if os.environ.get("WGFPDE_DEBUG", "") not in ("", "0"):
        raise
    for line in message.splitlines() or [""]:
        print(f"error: {line}", file=sys.stderr)
    return code


def _dispatch(args: list[str]) -> int:
    if args and not args[0].startswith("-") and args[0] not in VERBS:
        raise CaseError(_unknown_verb(args[0]))
    parsed = _parser().parse_args(args)
    if parsed.verb is None:
        _parser().print_help(sys.stderr)
        return 2
    return int(VERBS[parsed.verb](parsed))


def _unknown_verb(word: str) -> str:
    import difflib

    if word.endswith(".toml"):
        return f"{word} is no command; did you mean: wgfpde run {word}"
    near = difflib.get_close_matches(word, VERBS, n=1)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    return f'"{word}" is no command; {hint}Commands: {", ".join(VERBS)}'


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wgfpde",
        description="Solve Wasserstein gradient flows  ∂t ρ = ∇·(ρ ∇(U'(ρ) + V + W∗ρ))  on 1D and 2D grids.",
        epilog="Start with: wgfpde new heat_1d; wgfpde run heat_1d.toml; wgfpde plot runs/heat_1d",
    )
    parser.add_argument("--version", action="version", version=f"wgfpde {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND")

    def verb(name: str, summary: str, epilog: str = "") -> argparse.ArgumentParser:
        description = summary[0].upper() + summary[1:] + "."
        return verbs.add_parser(name, help=summary, description=description, epilog=epilog)

    def case_of(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("case", metavar="CASE", help="case file, or the name of a packaged case")
        sub.add_argument(
            "--set", dest="overrides", metavar="KEY=VALUE", action="append", default=[],
            help="override a key, e.g. --set grid.shape=[64,64]; may be repeated",
        )  # fmt: skip

    def json_of(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--json", action="store_true", help="machine-readable output on stdout")

    threads = "Environment: WGFPDE_NUM_THREADS=N solves with N threads (default: all cores this process may use)."
    run = verb("run", "solve a case and write a run folder", threads)
    case_of(run)
    run.add_argument("--out", type=Path, metavar="DIR", help="run folder (default: runs/NAME)")
    run.add_argument("--overwrite", action="store_true", help="replace an existing run folder")
    run.add_argument("--quiet", action="store_true", help="no progress; errors are still shown")
    run.add_argument("--plot", action="store_true", help="also plot the result")
    json_of(run)
    check = verb("check", "validate and build a case without solving it")
    case_of(check)
    json_of(check)
    inspect = verb("inspect", "show what a run holds and whether its promises were kept")
    inspect.add_argument("path", type=Path, metavar="PATH")
    json_of(inspect)
    plot = verb("plot", "plot a run")
    plot.add_argument("path", type=Path, metavar="PATH")
    plot.add_argument("--out", type=Path, metavar="DIR", help="folder for the figures (default: the run's)")
    w2 = verb("w2", "the Wasserstein distance between two snapshots", W2_HELP)
    for which in "AB":
        w2.add_argument(f"path_{which.lower()}", type=Path, metavar=which, help="run folder or its HDF5 file")
    for which in "ab":
        place, name = w2.add_mutually_exclusive_group(), which.upper()
        place.add_argument(f"--time-{which}", type=float, metavar="T", help=f"time in {name} (default: the last)")
        place.add_argument(f"--index-{which}", type=int, metavar="K", help="or number, from 0, or from -1 backwards")
    w2.add_argument("--inner-steps", type=int, metavar="N", help="steps of the path in 2D (default: 16)")
    w2.add_argument("--tolerance", type=float, metavar="X", help="relative gap of W2^2 in 2D (default: 1e-3)")
    json_of(w2)
    validate = verb("validate", "check the quick claims on this machine")
    validate.add_argument("names", metavar="NAME", nargs="*", help="claims to check (default: all)")
    validate.add_argument("--figures", type=Path, metavar="DIR", help="also draw a figure of each into DIR")
    validate.add_argument("--out", type=Path, metavar="DIR", help="keep the runs in DIR (default: nowhere)")
    json_of(validate)
    verb("schema", "print the JSON Schema of case files")
    new = verb("new", "copy a packaged case to start from; without a name, list them")
    new.add_argument("preset", metavar="PRESET", nargs="?")
    new.add_argument("--out", type=Path, metavar="FILE", help="where to write (default: PRESET.toml here)")
    return parser


# ---- verbs -------------------------------------------------------------------------------------------------


def _run(args: argparse.Namespace) -> int:
    from .case import load
    from .run import run

    case = load(args.case, args.overrides)
    line = ProgressLine(sys.stderr) if not args.quiet else None
    try:
        result = run(case, args.out, args.overwrite, line)
    finally:
        if line is not None:
            line.clear()
    figures = _plot_figures(result.folder, None) if args.plot else []
    summary = _summary(result) | ({"figures": [str(f) for f in figures]} if args.plot else {})
    if args.json:
        _print_json(summary)
    elif not args.quiet:
        _print_record(summary)
        for figure in figures:
            print(f"  figure      {figure}")
    if result.exit_code != 0:
        print(f"error: {result.message or result.status}", file=sys.stderr)
    return result.exit_code


def _check(args: argparse.Namespace) -> int:
    from .case import build, load

    case = load(args.case, args.overrides)
    facts = _case_facts(case, build(case))
    if args.json:
        _print_json(facts)
        return 0
    print(f"{facts['title']}  ({case.path})")
    for name in ("equation", "energy", "grid", "memory", "initial", "solver", "output"):
        print(f"  {name:<10}  {facts[name]}")
    return 0


def _inspect(args: argparse.Namespace) -> int:
    from .promises import record_of, table
    from .store import read

    record = record_of(read(args.path))
    if args.json:
        _print_json(record)
        return 0
    _print_record(record)
    for line in table(record):
        print(f"  {line}")
    return 0


def _plot(args: argparse.Namespace) -> int:
    for figure in _plot_figures(args.path, args.out):
        print(figure)
    return 0


def _plot_figures(path: Path, out: Path | None) -> list[Path]:
    from .plots import plot

    return plot(path, out)


def _w2(args: argparse.Namespace) -> int:
    """Prints the distance between two stored densities."""
    from .store import read
    from .transport import INNER_STEPS, TOLERANCE, distance

    a, b = read(args.path_a), read(args.path_b)
    k, j = a.find(args.time_a, args.index_a), b.find(args.time_b, args.index_b)
    inner_steps = INNER_STEPS if args.inner_steps is None else args.inner_steps
    tolerance = TOLERANCE if args.tolerance is None else args.tolerance
    if inner_steps < 1 or not tolerance > 0:
        raise CaseError(f"--inner-steps must be ≥ 1 and --tolerance > 0; found {inner_steps} and {tolerance:g}.")
    found = distance(a.grid, a.rho(k), b.rho(j), b.grid, inner_steps, tolerance)
    record = {"w2": found.w2, "gap": found.gap, "mismatch": found.mismatch, "iterations": found.iterations}
    ends = [{"file": str(run.path), "index": i, "t": float(run.t[i])} for run, i in ((a, k), (b, j))]
    if args.json:
        _print_json(record | {"a": ends[0], "b": ends[1]})
        return 0
    for name, end in zip("AB", ends, strict=True):
        print(f"{name}    {end['file']} at t = {end['t']:g}")
    first_order = f"gap {found.gap:.2g}, {inner_steps} inner steps, {found.iterations} iterations"
    print(f"W2   {found.w2:.10g}  ({'exact' if a.dim == 1 else first_order})")
    return 0


def _validate(args: argparse.Namespace) -> int:
    """Prints the table of claims; exit code 3 when one does not hold."""
    from .validate import validate

    def done(table: Table, name: str) -> None:
        print(f"{name:<28}{table.seconds[name]:6.1f} s", file=sys.stderr, flush=True)

    table = validate(args.names, runs=args.out, figures=args.figures, done=done)
    if args.json:
        _print_json({"passed": table.passed, "claims": table.rows, "seconds": table.seconds})
    else:
        print(table)
    return 0 if table.passed else 3


def validate_script(file: str) -> int:
    """`python validation/NAME.py [--json]`: its claims, and its figure in the folder figures/ beside it."""
    return main(["validate", file, "--figures", str(Path(file).parent / "figures"), *sys.argv[1:]])


def _schema(args: argparse.Namespace) -> int:
    from .case import json_schema

    _print_json(json_schema())
    return 0


def _new(args: argparse.Namespace) -> int:
    import difflib
    import tomllib

    from .case import presets

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


VERBS = {
    "run": _run,
    "check": _check,
    "inspect": _inspect,
    "plot": _plot,
    "w2": _w2,
    "validate": _validate,
    "schema": _schema,
    "new": _new,
}


# ---- what a case is and what a run was ---------------------------------------------------------------------


def _case_facts(case: Case, problem: Problem) -> dict[str, Any]:
    from .case import memory_needed
    from .promises import grid_text

    solver, times, grid = case.solver, problem.times, problem.flow.grid
    terms = [f"U: {', '.join(f'{k} = {v}' for k, v in case.energy.internal.model_dump().items())}"]
    terms += [f"V = {case.energy.potential}"] if case.energy.potential is not None else []
    terms += [f"W = {case.energy.interaction}"] if case.energy.interaction is not None else []
    keys = solver.model_dump(exclude_none=True)
    steps = ""
    size = keys.get("tau", keys.get("dt"))
    if isinstance(size, float):
        steps = f"; about {(case.time.end - case.time.start) / size:.6g} steps"
    source = next(v for v in (case.initial.density, case.initial.file, case.initial.samples) if v is not None)
    rho = problem.initial.rho
    stretched = [] if grid.uniform else ["stretched"]
    return {
        "title": case.title,
        "equation": problem.equation + (" (exact solution given)" if problem.exact is not None else ""),
        "energy": ";  ".join(terms),
        "grid": ", ".join([grid_text([a.edges for a in grid.axes]), *case.grid.boundary, *stretched]),
        "cells": case.cells,
        "memory": f"about {_bytes(memory_needed(case))}, and {_bytes(8 * case.cells * len(times))} on disk",
        "initial": f"{source}; mass {problem.flow.mass(rho):.6g}, from {rho.min():.4g} to {rho.max():.4g}",
        "solver": ", ".join(f"{key} = {value}" for key, value in keys.items()) + steps,
        "output": f"{len(times)} snapshots from t = {times[0]:g} to {times[-1]:g}",
        "times": times.tolist(),
    }


def _summary(result: Result) -> dict[str, Any]:
    """The record of a finished run, from its file, with what only the result knows."""
    from .promises import record_of
    from .store import read

    return record_of(read(result.folder)) | {
        "status": result.status, "message": result.message, "steps": result.steps,
        "wall_seconds": result.wall_seconds, "exit_code": result.exit_code,
    }  # fmt: skip


def _print_record(record: dict[str, Any]) -> None:
    from .promises import verdicts

    wall = record["wall_seconds"]
    print(record["title"])
    print(f"  equation    {record['equation']}, {record['method']}, {record['grid']}")
    took = f" in {duration(wall)}" if wall is not None and wall == wall else ""
    compiled = record["compile_seconds"] or 0.0
    took += f", after {duration(compiled)} of compiling" if compiled > QUIET_SECONDS else ""
    span = f"t = {record['t_first']:g} to {record['t_last']:g}" if record["snapshots"] else "nothing yet"
    counts = f"{record['steps']} steps, {record['snapshots']} snapshots"
    print(f"  status      {record['status']}: {span}, {counts}{took}")
    if record["message"]:
        print(f"  message     {record['message']}")
    for line in verdicts(record):
        print(f"  {line}")
    print(f"  file        {record['file']}")


def _bytes(n: float) -> str:
    for unit in ("KiB", "MiB"):
        n /= 1024
        if n < 1024:
            return f"{n:.3g} {unit}"
    return f"{n / 1024:.3g} GiB"


def _print_json(data: Any) -> None:
    import json

    print(json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False))


def _plain(data: Any) -> Any:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(value) for value in data]
    if isinstance(data, float):
        return float(data) if abs(data) < float("inf") else None
    if hasattr(data, "item"):
        return _plain(data.item())
    return data
