"""Diffusion models with the exact score: noise is carried back to data along a run of the finite volumes."""

import numpy as np
from matplotlib.figure import Figure
from scipy.special import ndtri

import wgfpde as wgf

END, ENERGY = 1.5, wgf.Energy(wgf.Internal("entropy"), potential=lambda x: x**2 / 2)  # data tend to N(0, 1)


def scores(data, cells, steps):
    """The centres of the cells, and the score (ln ρ)' there after each step of ∂t ρ = (ρ' + xρ)', from the data on."""
    grid = wgf.Grid([-6.0], [6.0], [cells])
    problem = wgf.problem(grid, ENERGY, data, mass=1.0, end=END, solver={"method": "fv", "dt": END / steps})
    return grid.x.centers, [np.gradient(np.log(now.rho), grid.x.centers) for now in wgf.march(problem)]


def backwards(x, score, z, rng=None):
    """The paths of points z from END to 0, by Heun's method: X' = X + s, or with noise dX = (X + 2s) dt + √2 dB."""
    dt, paths = END / (len(score) - 1), [z]
    for later, earlier in zip(score[:0:-1], score[-2::-1], strict=True):
        noise, twice = (0.0, 1) if rng is None else (np.sqrt(2 * dt) * rng.standard_normal(z.size), 2)
        ahead = z + dt * (slope := z + twice * np.interp(z, x, later)) + noise
        z = z + dt / 2 * (slope + ahead + twice * np.interp(ahead, x, earlier)) + noise
        paths.append(z)
    return np.array(paths)


noise = ndtri((np.arange(40_000) + 0.5) / 40_000)  # N(0, 1), by its quantiles
for kind, cells, steps in (("ODE", 200, 30), ("ODE", 400, 60), ("ODE", 800, 120), ("SDE", 400, 120)):
    gaussian = scores(lambda x: np.exp(-((x - 0.8) ** 2) / 0.6), cells, steps)
    z = backwards(*gaussian, noise, np.random.default_rng(0) if kind == "SDE" else None)[-1]
    print(f"{kind}, {cells} cells, {steps:3d} steps: N(0.8, 0.3) has mean {z.mean():.6f} and variance {z.var():.6f}")
wells = scores(lambda x: np.exp(-5 * (x + 1) ** 2) + np.exp(-5 * (x - 1) ** 2), 400, 120)
panels = Figure(figsize=(8, 3.2), layout="constrained").subplots(1, 2)
for axes, title, rng in zip(panels, ("flow", "with noise"), (None, np.random.default_rng(1)), strict=True):
    axes.plot(np.linspace(END, 0, 121), backwards(*wells, noise[400::800], rng), "C0", lw=0.5)
    axes.set(xlabel="$t$", ylabel="$x$", xlim=(END, 0), ylim=(-3, 3), title=title)
panels[0].figure.savefig("reverse_diffusion.png", dpi=120)
