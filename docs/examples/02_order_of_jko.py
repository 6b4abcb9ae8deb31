"""How the error of JKO steps falls with tau: order 1, and order 2 by extrapolation."""

import numpy as np

import wgfpde as wgf

STEPS = (0.2, 0.1, 0.05)
case = wgf.load("jko_gaussian_1d", params={"m0": 1.0, "s0": 0.5}, grid={"shape": [480]})

for scheme in ("jko", "extrapolated"):
    errors = []
    for tau in STEPS:
        solver = {"tau": tau, "scheme": scheme, "tolerance": 1e-10}
        run = wgf.run(case, solver=solver, output={"every": 0.2}, progress=False)
        errors.append(run.diagnostics["error_l1"][-1])
        print(f"{scheme:<13} tau = {tau:<6} L1 error {errors[-1]:.2e}, largest gap {run.steps['gap'].max():.1e}")
    order = np.polyfit(np.log(STEPS), np.log(errors), 1)[0]
    print(f"{scheme:<13} fitted order {order:.2f}")
