"""Claims about the solver, each checked by running cases: one script per subject in `validation/`.

A script has a title (the first line of its docstring) and a function that uses the public interface only:

    def check(v: Validation) -> None:
        run = v.run("kuramoto_1d", "grid.shape=[128]")           # a case with overrides → its HDF5 file, read
        v.equal("order parameter", run.diagnostics["order_x"][-1], 0.724158717626, 1e-6, "Bessel functions")
        found = v.converge("heat_1d", {"grid.shape": [50, 100, 200]})
        v.at_least("order in space", found.fitted["l1"], 1.9)
        if v.full:                                               # what takes longer, for `validate --full`
            v.about("McKean-Vlasov", "kuramoto_1d", "stationary")   # where no run says what the next claims are about
        v.draw(figure, run)                                      # figure(axes, run), where figures are wanted

A claim compares a measured number with an expected one.  Its tolerance is a discretisation error that the
script derives in a comment, so that a broken solver breaks it.  It is about the runs since the last claim (the
same ones where there are none) and stands under their equation.  What all runs promise is claimed beside it,
unasked.  A script that cannot finish is a claim that does not hold, and the others still run.
"""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .. import store
from ..base.packaged import in_source_tree, packaged_folder
from ..cases.loading import load
from ..errors import CaseError, SolverError
from ..runs.interrupts import Interrupted
from ..runs.runner import run as run_case
from ..studies.convergence import Convergence, converge, fitted_order
from .claim import ORDER, PROMISES, Claim, Subject, Table, promises_kept, subject_of

__all__ = [
    "Claim", "Table", "Validation", "check_script", "energy_rise", "find_scripts", "fitted_order", "mass_drift",
    "report_path", "scripts", "validate",
]  # fmt: skip


class Validation:
    """What a script works with.

    script : its name.   runs : folder for its runs.   figures : folder for its figure, or None for no figure.
    full : whether what takes longer is wanted too.
    solved : the runs so far, with what they are about.
    """

    def __init__(self, script: str, runs: Path, figures: Path | None = None, full: bool = False) -> None:
        self.script, self.runs, self.figures, self.full = script, runs, figures, full
        self.claims: list[Claim] = []
        self.solved: list[tuple[Subject, store.Run]] = []
        self._subjects: list[Subject] = []
        self._claimed = False
        self._count = 0

    def run(self, case: str, *overrides: str) -> store.Run:
        """Run a case (a packaged one, or a path) with overrides and read its file.

        Raises SolverError where the run does not finish.
        """
        self._count += 1
        folder = self.runs / f"{self._count:02d}-{Path(case).stem}"
        result = run_case(load(case, overrides), folder, overwrite=True)
        if result.status == "interrupted":
            raise Interrupted("interrupted", result.exit_code)
        if result.status != "finished":
            raise SolverError(f"{case} with {', '.join(overrides) or 'no override'} {result.message}")
        found = store.read(folder)
        self._take(case, [found])
        return found

    def converge(self, case: str, varied: Mapping[str, Sequence[Any]], *overrides: str, **options: Any) -> Convergence:
        """Run a case with overrides for each value of the keys that are varied; options as for `converge`.

        Raises SolverError where a run does not finish.
        """
        self._count += 1
        folder = self.runs / f"{self._count:02d}-{Path(case).stem}"
        try:
            found = converge(load(case, overrides), varied, folder, overwrite=True, **options)
        except Interrupted as error:
            raise Interrupted("interrupted", error.exit_code) from error
        for k, message in found.failures.items():
            raise SolverError(f"{case} with {found.label(k)}: {message}")
        self._take(case, [solved.run for solved in found.solved if solved.run is not None])
        return found

    def about(self, equation: str, case: str = "", solver: str = "") -> None:
        """Say what the next claims are about, until the next run: where they are not about runs, or about older ones.

        equation : of `equation_names.EQUATIONS`.  Raises CaseError for another.
        """
        if equation not in ORDER:
            raise CaseError(f"{self.script}: expected an equation among {', '.join(ORDER)}, found {equation!r}")
        self._subjects, self._claimed = [Subject(equation, case, solver)], True

    def equal(self, claim: str, measured: float, expected: float, tolerance: float, source: str = "") -> None:
        """|measured − expected| ≤ tolerance, absolute."""
        self._claim(claim, measured, "=", expected, tolerance, source)

    def at_most(self, claim: str, measured: float, bound: float, source: str = "") -> None:
        self._claim(claim, measured, "≤", bound, 0.0, source)

    def at_least(self, claim: str, measured: float, bound: float, source: str = "") -> None:
        self._claim(claim, measured, "≥", bound, 0.0, source)

    def draw(self, figure: Callable[..., None], *data: Any, panels: int = 1) -> None:
        """Call figure(axes, …, *data), one axes per panel, and save it as `figures`/`script`.png."""
        if self.figures is None:
            return
        from ..output.plots import panels as draw_panels

        draw_panels(self.figures / f"{self.script}.png", panels, lambda *axes: figure(*axes, *data))

    def _take(self, case: str, runs: Sequence[store.Run]) -> None:
        """Remember runs; the first one after a claim begins a new list of subjects."""
        found = [(subject_of(run, Path(case).stem), run) for run in runs]
        self.solved += found
        self._subjects = [*([] if self._claimed else self._subjects), *(subject for subject, _ in found)]
        self._claimed = False

    def _claim(self, claim: str, measured: float, relation: str, expected: float, tol: float, src: str) -> None:
        self._claimed = True
        subjects = self._subjects or [Subject()]
        # under the equation of the last run: that of most claims that compare several
        about = {"equation": subjects[-1].equation} | {
            name: ", ".join(dict.fromkeys(getattr(subject, name) for subject in subjects))
            for name in ("case", "solver")
        }
        self.claims.append(Claim(self.script, claim, float(measured), relation, float(expected), tol, src, **about))


