"""A run as an xarray.Dataset, and how fast it comes to rest, measured by the Wasserstein distance."""

import numpy as np
from matplotlib.figure import Figure

import wgfpde as wgf

run = wgf.run(wgf.load("ou_1d"), time={"end": 5.0}, output={"every": 0.25}, progress=False)
data = run.to_xarray()
print(dict(data.sizes), "and", ", ".join(list(data.data_vars)[:4]), "…")
print(f"mean at t = 1: {float(data.mean_x.interp(t=1.0)):.4f} (exact: {2 * np.exp(-1):.4f})")

gibbs = np.exp(-(data.x**2) / 2)  # V = x^2/2 and kappa = 1
gibbs /= gibbs.sum() * run.grid.x.widths[0]
distances = [wgf.w2(run.grid, rho, gibbs.values) for rho in data.rho.values]

rate = -np.polyfit(data.t, np.log(distances), 1)[0]
print(f"W2 to the Gibbs state falls from {distances[0]:.3f} to {distances[-1]:.5f}, at the rate {rate:.3f}")
print(f"KL divergence falls at the rate {-np.polyfit(data.t[8:], np.log(data.kl_gibbs[8:]), 1)[0]:.3f}")

figure = Figure(figsize=(6, 3.2), layout="constrained")
axes = figure.subplots()
axes.semilogy(data.t, distances, "o-", ms=3, label=r"$W_2(\rho(t), \pi)$")
axes.semilogy(data.t, 2 * np.exp(-data.t), "k--", lw=0.8, label=r"$2 e^{-t}$")
axes.set_xlabel("$t$")
axes.legend(frameon=False)
figure.savefig("distance.png", dpi=120)
