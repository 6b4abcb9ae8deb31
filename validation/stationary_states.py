"""Stationary states found directly: branches, energies, growth rates and critical values against closed forms.

The search and the continuation solve for the states of the scheme, without marching.  A state, its energy and the
parameter at which it loses stability have closed forms in the Desai–Zwanzig and the Kuramoto model and on the circle of
Doi and Onsager; the growth rate of an unstable state is also that of a march that leaves it.
"""

import contextlib
import io
import json
import math

import h5py
import numpy as np
from scipy.optimize import brentq, fsolve, minimize_scalar
from scipy.special import i0, i1

from wgfpde.claims import Validation
from wgfpde.cli import main, validate_script
from wgfpde.energy.equations import desai_zwanzig_critical_noise, desai_zwanzig_mean

ORDERED = 0.705495273209
"""The mean m > 0 that solves m = ⟨x⟩ in ρ ∝ exp(−(V + θ(x − m)²/2)/κ), V = x⁴/4 − x²/2, θ = 1, κ = 0.3."""
ORDER, ENERGY = 0.724158717626, -1.997941067974
"""At K/κ = 3: r = I1(Kr/κ)/I0(Kr/κ), and (−κ ln(2π I0(Kr/κ)) + K r²/2)/κ for U = κ ρ ln ρ."""
WELLS = {0.5: (-0.713447933941, 0.893464969574), 0.25: (-0.419981560723, 0.832745487128)}
"""Noise κ: the energy −κ ln Z and ⟨x²⟩ of the Gibbs state of V."""
CROWD = ("desai_zwanzig_1d", "params.theta=1", "grid.lower=[-3]", "grid.upper=[3]", "grid.shape=[200]",
         "energy.internal.kappa=0.3", "energy.potential=x**4/4 - x**2/2", "energy.interaction=theta*x**2/2",
         "initial.mass=1.0")  # fmt: skip
CIRCLE = ("kuramoto_1d", "grid.lower=[-3.141592653589793]", "grid.upper=[3.141592653589793]", "params.K=3",
          "grid.shape=[64]", "energy.interaction=-K*cos(x)", "energy.internal.kappa=1", "initial.mass=1.0")  # fmt: skip


NODES, WEIGHTS = 0.5 * np.array(np.polynomial.legendre.leggauss(400))
"""Of Gauss's rule on [−½, ½]."""
WAVES = np.cos(2 * np.pi * np.outer(np.arange(1, 11), NODES))
WELL = WAVES @ (-np.exp(-(NODES**2) / 0.02) * WEIGHTS)
"""Cosine coefficients of W = −exp(−x²/(2·0.1²)), k = 1 to 10."""


