"""Two stored runs side by side: how far apart densities, diagnostics and steps are, and whether within bounds.

    |a − b| ≤ atol + rtol · scale

B is the reference.  The scale of a density is the norm of ρ_B at that time; of a diagnostic, the largest |b| over the
times compared; of an error, which is itself a distance between densities, the largest norm of ρ_B.  Where rtol > 0,
what rounding alone leaves of a number that cancels (the centre of mass of an even density) is added to its bound.  W₂
is measured in L√M, L the diagonal of the box and M the mass, and never finer than it is known near 0, the root of eps.

Snapshots are matched by time and read one pair at a time.  On different grids both densities are first averaged,
conservatively, over the cells of the coarser one, axis by axis.  Runs that end at different times do not pass, unless
the times to compare are chosen.  Step tables and cases are compared as well, but not judged; wall times, dates and
versions are not even compared.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from .errors import CaseError, SolverError
from .grid import Array
from .initial import remap
from .promises import grid_text
from .store import Run
from .transport import distance

RTOL, ATOL = 1e-9, 0.0
SAME_TIME = 1e-9
"""Times are the same up to this part of the span."""
ROUNDING = 1e-13
"""What rounding leaves of a sum, relative to the sizes that are summed."""
W2_ROUNDING = 3e-8
"""What rounding leaves of W₂ between equal densities, relative to L√M: the root of a few eps."""
W2_OPTIONS: dict[str, Any] = {"inner_steps": 4, "tolerance": 1e-3, "max_iterations": 5000}
"""In 2D: two answers to one question are close to each other; where that is too little, the number is left out."""
NORMS = ("rho L1", "rho L2", "rho Linf")


@dataclass(frozen=True)
class Metric:
    """One number judged, where it is worst.   t : that time.   bound : the largest `difference` that passes."""

    name: str
    difference: float
    scale: float
    bound: float
    t: float

    @property
    def relative(self) -> float:
        return self.difference / self.scale if self.scale else (math.inf if self.difference else 0.0)

    @property
    def passed(self) -> bool:
        """Not a number never passes."""
        return self.difference <= self.bound


@dataclass(frozen=True)
class Moment:
    """The densities at one time.   differences, norms : L1, L2, Linf of ρ_A − ρ_B and of ρ_B.

    w2 : the distance, None where it was not found.   gap : relative primal–dual gap of W₂² in 2D, 0 in 1D.
    """

    index_a: int
    index_b: int
    t: float
    differences: tuple[float, float, float]
    norms: tuple[float, float, float]
    identical: bool
    w2: float | None = None
    gap: float | None = None


@dataclass(frozen=True)
class Steps:
    """The step tables: their rows, and the first row, from 0, that is not the same in all columns, or None."""

    rows_a: int
    rows_b: int
    first: int | None

    @property
    def equal(self) -> bool:
        return self.first is None


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    moments : by time.   metrics : what is judged, one row each.   only_a, only_b : times without a counterpart.
    case_changes : key → values in A and in B (None where absent).   notes : what a reader should know, in words.
    identical : every number compared has the same bits; without chosen times also the times and step tables.
    """

    rtol: float
    atol: float
    moments: list[Moment]
    metrics: list[Metric]
    only_a: list[float]
    only_b: list[float]
    steps: Steps
    case_changes: dict[str, tuple[Any, Any]]
    notes: list[str]
    identical: bool

    @property
    def passed(self) -> bool:
        return all(metric.passed for metric in self.metrics)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The metrics as plain values."""
        return [asdict(metric) | {"relative": metric.relative, "passed": metric.passed} for metric in self.metrics]

    @property
    def record(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        found = asdict(self) | {"metrics": self.rows}
        found["steps"]["equal"] = self.steps.equal
        return {"passed": self.passed} | found


def compare(
    a: Run,
    b: Run,
    rtol: float = RTOL,
    atol: float = ATOL,
    times: Sequence[float] | None = None,
    w2: bool | None = None,
    done: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Compare run A with the reference B.

    times : those to compare, which both must hold (default: all common ones).   w2 : whether to find W₂ at each
    (default: in 1D, where it is exact and cheap).   done : called with (snapshots compared, all) after each.
    Raises CaseError for runs or tolerances that cannot be compared, StoreError for a file or time that is not there.
    """
    _check(a, b, rtol, atol)
    pairs = _matched(a.t, b.t) if times is None else [(a.find(t), b.find(t)) for t in times]
    if not pairs:
        raise CaseError(
            f"{a.path} and {b.path} have no time in common: A holds t = {_span(a)}, B t = {_span(b)}. "
            "Write both at the same times ([output] every or times)."
        )
    fields = _Fields(a, b, a.dim == 1 if w2 is None else w2)
    moments = []
    for pair in pairs:
        moments.append(fields.moment(*pair))
        if done is not None:
            done(len(moments), len(pairs))
    at_a, at_b = (np.array(side, dtype=int) for side in zip(*pairs, strict=True))
    only_a, only_b = (np.delete(run.t, at).tolist() for run, at in ((a, at_a), (b, at_b)))
    shared = [name for name in a.diagnostics if name in b.diagnostics]
    steps = _steps(a.steps, b.steps)
    same = all(_same_bits(a.diagnostics[name][at_a], b.diagnostics[name][at_b]) for name in shared)
    same = same and all(moment.identical for moment in moments) and set(a.diagnostics) == set(b.diagnostics)
    metrics = [] if times is not None else [_ends(a, b)]
    metrics += _field_metrics(moments, fields, rtol, atol)
    largest = np.max([moment.norms for moment in moments], axis=0)
    scales = dict(zip(("error_l1", "error_l2", "error_linf"), largest.tolist(), strict=True))
    metrics += _diagnostic_metrics(a, b, shared, at_a, at_b, rtol, atol, scales)
    return Comparison(
        rtol=rtol,
        atol=atol,
        moments=moments,
        metrics=metrics,
        only_a=only_a if times is None else [],
        only_b=only_b if times is None else [],
        steps=steps,
        case_changes=_case_changes(a.resolved_toml, b.resolved_toml),
        notes=[*_notes(a, b), *fields.notes],
        identical=same and (times is not None or (steps.equal and not only_a and not only_b and _same_bits(a.t, b.t))),
    )


