"""Energies of features: a variance that is drawn to 1, in closed form, and a network that learns ten numbers.

½(M − 1)² + ½λM with M = ∫x²ρ is an energy of one feature, under which Gaussians stay Gaussian and their variance solves
ṡ = −4s(s − 1) − 2λs + 2T, T the temperature.  A network of neurons y tanh(s x) has no closed form: its loss falls, its
density keeps the symmetry of its neurons, and what it says is compared with what it was told.
"""

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

HALF, REST = 0.6008169882, 0.9547405
"""s(½) from 0.1, and at rest; λ = 0.3, T = 0.2."""
ONE = (
    "heat_1d", "exact=", "energy.internal.kappa=0.2", "energy.potential=0.15*x**2",
    "energy.features=[{formula='x**2', target=1.0}]", "initial.density=exp(-x**2/0.2)", "initial.mass=1",
    "grid.lower=[-4]", "grid.upper=[4]", "time={start=0, end=0.5}", "output.every=0.5",
)  # fmt: skip


def check(v: Validation) -> None:
    variance(v)
    v.draw(figure, network(v), panels=2)


def moments(runs) -> np.ndarray:
    return np.array([run.diagnostics["second_moment"][-1] for run in runs])


def variance(v: Validation) -> None:
    """Errors a h² with dt ∝ h, 3e-4 at h = 0.02, of which Richardson's rule leaves 2e-6.

    JKO steps are of order 1 in τ; extrapolated they err by the h² of their grid, another 3e-4, and by τ².
    """
    fv = [v.run(*ONE, f"grid.shape=[{n}]", f"solver={{method='fv', order=2, dt={0.5 / k}}}")
          for n, k in ((100, 25), (200, 50), (400, 100))]  # fmt: skip
    errors = np.abs(moments(fv) - HALF)
    best = (4 * moments(fv)[2] - moments(fv)[1]) / 3
    v.equal("variance at ½, finite volumes, extrapolated", best, HALF, 1e-5, "ṡ = −4s(s − 1) − 2λs + 2T")
    v.at_least("order in h and dt", -np.polyfit(range(3), np.log2(errors), 1)[0], 1.9, "closed form")
    v.at_most("values of W∗ρ in a step", np.mean(fv[-1].steps["outer"]), 4.5, "a form of rank 1")
    jko = [
        v.run(*ONE, "grid.shape=[400]", f"solver={{method='jko', tau={tau}}}") for tau in (0.0125, 0.00625, 0.003125)
    ]
    coarse, middle, fine = moments(jko)
    v.equal("order of JKO steps in τ", np.log2((coarse - middle) / (middle - fine)), 1.0, 0.1, "closed form")
    v.equal("variance at ½, JKO steps extrapolated", 2 * fine - middle, HALF, 5e-4, "closed form")
    rest = v.run(*ONE, "grid={shape=[200], lower=[-6], upper=[6]}", "solver={method='fv', dt=0.5}", "time.end=20",
                 "output.every=20")  # fmt: skip
    v.equal("variance at rest", moments([rest])[0], REST, 1e-3, "4s(s − 1) + 2λs = 2T")


def network(v: Validation):
    run = v.run("neurons_2d")
    loss = run.diagnostics["energy_features"]
    v.at_most("network: loss at the end over that at the start", loss[-1] / loss[0], 2.5e-3, "trained")
    v.at_most("network: largest residual, the largest target being 0.62", run.diagnostics["feature_residual"][-1], 0.03)
    last = np.array(run.rho[-1])
    v.equal("network: asymmetry under (x, y) → (−x, −y)", np.max(np.abs(last - last[::-1, ::-1])) / last.max(), 0, 1e-8)
    return run


def figure(fit, density, run) -> None:
    s = np.linspace(0.05, 3, 60)
    data = np.arange(1, 11) * 0.25
    x, y = run.centers
    area = (x[1] - x[0]) * (y[1] - y[0])
    for k in (0, 2, len(run) - 1):
        said = [area * np.sum(5 * y[:, None] * np.tanh(value * x) * run.rho[k]) for value in s]
        fit.plot(s, said, label=f"t = {run.t[k]:g}")
    fit.plot(data, np.exp(-data / 2) * np.sin(1.5 * data), "k.", label="targets")
    fit.set(title="what the network says", xlabel="s", ylabel="∫5 y tanh(s x) dρ")
    fit.legend(fontsize="small")
    density.pcolormesh(x, y, run.rho[-1], rasterized=True)
    density.set(title=f"neurons at t = {run.t[-1]:g}", xlabel="x", ylabel="y", aspect="equal")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
