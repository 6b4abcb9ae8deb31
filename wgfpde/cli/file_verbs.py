"""Verbs about files: export, schema, new."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import CaseError
from ..runs.progress import status_line
from .arguments import Verbs, run_of
from .printing import print_json, say

EXPORT_HELP = (
    "nc: one flat netCDF-4 file. vtk: a .vti or, on stretched cells, .vtr file for each snapshot, and rho.pvd to open "
    "in ParaView. csv: diagnostics.csv, steps.csv and density.csv, by default of the last snapshot. "
    "fes: −κ ln of the last density and of its marginals, fes.dat, fes_x.dat, fes_y.dat: tables for potential = …. "
    "xarray, ParaView, h5web and silx open the run's output.h5 as it is, and ParaView its output.xdmf."
)
SHOWN_PATHS = 3


def add(verbs: Verbs) -> None:
    export = verbs.add("export", _export, "write a run as netCDF, VTK, CSV or free energies", EXPORT_HELP)
    run_of(export)
    export.add_argument("--to", choices=("nc", "vtk", "csv", "fes"), required=True, help="the format")
    export.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help="a file for nc, a folder for vtk, csv and fes (default: export/ in the run's)",
    )
    which = export.add_mutually_exclusive_group()
    which.add_argument("--index", type=int, metavar="K", help="this snapshot alone, from 0; negative from the last")
    which.add_argument("--time", type=float, metavar="T", help="the snapshot at this time alone")
    which.add_argument("--all", action="store_true", help="all snapshots (nc and vtk: the default)")
    export.add_argument("--overwrite", action="store_true", help="replace files that are there")
    verbs.add("schema", _schema, "print the JSON Schema of case files")
    new = verbs.add("new", _new, "copy a packaged case to start from; without a name, list them")
    new.add_argument("preset", metavar="PRESET", nargs="?")
    new.add_argument("--out", type=Path, metavar="FILE", help="where to write (default: PRESET.toml here)")


def _export(args: argparse.Namespace) -> int:
    from ..store import read
    from ..store.export import to_csv as export

    run = read(args.path)
    chosen = None
    if args.all:
        chosen = list(range(len(run)))
    elif args.index is not None or args.time is not None:
        chosen = [run.find(args.time, args.index)]
    target = args.out or run.folder / "export"
    if args.to == "nc" and (args.out is None or args.out.is_dir()):
        target = target / f"{run.path.stem}.nc"
    writer = {"nc": export.netcdf, "vtk": export.vtk, "csv": export.csv, "fes": export.fes}[args.to]
    with status_line() as line:
        paths = writer(run, target, chosen, args.overwrite, lambda done, count: line(f"snapshot {done} of {count}"))
    for path in paths[:SHOWN_PATHS]:
        say(path)
    if len(paths) > SHOWN_PATHS:
        say(f"and {len(paths) - SHOWN_PATHS} more in {target}")
    return 0


def _schema(args: argparse.Namespace) -> int:
    from ..cases.table_places import json_schema

    print_json(json_schema())
    return 0


def _new(args: argparse.Namespace) -> int:
    import difflib
    import tomllib

    from ..cases.sources.case_files import copied_case, presets

    known = presets()
    if args.preset is None:
        for name, file in known.items():
            say(f"{name:<28}{tomllib.loads(file.read_text(encoding='utf-8')).get('title', '')}")
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
        written = copied_case(known[name], target)
    except FileExistsError as error:
        raise CaseError(f"{error.filename} exists and is kept; remove it or choose another --out") from None
    more = f" and {', '.join(str(path) for path in written[1:])}" if written[1:] else ""
    say(f"wrote {target}{more}; solve it with: wgfpde run {target}")
    return 0