def _check(a: Run, b: Run, rtol: float, atol: float) -> None:
    if a.dim != b.dim:
        raise CaseError(f"A is {a.dim}D and B is {b.dim}D ({a.path}, {b.path}); compare runs of one dimension.")
    if not (0 <= rtol < math.inf and 0 <= atol < math.inf):
        raise CaseError(f"tolerances must be ≥ 0 and finite; found rtol = {rtol:g} and atol = {atol:g}.")
    for run in (a, b):
        run.find()  # says so where there is no snapshot


# ---- times -------------------------------------------------------------------------------------------------


def _matched(a: Array, b: Array) -> list[tuple[int, int]]:
    """Numbers of the snapshots in A and B at the same times."""
    nearest = [int(np.argmin(np.abs(b - t))) for t in a]
    return [(k, j) for k, j in enumerate(nearest) if abs(a[k] - b[j]) <= _same_time(a, b)]


def _same_time(a: Array, b: Array) -> float:
    span = max(np.ptp(a), np.ptp(b))
    return SAME_TIME * float(span if span > 0 else max(abs(a[-1]), abs(b[-1])))


def _ends(a: Run, b: Run) -> Metric:
    span = float(max(np.ptp(a.t), np.ptp(b.t)))
    t = float(max(a.t[-1], b.t[-1]))
    return Metric("last time", float(abs(a.t[-1] - b.t[-1])), span, _same_time(a.t, b.t), t)


def _span(run: Run) -> str:
    return f"{run.t[0]:g} to {run.t[-1]:g} in {len(run)} snapshots"


# ---- densities ---------------------------------------------------------------------------------------------


