"""The verb spectrum."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runs.progress import StatusLine, status_line
from ..arguments import Verbs, case_of, figure_of, study_options
from ..printing import print_json, say

if TYPE_CHECKING:
    from ...cases.schema import Case
    from ...grid import Array
    from ...store import Run
    from ...studies.spectrum import Observed, Spectrum

HELP = """
For Fokker-Planck equations (entropy, no interaction).  Every density tends to the Gibbs state at the rate of the gap,
or faster; the modes phi are the observables that decay alone, at their eigenvalue.  CASE may also be a run folder or
its HDF5 file: then the decay seen in the run is held against the gap.  Exponentially small gaps are found to about
12 digits.  An older spectrum of the same name is replaced.
"""


def add(verbs: Verbs) -> None:
    sub = verbs.add("spectrum", _spectrum, "the spectral gap and the modes of a Fokker-Planck equation", HELP)
    case_of(sub)
    sub.add_argument(
        "--modes", type=int, metavar="K", help="modes beside the steady state (default: 8, or as many as can be had)"
    )
    sub.add_argument("--run", action="store_true", help="also solve the case, and hold its decay against the gap")
    sub.add_argument(
        "--richardson", action="store_true", help="also on grids 2 and 4 times coarser, or finer: eigenvalues at h = 0"
    )  # fmt: skip
    study_options(sub, "spectrum")


def _spectrum(args: argparse.Namespace) -> int:
    from ...cases.building import build_flow, build_grid
    from ...cases.limits.cost import check_asked, cost_of
    from ...store import check_place, save_study
    from ...studies.spectrum import KIND, SLOW_CELLS, check_case, default_count, observed_rate, spectrum, spectrum_study

    case, run = _case_of(args)
    modes = default_count(case.cells) if args.modes is None else args.modes
    check_case(case, modes)
    check_asked(case, cost_of(case) if args.run else cost_of(case).of_formulas, args.yes)
    out = Path(f"{case.name}-spectrum.h5") if args.out is None else args.out
    check_place(out, KIND)
    figure = figure_of(args, out)
    limit = None
    with status_line(at_once=case.cells > SLOW_CELLS) as line:
        flow = build_flow(case, build_grid(case))
        if args.richardson:
            limit, found = _richardson(case, modes, line)
        else:
            found = spectrum(flow, args.modes, line)
        observed = observed_rate(run, found) if run is not None else None
        if args.run:
            line("the run")
            observed = _solve(case, found)
    save_study(out, spectrum_study(flow, found, {"title": case.title}, case.texts, limit, observed), KIND)
    if figure is not None:
        _draw(out, figure)
    if args.json:
        print_json(_record(case, found, limit, observed, out, figure))
    else:
        _print(case, found, limit, observed, out, figure)
    return 0


def _case_of(args: argparse.Namespace) -> tuple[Case, Run | None]:
    """The case, and the run that it was read from where that was solved as it is."""
    from ...cases.loading import load
    from ...cases.sources.case_files import presets
    from ...store import FILE_NAME, read

    place = Path(args.case)
    packaged = args.case.removesuffix(".toml") in presets()
    stored = place.suffix in (".h5", ".hdf5") or (not packaged and (place / FILE_NAME).is_file())
    if not stored:
        return load(args.case, args.overrides), None
    run = read(place)
    case = load(run.path, args.overrides)
    return case, None if args.overrides or args.run else run


def _richardson(case: Case, k: int, line: StatusLine) -> tuple[tuple[Array, Array], Spectrum]:
    """Extrapolated eigenvalues with their errors, and the spectrum on the grid of the case."""
    from ...cases.building import build_flow, build_grid
    from ...cases.loading import override
    from ...studies.spectrum import extrapolated

    def make(shape: list[int]) -> Any:
        changed = override(case, {"grid": {"shape": shape}})
        return build_flow(changed, build_grid(changed))

    values, errors, spectra = extrapolated(make, case.grid.shape, k, line)
    asked = tuple(reversed(case.grid.shape))
    return (values, errors), next(one for one in spectra if one.grid.shape == asked)


def _solve(case: Case, found: Spectrum) -> Observed:
    """Run the case in a folder that is then gone, and measure its decay."""
    import tempfile

    from ...errors import SolverError
    from ...runs.interrupts import Interrupted
    from ...runs.runner import run
    from ...store import read
    from ...studies.spectrum import observed_rate

    with tempfile.TemporaryDirectory(prefix="wgfpde-spectrum-") as scratch:
        with status_line() as line:
            result = run(case, Path(scratch) / "run", progress=line)
        if result.status == "interrupted":
            raise Interrupted("interrupted", result.exit_code)
        if result.status != "finished":
            raise SolverError(f"the run failed {result.message}")
        return observed_rate(read(Path(scratch) / "run"), found)


def _draw(out: Path, figure: Path) -> None:
    from ...output.plots import draw_study

    draw_study(out, figure)


# ---- in words ----------------------------------------------------------------------------------------------


def _print(
    case: Case, found: Spectrum, limit: tuple[Array, Array] | None, observed: Observed | None, out: Path,
    figure: Path | None,
) -> None:  # fmt: skip
    from ...grid.grid import grid_text

    say(case.title)
    say(f"  {case.summary['equation']}, {grid_text([axis.edges for axis in found.grid.axes])}")
    say()
    more = "" if limit is None else f"{'at h = 0':>18}{'+-':>10}"
    say(f"{'mode':>6}{'eigenvalue':>18}{'1/eigenvalue':>16}{'residual':>11}{more}")
    for k, value in enumerate(found.eigenvalues):
        time_text = f"{1 / value:.8g}" if value > 0 else "–"
        row = f"{k:>6}{value:>18.11g}{time_text:>16}{found.residuals[k]:>11.1e}"
        row += "" if limit is None else f"{limit[0][k]:>18.11g}{limit[1][k]:>10.1e}"
        mark = f"   <- observed {observed.rate:.8g}" if observed is not None and observed.mode == k > 0 else ""
        say(row + mark)
    say()
    _line("gap", f"{found.gap:.10g}" + ("" if limit is None else f"; {limit[0][1]:.11g} at h = 0"))
    _line("relaxation", f"1/gap = {found.relaxation_time:.6g}")
    if not math.isnan(found.curvature):
        _line("curvature", f"{found.curvature:.6g} <= gap, by Bakry and Emery on the chain of cells")
    _line("found by", found.method)
    if found.note:
        _line("note", found.note)
    if observed is not None:
        _print_observed(observed)
    _line("file", str(out))
    if figure is not None:
        _line("figure", str(figure))


def _print_observed(observed: Observed) -> None:
    if observed.reason:
        _line("observed", f"no rate: {observed.reason}")
        return
    text = f"{observed.rate:.10g} from t = {observed.window[0]:g} to {observed.window[1]:g}"
    _line("observed", f"{text}, {_percent(observed.rate, observed.expected)} eigenvalue {observed.mode}")
    if not math.isnan(observed.stepped):
        _line("", f"steps of this size give that mode {observed.stepped:.10g}")
    for note in observed.note.split("; ") if observed.note else []:
        _line("", note)


def _percent(rate: float, expected: float) -> str:
    return f"{100 * (rate / expected - 1):+.2g} % off"


def _line(name: str, text: str) -> None:
    say(f"  {name:<12}{text}")


def _record(
    case: Case, found: Spectrum, limit: tuple[Array, Array] | None, observed: Observed | None, out: Path,
    figure: Path | None,
) -> dict[str, Any]:  # fmt: skip
    record: dict[str, Any] = {
        "title": case.title, "shape": list(case.grid.shape), "gap": found.gap,
        "relaxation_time": found.relaxation_time, "eigenvalues": found.eigenvalues.tolist(),
        "residuals": found.residuals.tolist(),
        "curvature": None if math.isnan(found.curvature) else found.curvature,
        "found_by": found.method, "note": found.note,
        "file": str(out), "figure": None if figure is None else str(figure),
    }  # fmt: skip
    if limit is not None:
        record |= {"extrapolated": limit[0].tolist(), "extrapolation_errors": limit[1].tolist()}
    if observed is not None:
        names = ("mode", "rate", "expected", "stepped", "window", "reason", "note")
        record["observed"] = {name: getattr(observed, name) for name in names}
    return record
