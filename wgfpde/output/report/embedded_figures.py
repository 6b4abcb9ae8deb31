"""Figures of a run as pictures for a page, drawn by `plots` into a folder that is gone afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...base.html import Markup, picture
from ...grid import Array
from ...store import Run

CAPTIONS = {
    "rho": "The density at stored times, and how the energy falls.",
    "energy": "The energy and its parts, and the rate at which it is lost.",
    "certificates": "Functional inequalities: the curves may touch and not cross; below, the room between them.",
    "error": "The distance to the exact solution.",
    "gap": "How well and at what cost each step was solved.",
}


def drawn_figures(
    run: Run,
    exact: Callable[[float], Array] | None = None,
    gibbs: Array | None = None,
    potential: Array | None = None,
) -> list[tuple[Markup, str]]:
    """(picture, caption) of each figure that this run has something to show in; at least one snapshot is needed."""
    from ..plots import Options, plot
    from ..plots.slack_chain import has_certificates

    names = ["rho"]
    if len(run) > 1:
        names += ["energy"] if np.ptp(run.diagnostics.get("energy", np.zeros(1))) > 0 else []
        names += ["certificates"] if has_certificates(run) else []
        names += ["error"] if any(name.startswith("error_") for name in run.diagnostics) else []
    names += ["gap"] if len(run.steps["t"]) > 1 else []
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            [file] = plot(
                run, Path(folder) / f"{name}.png", options=Options(field=name),
                exact=exact, gibbs=gibbs, potential=potential,
            )  # fmt: skip
            found.append((picture(file.read_bytes(), CAPTIONS[name]), CAPTIONS[name]))
    return found