def validate(
    names: Sequence[str] = (),
    runs: str | os.PathLike[str] | None = None,
    figures: str | os.PathLike[str] | None = None,
    done: Callable[[Table, str], None] | None = None,
    full: bool = False,
) -> Table:
    """Check the claims of the named scripts (default: all), and the promises of all their runs.

    names : as in `scripts()`, or paths of scripts.   runs : folder that keeps the runs (default: a temporary
    one).   figures : folder for figures (default: none drawn).   done : called after each script with its name.
    full : also what takes longer.
    Raises CaseError for an unknown name.
    """
    chosen = find_scripts(names)
    table = Table()
    solved: list[tuple[Subject, store.Run]] = []
    with tempfile.TemporaryDirectory(prefix="wgfpde-validate-") as scratch:
        for name, path in chosen.items():
            folder = Path(runs if runs is not None else scratch) / name
            started = time.perf_counter()
            v = Validation(name, folder, None if figures is None else Path(figures), full)
            text = check_script(path, v)
            table.titles[name], _, rest = text.partition("\n")
            table.texts[name], table.paths[name] = rest.strip(), path
            table.claims += v.claims
            table.seconds[name] = time.perf_counter() - started
            solved += v.solved
            if done is not None:
                done(table, name)
        if solved:  # while the runs are there
            table.titles[PROMISES] = "what every run promises, whatever its equation"
            table.claims += promises_kept(solved)
    return table


def check_script(path: Path, v: Validation) -> str:
    """Make the claims of one script and return its docstring.

    Where it cannot finish, the last claim says why and does not hold.
    """
    module = _load(path)
    if v.figures is not None:
        (v.figures / f"{path.stem}.png").unlink(missing_ok=True)  # an older one is no evidence for these claims
    try:
        module.check(v)
    except SolverError as error:
        v.equal(f"the script finishes, but {error}", math.nan, 0.0, 0.0)
    except CaseError:
        raise
    except Exception as error:  # of the script: the others still run
        v.equal(f"the script finishes, but {type(error).__name__}: {error}", math.nan, 0.0, 0.0)
    return inspect.cleandoc(module.__doc__ or "")


def scripts() -> dict[str, Path]:
    """The packaged scripts by name: beside the package in a source tree, inside it once installed."""
    folder = packaged_folder("validation")
    return {} if folder is None else {file.stem: file for file in sorted(folder.glob("*.py")) if file.stem[0] != "_"}


def report_path() -> Path:
    """Where the page about all claims belongs: beside the scripts in a source tree, else in the current folder."""
    folder = packaged_folder("validation") if in_source_tree() else None
    return Path("validation-report.html") if folder is None else folder / "report.html"


def find_scripts(names: Iterable[str] = ()) -> dict[str, Path]:
    """The scripts meant by names or paths, all packaged ones for none.  Raises CaseError naming the nearest."""
    known = scripts()
    chosen: dict[str, Path] = {}
    for name in names:
        path = Path(name)
        if path.suffix == ".py" and path.is_file():
            chosen[path.stem] = path
        elif path.name.removesuffix(".py") in known:
            chosen[path.name.removesuffix(".py")] = known[path.name.removesuffix(".py")]
        elif path.is_dir():
            what = "the folder of a sweep" if (path / store.SWEEP_FILE).is_file() else "a folder"
            raise CaseError(f"{name} is {what}; validate checks claims: {', '.join(known)}, or a script of claims")
        else:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f'did you mean "{near[0]}"? ' if near else ""
            raise CaseError(f'there is no claim "{name}"; {hint}Claims: {", ".join(known)}')
    return chosen or known


def mass_drift(runs: Iterable[store.Run]) -> float:
    """The largest |mass − first mass| over the first mass."""
    drifts = [np.max(np.abs(r.diagnostics["mass"] / r.diagnostics["mass"][0] - 1)) for r in runs]
    return float(np.max(drifts))  # not a number, where one is


def energy_rise(runs: Iterable[store.Run]) -> float:
    """The largest rise of the energy from one snapshot to the next; negative where it always falls."""
    return float(np.max([np.max(np.diff(run.diagnostics["energy"])) for run in runs]))


def _load(path: Path) -> ModuleType:
    """A script as a module of its own, so that it works from a source tree and from a wheel alike."""
    spec = importlib.util.spec_from_file_location(f"wgfpde_validation_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "check"):
        raise CaseError(f"{path}: expected a function check(v), found none; see the other scripts beside it")
    return module
