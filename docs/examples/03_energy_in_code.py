"""An energy written in Python: the Desai-Zwanzig model of noisy bistable particles that attract."""

import numpy as np
from matplotlib.figure import Figure

import wgfpde as wgf
from wgfpde.energy.equations import desai_zwanzig_mean

grid = wgf.Grid([-3.0], [3.0], [240])
panels = Figure(figsize=(6, 3.5), layout="constrained")
axes = panels.subplots()

for kappa, dash in ((0.2, "-"), (0.3, "--"), (0.6, ":")):  # the critical noise is 0.457; dashes are for print
    energy = wgf.Energy(
        wgf.Internal("entropy", kappa=kappa),
        potential=lambda x: x**4 / 4 - x**2 / 2,
        interaction=lambda x: x**2 / 2,
    )
    problem = wgf.problem(
        grid, energy, lambda x: np.exp(-((x - 0.3) ** 2)), mass=1.0, end=40.0, every=4.0,
        solver={"method": "fv", "dt": "adaptive"}, title=f"Desai-Zwanzig, kappa = {kappa}",
    )  # fmt: skip
    run = wgf.run(problem, progress=False)
    mean, expected = run.diagnostics["mean_x"][-1], desai_zwanzig_mean(kappa)
    print(f"kappa = {kappa}: the mean tends to {mean:.4f} (self-consistency: {expected:.4f})")
    axes.plot(grid.x.centers, run.rho[-1], dash, label=rf"$\kappa = {kappa}$")

axes.set(xlabel="$x$", ylabel=r"$\rho(x, t = 40)$")
axes.legend(frameon=False)
panels.savefig("desai_zwanzig.png", dpi=120)
