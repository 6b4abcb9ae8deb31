"""Keys of a case as the mathematics writes them: κ for energy.internal.kappa, K for params.K.

What has no symbol is shown as the key itself.
"""

from __future__ import annotations

import re

from .style import plain

SYMBOLS = {
    "energy.internal.kappa": r"\kappa",
    "energy.internal.m": "m",
    "energy.tilt": "f",
    "energy.force": "f",
    "dynamics.diffusion": "D",
    "initial.mass": "M",
    "grid.shape": "h",
    "solver.dt": r"\Delta t",
    "solver.tau": r"\tau",
    "solver.inner_steps": "1/N",
    "solver.congestion": r"\rho_\mathrm{max}",
    "time.end": "T",
}
"""Of a grid and of inner steps the size that goes to zero."""
GREEK = frozenset([
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
    "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega",
])  # fmt: skip


def symbol_of(key: str) -> str:
    r"""The label of an axis over a key: "$\kappa$", or the key where there is no symbol for it."""
    table, _, name = key.partition(".")
    symbol = _of_name(name) if table == "params" else SYMBOLS.get(key, "")
    return f"${symbol}$" if symbol else plain(key)


def _of_name(name: str) -> str:
    """A parameter: a letter, Greek or Latin, with what follows as its index; a word upright; "" for anything else."""
    found = re.fullmatch(r"([A-Za-z]+)_?([0-9]*)|([A-Za-z]+)_([A-Za-z0-9]+)", name)
    if found is None:
        return ""
    letter, index = (found[1], found[2]) if found[1] else (found[3], found[4])
    shown = rf"\{letter}" if letter in GREEK else letter if len(letter) == 1 else rf"\mathrm{{{letter}}}"
    return shown + (rf"_{{\mathrm{{{index}}}}}" if index else "")
