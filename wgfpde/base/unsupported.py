"""What the package does not do, as a user may ask for it by a key, a kind or a name in a formula.

The page "Limits" of the documentation says the same at length.  Where there is something instead it is named.
"""

from __future__ import annotations

import re
from typing import Any

from .toml import to_value

PAGE = 'see the page "Limits" of the documentation'
_SUBJECTS = (
    ("mobility|mobilities", "mobilities other than ρ times a function of place", "that function is dynamics.diffusion"),
    ("source|sources|reaction|reactions|growth|birth|death", "source terms",
     "mass leaves by [sinks] and by walls, and comes in by walls"),
    ("gradient|gradients|grad|laplacian|laplace|nabla|div|diff|cahn.?hilliard|thin.?film|surface.?tension",
     "energies that depend on gradients of the density", ""),
    ("species|multispecies", "systems of several species", ""),
    ("gpu|cuda|device|mpi|cluster", "GPUs and distributed memory", "one machine is used, with its cores"),
    ("mesh|triangles|unstructured", "unstructured meshes and curved boundaries", "a table of V may forbid cells"),
    ("noise|stochastic|random", "noise beside that of particles", 'take solver.method = "langevin"'),
    ("velocity|advection|drift|convection", "drifts that are no gradients",
     "but for energy.force and energy.tilt along periodic axes"),
    ("dim|dimension|dimensions|z|nz|depth", "three dimensions",
     "but for what depends on a radius alone: grid.radial = 3"),
)  # fmt: skip
"""Words, what they ask for, and what there is instead."""
_WALLS = {
    "dirichlet": 'write { density = "…" }, or "absorbing" for density 0',
    "neumann": 'write "no-flux", or { inflow = "…" }',
    "reflecting": 'write "no-flux"',
    "reflective": 'write "no-flux"',
    "zero-flux": 'write "no-flux"',
    "open": 'write "absorbing"',
}
_DENSITY = ("rho", "u", "f", "density")


def not_supported(word: str) -> str:
    """ "not supported: three dimensions, …; see the page …" for a word that asks for what there is not; else ""."""
    for pattern, what, instead in _SUBJECTS:
        if re.fullmatch(pattern, word.lower()):
            return f"not supported: {what}{f', {instead}' if instead else ''}; {PAGE}"
    return ""


def refused(word: str, asked: bool) -> str:
    """The same as a sentence to follow another, where it is asked for."""
    return f". {_sentence(not_supported(word))}" if asked else ""


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def entries_instead(key: str, axes: int, values: list[Any]) -> str:
    """What to write for too many or too few entries, one per axis: the end of a message."""
    if axes == 1 and len(values) == 2 and key == "boundary":
        return f"; write [{to_value(values)}] for its two ends"
    if axes == 2 and len(values) == 1:
        return f"; write {to_value(values * 2)} for the same along both"
    return ""


def wall_instead(word: str) -> str:
    """What a wall is called here; "" for a word that is no other name of one."""
    return _WALLS.get(word.lower().replace("_", "-").replace(" ", "-"), "")


def density_in_formula(name: str) -> str:
    """Why a formula does not know the density; "" for another name."""
    if name.lower() not in _DENSITY:
        return ""
    return "Formulas are of place and time: what depends on the density is energy.internal and energy.interaction. "
