"""How fast a flow goes: the diffusion D, a factor of the flux that may depend on place, one per axis.

    ∂t ρ = ∇·(D ρ ∇ξ),   ξ = U'(ρ) + V + W∗ρ,       F = −D_f M Δξ/d on a face, D_f = D there

D_f ≥ 0 multiplies both rates of a face, so that mass, sign and the energy law hold as without it, and steady states do
not change.  Taken on the faces it keeps order 2, also where it vanishes at a wall.

For the entropy κD is the diffusivity, and the flow is the Langevin equation dX = −D∇V dt + √(2κD) dW.  What the noise
means where D varies is a convention, and adds a potential to V:

    V + (1 − α) κ ln D,      α = 1 kinetic (Klimontovich), ½ Stratonovich, 0 Itô

so that e^{−V/κ} D^{−(1−α)} is the steady state.  For D of an axis each, the drift is a gradient where
ln D_x − ln D_y = f(x) + g(y); elsewhere only the kinetic convention has an energy.
Reference: Lau, Lubensky (2007), DOI 10.1103/PhysRevE.76.011123 (the conventions).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from ..base.amounts import MOST
from ..errors import CaseError
from ..grid import Array, Grid
from ..grid.axis import AXIS_NAMES
from ..grid.checked_values import check_closes
from ..grid.public_arguments import public
from ..grid.tables.objects import holds_table, table_of_object
from ..grid.tables.tabulated import Tabulated
from .driving.in_time import frozen, takes_time
from .energy import Energy, Internal

CONVENTIONS = {"kinetic": 1.0, "stratonovich": 0.5, "ito": 0.0}
"""α by name."""
FACES = ("value", "harmonic")
GRADIENT = 1e-9
"""Part of ln D_x − ln D_y that may be left of a sum f(x) + g(y)."""
Function = Callable[..., Array]


@public
@dataclass(frozen=True, repr=False)
class Dynamics:
    """D, and what the noise means.

    diffusion : one function D(x=…[, y=…]) > 0 for all axes, or one per axis, x first; any unit, which makes that of
    time.   convention : "kinetic", "ito" or "stratonovich".
    faces : "value", D at the middle of a face, or "harmonic", the harmonic mean of both cells weighted by their widths,
    for D that jumps.   texts : how the user wrote D.

    diffusion may also be given as one function, number or table of pandas or xarray, or a list of them.
    Raises CaseError for a convention or faces of another name.
    """

    diffusion: Any
    convention: str = "kinetic"
    faces: str = "value"
    texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given = self.diffusion if isinstance(self.diffusion, list | tuple) else [self.diffusion]
        functions = tuple(_function(f) for f in given)
        object.__setattr__(self, "diffusion", functions)
        for name, known, value in (
            ("convention", CONVENTIONS, self.convention),
            ("faces", FACES, self.faces),
        ):
            if value not in known:
                raise CaseError(f"dynamics.{name} must be one of {', '.join(known)}; found {value!r}.")

    def __repr__(self) -> str:
        texts = self.texts or tuple(getattr(f, "__name__", "a function") for f in self.diffusion)
        return f"Dynamics(D = {', '.join(dict.fromkeys(texts))}, {self.convention})"

    @property
    def alpha(self) -> float:
        """Where in a step the noise is taken, from 0 (Itô) to 1 (kinetic)."""
        return CONVENTIONS[self.convention]

    def on_faces(self, grid: Grid) -> tuple[Array, ...]:
        """D on the faces across each axis, walls included: (nx+1,), or (ny, nx+1) and (ny+1, nx).

        Raises CaseError where D is not finite, ≤ 0 at a centre or at a face between two cells, < 0 at a wall, or not
        periodic on a ring.
        """
        found = []
        for k, centers in enumerate(self.at_centers(grid)):
            along = grid.dim - 1 - k
            values = _harmonic(centers, grid, k) if self.faces == "harmonic" else self._at_faces(grid, k)
            inner = np.moveaxis(values, along, 0)
            ends = (inner[:1], inner[-1:]) if not grid.axes[k].ring else ()
            _check(inner if grid.axes[k].ring else inner[1:-1], grid, k, self.text(k), walls=False)
            for end in ends:
                _check(end, grid, k, self.text(k), walls=True)
            if grid.axes[k].ring:
                jump = float(np.max(np.abs(inner[-1] - inner[0])))
                check_closes(grid.axes[k], jump, float(np.max(inner)), "the diffusion")
            found.append(np.ascontiguousarray(values))
        return tuple(found)

    def on(self, grid: Grid) -> Dynamics:
        """The same, with tables bound to the grid.  Raises CaseError where one does not cover it."""
        if not any(isinstance(f, Tabulated) for f in self.diffusion):
            return self
        found = tuple(f.on(grid) if isinstance(f, Tabulated) else f for f in self.diffusion)
        return replace(self, diffusion=found)

    @property
    def driven(self) -> bool:
        """Whether D depends on time."""
        return any(takes_time(f) for f in self.diffusion)

    def at(self, t: float) -> Dynamics:
        """The same at a time; itself where D does not depend on it."""
        return replace(self, diffusion=tuple(frozen(f, t) for f in self.diffusion)) if self.driven else self

    def at_centers(self, grid: Grid) -> tuple[Array, ...]:
        """D of each axis at the cell centres, arrays of the grid's shape.  Raises CaseError where it is not > 0."""
        if len(self.diffusion) not in (1, grid.dim):
            raise CaseError(
                f"dynamics.diffusion needs one entry for all axes or one per axis: {grid.dim}; "
                f"found {len(self.diffusion)}."
            )
        found = []
        for k in range(grid.dim):
            with np.errstate(all="ignore"):
                values = grid.sample(self.along(k))
            bad = ~((values > 0) & (values <= MOST))
            if np.any(bad):
                index = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))
                raise CaseError(_refusal(self.text(k), float(values[index]), grid.describe(index)))
            found.append(values)
        return tuple(found)

    def along(self, k: int) -> Function:
        """D of axis k."""
        return self.diffusion[min(k, len(self.diffusion) - 1)]

    def text(self, k: int) -> str:
        return self.texts[min(k, len(self.texts) - 1)] if self.texts else ""

    def effective(self, grid: Grid, energy: Energy) -> Energy:
        """The energy with (1 − α) κ ln D beside V; as it is for the kinetic convention.

        Raises CaseError for another law than the entropy, and where D_x and D_y make it no potential.
        """
        if self.alpha == 1.0:
            return energy
        if not energy.internal.law.linear_diffusion:
            raise CaseError(
                f'dynamics.convention = "{self.convention}" says what noise means, which only the entropy has; found '
                f'internal energy "{energy.internal.kind}". Remove it: the kinetic convention is the gradient flow.'
            )
        self._check_gradient(grid)
        weight, log, given = (1.0 - self.alpha) * energy.internal.kappa, self._common_log(grid), energy.potential

        def potential(**place: Array) -> Array:
            with np.errstate(divide="ignore"):
                added = weight * log(**place)
            return added if given is None else np.asarray(given(**place)) + added

        text = " + ".join([*([energy.potential_text or "V"] if given is not None else []), f"{weight:g} ln D"])
        return replace(energy, potential=potential, potential_text=text)

    def _common_log(self, grid: Grid) -> Function:
        """s with ∂x s = ∂x ln D_x and ∂y s = ∂y ln D_y: ln D_x(x, y) − ln D_x(x₀, y) + ln D_y(x₀, y)."""
        along_x, along_y, x0 = self.along(0), self.along(grid.dim - 1), float(grid.x.centers[0])
        if along_x is along_y:
            return lambda **place: np.log(np.asarray(along_x(**place), dtype=float))

        def common(x: Array, y: Array) -> Array:
            start = np.full(np.shape(x), x0)
            first, last = (np.asarray(along_x(x=at, y=y), dtype=float) for at in (x, start))
            return np.log(first) - np.log(last) + np.log(np.asarray(along_y(x=start, y=y), dtype=float))

        return common

    def _check_gradient(self, grid: Grid) -> None:
        """Refuse D_x and D_y for which ln D_x − ln D_y is no sum f(x) + g(y).  Raises CaseError."""
        logs = [np.log(values) for values in self.at_centers(grid)]
        apart = logs[0] - logs[-1]
        if grid.dim == 1:
            return
        sums = apart.mean(axis=1, keepdims=True) + apart.mean(axis=0, keepdims=True) - apart.mean()
        left = float(np.max(np.abs(apart - sums)))
        if left > GRADIENT * max(1.0, float(np.max(np.abs(apart)))):
            raise CaseError(
                f'dynamics.convention = "{self.convention}" adds the drift of ln D_x along x and of ln D_y along y, '
                f"which is no gradient here: ln D_x − ln D_y is no sum f(x) + g(y), by {left:.3g}. Write one diffusion "
                'for both axes, D_x(x) and D_y(y), or convention = "kinetic".'
            )

    def sentence(self, internal: Internal) -> str:
        """What D is, what the noise means, and the unit of time, for `wgfpde check`."""
        names = [f"D_{name}" for name in AXIS_NAMES] if len(self.texts) > 1 else ["D"]
        texts = ", ".join(f"{name} = {text}" for name, text in zip(names, self.texts, strict=False)) or "D as in Python"
        unit = "a factor of the flux, which makes the unit of time: length²/(D·energy per mass)"
        if not internal.law.linear_diffusion:
            return f"{texts}, {unit}"
        added = {1.0: "", 0.5: " + ½κ ln D", 0.0: " + κ ln D"}[self.alpha]
        senses = {"kinetic": "kinetic (Klimontovich)", "stratonovich": "Stratonovich", "ito": "Itô"}
        return (
            f"{texts}, {unit}; dX = −D∇V dt + √(2κD) dW in the sense of {senses[self.convention]}, a gradient flow in "
            f"the potential V{added}"
        )

    def _at_faces(self, grid: Grid, k: int) -> Array:
        coords = grid.coordinates()
        edges = grid.axes[k].edges
        coords[grid.axes[k].name] = edges if grid.dim == 1 else (edges[None, :] if k == 0 else edges[:, None])
        shape = tuple(n + (j == grid.dim - 1 - k) for j, n in enumerate(grid.shape))
        with np.errstate(all="ignore"):
            return np.array(np.broadcast_to(np.asarray(self.along(k)(**coords), dtype=float), shape))


