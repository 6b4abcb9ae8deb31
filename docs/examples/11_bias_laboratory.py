"""The bias laboratory: one case by five methods, held against the exact flow at 0.2 and against the Gibbs state."""

import numpy as np
from matplotlib.figure import Figure

import wgfpde as wgf

CASE = wgf.load("ula_bias_1d", initial={"density": "exp(-x**2/0.2)", "sampling": "centre"}, output={"every": 0.2})
STEPS, KERNEL = (0.02, 0.01, 0.005), {"kind": "gaussian", "bandwidth": 0.5}
ENTROPIC = {"method": "sinkhorn", "tau": 0.02}
METHODS = {  # name: what is varied, the solver by its value, and the end
    "fv": ("dt", {dt: {"method": "fv", "dt": dt} for dt in (0.04, *STEPS[:2])}, 2.0),
    "jko": ("τ", {tau: {"method": "jko", "tau": tau} for tau in STEPS}, 2.0),
    "langevin": ("τ", {tau: {"method": "langevin", "tau": tau} for tau in STEPS}, 2.0),
    "sinkhorn": ("τ", {tau: {"method": "sinkhorn", "tau": tau} for tau in STEPS}, 2.0),
    "… compensated": ("ε", {epsilon: {**ENTROPIC, "epsilon": epsilon} for epsilon in (0.04, 0.02)}, 2.0),
    "… plain": ("ε", {epsilon: {**ENTROPIC, "epsilon": epsilon, "form": "plain"} for epsilon in (0.04, 0.02)}, 2.0),
    "svgd": ("N", {1 / n: {"method": "svgd", "kernel": KERNEL, "particles": n, "start": "quantiles"}
                   for n in (10, 20, 40, 80)} | {0: {"method": "svgd", "kernel": KERNEL}}, 20.0),
}  # fmt: skip
MEASURES = "L1", "KL", "W2"


def measures(grid, h, state, other):
    """L1, KL and W₂ of a density from another; of points W₂ alone, as the others would be those of their bins."""
    if isinstance(state, wgf.Points):
        return np.nan, np.nan, wgf.w2(grid, state, other)
    return h * np.sum(abs(state - other)), h * np.sum(state * np.log(state / other)), wgf.w2(grid, state, other)


def run_of(solver, end):
    return wgf.run(CASE, solver=solver, time={"end": end}, progress=False)


fine = run_of({"method": "fv", "dt": 0.001}, 0.2)  # its own error is below 2e-6
grid, x, h = fine.grid, fine.grid.x.centers, fine.grid.x.widths[0]
gibbs = np.exp(-((x**2 - 1) ** 2))
targets = fine.rho[-1], gibbs / (h * gibbs.sum())
panels = Figure(figsize=(10, 5), layout="constrained").subplots(2, 3, sharex=True)
print(f"{'':24}{'from the flow at 0.2':^33}{'from the Gibbs state':^33}")
print(f"{'method':24}" + "".join(f"{name:>11}" for name in 2 * MEASURES))
for mark, (method, (varied, levels, end)) in zip("osv^DPX", METHODS.items(), strict=True):
    found = []
    for level, solver in levels.items():
        run = run_of(solver, end)
        stored = run.fields.get("position")
        states = [run.rho[k] if stored is None else wgf.Points(stored[k]) for k in (1, -1)]
        found.append([measures(grid, h, state, target) for state, target in zip(states, targets, strict=True)])
        name = f"{level:g}" if method != "svgd" else round(1 / level) if level else "∞"
        print(f"{method:14}{varied:>2} = {name:5}" + "".join(f"{value:11.3e}" for value in np.ravel(found[-1])))
    for axes, values in zip(panels.flat, np.reshape(found, (-1, 6)).T, strict=True):
        [line] = axes.loglog([level or np.nan for level in levels], values, f"{mark}-", ms=4, label=method)
        axes.axhline(values[-1] if 0 in levels else np.nan, ls=":", color=line.get_color())  # of infinitely many
for axes, name, lowest in zip(panels.flat, 2 * MEASURES, 2 * (1e-6, 1e-11, 1e-6), strict=True):
    axes.set(title=name + (" from the flow" if axes in panels[0] else " from Gibbs"), ylim=(lowest, 1))
for axes in panels[1]:
    axes.set_xlabel(r"$\tau$, $dt$, $\varepsilon$ or $1/N$")
panels[0, 0].figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside right center", frameon=False)
panels[0, 0].figure.savefig("bias_laboratory.png", dpi=120)
