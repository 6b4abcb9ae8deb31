"""Load a packaged case, run it, look at the result."""

import wgfpde as wgf

case = wgf.load("double_well_1d")  # or the path of a case file
run = wgf.run(case, time={"end": 20.0}, progress=False)  # tables laid over those of the case

print(run)
print(f"ended because it {run.message}")
mass, energy = run.diagnostics["mass"], run.diagnostics["energy"]
print(f"mass drifted by {abs(mass - mass[0]).max():.1e}, the smallest density is {run.diagnostics['min'].min():.1e}")
print(f"energy fell from {energy[0]:.6f} to {energy[-1]:.6f} in {len(run.steps['t'])} steps")
print(f"the steps grew from {run.steps['dt'].min():.1e} to {run.steps['dt'].max():.1e}")

right_well = run.grid.x.centers > 0
for t, rho in zip(run.t[::4], run.rho[::4], strict=True):
    print(f"t = {t:4.1f}: {sum(rho * run.grid.x.widths * right_well):6.1%} in the right well")

run.plot().savefig("double_well.png", dpi=120)  # in a notebook, run.plot() alone shows the figure
