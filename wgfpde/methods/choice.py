"""The scheme that a case names, bound to its flow.  A scheme is imported only where it is used."""

from __future__ import annotations

from ..cases.schema import Case, FvTable, GeodesicTable, JkoTable
from ..energy.flow import Column, Flow, Stepper
from ..errors import CaseError
from ..grid import Array, Grid


def make_stepper(
    case: Case, flow: Flow, rho: Array, target: Array | None, threads: int
) -> tuple[Stepper, tuple[Column, ...]]:
    """The scheme that [solver] names, and its own columns of the table of steps.

    rho, target : densities at the start, and at the end of a geodesic.   Raises CaseError where they do not suit it.
    """
    table = case.solver
    if isinstance(table, JkoTable):
        return _jko(case, flow, table, rho, threads)
    if isinstance(table, GeodesicTable):
        return _geodesic(case, flow, table, rho, target, threads)
    return _finite_volumes(flow, table, threads), ()


def _finite_volumes(flow: Flow, table: FvTable, threads: int) -> Stepper:
    from .finite_volumes import FiniteVolumes

    assert table.dt is not None  # _complete gave it a value
    return FiniteVolumes(flow, table.order, table.dt, table.tolerance, table.first_dt, threads)


def _jko(case: Case, flow: Flow, table: JkoTable, rho: Array, threads: int) -> tuple[Stepper, tuple[Column, ...]]:
    assert table.tolerance is not None  # _complete gave it a value
    if table.algorithm == "pdhg":
        _check_uniform(case, flow.grid, "solver.algorithm", 'algorithm = "newton" takes stretched ones')
    if table.congestion is not None:
        _check_congestion(case, flow, table.congestion, rho)
    from .jko import STEP_COLUMNS, Jko

    span = case.time.end - case.time.start
    tau = span / round(span / table.tau)  # a tau of few digits would leave a last step of rounding size
    stepper = Jko(
        flow, tau, table.algorithm, table.inner_steps, table.tolerance, table.max_iterations,
        table.congestion, table.scheme, threads,
    )  # fmt: skip
    return stepper, STEP_COLUMNS


def _geodesic(
    case: Case, flow: Flow, table: GeodesicTable, rho: Array, target: Array | None, threads: int
) -> tuple[Stepper, tuple[Column, ...]]:
    from ..transport.distances import STEP_COLUMNS, Geodesic

    assert target is not None  # the schema sees to it
    if flow.grid.dim == 2:
        _check_uniform(case, flow.grid, "solver.method", "remove grid.mapping")
    options = table.inner_steps, table.tolerance, table.max_iterations, threads
    return Geodesic(flow.grid, rho, target, case.time.start, case.time.end, *options), STEP_COLUMNS


def _check_uniform(case: Case, grid: Grid, key: str, remedy: str) -> None:
    """Refuse a grid that the transforms of the first-order method do not know."""
    for axis in grid.axes:
        if not axis.uniform:
            raise CaseError(f"{case.path}: {key}: expected cells of one size, axis {axis.name} is stretched; {remedy}")


def _check_congestion(case: Case, flow: Flow, congestion: float, rho: Array) -> None:
    """Refuse a bound below which the mass does not fit."""
    mass, volume = flow.mass(rho), flow.grid.volume
    if congestion < mass / volume:
        raise CaseError(
            f"{case.path}: solver.congestion: {congestion:g} lies below the mean density {mass / volume:.6g} "
            f"(mass {mass:g} on a grid of volume {volume:g}); enlarge it, or the grid, or lower initial.mass"
        )
