"""wgfpde: solvers for Wasserstein gradient flows ∂t ρ = ∇·(ρ ∇(U'(ρ) + V + W∗ρ)) on 1D and 2D grids.

    import wgfpde as wgf

    run = wgf.run(wgf.load("double_well_1d"), solver={"dt": 0.02})
    run.rho[-1], run.diagnostics["energy"], run.plot(), run.to_xarray()

See `wgfpde.api` for what this offers; it is loaded when first used, so that the command line starts at once.
"""

from typing import Any

__version__ = "0.1.0"

__all__ = [
    "Case", "CaseError", "Dynamics", "Energy", "Flow", "Grid", "Internal", "Points", "Run", "Sink", "Snapshot",
    "SolverError", "StoreError", "WgfpdeError", "barycentre", "converge", "distance", "exits", "geodesic", "graphs",
    "load", "march", "problem", "read", "read_table", "resume", "run", "spectrum", "stationary", "sweep", "w2",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'wgfpde' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(".errors" if name.endswith("Error") else ".api", __name__), name)


def __dir__() -> list[str]:
    """The public names, and what every module has: no more is offered when a name is completed."""
    return sorted([*(name for name in globals() if name.startswith("__")), *__all__])
