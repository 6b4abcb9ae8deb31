"""A constant force over a periodic potential: the current, the velocity, how fast particles spread, and the entropy.

On a ring a force is no gradient: the steady state has a current and no energy tells it.  The velocity and the effective
diffusivity are double integrals, and entropy production is the power of the force over κ.  In a trough, beside a well
that depends on y alone, they are the same numbers: the density is a product, on the cells too.
"""

import numpy as np

import wgfpde as wgf
from wgfpde.claims import Validation
from wgfpde.cli import validate_script

NUMBERS = {  # (κ, f) : v, D_eff, by quadrature
    (0.1, 5.0): (0.5403473092228364, 0.21287628351503904),
    (0.5, 3.0): (1.0165477945480494, 0.39900483312224616),
    (0.05, 4.0): (0.0010253573284104243, 5.123939386593747e-4),
}
CELLS = (64, 128, 256)


def check(v: Validation) -> None:
    v.about("Fokker-Planck", "ratchet_1d", "1D stationary")
    for (kappa, force), (velocity, diffusivity) in NUMBERS.items():
        states = [state(n, kappa, force) for n in CELLS]
        words = f"κ = {kappa:g}, f = {force:g}"
        for name, exact in (("velocity", velocity), ("diffusivity", diffusivity)):
            found = np.array([getattr(one.transport, name) for one in states])
            errors = found / exact - 1
            v.at_least(f"{name}, {words}: order in h", np.log2(errors[0] / errors[2]) / 2, 1.95, "double integral")
            # Relative errors a h² + b h⁴, of which the rule leaves b h⁴/4: a² h⁴ = 1e-6 at most, by a h² above.
            v.equal(f"{name}, {words}, extrapolated, over the exact one", (4 * found[2] - found[1]) / 3 / exact, 1.0,
                    2e-6, "double integral")  # fmt: skip
    fine = states_of_case()
    v.at_most("velocity of the case, relative error", abs(fine.velocity / NUMBERS[0.1, 5.0][0] - 1), 3e-4, "256 cells")
    v.at_most("D_eff of the case, relative error", abs(fine.diffusivity / NUMBERS[0.1, 5.0][1] - 1), 3e-4, "256 cells")
    run = march(v, "ratchet_1d", fine.velocity, fine.entropy_production)
    trough(v)
    v.draw(figure, run, fine, panels=2)


def state(n: int, kappa: float, force: float):
    (found,) = wgf.stationary("ratchet_1d", grid={"shape": [n]}, progress=False,
                              energy={"internal": {"kappa": kappa}, "tilt": force})  # fmt: skip
    return found


def states_of_case():
    return wgf.stationary("ratchet_1d", progress=False)[0].transport


def trough(v: Validation) -> None:
    """In the plane the line is found again, number by number: the elimination is accurate relative to itself."""
    (plane,) = wgf.stationary("tilted_plane_2d", progress=False)
    v.about("Fokker-Planck", "tilted_plane_2d", "2D stationary")
    found, line = plane.transport, state(CELLS[0], 0.1, 5.0).transport
    for name, one, other in (
        ("velocity", found.velocity[0], line.velocity),
        ("D_eff", found.diffusivity[0, 0], line.diffusivity),
        ("entropy production", found.entropy_production, line.entropy_production),
    ):
        v.equal(f"in a trough: {name} over that on the line, 64 cells along both", one / other, 1.0, 1e-12, "product")
    across = max(abs(found.velocity[1]), *np.abs(found.diffusivity[:, 1]))
    v.at_most("in a trough: velocity and D_eff across", across, 0.0, "walls")
    march(v, "tilted_plane_2d", line.velocity, line.entropy_production)


def march(v: Validation, case: str, velocity: float, production: float):
    """The march tends to the steady state that elimination finds, and works at the power f v."""
    run = v.run(case)
    d = run.diagnostics
    power = np.diff(d["work"])[-1] / np.diff(run.t)[-1]
    v.equal(f"{case}: power of the force at the end, over f v", power / (5.0 * velocity), 1.0, 1e-9, "elimination")
    v.equal(f"{case}: heat per time at the end, over f v", np.diff(d["heat"])[-1] / np.diff(run.t)[-1] / power, 1.0,
            1e-9, "first law")  # fmt: skip
    v.equal(f"{case}: entropy production at the end, over f v/κ", d["entropy_production"][-1] / production, 1.0, 1e-9,
            "J ∮f/κ")  # fmt: skip
    return run


def figure(left, right, run, steady) -> None:
    x = run.centers[0]
    for k in (0, 1, 2, 4, -1):
        left.plot(x, run.rho[k], label=f"$t = {run.t[k]:.1f}$")
    left.set(xlabel="$x$", ylabel=r"$\rho$", title=r"$V = \cos 2\pi x$, $\kappa = 0.1$, $f = 5$")
    left.legend(frameon=False)
    forces = np.linspace(0.25, 12, 48)
    found = [state(128, 0.1, float(f)).transport for f in forces]
    right.plot(forces, [one.velocity for one in found], label="$v$")
    right.plot(forces, [one.diffusivity / 0.1 for one in found], label=r"$D_\mathrm{eff}/\kappa$")
    right.plot(5.0, steady.velocity, "ko", ms=4)
    right.set(xlabel="$f$", title="velocity, and how much faster particles spread")
    right.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
