"""Free energies of a run's densities: −κ ln of the density and of its marginals, as tables of text.

    fes.dat            F(x) or F(x, y) = −κ ln(ρ/M)
    fes_x.dat          F(x) = −κ ln ∫ρ/M dy, of a run in the plane; fes_y.dat likewise

in PLUMED's format, which `potential = { file = … }` reads back: the places are the cell centres, axes that close say
so, and where there is no mass F is inf, a missing value.
Reference: Tribello, Bonomi, Branduardi, Camilloni, Bussi (2014), DOI 10.1016/j.cpc.2013.09.018 (the format).
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...energy.laws import LAWS
from ...errors import CaseError, StoreError
from ...formulas.compile import compile_expression
from ...grid import Array
from ..reading.reader import Run
from .targets import Counted, check, written

AXIS_NAMES = ("x", "y")


def fes(
    run: Run, folder: Path, snapshots: Sequence[int] | None = None, overwrite: bool = False, progress: Counted = None
) -> list[Path]:
    """Write fes.dat and, in 2D, fes_x.dat and fes_y.dat of one snapshot, by default the last.

    Raises StoreError where the energy has no entropy, several snapshots are asked for, a file exists already or cannot
    be written, and where there is no mass.
    """
    chosen = [run.find()] if snapshots is None else [run.find(index=k) for k in snapshots]
    if len(chosen) != 1:
        raise StoreError(f"a free energy is of one snapshot; {len(chosen)} were asked for. Name one: --index K.")
    kappa, rho = _kappa(run, float(run.t[chosen[0]])), run.rho[chosen[0]]
    volume = run.grid.cell_volume
    mass = float(np.sum(rho * volume))
    if not mass > 0:
        raise StoreError(f"{run.path}: a density without mass has no free energy.")
    tables = {"fes.dat": (tuple(range(run.dim)), rho / mass)}
    if run.dim == 2:
        x, y = run.grid.axes
        tables["fes_x.dat"] = (0,), np.sum(rho * y.widths[:, None], axis=0) / mass
        tables["fes_y.dat"] = (1,), np.sum(rho * x.widths, axis=1) / mass
    targets = [folder / name for name in tables]
    check(run, targets, overwrite)
    for target, (axes, density) in zip(targets, tables.values(), strict=True):
        with written(target) as part:
            part.write_text(_text(run, axes, density, kappa), encoding="utf-8")
    if progress is not None:
        progress(1, 1)
    return targets


def _kappa(run: Run, t: float) -> float:
    """κ of the entropy at a time, by which a density has a free energy."""
    case = tomllib.loads(run.resolved_toml)
    table = case.get("energy", {}).get("internal", {})
    law, kappa = LAWS.get(table.get("kind")), table.get("kappa")
    if isinstance(kappa, str):  # a formula in t, or the words of a function of a case in Python
        try:
            kappa = float(compile_expression(kappa, ("t",), case.get("params", {}))(t=t))
        except CaseError:
            raise StoreError(f"{run.path}: −κ ln ρ needs the κ of that time; it is a function in Python.") from None
    if law is None or not law.linear_diffusion or not isinstance(kappa, int | float):
        raise StoreError(
            f"{run.path}: −κ ln ρ is a free energy where the internal energy is the entropy; found "
            f'"{table.get("kind")}".'
        )
    return float(kappa)


def _text(run: Run, axes: Sequence[int], density: Array, kappa: float) -> str:
    """The table of −κ ln of a density over some axes, x fastest, a blank line between rows of cells."""
    with np.errstate(divide="ignore"):
        values = -kappa * np.log(density)
    names = [AXIS_NAMES[k] for k in axes]
    lines = [f"#! FIELDS {' '.join(names)} fes"]
    for name, k in zip(names, axes, strict=True):
        edges = run.edges[k]
        lines += [f"#! SET min_{name} {edges[0]:.17g}", f"#! SET max_{name} {edges[-1]:.17g}"]
        lines += [f"#! SET nbins_{name} {len(edges) - 1}", f"#! SET periodic_{name} {str(run.periodic[k]).lower()}"]
    x = run.centers[axes[0]]
    for j, row in enumerate(np.atleast_2d(values)):
        after = "" if len(axes) == 1 else f" {run.centers[axes[1]][j]:.17g}"
        lines += [f"{place:.17g}{after} {value:.17g}" for place, value in zip(x, row, strict=True)]
        lines += [""] if len(axes) == 2 else []
    return "\n".join(lines) + "\n"
