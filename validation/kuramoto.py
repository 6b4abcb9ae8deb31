"""Kuramoto model, W = −K cos x on the circle: synchronisation above K = 2κ, at the predicted rate and strength.

Coupled oscillators: the uniform state is stable below the critical coupling, and above it the order parameter solves
r = I₁(Kr/κ)/I₀(Kr/κ).  A phase transition, a steady state that is not uniform and growth rates of single modes test
the interaction on a periodic axis.
"""

import numpy as np
from scipy.special import iv

from wgfpde.claims import Validation
from wgfpde.cli import validate_script
from wgfpde.energy.equations import kuramoto_energy, kuramoto_order

ORDER, ENERGY = 0.724158717626, -1.997941067974
"""At K/κ = 3: r = I1(Kr/κ)/I0(Kr/κ), and (−κ ln(2π I0(Kr/κ)) + K r²/2)/κ for U = κ ρ ln ρ."""
K, TINY = 3.0, 1e-6
CASE = (
    "kuramoto_1d", "grid.lower=[-3.141592653589793]", "grid.upper=[3.141592653589793]", "params.K=3",
    "energy.interaction=-K*cos(x)", "energy.internal.kappa=1", "initial.mass=1.0", "time.start=0",
)  # fmt: skip
CELLS = (64, 128)
COUPLINGS = (1.5, 2.5, 4)
"""K/κ below, above and far above the critical value."""


def check(v: Validation) -> None:
    # The steady state ρ ∝ exp(K r cos(x − c)) is sampled exactly, and sums of analytic periodic functions are
    # exact to rounding: no discretisation error is left.  Relaxation is faster than e^{−t}: e^{−40} at the end.
    run = v.run(*CASE, "grid.shape=[64]", "initial.density=1 + 0.05*cos(x - 1)", "solver.dt=0.1",
                "time.end=40", "output.every=1")  # fmt: skip
    v.equal("order parameter r at K/κ = 3", run.diagnostics["order_x"][-1], ORDER, 1e-10, "Bessel functions")
    v.equal("energy, less −κ of U = κ(ρ ln ρ − ρ)", run.diagnostics["energy"][-1] + 1, ENERGY, 1e-10,
            "Bessel functions")  # fmt: skip
    phase = angle(run.rho[-1], run.centers[0])
    # c = 1 is neither a centre nor an edge.  The scheme is the same at every cell, so that only aliasing, spectrally
    # small, tells where the cells lie: a state even about c stays so.
    v.equal("phase of the synchronised state", phase, 1.0, 1e-10, "rotation invariance")
    # Another coupling, and noise that is not 1; relaxation at a rate κ times that at K/κ = 5.
    strong = v.run(*CASE, "params.K=2.5", "energy.internal.kappa=0.5", "grid.shape=[64]", "solver.dt=0.1",
                   "initial.density=1 + 0.5*cos(x - 1)", "time.end=20", "output.every=1")  # fmt: skip
    v.equal("order parameter r at K/κ = 5, κ = 1/2", strong.diagnostics["order_x"][-1], kuramoto_order(2.5, 0.5),
            1e-10, "Bessel functions")  # fmt: skip
    v.equal("energy at K/κ = 5, κ = 1/2", strong.diagnostics["energy"][-1], kuramoto_energy(2.5, 0.5), 1e-10,
            "Bessel functions")  # fmt: skip
    # The weakly coupled crowd forgets a synchronised start, at the rate κ − K/2 = 1/2 or faster: e^{−30}.
    weak = v.run(*CASE, "params.K=1", "grid.shape=[64]", "initial.density=exp(2*cos(x))", "solver.dt=0.1",
                 "time.end=60", "output.every=1")  # fmt: skip
    v.at_most("order parameter at K/κ = 1", weak.diagnostics["order_x"][-1], 1e-12, "below the critical 2")

    for coupling in COUPLINGS if v.full else COUPLINGS[::2]:
        rates = growth(v, coupling)
        v.equal(f"growth rate of mode 1 at K/κ = {coupling:g}, extrapolated", rates[0], coupling / 2 - 1, 2e-5,
                "K/2 − κ")  # fmt: skip
        v.equal(f"decay rate of mode 2 at K/κ = {coupling:g}, extrapolated", rates[1], -4.0, 2e-4, "−4κ")
    jko(v)
    v.draw(figure, run, weak, panels=3)


