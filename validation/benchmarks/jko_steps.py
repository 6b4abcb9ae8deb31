"""One JKO step and a run of them: iterations, gap, error against the exact step, seconds.

1. Entropy and V = |x|²/2, Gaussian of variance 0.5 at (1, −0.5), [−5, 5]²: the exact step is a Gaussian.
2. Porous medium m = 2, 4 on [0, 1]², ρ = (2/πR²)(1 − |x − c|²/R²)₊, cold and warm in a run.
3. The same with several inner steps by `pdhg`, towards the exact step (R₁ − R₀)/(3τ) = 8/(3πR₁³).
4. The Gaussian by `pdhg`, eight inner steps.
5. A whole run: the double well at 256², 100 steps.

`--quick` stops at 256².
"""

from __future__ import annotations

import sys
import time

import numpy as np
from timing import table

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.grid import Array, Grid
from wgfpde.methods.jko.stepper import Jko

R0, C = 0.250082, 0.5
LARGEST = 256 if "--quick" in sys.argv else 1024


def gaussian(grid: Grid, mean: tuple[float, float], variance: float) -> Array:
    def density(x: Array, y: Array) -> Array:
        return np.exp(-((x - mean[0]) ** 2 + (y - mean[1]) ** 2) / (2 * variance)) / (2 * np.pi * variance)

    return grid.sample(density)


def exact_gaussian(grid: Grid, tau: float) -> Array:
    start = 0.5**0.5
    std = (start + (start**2 + 4 * tau * (1 + tau)) ** 0.5) / (2 * (1 + tau))
    return gaussian(grid, (1 / (1 + tau), -0.5 / (1 + tau)), std**2)


def paraboloid(grid: Grid, radius: float) -> Array:
    """Cell averages."""

    def density(x: Array, y: Array) -> Array:
        return 2 / (np.pi * radius**2) * np.maximum(1 - ((x - C) ** 2 + (y - C) ** 2) / radius**2, 0)

    return grid.average(density, 8)


def exact_radius(tau: float) -> float:
    """R₁ from (R₁ − R₀)/(3τ) = 8/(3πR₁³), by Newton."""
    radius = R0
    for _ in range(100):
        value = (radius - R0) / (3 * tau) - 8 / (3 * np.pi * radius**3)
        radius -= value / (1 / (3 * tau) + 8 / (np.pi * radius**4))
    return radius