class _Fields:
    """The densities of two runs on one grid, pair by pair."""

    def __init__(self, a: Run, b: Run, w2: bool) -> None:
        self._a, self._b, self._w2 = a, b, w2
        self.edges = tuple(p if _close(p, q) or len(p) <= len(q) else q for p, q in zip(a.edges, b.edges, strict=True))
        self._moved = [
            name
            for name, run in (("A", a), ("B", b))
            if not all(_close(p, q) for p, q in zip(run.edges, self.edges, strict=True))
        ]
        self._widths = [np.diff(edges) for edges in self.edges]
        self.notes: list[str] = []
        self._lost = False
        if self._moved:
            cells = " × ".join(str(len(edges) - 1) for edges in self.edges)
            which = f"{self._moved[0]} is" if len(self._moved) == 1 else "both are"
            self.notes.append(f"different grids: {which} averaged, conservatively, over the coarser {cells} cells")
        if any(p[0] != q[0] or p[-1] != q[-1] for p, q in zip(a.edges, b.edges, strict=True)):
            self.notes.append(
                f"different boxes: {grid_text(a.edges)}, and {grid_text(b.edges)}; outside a density is 0"
            )

    @property
    def diagonal(self) -> float:
        return math.hypot(*(float(edges[-1] - edges[0]) for edges in self.edges))

    def moment(self, i: int, j: int) -> Moment:
        a, b = self._a.rho[i], self._b.rho[j]
        p, q = (self._on_one_grid(name, rho, run) for name, rho, run in (("A", a, self._a), ("B", b, self._b)))
        w2, gap = self._distance((a, b), (p, q), float(self._a.t[i])) if self._w2 else (None, None)
        identical = self._a.periodic == self._b.periodic and _same_bits(a, b)
        identical = identical and all(map(_same_bits, self._a.edges, self._b.edges))
        return Moment(i, j, float(self._b.t[j]), self._norms(p - q), self._norms(q), identical, w2, gap)

    def _on_one_grid(self, name: str, rho: Array, run: Run) -> Array:
        if name not in self._moved:
            return rho
        try:
            return remap(rho, run.edges, self.edges)
        except CaseError as error:
            raise CaseError(
                f"{name} has mass outside the coarser grid of the two, on which they would be compared. "
                "Run both on one box."
            ) from error

    def _norms(self, values: Array) -> tuple[float, float, float]:
        size = np.abs(values)
        return self._sum(size), math.sqrt(self._sum(size * size)), float(np.max(size))

    def _sum(self, values: Array) -> float:
        for widths in self._widths:
            values = values @ widths
        return float(values)

    def _distance(self, own: tuple[Array, Array], moved: tuple[Array, Array], t: float) -> Any:
        """(W₂, gap) of the densities: in 1D each on its own grid, in 2D on the common one."""
        try:
            if self._a.periodic != self._b.periodic:
                raise CaseError("the boundaries differ.")
            if self._a.dim == 1:
                found = distance(self._a.grid, *own, self._b.grid)
            else:
                found = distance(replace(self._a, edges=self.edges).grid, *moved, **W2_OPTIONS)
        except (CaseError, SolverError) as error:
            if not self._lost:
                self.notes.append(f"W2 is left out, at t = {t:g} and wherever else there is none: {error}")
            self._lost = True
            return None, None
        return found.w2, found.gap


def _close(p: Array, q: Array) -> bool:
    """Whether two lists of edges are one grid, up to rounding."""
    return p.shape == q.shape and bool(np.max(np.abs(p - q)) <= 1e-12 * (p[-1] - p[0]))


def _field_metrics(moments: list[Moment], fields: _Fields, rtol: float, atol: float) -> Iterator[Metric]:
    t = np.array([moment.t for moment in moments])
    for k, name in enumerate(NORMS):
        scale = np.array([moment.norms[k] for moment in moments])
        yield _worst(name, np.array([moment.differences[k] for moment in moments]), scale, atol + rtol * scale, t)
    found = [moment for moment in moments if moment.w2 is not None]
    if found:
        scale = fields.diagonal * np.sqrt([moment.norms[0] for moment in found])
        bound = atol + (max(rtol, W2_ROUNDING) if rtol > 0 else 0.0) * scale
        values = np.array([moment.w2 for moment in found], dtype=float)
        yield _worst("W2", values, scale, bound, np.array([moment.t for moment in found]))


