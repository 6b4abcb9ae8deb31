"""Verbs that set runs against each other: w2."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import CaseError
from .arguments import Verbs, json_of
from .words import print_json

W2_HELP = "In 1D the distance is exact, on any two grids.  In 2D both snapshots must be on one grid of equal cells."


def add(verbs: Verbs) -> None:
    w2 = verbs.add("w2", _w2, "the Wasserstein distance between two snapshots", W2_HELP)
    for which in "AB":
        w2.add_argument(f"path_{which.lower()}", type=Path, metavar=which, help="run folder or its HDF5 file")
    for which in "ab":
        place, name = w2.add_mutually_exclusive_group(), which.upper()
        place.add_argument(f"--time-{which}", type=float, metavar="T", help=f"time in {name} (default: the last)")
        place.add_argument(f"--index-{which}", type=int, metavar="K", help="or number, from 0, or from -1 backwards")
    w2.add_argument("--inner-steps", type=int, metavar="N", help="steps of the path in 2D (default: 16)")
    w2.add_argument("--tolerance", type=float, metavar="X", help="relative gap of W2^2 in 2D (default: 1e-3)")
    json_of(w2)


def _w2(args: argparse.Namespace) -> int:
    """Prints the distance between two stored densities."""
    from ..store import read
    from ..transport import INNER_STEPS, TOLERANCE, distance

    a, b = read(args.path_a), read(args.path_b)
    k, j = a.find(args.time_a, args.index_a), b.find(args.time_b, args.index_b)
    inner_steps = INNER_STEPS if args.inner_steps is None else args.inner_steps
    tolerance = TOLERANCE if args.tolerance is None else args.tolerance
    if inner_steps < 1 or not tolerance > 0:
        raise CaseError(f"--inner-steps must be ≥ 1 and --tolerance > 0; found {inner_steps} and {tolerance:g}.")
    found = distance(a.grid, a.rho[k], b.rho[j], b.grid, inner_steps, tolerance)
    record = {"w2": found.w2, "gap": found.gap, "mismatch": found.mismatch, "iterations": found.iterations}
    ends = [{"file": str(run.path), "index": i, "t": float(run.t[i])} for run, i in ((a, k), (b, j))]
    if args.json:
        print_json(record | {"a": ends[0], "b": ends[1]})
        return 0
    for name, end in zip("AB", ends, strict=True):
        print(f"{name}    {end['file']} at t = {end['t']:g}")
    first_order = f"gap {found.gap:.2g}, {inner_steps} inner steps, {found.iterations} iterations"
    print(f"W2   {found.w2:.10g}  ({'exact' if a.dim == 1 else first_order})")
    return 0