def timed(stepper: Jko, rho: Array, tau: float, repeats: int = 3) -> tuple[Snapshot, float]:
    """A step from rest, and the median of its seconds."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        end = stepper.step(Snapshot(0.0, 0, {"rho": rho}), tau)
        seconds.append(time.perf_counter() - begin)
    return end, float(np.median(seconds))


def counts(end: Snapshot) -> list[str]:
    report = end.report
    note = " cut" if report.rejected else ""
    return [f"{report.iterations}{note}", str(report.linear), f"{report.continuity:.0e}", f"{report.gap:.0e}"]


def entropy_steps() -> None:
    rows = []
    for n in (64, 128, 256, 512, 1024):
        if n > LARGEST:
            continue
        grid = Grid([-5.0, -5.0], [5.0, 5.0], [n, n])
        flow = Flow(grid, Energy(Internal("entropy"), lambda x, y: (x**2 + y**2) / 2))
        rho = gaussian(grid, (1.0, -0.5), 0.5)
        for tau in (0.01,) if n > 512 else (0.01, 0.1, 0.3, 1.0):
            end, seconds = timed(Jko(flow, tau), rho, tau)
            error = flow.integral(np.abs(end.rho - exact_gaussian(grid, tau)))
            rows.append([f"{n}²", f"{tau:g}", *counts(end), f"{error:.2e}", f"{seconds:.3f}"])
    head = ["cells", "tau", "Newton", "CG", "residual", "gap", "L1 to exact", "seconds"]
    table("Entropy and a quadratic potential, one step", head, rows)


def power_steps() -> None:
    rows = []
    for n in (64, 128, 256, 512):
        if n > LARGEST:
            continue
        grid = Grid([0.0, 0.0], [1.0, 1.0], [n, n])
        rho = paraboloid(grid, R0)
        for m in (2.0, 4.0):
            for tau in (1e-5, 1e-4, 1e-3):
                stepper = Jko(Flow(grid, Energy(Internal("power", 1.0, m))), tau)
                end, seconds = timed(stepper, rho, tau)
                state, warm = end, []
                for _ in range(5):
                    state = stepper.step(state, state.t + tau)
                    warm.append(state.report.iterations)
                run = ", ".join(str(k) for k in warm)
                rows.append([f"{n}²", f"{m:g}", f"{tau:g}", *counts(end), f"{seconds:.3f}", run])
    head = ["cells", "m", "tau", "Newton", "CG", "residual", "gap", "seconds", "Newton, next five"]
    table("Porous medium with vacuum, one cold step and five warm ones", head, rows)


def inner_steps() -> None:
    rows, tau = [], 1e-3
    for n in (256, 512):
        if n > LARGEST:
            continue
        grid = Grid([0.0, 0.0], [1.0, 1.0], [n, n])
        flow = Flow(grid, Energy(Internal("power", 1.0, 2.0)))
        rho, exact = paraboloid(grid, R0), paraboloid(grid, exact_radius(tau))
        for inner in (1, 2, 4, 5, 6, 8):
            stepper = Jko(flow, tau, "pdhg", inner, 1e-4)
            end, seconds = timed(stepper, rho, tau, 1)
            error = flow.integral(np.abs(end.rho - exact))
            rows.append([f"{n}²", str(inner), str(end.report.iterations), f"{end.report.gap:.0e}", f"{error:.2e}",
                         f"{seconds:.2f}"])  # fmt: skip
    head = ["cells", "inner steps", "iterations", "gap", "L1 to exact", "seconds"]
    table("Porous medium m = 2, tau = 1e-3: towards the exact step", head, rows)


def gaussian_by_pdhg() -> None:
    rows = []
    for n in (64, 128, 256):
        grid = Grid([-5.0, -5.0], [5.0, 5.0], [n, n])
        flow = Flow(grid, Energy(Internal("entropy"), lambda x, y: (x**2 + y**2) / 2))
        rho = gaussian(grid, (1.0, -0.5), 0.5)
        for tau in (0.1, 1.0):
            end, seconds = timed(Jko(flow, tau, "pdhg", 8, 1e-4), rho, tau, 1)
            error = flow.integral(np.abs(end.rho - exact_gaussian(grid, tau)))
            rows.append([f"{n}²", f"{tau:g}", str(end.report.iterations), f"{end.report.gap:.0e}", f"{error:.2e}",
                         f"{seconds:.2f}"])  # fmt: skip
    head = ["cells", "tau", "iterations", "gap", "L1 to exact", "seconds"]
    table("The Gaussian by pdhg, eight inner steps", head, rows)


def whole_run() -> None:
    rows = []
    grid = Grid([-3.0, -4.0], [3.0, 4.0], [256, 256])
    flow = Flow(grid, Energy(Internal("entropy"), lambda x, y: (x**2 - 1) ** 2 + y**2 / 2))
    rho = grid.average(lambda x, y: np.exp(-(x**2 + y**2) / 0.1))
    rho /= flow.mass(rho)
    for tau in (0.05, 0.01):
        stepper = Jko(flow, tau)
        stepper.warm_up()
        state, newton, linear, cut = Snapshot(0.0, 0, {"rho": rho}), 0, 0, 0
        begin = time.perf_counter()
        for k in range(1, 101):
            while state.t < k * tau:
                state = stepper.step(state, k * tau)
                newton, linear = newton + state.report.iterations, linear + state.report.linear
                cut += state.report.rejected
        seconds = time.perf_counter() - begin
        rows.append([f"{tau:g}", str(state.step), str(newton), str(linear), str(cut), f"{seconds:.1f}"])
    table("The double well at 256², 100 steps", ["tau", "steps", "Newton", "CG", "rejected", "seconds"], rows)


def main() -> None:
    for law in (Internal("entropy"), Internal("power", 1.0, 2.0), Internal("power", 1.0, 4.0)):
        Jko(Flow(Grid([0.0, 0.0], [1.0, 1.0], [8, 8]), Energy(law)), 1e-3).warm_up()
    entropy_steps()
    power_steps()
    gaussian_by_pdhg()
    inner_steps()
    whole_run()


if __name__ == "__main__":
    main()
