"""Gaussian variational flow: closed forms, the nearest mixtures to a double well's Gibbs state, Wasserstein flows met.

Among Gaussians the flow of E in a double well is s' = −16(s − ½)(s + 1/6) from a mean of 0; at rest one, two and three
components are at a distance KL from e^{−V}/Z that direct minimisation gives too.  In quadratic energies the flow is the
Wasserstein flow itself, with and without interaction, on the line and in the plane.
"""

import math

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script
from wgfpde.energy.equations import mckean_vlasov_quadratic, ornstein_uhlenbeck_2d

CASE = "gaussian_mixture_1d"
PARTITION = 1.973732150
"""∫e^{−(x² − 1)²}dx."""
REST = {1: 0.3575612999, 2: 0.0400790, 3: 0.0066920}
"""KL to the Gibbs state, by minimisation of sums on 200,000 points."""
PLACES = {1: (0.0, 0.5), 2: (0.81265141, 0.14019278), 3: (0.99673421, 0.07485191)}
"""Mean and variance of the outermost component."""
STARTS = {
    1: "means=[[0.3]], variances=[0.1]",
    2: "means=[[-0.6],[0.6]], variances=[0.1,0.1]",
    3: "means=[[-0.9],[0.05],[0.8]], variances=[0.1,0.1,0.1]",
}


def check(v: Validation) -> None:
    closed_form(v)
    runs = {count: rest(v, count) for count in REST}
    quadratic(v)
    v.draw(figure, runs)


def solver(count: int, start: str, more: str = "") -> str:
    return f"solver={{method='gaussian', components={count}, {start}{more}}}"


def closed_form(v: Validation) -> None:
    run = v.run(CASE, solver(1, "means=[[0]], variances=[0.1]"), "time.end=0.2", "output.every=0.2")
    found = run.fields["covariance"][-1].item()
    v.equal("one Gaussian in a double well: variance at 0.2", found, 0.4615865230, 1e-9, "closed form")


def rest(v: Validation, count: int):
    run = v.run(CASE, solver(count, STARTS[count]), "time.end=20", "output.every=4")
    kl = run.diagnostics["gaussian_energy"][-1] + 1 + math.log(PARTITION)
    words = f"{count} component{'s' * (count > 1)} at rest"
    v.equal(f"{words}: KL to the Gibbs state", kl, REST[count], 1e-6, "minimisation")
    places, spreads = run.fields["mean"][-1].ravel(), run.fields["covariance"][-1].ravel()
    v.equal(f"{words}: mean of the last", abs(places[-1]), PLACES[count][0], 1e-6, "minimisation")
    v.equal(f"{words}: variance of the last", spreads[-1], PLACES[count][1], 1e-6, "minimisation")
    v.at_most(f"{words}: largest rise of E within steps", np.max(run.steps["gaussian_rise"]), 1e-13, "descent")
    return run


def quadratic(v: Validation) -> None:
    start, matrix = np.array([[0.3, 0.1], [0.1, 0.2]]), np.array([[1.5, 0.6], [0.6, 1.0]])
    text = "[[0.3, 0.1], [0.1, 0.2]]"
    run = v.run("ou_2d_correlated", solver(1, f"means=[[0.5,-0.5]], variances=[{text}]"), "initial.sampling=centre",
                "exact=", "energy.internal={kind='entropy', kappa=0.5}",
                "energy.potential='0.5*(1.5*x**2 + 1.2*x*y + y**2)'",
                "time={end=0.7}", "output={every=0.7}", "grid={shape=[40,40], lower=[-6,-6], upper=[6,6]}"
                )  # fmt: skip
    mean, cov = ornstein_uhlenbeck_2d(0.7, [0.5, -0.5], start, matrix, 0.5)
    off = max(np.max(np.abs(run.fields["mean"][-1] - mean)), np.max(np.abs(run.fields["covariance"][-1] - cov)))
    v.equal("Ornstein–Uhlenbeck in the plane: mean and covariance at 0.7, error", off, 0, 1e-9, "closed form")
    run = v.run(CASE, solver(1, "means=[[1]], variances=[0.3]"), "grid={shape=[60], lower=[-6], upper=[6]}",
                "energy={internal={kind='entropy', kappa=0.5}, potential='0.4*x**2', interaction='0.45*x**2'}",
                "initial.mass=2", "time.end=0.6", "output.every=0.6")  # fmt: skip
    exact = mckean_vlasov_quadratic(0.6, 1.0, 0.3, 0.8, 0.9, 0.5, 2.0)
    off = max(abs(run.fields["mean"][-1].item() - exact[0]), abs(run.fields["covariance"][-1].item() - exact[1]))
    v.equal("McKean–Vlasov on the line, of mass 2: mean and variance at 0.6, error", off, 0, 1e-9, "closed form")


def figure(axes, runs) -> None:
    for count, run in runs.items():
        axes.plot(run.centers[0], run.rho[-1], label=f"{count} component{'s' * (count > 1)}")
    x = runs[1].centers[0]
    axes.plot(x, np.exp(-((x**2 - 1) ** 2)) / PARTITION, "k--", label="Gibbs state")
    axes.set(title="Nearest mixtures to a double well", xlabel="x")
    axes.legend(fontsize="small")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
