"""Stochastic resonance: how the mean of a double well follows a weak force, against the modes of the well at rest.

    ⟨x⟩ → A Re χ e^{−iωt},    χ = (1/κ) Σ_k λ_k ⟨x ψ_k⟩²/(λ_k − iω)

by the fluctuation–dissipation theorem, with the rates and modes of `wgfpde spectrum`: nothing of it marches.  The march
has to give amplitude, phase and, per period, the work πA² Im χ; and the largest response at a noise in between.
"""

import numpy as np

import wgfpde as wgf
from wgfpde.claims import Validation
from wgfpde.cli import validate_script

OMEGA, SMALL = 0.1, 0.01
PERIOD = 2 * np.pi / OMEGA
NOISES = (0.075, 0.15, 0.3)
AT_REST = "x**4/4 - x**2/2"


def check(v: Validation) -> None:
    found = []
    for kappa in NOISES:
        chi = response(kappa)
        run = v.run("stochastic_resonance_1d", f"params.A={SMALL}", f"params.omega={OMEGA}",
                    f"energy.internal.kappa={kappa}", f"initial.density=exp(-({AT_REST})/{kappa})",
                    f"time.end={4 * PERIOD!r}", f"output.every={PERIOD / 16!r}",
                    f"solver.dt={PERIOD / 96!r}")  # fmt: skip
        angle = OMEGA * run.t[-16:]
        mean = run.diagnostics["mean_x"][-16:]
        amplitude = np.mean(mean * np.exp(1j * angle)) * 2 / SMALL
        # A² of the response is left, ⟨x⁴⟩(A/κ)² = 2 % at most, and the error of the step, (λdt)²/12 and less.
        v.equal(f"κ = {kappa:g}: amplitude over A|χ|", abs(amplitude) / abs(chi), 1.0, 0.02, "modes of the spectrum")
        v.equal(f"κ = {kappa:g}: phase", np.angle(amplitude), np.angle(chi), 0.01, "modes of the spectrum")
        work = run.diagnostics["work"][-1] - run.diagnostics["work"][-17]
        v.equal(f"κ = {kappa:g}: work in a period over πA² Im χ", work / (np.pi * SMALL**2 * chi.imag), 1.0, 0.02,
                "modes of the spectrum")  # fmt: skip
        found.append(abs(amplitude))
    v.at_least("response at κ = 0.15 over that with half the noise", found[1] / found[0], 1.5, "resonance")
    v.at_least("response at κ = 0.15 over that with twice the noise", found[1] / found[2], 1.2, "resonance")
    v.draw(figure, run, panels=2)


def response(kappa: float) -> complex:
    """χ of the well at rest, by its modes."""
    known = wgf.spectrum("stochastic_resonance_1d", 12, progress=False,
                         energy={"potential": AT_REST, "internal": {"kappa": kappa}})  # fmt: skip
    edges = np.linspace(-3, 3, known.pi.size + 1)
    x, h = 0.5 * (edges[1:] + edges[:-1]), edges[1] - edges[0]
    weights = np.array([h * np.sum(x * known.pi * mode) for mode in known.modes[1:]]) ** 2
    return complex(np.sum(weights * known.eigenvalues[1:] / (known.eigenvalues[1:] - 1j * OMEGA)) / kappa)


def figure(left, right, run) -> None:
    noises = np.geomspace(0.04, 0.6, 40)
    left.plot(noises, [abs(response(float(kappa))) for kappa in noises])
    left.set(xlabel=r"$\kappa$", ylabel=r"$|\chi|$", title=rf"response at $\omega = {OMEGA}$")
    right.plot(run.t / PERIOD, run.diagnostics["mean_x"] / SMALL, label=r"$\langle x\rangle/A$")
    right.plot(run.t / PERIOD, np.cos(OMEGA * run.t), "k--", lw=0.6, label=r"$\cos\omega t$")
    right.set(xlabel="periods", title=rf"$\kappa = {NOISES[-1]}$")
    right.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
