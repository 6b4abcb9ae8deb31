"""A run as a picture: from its options to a figure or a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...errors import CaseError, StoreError
from ...grid import Array
from ...store import Run, read
from ..shown_values import QUIETLY
from . import series, style
from .maps import figure_2d, map_on
from .options import Options, References
from .profiles import figure_1d, lines_on
from .slack_chain import figure_certificates

PANELS = ("energy", "certificates", "gap", "steps")
"""Fields that are figures of several panels."""


@QUIETLY
def plot(
    source: Run | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    options: Options | None = None,
    exact: Callable[[float], Array] | None = None,
    gibbs: Array | None = None,
    potential: Array | None = None,
) -> list[Path]:
    """Draw a run and return the files written.

    source : a Run, a run folder or its HDF5 file; also of a run that is going on or was stopped.
    out : a folder (default: plots/ beside the run's file), or a file ending in .png, .pdf or .svg.
    exact : t ↦ the exact density, array of a snapshot's shape, drawn dashed.   gibbs : the steady state, likewise an
    array, drawn dotted.   potential : V, likewise; maps show its level lines.

    Raises StoreError where the run cannot be read, holds no snapshot or none at a time asked for, or `out` cannot be
    written; CaseError where the options do not suit the run.
    """
    run, options = _run_of(source), options or Options()
    path = style.picture_path(None if out is None else Path(out), run.folder / "plots", _stem(options), options.format)
    with style.context():
        return [style.save(_figure(run, options, References(exact, gibbs, potential)), path)]


def draw(
    source: Run | str | os.PathLike[str],
    options: Options | None = None,
    *,
    exact: Callable[[float], Array] | None = None,
    gibbs: Array | None = None,
    potential: Array | None = None,
) -> Figure:
    """The figure that `plot` would save, for a notebook or to be saved by the caller.  Raises as `plot` does."""
    with style.context():
        return _figure(_run_of(source), options or Options(), References(exact, gibbs, potential))


def _run_of(source: Run | str | os.PathLike[str]) -> Run:
    return source if isinstance(source, Run) else read(source)


@QUIETLY
def _figure(run: Run, options: Options, known: References) -> Figure:
    figure = _drawn(run, options, known)
    if options.size is not None:
        figure.set_size_inches(*options.size)
    if options.dpi is not None and isinstance(figure, style.NotebookFigure):
        figure.png_dpi = options.dpi
    return figure


@QUIETLY
def draw_on(
    axes: Axes,
    run: Run,
    options: Options,
    *,
    exact: Callable[[float], Array] | None = None,
    gibbs: Array | None = None,
    potential: Array | None = None,
) -> Axes:
    """Draw into axes of the caller: densities as lines, one density as a map in 2D, or one line over time.

    Raises as `draw` does, and CaseError for what is no single panel.
    """
    known, name = References(exact, gibbs, potential), options.field
    if not isinstance(axes, Axes):
        raise CaseError(
            f"ax: expected axes of Matplotlib, found {type(axes).__name__}; make some: fig, ax = subplots()"
        )
    if asked := [key for key in ("size", "dpi", "format") if getattr(options, key) is not None]:
        raise CaseError(f"{asked[0]} is that of a figure, and ax belongs to yours; set it there")
    _check(run, options, known)
    if name in PANELS or (name in ("work", "heat") and "work" in run.diagnostics) or options.error:
        raise CaseError(f'ax: "{"error" if options.error else name}" is a figure of several panels; leave ax out')
    with style.context():
        if name == "rho":
            (lines_on if run.dim == 1 else map_on)(axes, run, options, known)
        elif name == "error":
            series.draw_errors(axes, run)
        else:
            series.draw_series(axes, run, name, options.log)
    return axes


def _check(run: Run, options: Options, known: References) -> None:
    if len(run) == 0:
        raise StoreError(f"{run.path} holds no snapshot yet: nothing to draw. Wait for its first one.")
    options.check(run, known)
    known.check(run)


def _drawn(run: Run, options: Options, known: References) -> Figure:
    _check(run, options, known)
    name = options.field
    if name == "rho":
        return figure_1d(run, options, known) if run.dim == 1 else figure_2d(run, options, known)
    if name == "energy":
        return series.figure_energy(run)
    if name in ("work", "heat") and "work" in run.diagnostics:
        return series.figure_of(series.draw_account, run)
    if name == "certificates":
        return figure_certificates(run)
    if name == "error":
        return series.figure_of(series.draw_errors, run)
    if name in ("gap", "steps"):
        if len(run.steps["t"]) == 0:
            raise StoreError(f"{run.path} holds no step yet: nothing to draw. Wait for its first one.")
        return series.figure_gap(run) if name == "gap" and series.has_gap(run) else series.figure_steps(run)
    return series.figure_of(series.draw_series, run, name, options.log)


def _stem(options: Options) -> str:
    """A file name that tells what is drawn."""
    words = ["density" if options.field == "rho" else options.field]
    words += ["log"] if options.log else []
    words += ["error"] if options.error else []
    return "_".join(words)