def _worst(name: str, difference: Array, scale: Array, bound: Array, t: Array) -> Metric:
    """The metric where it fills most of its bound, or exceeds it most."""
    with np.errstate(divide="ignore", invalid="ignore"):
        filled = np.where(difference == 0, 0.0, difference / bound)
    k = int(np.argmax(filled))
    return Metric(name, float(difference[k]), float(scale[k]), float(bound[k]), float(t[k]))


# ---- diagnostics, steps, cases -----------------------------------------------------------------------------


def _diagnostic_metrics(
    a: Run, b: Run, names: Sequence[str], at_a: Array, at_b: Array, rtol: float, atol: float, scales: dict[str, float]
) -> Iterator[Metric]:
    """scales : of those diagnostics that have another than their own largest value."""
    for name in names:
        p, q, t = a.diagnostics[name][at_a], b.diagnostics[name][at_b], b.t[at_b]
        if name == "w2_previous":  # speaks of two snapshots: both must be the same in A and in B
            keep = [
                i == j == 0 or (i > 0 < j and abs(a.t[i - 1] - b.t[j - 1]) <= _same_time(a.t, b.t))
                for i, j in zip(at_a, at_b, strict=True)
            ]
            p, q, t = p[keep], q[keep], t[keep]
        if not len(p):
            continue
        finite = np.abs(q[np.isfinite(q)])
        scale = scales.get(name, float(np.max(finite)) if len(finite) else 0.0)
        with np.errstate(invalid="ignore"):
            difference = np.where((p == q) | (np.isnan(p) & np.isnan(q)), 0.0, np.abs(p - q))
        difference = np.where(np.isnan(difference), np.inf, difference)
        bound = atol + rtol * scale + (_rounding(name, b) if rtol > 0 else 0.0)
        yield _worst(name, difference, np.full(len(p), scale), np.full(len(p), bound), t)


def _rounding(name: str, run: Run) -> float:
    """What rounding may leave of a diagnostic that is small because its terms cancel; 0 where they do not."""

    def largest(key: str) -> float:
        return float(np.max(np.abs(run.diagnostics.get(key, np.zeros(1)))))

    reach = max(float(np.max(np.abs(edges))) for edges in run.edges)
    mass = largest("mass")
    energy = sum(largest(f"energy_{part}") for part in ("internal", "potential", "interaction"))
    sizes = {
        "mean": reach,
        "variance": reach**2,
        "covariance": reach**2,
        "order": 1.0,
        "min": largest("max"),
        "energy": energy + mass,
        "entropy": mass,
        "kl": mass,
        "w2": W2_ROUNDING / ROUNDING * reach * math.sqrt(mass),
    }
    return ROUNDING * sizes.get(name.partition("_")[0], 0.0)


def _steps(a: Mapping[str, Array], b: Mapping[str, Array]) -> Steps:
    rows = len(a["t"]), len(b["t"])
    count = min(rows)
    same = np.full(count, set(a) == set(b))
    for name in set(a) & set(b):
        p, q = a[name][:count], b[name][:count]
        same &= (p == q) | ((p != p) & (q != q))
    differing = np.flatnonzero(~same)
    if len(differing):
        return Steps(*rows, int(differing[0]))
    return Steps(*rows, None if rows[0] == rows[1] else count)


def _same_bits(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def _case_changes(a: str, b: str) -> dict[str, tuple[Any, Any]]:
    p, q = (dict(_flat(tomllib.loads(text))) for text in (a, b))
    return {key: (p.get(key), q.get(key)) for key in {**p, **q} if p.get(key) != q.get(key)}


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _notes(a: Run, b: Run) -> Iterator[str]:
    for name, run, other in (("A", a, b), ("B", b, a)):
        if run.status != "finished":
            state = {"running": "is going on, or was killed", "interrupted": "was interrupted"}.get(
                run.status, run.status
            )
            yield f"{name} {state}: compared as far as it goes, to t = {run.t[-1]:g}"
        if missing := [key for key in other.diagnostics if key not in run.diagnostics]:
            yield f"{name} lacks the diagnostics {', '.join(missing)}"
