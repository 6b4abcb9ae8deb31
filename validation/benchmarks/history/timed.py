"""What is timed: one function per benchmark, which prepares everything and returns the call to be timed.

A benchmark of an old commit must ask what the new one asks.  So the cases are texts in here and no files of the commit,
every call starts from the same state, and only doors that have stood since the first commits are used.  Where a commit
lacks one, the function raises ImportError, AttributeError or TypeError, and its row says n/a.

A call takes 1 to 300 ms on one thread; kernels are compiled, or loaded, by the first call, which is not counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[[], object]
Prepare = Callable[[], Call]
TIMED: dict[str, Prepare] = {}

HEAT = """
schema = 1
title = "Heat"
[grid]
shape = [200]
lower = [0.0]
upper = [1.0]
[energy]
internal = { kind = "entropy", kappa = 1.0 }
[initial]
density = "1 + 0.5*cos(pi*x)"
[exact]
density = "1 + 0.5*exp(-pi**2*t)*cos(pi*x)"
[solver]
method = "fv"
order = 2
dt = 1e-3
[time]
end = 0.1
[output]
every = 0.02
"""

CROWD = """
schema = 1
title = "Noisy particles that attract each other in a double well"
[params]
theta = 1.0
[grid]
shape = [96, 96]
lower = [-3.0, -3.0]
upper = [3.0, 3.0]
[energy]
internal = { kind = "entropy", kappa = 0.3 }
potential = "(x**2 - 1)**2 + y**2/2"
interaction = "theta*r**2/2"
[initial]
density = "exp(-(x**2 + y**2)/0.1)"
mass = 1.0
[time]
end = 1.0
"""


PLACES = {
    "Energy": ("wgfpde.energy.energy", "wgfpde.energy"),
    "FiniteVolumes": ("wgfpde.methods.finite_volumes.stepper", "wgfpde.fv"),
    "Flow": ("wgfpde.energy.flow", "wgfpde.flow"),
    "Grid": ("wgfpde.grid",),
    "Internal": ("wgfpde.energy.energy", "wgfpde.energy"),
    "Jko": ("wgfpde.methods.jko.stepper", "wgfpde.jko"),
    "Snapshot": ("wgfpde.energy.snapshot", "wgfpde.flow"),
    "branches": ("wgfpde.studies.stationary", "wgfpde.steady"),
    "build": ("wgfpde.cases.building", "wgfpde.case"),
    "compile_expression": ("wgfpde.formulas.compile", "wgfpde.expressions"),
    "loads": ("wgfpde.cases.loading", "wgfpde.casefile"),
    "make_interaction": ("wgfpde.energy.interaction", "wgfpde.convolution"),
    "runner": ("wgfpde.runs", "wgfpde"),
    "spectrum": ("wgfpde.studies.spectrum", "wgfpde.spectra"),
    "w2": ("wgfpde.transport",),
}
"""Where names stand, in this commit and in those before the rooms."""


def the(name: str) -> Any:
    """What a name stands for, in a commit of any layout.  Raises ImportError where no place has it."""
    for place in PLACES[name]:
        try:
            module = import_module(place)
        except ImportError:
            continue
        try:
            return getattr(module, name) if hasattr(module, name) else import_module(f"{place}.{name}")
        except ImportError:
            continue
    raise ImportError(f"{name} is in none of {', '.join(PLACES[name])}")


def timed(prepare: Prepare) -> Prepare:
    """Enter a benchmark under its name."""
    TIMED[prepare.__name__] = prepare
    return prepare


def double_well(x: Any, y: Any = 0.0) -> Any:
    return (x**2 - 1) ** 2 + y**2 / 2


def _flow(cells: int, dim: int = 2, m: float = 1.0, potential: Any = None, interaction: Any = None) -> Any:
    """An energy on [−3, 3]^dim."""
    Energy, Internal = the("Energy"), the("Internal")
    Flow = the("Flow")
    Grid = the("Grid")

    internal = Internal("entropy", 1.0) if m == 1 else Internal("power", 1.0, m)
    return Flow(Grid([-3.0] * dim, [3.0] * dim, [cells] * dim), Energy(internal, potential, interaction))


def _hill(flow: Any, compact: bool = False, x0: float = 0.0, width: float = 0.5) -> Any:
    """A Gaussian, or a paraboloid on the unit disc with vacuum around it, of unit mass."""
    places = flow.grid.coordinates()
    r2 = (places["x"] - x0) ** 2 + places.get("y", 0.0) ** 2
    rho = np.maximum(1 - r2, 0) if compact else np.exp(-r2 / (2 * width**2))
    return rho / flow.mass(rho)


def _fv(flow: Any, rho: Any, dt: float) -> Call:
    """One second-order step."""
    Snapshot = the("Snapshot")
    FiniteVolumes = the("FiniteVolumes")

    stepper, start = FiniteVolumes(flow, dt=dt), Snapshot(0.0, 0, {"rho": rho})
    return lambda: stepper.step(start, 1e6)


def _jko(flow: Any, rho: Any, tau: float, *options: Any) -> Call:
    """One JKO step from rest."""
    Snapshot = the("Snapshot")
    Jko = the("Jko")

    stepper, start = Jko(flow, tau, *options), Snapshot(0.0, 0, {"rho": rho})
    return lambda: stepper.step(start, tau)


@timed
def fv_entropy_1d() -> Call:
    flow = _flow(1000, 1, potential=double_well)
    return _fv(flow, _hill(flow), 1e-3)


@timed
def fv_entropy_2d() -> Call:
    flow = _flow(256, potential=double_well)
    return _fv(flow, _hill(flow), 1e-3)


@timed
def fv_power_2d() -> Call:
    flow = _flow(256, m=2.0)
    return _fv(flow, 0.1 + _hill(flow), 1e-3)


@timed
def fv_power_vacuum_2d() -> Call:
    flow = _flow(128, m=2.0)
    return _fv(flow, _hill(flow, compact=True), 1e-3)


@timed
def fv_mckean_vlasov_2d() -> Call:
    flow = _flow(128, potential=double_well, interaction=lambda x, y: (x**2 + y**2) / 2)
    return _fv(flow, _hill(flow), 1e-2)


@timed
def fv_adaptive_2d() -> Call:
    Snapshot = the("Snapshot")
    FiniteVolumes = the("FiniteVolumes")

    flow = _flow(64, potential=double_well)
    start = Snapshot(0.0, 0, {"rho": _hill(flow, width=0.25)})

    def march() -> None:
        stepper, state = FiniteVolumes(flow, dt="adaptive", tolerance=1e-4), start
        while state.t < 0.2:
            state = stepper.step(state, 0.2)

    return march


@timed
def jko_newton_entropy_2d() -> Call:
    flow = _flow(64, potential=lambda x, y: (x**2 + y**2) / 2)
    return _jko(flow, _hill(flow, width=0.7), 0.05)


@timed
def jko_newton_vacuum_2d() -> Call:
    flow = _flow(64, m=2.0)
    return _jko(flow, _hill(flow, compact=True), 1e-2)


@timed
def jko_pdhg_2d() -> Call:
    flow = _flow(32, potential=lambda x, y: (x**2 + y**2) / 2)
    return _jko(flow, _hill(flow, width=0.7), 0.05, "pdhg", 2, 1e-3)


@timed
def transport_w2_2d() -> Call:
    w2 = the("w2")

    flow = _flow(48)
    a, b = _hill(flow, x0=-0.2, width=0.6), _hill(flow, x0=0.2, width=0.6)
    return lambda: w2(flow.grid, a, b)


@timed
def convolution_2d() -> Call:
    make_interaction = the("make_interaction")

    flow = _flow(256)
    operator, rho = make_interaction(lambda x, y: (x**2 + y**2) / 2, flow.grid), _hill(flow)
    return lambda: operator.apply(rho)


@timed
def spectrum_1d() -> Call:
    spectrum = the("spectrum")

    flow = _flow(1600, 1, potential=double_well)
    return lambda: spectrum(flow)


@timed
def stationary_1d() -> Call:
    Energy, Internal = the("Energy"), the("Internal")
    Flow = the("Flow")
    Grid = the("Grid")
    branches = the("branches")

    energy = Energy(Internal("entropy", 0.3), lambda x: x**4 / 4 - x**2 / 2, lambda x: x**2 / 2)
    flow = Flow(Grid([-3.0], [3.0], [100]), energy)
    return lambda: branches(flow, 1.0)


@timed
def run_heat_1d() -> Call:
    """The whole of a run, from its text to its file."""
    loads = the("loads")
    runner = the("runner")

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            result = runner.run(loads(HEAT, folder=folder), Path(folder) / "out")
        assert result.status == "finished", result.message

    return run


@timed
def expressions_compile() -> Call:
    compile_expression = the("compile_expression")

    text = "theta*exp(-((x - 0.3)**2 + y**2)/(2*0.2)) + (x**2 - 1)**2*cos(pi*y) + sqrt(1 + x**2 + y**2)"
    return lambda: compile_expression(text, ("x", "y", "r"), {"theta": 1.5})


@timed
def case_build() -> Call:
    """From text to a problem: reading, checking, sampling of V, W and the initial density."""
    build, loads = the("build"), the("loads")

    return lambda: build(loads(CROWD), 1)


@timed
def start_help() -> Call:
    """`wgfpde --help` in a process of its own."""
    command = [sys.executable, "-m", "wgfpde", "--help"]
    return lambda: subprocess.run(command, env=dict(os.environ), capture_output=True, check=True)