def check(v: Validation) -> None:
    # Sums of analytic functions that vanish at the walls, or are periodic, are exact to rounding: states, energies
    # and critical values have no discretisation error.  A rate errs by ε times the largest one, 4κ/h² = 1e3.
    crowd = _stationary(v, CROWD)["states"]
    v.about("McKean-Vlasov", "desai_zwanzig_1d", "1D stationary")
    means = sorted(state["measures"]["mean_x"] for state in crowd)
    v.equal("states of the Desai–Zwanzig model at noise 0.3", len(crowd), 3, 0, "one unstable, two ordered")
    for mean, expected in zip(means, (-ORDERED, 0.0, ORDERED), strict=False):
        v.equal(f"mean of the state near {expected:.2g}", mean, expected, 1e-10, "self-consistency")
    v.at_most("rate of the ordered states", crowd[0]["eigenvalue"], 0.0, "they are stable")
    v.at_least("rate of the disordered state", crowd[-1]["eigenvalue"], 0.1, "below the critical noise")
    v.at_most("largest residual ‖ρ − T(ρ)‖₁/M", max(state["residual"] for state in crowd), 1e-13, "Newton's method")
    rate, marched = _left(v, crowd[-1]["eigenvalue"])
    v.equal("growth rate of a march that leaves the disordered state", marched, rate, 1e-5, "leading eigenvalue")

    diagram = _stationary(v, CROWD, "--vary", f"energy.internal.kappa=0.3:0.6:{16 if v.full else 7}")
    v.about("McKean-Vlasov", "desai_zwanzig_1d", "1D stationary")
    v.equal("critical noise", diagram["critical"][0]["parameter"], desai_zwanzig_critical_noise(), 1e-9,
            "4(Γ(3/4)/Γ(1/4))²")  # fmt: skip
    errors = [abs(mean - desai_zwanzig_mean(noise)) for noise, mean in _points(diagram)]
    v.at_most("largest error of the ordered mean along its branch", max(errors), 1e-9, "self-consistency")

    synchronised, uniform = _stationary(v, CIRCLE)["states"]
    v.about("McKean-Vlasov", "kuramoto_1d", "1D stationary")
    v.equal("order parameter r at K/κ = 3", synchronised["measures"]["order_x"], ORDER, 1e-10, "Bessel functions")
    v.equal("energy, less −κ of U = κ(ρ ln ρ − ρ)", synchronised["energy"] + 1, ENERGY, 1e-10, "Bessel functions")
    factor = (64 / math.pi * math.sin(math.pi / 64)) ** 2  # of −∂xx on cells, for mode 1
    v.equal("growth rate of the uniform state", uniform["eigenvalue"], 0.5 * factor, 1e-11,
            "(K/2 − κ)(4/h²) sin²(h/2)")  # fmt: skip
    circle = _stationary(v, CIRCLE, "--vary", "params.K=1.2:3.2:8")
    v.equal("critical coupling", circle["critical"][0]["parameter"], 2.0, 1e-10, "K = 2κ")
    errors = [abs(r - i1(coupling * r) / i0(coupling * r)) for coupling, r in _points(circle)]
    v.at_most("largest error of the order along its branch", max(errors), 1e-9, "Bessel functions")

    v.about("Fokker-Planck", "double_well_1d", "1D stationary")
    for kappa, (energy, square) in WELLS.items():
        case = ("double_well_1d", "grid.lower=[-4]", "grid.upper=[4]", "grid.shape=[160]", "initial.mass=1.0",
                "energy.potential=x**4/4 - x**2/2", f"energy.internal.kappa={kappa}")  # fmt: skip
        (state,) = _stationary(v, case, "--measure", "second_moment")["states"]
        v.equal(f"energy of the Gibbs state at κ = {kappa}", state["energy"] + kappa, energy, 1e-10, "−κ ln Z")
        moment = state["measures"]["second_moment"]
        v.equal(f"⟨x²⟩ of the Gibbs state at κ = {kappa}", moment, square, 1e-10, "Bessel functions")

    # |sin| is kinked: its second Fourier coefficient errs by h², which Richardson's rule removes; h⁴ leaves 6e-6.
    values = [_onsager(v, n) for n in (64, 128)]
    v.about("McKean-Vlasov", "kuramoto_1d", "1D stationary")
    v.equal("critical strength of Doi and Onsager, extrapolated", (4 * values[1] - values[0]) / 3, 1.5 * math.pi, 1e-5,
            "(3π/2)κ, mode 2")  # fmt: skip
    _fold_on_a_circle(v)
    v.draw(figure, diagram, circle, panels=3)


def _stationary(v: Validation, case, *more):
    """What `wgfpde stationary` prints with --json; its file is states.h5 among the runs."""
    overrides = [f"--set={override}" for override in case[1:]]
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        arguments = [case[0], *overrides, "--out", str(v.runs / "states.h5"), "--no-plot", "--json", *more]
        code = main(["stationary", *arguments])
    if code:
        raise RuntimeError(f"wgfpde stationary ends with {code}")
    return json.loads(text.getvalue())


def _points(diagram) -> list[tuple[float, float]]:
    """(parameter, measure) wherever the order is well above 0."""
    pairs = [zip(branch["parameter"], branch["measure"], strict=True) for branch in diagram["branches"]]
    return [(parameter, measure) for line in pairs for parameter, measure in line if measure > 0.05]


def _onsager(v: Validation, n: int) -> float:
    case = (*CIRCLE, "grid.lower=[0]", "grid.upper=[1]", f"grid.shape=[{n}]",
            "energy.interaction=K*abs(sin(2*pi*x))", "initial.density=1 + 0.1*cos(4*pi*x)")  # fmt: skip
    return _stationary(v, case, "--vary", "params.K=4.5,4.9")["critical"][0]["parameter"]