def _function(given: Any) -> Function:
    """D as a function: a table of pandas or xarray, and a number too."""
    if holds_table(given):
        return Tabulated(table_of_object(given), "pchip", "error")
    if callable(given):
        return given
    if not isinstance(given, Real):
        found = type(given).__name__
        raise CaseError(f"dynamics.diffusion: expected a function, a number or a table for each axis, found {found}")
    return _constant(float(given))


def _constant(value: float) -> Function:
    def constant(**coords: Array) -> Array:
        return np.full(np.broadcast_shapes(*(np.shape(c) for c in coords.values())), value)

    constant.__name__ = f"{value:g}"
    return constant


def _harmonic(centers: Array, grid: Grid, k: int) -> Array:
    """(h_i + h_j)/(h_i/D_i + h_j/D_j) on the faces, and the D of the cell at a wall."""
    axis, along = grid.axes[k], grid.dim - 1 - k
    values = np.moveaxis(centers, along, 0)
    h = axis.widths.reshape(-1, *[1] * (grid.dim - 1))
    ends = (slice(-1, None), slice(0, 1)) if axis.ring else (slice(0, 1), slice(-1, None))
    padded = np.concatenate([values[ends[0]], values, values[ends[1]]])
    widths = np.concatenate([h[ends[0]], h, h[ends[1]]])
    mean = (widths[1:] + widths[:-1]) / (widths[1:] / padded[1:] + widths[:-1] / padded[:-1])
    return np.moveaxis(mean, 0, along)


def _check(values: Array, grid: Grid, k: int, text: str, walls: bool) -> None:
    """Refuse D on faces that is not finite, and ≤ 0 between cells or < 0 at walls; values (faces, …) along axis k."""
    bad = ~((values >= 0 if walls else values > 0) & (values <= MOST))
    if not np.any(bad):
        return
    value = float(values[bad][0])
    raise CaseError(_refusal(text, value, f"a {'wall' if walls else 'face'} across {grid.axes[k].name}"))


def _refusal(text: str, value: float, where: str) -> str:
    named = f' "{text}"' if text else ""
    return (
        f"dynamics.diffusion{named} must be finite and > 0 everywhere, at a wall ≥ 0, and at most {MOST:g}; "
        f"found {value:.6g} at {where}. Change the formula or move the grid."
    )