def growth(v: Validation, coupling: float) -> tuple[float, float]:
    """Rates of the modes 1 and 2 of a tiny perturbation of the uniform state, over t = 1/2.

    Errors: n⁴h²/12 in space (n⁴ = 1, 16: 2e-4, 3e-3 at h = 0.05), n⁶dt²/6 in time, TINY from the nonlinearity
    (×e^{2t}: mode 1 feeds mode 2 with 1e-6).  With dt ∝ h Richardson's rule leaves n⁶h⁴/360 = 2e-8, 1e-6 in
    space and a few times (n²dt)⁴ in time, and divides no error of the nonlinearity: 1e-5 for mode 2.
    """
    rates = []
    for n in CELLS:
        run = v.run(*CASE, f"params.K={coupling}", f"grid.shape=[{n}]", f"solver.dt={0.64 / n}", "time.end=0.5",
                    f"initial.density=1 + {TINY}*(cos(x) + cos(2*x))", "output.every=0.5")  # fmt: skip
        x = run.centers[0]
        modes = [[np.sum(run.rho[k] * np.cos(n * x)) for n in (1, 2)] for k in (0, -1)]
        rates.append(np.log(np.divide(modes[1], modes[0])) / 0.5)
    extrapolated = (4 * rates[1] - rates[0]) / 3
    return float(extrapolated[0]), float(extrapolated[1])


def jko(v: Validation) -> None:
    """The JKO scheme on the circle: a step multiplies a small mode by 1/(1 − τs), s its rate on these cells.

    Near the uniform state ½W₂² is ½∫|∇φ|²/2π: the step is backward Euler of the linearised equation.  What is left is
    the square of the amplitude 1e-3, times numbers of order 1.  The minimum of the energy, where steps end, is that of
    all schemes: steps of 2 divide the distance, whose slowest rate is above 1, by 3 or more: 3^{−15} = 7e-8.
    """
    run = v.run(*CASE, "grid.shape=[64]", "params.K=4", "initial.density=1 + 1e-3*cos(x)", "time.end=0.1",
                'solver={method="jko", tau=0.1, tolerance=1e-12}', "output.every=0.1")  # fmt: skip
    x = run.centers[0]
    first, last = (float(np.sum(rho * np.cos(x))) for rho in (run.rho[0], run.rho[-1]))
    rate = (64 / np.pi * np.sin(np.pi / 64)) ** 2  # (K/2 − κ)(4/h²) sin²(h/2)
    v.equal("JKO: factor of mode 1 in a step of 0.1 at K/κ = 4", last / first, 1 / (1 - 0.1 * rate), 2e-6,
            "1/(1 − τ(K/2 − κ))")  # fmt: skip
    run = v.run(*CASE, "grid.shape=[64]", "initial.density=exp(cos(x - 1))", "time.end=30", "output.every=30",
                'solver={method="jko", tau=2, tolerance=1e-12}')  # fmt: skip
    v.equal("JKO: order parameter r at K/κ = 3", run.diagnostics["order_x"][-1], ORDER, 1e-6, "Bessel functions")
    v.equal("JKO: energy, less −κ", run.diagnostics["energy"][-1] + 1, ENERGY, 1e-10, "Bessel functions")


def angle(rho, x) -> float:
    return float(np.angle(np.sum(rho * np.exp(1j * x))))


def figure(density, order, energy, run, weak) -> None:
    x = run.centers[0]
    for k in (0, 5, 10, -1):
        density.plot(x, run.rho[k], label=f"$t = {run.t[k]:g}$")
    z = K * ORDER
    density.plot(x, np.exp(z * np.cos(x - 1)) / (2 * np.pi * iv(0, z)), "k--", lw=0.8, label="closed form")
    density.set(xlabel="$x$", ylabel=r"$\rho$", title=r"synchronisation at $K/\kappa = 3$")
    density.legend(frameon=False)
    order.semilogy(run.t, run.diagnostics["order_x"], "o-", ms=3, label=r"$K/\kappa = 3$")
    order.semilogy(weak.t, weak.diagnostics["order_x"], "s-", ms=3, label=r"$K/\kappa = 1$")
    t = np.linspace(0, 8, 9)
    order.semilogy(t, 0.025 * np.exp(t / 2), "k--", lw=0.8, label=r"$e^{(K/2-\kappa)t}$")
    order.axhline(ORDER, color="k", lw=0.6, ls=":")
    order.set(xlim=(0, 40), ylim=(1e-10, 3), xlabel="$t$", ylabel="$r$", title="order parameter")
    order.legend(frameon=False)
    energy.plot(run.t, run.diagnostics["energy"] + 1, "o-", ms=3)
    energy.axhline(ENERGY, color="k", lw=0.6, ls=":")
    energy.axhline(-np.log(2 * np.pi), color="k", lw=0.6, ls=":")
    energy.set(xlim=(0, 30), xlabel="$t$", ylabel=r"$E + \kappa$", title="dotted: uniform and synchronised state")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
