"""The spectral gap and the modes of a Fokker–Planck equation on its grid.

    ∂t ρ = ∇·(κ∇ρ + ρ∇V):     ρ(t) = Mπ + Σ_k a_k e^{−λ_k t} φ_k π,     a_k = ∫ρ(0) φ_k

with the Scharfetter–Gummel generator of the finite volumes (module `generator`).  λ_0 = 0 < λ_1 ≤ λ_2 …, and the
observables φ_k (φ_0 = 1) are orthonormal in L²(π).  λ_1 is the gap: every density tends to the Gibbs state like
e^{−λ_1 t}, and KL(ρ|π) like e^{−2λ_1 t}, or faster.

No-flux chains (1D) go by bisection and twisted factorisations (module `chain`), small grids by Jacobi rotations (module
`jacobi`), all else by shift-invert Lanczos (module `shift_invert`); they give also exponentially small eigenvalues to
about 12 digits, and none is missed.
The error in h is of second order, which `extrapolate` removes.
Measured: λ_1 of a double well at κ = 0.1, extrapolated from 100, 200 and 400 cells, is right to 9 digits.
Reference: Risken (1989), The Fokker–Planck Equation, chapter 5, DOI 10.1007/978-3-642-61544-3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...base.amounts import at_least_one
from ...base.toml import show
from ...cases.energies import refuse_driving, refuse_force
from ...cases.schema import Case
from ...energy.flow import Flow
from ...energy.laws import law_named
from ...errors import CaseError, SolverError
from ...grid import Array, Grid
from ...runs.progress import ProgressText
from ...transport.graphs import curvature, from_flow
from ..study_views import Shown, numbers
from .chain import chain_eigenvalues, chain_mode
from .factor import check_memory
from .generator import Generator
from .jacobi import DENSE_ERROR, dense_modes
from .ritz import observables, rayleigh_ritz
from .shift_invert import AFFORDED, modes

MODES = 8
"""Modes beside the steady state, where none are asked for."""
SLOW_CELLS = 100_000
"""With more cells than this some stages last."""
APART = 1e-6
"""Neighbours that differ by less, relatively, are found together: alone each would be any mixture of the two."""
LOG_LARGEST = 650.0
"""ln of the largest φ that can be stored, and multiplied by rates."""
TIES = 1e-6
"""Entries this near, relatively, to the largest one share its size but for rounding."""


@dataclass(frozen=True, eq=False)
class Spectrum(Shown):
    """Eigenvalues λ_0 = 0 … λ_k and their modes.

    eigenvalues : (k+1,) ascending, 1/time.   modes : (k+1, *grid.shape) the φ_k, orthonormal in L²(π), φ_0 = 1.
    pi : array of the grid's shape, the Gibbs state of mass 1.
    residuals : (k+1,) ‖−L φ_k − λ_k φ_k‖ in L²(π), which is ‖S u − λ u‖ of the unit vector u = √(vol π) φ_k.
    method : how they were found, in words.
    curvature : the least one of Bakry and Émery on the chain of cells, 1/time, which λ_1 is never below; nan where
    rates underflow.
    """

    grid: Grid
    eigenvalues: Array
    modes: Array
    pi: Array
    residuals: Array
    method: str
    note: str = ""
    curvature: float = math.nan

    @property
    def gap(self) -> float:
        """λ_1, 1/time."""
        return float(self.eigenvalues[1])

    @property
    def relaxation_time(self) -> float:
        """1/λ_1."""
        return 1.0 / self.gap

    def __repr__(self) -> str:
        return f"Spectrum(gap={self.gap:.10g}, {len(self.eigenvalues)} eigenvalues on {self.grid})"

    def _rows(self) -> list[tuple[str, object]]:
        note = [("note", self.note)] if self.note else []
        return [
            ("gap", f"{self.gap:.10g}"), ("relaxation time", f"{self.relaxation_time:.10g}"),
            ("eigenvalues", numbers(self.eigenvalues)), ("grid", repr(self.grid)), ("found by", self.method), *note,
        ]  # fmt: skip


def spectrum(flow: Flow, k: int | None = None, progress: ProgressText = None) -> Spectrum:
    """λ_0 = 0 … λ_k and their modes.

    k : eigenvalues beside λ_0, ≥ 1; None for MODES of them that double precision holds.  The note of the result says
    where there are fewer.   progress : called with what is being done, in words.
    Signs: of the entries of |φ|√(vol π) that are largest, the last one is positive.

    Raises CaseError where the internal energy is not the entropy or there is an interaction, for a k out of range,
    where memory does not suffice or eigenvalues underflow; SolverError where some are missed or lost in rounding, and
    where a mode lives where π is too small to divide by.
    """
    generator = Generator(flow)
    asked, k = k, default_count(generator.cells) if k is None else k
    check_count(k)
    notes = [f"{generator.cells} cells have {generator.cells - 1} modes beside the steady state: all are given"]
    notes, k = (notes, generator.cells - 1) if k >= generator.cells else ([], k)
    if flow.grid.dim == 1 and not flow.grid.x.ring:
        values, f = _chain(generator, k)
        method = "bisection, none missed by their count"
    else:
        values, f, method = modes(generator, k, progress or (lambda words: None))
    held, words = _held(generator, values, f)
    if words and (asked is not None or held == 0):
        fewer = f"Ask for fewer modes (--modes {held}), raise" if held > 0 else "Raise"
        raise SolverError(f"{words}. {fewer} kappa, or shorten the domain")
    notes += [f"{words}; it and those above it are left out"] if words else []
    return _assemble(flow, generator, values[:held], f[:, :held], method, "; ".join(notes))


def default_count(cells: int) -> int:
    """Modes where none are asked for."""
    return max(min(MODES, cells - 1), 1)


def check_case(case: Case, k: int) -> None:
    """Raise CaseError where a case has no spectrum of k modes, before anything is built: W takes long to sample."""
    table, found = case.energy, ""
    if not law_named(table.internal.kind).linear_diffusion:
        found = f'internal energy "{table.internal.kind}"'
    if table.interaction is not None:
        found = f"interaction = {table.interaction!r}"
    if table.features is not None:
        found = "features"
    if case.traits.path:
        found = f"a {case.solver.method}"
    if case.has_exits:
        raise CaseError(
            f"{case.path}: a spectrum here is that of a flow that keeps its mass, and this case has exits. How fast "
            "mass leaves, and from which density: wgfpde exits CASE"
        )
    if found:
        raise CaseError(
            f'{case.path}: a spectrum needs a linear equation: internal energy "entropy" and no interaction; found '
            f"{found}. How stable a steady state of another flow is, says: wgfpde stationary CASE"
        )
    refuse_driving(case, "a spectrum")
    refuse_force(case, "a spectrum")
    check_count(k)
    check_memory(case.cells, case.dim, min(k, case.cells - 1))


def check_count(k: int) -> None:
    """Raise CaseError for what is no number of modes."""
    if not at_least_one(k):
        raise CaseError(f"the number of modes beside the steady state is a whole one, 1 or more; found {show(k)}")


def _chain(generator: Generator, k: int) -> tuple[Array, Array]:
    """(values, f) of λ_1 … λ_k of a chain; neighbours too near each other are found together."""
    last = min(k + 1, generator.cells - 1)  # one more, to see whether the last stands apart
    values = chain_eigenvalues(generator, last)[1:]
    near = np.diff(values) <= APART * values[1:]
    alone = ~(np.append(near, False) | np.append(False, near))
    f = np.empty((generator.cells, len(values)))
    for m in np.flatnonzero(alone):
        f[:, m] = chain_mode(generator, values[m])
    groups = np.split(np.flatnonzero(~alone), np.flatnonzero(~near[np.flatnonzero(~alone)[:-1]]) + 1)
    few = generator.cells <= AFFORDED and not np.all(alone)
    every = dense_modes(generator)[1] if few else None
    for group in groups if not np.all(alone) else []:
        f[:, group] = _together(generator, values[group], group, every)
    return values[:k], f[:, :k]


def _together(generator: Generator, values: Array, group: Array, every: Array | None) -> Array:
    """f (cells, m) of neighbours in a chain.   group : (m,) their places after λ_0.   every : all u, or None."""
    from scipy.linalg import eigh_tridiagonal

    if every is not None:
        return observables(generator, every[:, group], values, DENSE_ERROR)
    couple = -generator.mean / np.sqrt(generator.volume[:-1] * generator.volume[1:])
    chosen = (int(group[0]) + 1, int(group[-1]) + 1)
    found, u = eigh_tridiagonal(generator.outgoing, couple, select="i", select_range=chosen)
    return rayleigh_ritz(generator, observables(generator, u, found))[1]


def _assemble(flow: Flow, generator: Generator, values: Array, f: Array, method: str, note: str) -> Spectrum:
    """Modes of unit norm and definite sign, with φ_0 = 1 before them."""
    shape = flow.grid.shape
    f = np.asarray(f / np.exp(_sizes(generator, f)[1]))
    size = np.exp(generator.log_root[:, None] + _log_sizes(f))
    for m in range(f.shape[1]):
        f[:, m] *= np.sign(f[np.flatnonzero(size[:, m] >= (1 - TIES) * size[:, m].max())[-1], m])
    residuals = np.linalg.norm(generator.root[:, None] * (generator.backward(f) - values * f), axis=0)
    modes = np.concatenate([np.ones((1, *shape)), generator.on_grid(f).T.reshape(-1, *shape)])
    return Spectrum(
        grid=flow.grid,
        eigenvalues=np.append(0.0, values),
        modes=modes,
        pi=flow.gibbs(),
        residuals=np.append(0.0, residuals),
        method=method,
        note=note,
        curvature=float(np.min(curvature(from_flow(flow)))),
    )


def _held(generator: Generator, values: Array, f: Array) -> tuple[int, str]:
    """How many of the first modes, of norm 1 in L²(π), double precision holds, and which is the first that it does not.

    √(vol π) may underflow where a mode lives.
    """
    largest, norm = _sizes(generator, f)
    for m in range(f.shape[1]):
        if not (np.all(np.isfinite(f[:, m])) and largest[m] - norm[m] <= LOG_LARGEST):
            return m, (
                f"mode {m + 1} (eigenvalue {values[m]:.10g}) lives where V is more than 1300 kappa above its minimum: "
                "phi, of norm 1 in L2(pi), exceeds what double precision holds"
            )
    return f.shape[1], ""


def _sizes(generator: Generator, f: Array) -> tuple[Array, Array]:
    """ln of the largest |f| and of the norm in L²(π), (m,) each."""
    logs = _log_sizes(f)
    with np.errstate(invalid="ignore"):  # of infinite f
        sizes = generator.log_root[:, None] + logs
        high = sizes.max(axis=0)
        return logs.max(axis=0), high + 0.5 * np.log(np.sum(np.exp(2.0 * (sizes - high)), axis=0))


def _log_sizes(f: Array) -> Array:
    """ln |f|, −∞ of 0."""
    with np.errstate(divide="ignore"):
        return np.log(np.abs(f))
