"""Accelerated flow: Gaussians that swing, critical friction, and the account of the energy to the last digit.

From rest in V = λx²/2 a Gaussian stays Gaussian, with m̈ + αṁ + λm = 0 and σ̈ + ασ̇ = −λσ + κ/σ.  At α = 2√λ its mean is
m₀(1 + √λ t)e^{−√λ t}.  The kinetic energy and E of the parcels fall by what friction takes, in every step.
"""

import math

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

CASE = "accelerated_1d"
SWING = -0.2574213883, 0.0928652385
"""Mean and variance at 2: λ = 2, κ = 0.5, α = 1 from N(1, 1.5), by an integrator of order 8 to 1e-12."""


def check(v: Validation) -> None:
    levels = [
        v.run(CASE, f"grid.shape=[{n}]", f"solver.dt={4 / n}", "time.end=2", "output.every=2") for n in (100, 200, 400)
    ]
    errors = np.abs([moments(run) - SWING for run in levels])
    for k, (name, bound) in enumerate((("mean", 5e-6), ("variance", 1e-4))):
        v.equal(f"a Gaussian swings: error of the {name} at 2, 400 cells", errors[-1, k], 0, bound, "two equations")
        order = -np.polyfit(np.arange(3), np.log2(errors[:, k]), 1)[0]
        v.at_least(f"a Gaussian swings: order of the {name} in h and dt", order, 1.9, "two equations")
    critical(v)
    run = v.run(CASE)
    account(v, run)
    v.draw(figure, run)


def moments(run) -> np.ndarray:
    """Mean and variance of the density that is constant on parcels, of which the masses are those of the start."""
    start, edges = run.fields["edge_position"][0], run.fields["edge_position"][-1]
    mass = np.diff(np.interp(start, run.edges[0], np.append(0.0, np.cumsum(run.rho[0] * np.diff(run.edges[0])))))
    share, a, b = mass / np.sum(mass), edges[:-1], edges[1:]
    mean = np.sum(share * (a + b) / 2)
    return np.array([mean, np.sum(share * ((a - mean) ** 2 + (a - mean) * (b - mean) + (b - mean) ** 2)) / 3])


def critical(v: Validation) -> None:
    run = v.run(CASE, "solver.friction=" + repr(2 * math.sqrt(2)), "time.end=1", "output.every=1", "solver.dt=0.01")
    exact = (1 + math.sqrt(2)) * math.exp(-math.sqrt(2))
    v.equal("critical friction: mean at 1", moments(run)[0], exact, 2e-5, "closed form")


def account(v: Validation, run) -> None:
    largest = np.max(np.abs(run.steps["energy_account"]))
    v.at_most("the account of the total energy: largest gap of a step", largest, 1e-13, "discrete gradient")
    total = run.diagnostics["total_energy"]
    v.equal("total energy and all that friction took, less that at the start",
            total[-1] + np.sum(run.steps["friction_loss"]) - total[0], 0, 1e-12, "discrete gradient")  # fmt: skip
    rises = np.max(np.diff(run.diagnostics["energy"]))
    v.at_least("E alone rises between snapshots", rises, 0.05, "it is no gradient flow")


def figure(axes, run) -> None:
    axes.plot(run.t, run.diagnostics["total_energy"], label="kinetic energy + E")
    axes.plot(run.t, run.diagnostics["energy"], label="E")
    axes.plot(run.t, run.diagnostics["kinetic_energy"], label="kinetic energy")
    axes.set(title="Energies with inertia", xlabel="t")
    axes.legend(fontsize="small")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