def _fold_on_a_circle(v: Validation) -> None:
    """W = −exp(−x²/(2·0.1²)): the blobs are lost in a fold, above the κ at which the uniform state is stable again.

    W is kinked half a period from 0, by 4e-6, so that values on n cells err: in κ by 8e-9 at 64 cells, as h².
    """
    case = (*CIRCLE, "grid.lower=[0]", "grid.upper=[1]", "energy.interaction=-exp(-x**2/(2*0.1**2))",
            "initial.density=1 + 0.1*cos(2*pi*x)")  # fmt: skip
    found = _stationary(v, case, "--vary", "energy.internal.kappa=0.205,0.206,0.207,0.208")
    fold = minimize_scalar(lambda r: -_balanced(r)[0], bounds=(0.25, 0.42), method="bounded", options={"xatol": 1e-9})
    v.about("McKean-Vlasov", "kuramoto_1d", "1D stationary")
    ends = {(end["branch"], end["kind"]): end["parameter"] for end in found["ends"]}
    v.equal("κ of the fold of blobs on a circle, their own branch", ends[0, "fold"], -fold.fun, 3e-8, "cosine series")
    v.equal("κ of that fold, the unstable branch", ends[2, "fold"], -fold.fun, 3e-8, "cosine series")
    (same,) = found["equal_energies"]
    order = brentq(_excess, 0.36, 0.5, xtol=1e-13)
    v.equal("κ of equal energies of blobs and uniform state", same["parameter"], _balanced(order)[0], 3e-8,
            "cosine series")  # fmt: skip
    unstable = found["branches"][2]
    at = zip(unstable["parameter"], unstable["measure"], strict=True)
    errors = [abs(kappa - _balanced(r)[0]) for kappa, r in at if r > 0.05]
    v.at_most("largest error in κ along the unstable branch", max(errors), 3e-8, "cosine series")
    for r, kappa in ((0.1, 0.205993), (0.2, 0.206546), (0.3, 0.207026)):
        near = _stationary(v, (*case, f"energy.internal.kappa={_balanced(r)[0]}"))["states"]
        v.equal(f"order of the unstable state at κ = {kappa}", near[2]["measures"]["order_x"], r, 3e-5, "cosine series")


def _balanced(r: float) -> tuple[float, np.ndarray, np.ndarray]:
    """(κ, cosine coefficients a, density at the nodes): κ ln ρ + W∗ρ = const with a_1 = r on [−½, ½], 10 terms."""

    def lacks(unknown: np.ndarray) -> np.ndarray:
        a = np.append(r, unknown[1:])
        return WAVES @ (_density(unknown[0], a) * WEIGHTS) - a

    solution = fsolve(lacks, np.append(0.2065, 0.3 * r**2 * (np.arange(2, 11) == 2)), xtol=1e-13)
    a = np.append(r, solution[1:])
    return float(solution[0]), a, _density(solution[0], a)


def _density(kappa: float, a: np.ndarray) -> np.ndarray:
    drive = -2 * (WELL * a) @ WAVES / kappa
    rho = np.exp(drive - drive.max())
    return rho / (rho @ WEIGHTS)


def _excess(r: float) -> float:
    """Energy of blobs of order r above that of the uniform state at the same κ."""
    kappa, a, rho = _balanced(r)
    return float(kappa * ((rho * np.log(rho)) @ WEIGHTS) + WELL @ a**2)


def _left(v: Validation, rate: float) -> tuple[float, float]:
    """(rate of the disordered state, rate at which a march leaves it along its mode).

    Errors: rate³ dt²/12 in time, 5e-8; 1e-4² from the nonlinearity, which is cubic here by symmetry.
    """
    with h5py.File(v.runs / "states.h5") as file:
        rho, mode = file["rho"][-1], file["mode"][-1]
    place = v.runs / "left.npy"
    np.save(place, rho + 1e-4 * mode)
    run = v.run(*CROWD, f"initial.file={place}", "solver.dt=0.01", "time.end=1", "output.every=1")
    grown = [float(np.sum((run.rho[k] - rho) * mode)) for k in (0, -1)]
    return rate, math.log(grown[1] / grown[0])


def figure(order, rates, circle_order, diagram, circle) -> None:
    for axes, found in ((order, diagram), (circle_order, circle)):
        for branch in found["branches"]:
            for style, verdict in (("-", "stable"), ("--", "unstable")):
                chosen = np.array(branch["verdict"]) == verdict
                axes.plot(branch["parameter"], np.where(chosen, branch["measure"], np.nan), style, color="k", lw=1.2)
        for one in found["critical"]:
            axes.plot(one["parameter"], one["measure"], "o", mfc="white", mec="k")
    for branch in diagram["branches"]:
        rates.plot(branch["parameter"], branch["eigenvalue"], lw=1.2)
    rates.axhline(0, color="k", lw=0.6)
    order.set(xlabel=r"noise $\kappa$", ylabel="mean", title="Desai–Zwanzig: branches")
    rates.set(xlabel=r"noise $\kappa$", ylabel=r"leading rate $\mu$", title="Desai–Zwanzig: stability")
    circle_order.set(xlabel="coupling $K$", ylabel="$r$", title="Kuramoto: branches")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
