"""Ornstein–Uhlenbeck: means, variances and a full covariance at all times, as flow, as implicit Euler and as JKO steps.

Under a linear drift a Gaussian stays one, and its moments solve linear equations.  Implicit steps follow recursions of
their own, which differ from the flow by several per cent and are as exact: they tell a wrong scheme from one that is
only of low order.  In the plane the axes of the drift, of the noise and of the cells are three different pairs.
"""

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script
from wgfpde.energy.equations import gaussian, ornstein_uhlenbeck, ornstein_uhlenbeck_2d

M0, S0, LAM, KAPPA = 0.5, 0.25, 1.3, 0.7
LINE = ("ou_1d", f"params.m0={M0}", f"params.s0={S0}", f"params.lam={LAM}", f"params.kappa={KAPPA}",
        f"energy.internal.kappa={KAPPA}", "time.end=1", "output.every=0.25")  # fmt: skip
EULER_10 = 0.878870812833
"""s₁₀ of s ← (s + 2κdt)/(1 + 2λdt), κ = λ = 1, s₀ = 0.25, dt = 0.1; the flow is at 0.898498."""
UNEQUAL = "grid.mapping=['s + 0.5/(2*pi)*sin(2*pi*s)']"
"""Cells from half the mean width to one and a half of it."""
A = np.array([[2.0, 0.6], [0.6, 1.0]])
COVARIANCE, MEAN, NOISE, END = np.array([[0.3, -0.1], [-0.1, 0.2]]), (1.0, -0.5), 0.5, 0.7
MEAN_END, COVARIANCE_END = (0.35208305, -0.42051739), (0.287701067852, -0.134937645159, 0.479942095582)
"""At t = 0.7; xx, xy, yy of the covariance."""
PLANE = (
    "ou_2d_correlated", f"energy.internal.kappa={NOISE}", "energy.potential=x**2 + 0.6*x*y + y**2/2",
    "grid.lower=[-6, -6]", "grid.upper=[6, 6]",
    "initial.density=exp(-(4*(x - 1)**2 + 4*(x - 1)*(y + 0.5) + 6*(y + 0.5)**2)/2)", "initial.mass=1.0",
)  # fmt: skip
MOMENTS = ("mean_x", "mean_y", "variance_x", "covariance_xy", "variance_y")


def check(v: Validation) -> None:
    line = flow(v)
    euler(v)
    plane = covariance(v)
    jko(v)
    v.draw(figure, line, plane, panels=2)


def flow(v: Validation):
    """Order 2 with dt ∝ h, also on unequal cells; and the moments at all times, extrapolated."""
    both = {"grid.shape": [50, 100, 200, 400], "solver.dt": [0.05, 0.025, 0.0125, 0.00625]}
    for name, mapping in (("unequal cells", UNEQUAL), ("equal cells", "grid.mapping=['s']")):
        found = v.converge(LINE[0], both, *LINE[1:], mapping, norms=["l1", "linf"])
        for norm in ("l1", "linf"):
            v.at_least(f"line, {name}: order in h and dt, {norm}", found.fitted[norm], 1.9, "closed form")
    coarse, fine = found.runs[-2:]
    exact = np.array([ornstein_uhlenbeck(t, M0, S0, LAM, KAPPA) for t in fine.t])
    for k, name in enumerate(("mean_x", "variance_x")):
        # a h² + b h⁴: at h = 0.04 moments err by 1e-4 and 3e-4; b/a = O((V'/κ)²/60) < 1 leaves 3e-4·h² = 5e-7.
        value = (4 * fine.diagnostics[name] - coarse.diagnostics[name]) / 3
        off = np.max(np.abs(value - exact[:, k]))
        v.equal(f"line: largest error of the {name[:-2]}, extrapolated", off, 0, 1e-6, "κ/λ + (s₀ − κ/λ)e^{−2λt}")
    return fine


def euler(v: Validation) -> None:
    """A step of implicit Euler takes any density from ⟨x⟩ to ⟨x⟩/(1 + λdt), from ⟨x²⟩ to (⟨x²⟩ + 2κdt)/(1 + 2λdt).

    The scheme has these up to h²; Richardson's rule leaves a few h⁴, 6e-6 at h = 0.05, times what falls behind, 0.1.
    """
    runs = [v.run("ou_1d", f"grid.shape=[{n}]", "params.m0=0", "solver={method='fv', order=1, dt=0.1}", "time.end=1",
                  "output.every=1") for n in (160, 320)]  # fmt: skip
    coarse, fine = (run.diagnostics["variance_x"][-1] for run in runs)
    v.equal("implicit Euler: variance after 10 steps", (4 * fine - coarse) / 3, EULER_10, 1e-6, "recursion")
    moved = [v.run(*LINE, f"grid.shape=[{n}]", "solver={method='fv', order=1, dt=0.125}") for n in (160, 320)]
    coarse, fine = (run.diagnostics["mean_x"][-1] for run in moved)
    v.equal("implicit Euler: mean after 8 steps", (4 * fine - coarse) / 3, M0 / (1 + 0.125 * LAM) ** 8, 1e-6,
            "(1 + λdt)⁻ⁿ")  # fmt: skip
    coarse, fine = (run.diagnostics["second_moment"][-1] for run in moved)
    expected = KAPPA / LAM + (S0 + M0**2 - KAPPA / LAM) / (1 + 0.25 * LAM) ** 8
    v.equal("implicit Euler: ⟨x²⟩ after 8 steps", (4 * fine - coarse) / 3, expected, 1e-6, "(1 + 2λdt)⁻ⁿ")


def covariance(v: Validation):
    """V = xᵀAx/2: the mean e^{−At}m₀, the covariance κA⁻¹ + e^{−At}(Σ₀ − κA⁻¹)e^{−At}."""
    cells = (40, 80, 160)
    varied = {"grid.shape": [[n, n] for n in cells], "solver.dt": [1.12 / n for n in cells]}
    found = v.converge(PLANE[0], varied, *PLANE[1:], f"time.end={END}", f"output.every={END}", "exact={density='1'}",
                       errors={"l1": distance})  # fmt: skip
    v.at_least("plane: order in h and dt, L1", found.fitted_last["l1"], 1.9, "Gaussian of the full covariance")
    coarse, fine = found.runs[-2:]
    for name, expected in zip(MOMENTS, (*MEAN_END, *COVARIANCE_END), strict=True):
        # Errors a h² + b h⁴ with dt ∝ h; Richardson's rule leaves 4 b h⁴ = 1.3e-4 b, h = 0.075, where b is the
        # next coefficient of the Bernoulli function, s⁴/720, times (V'/κ)⁴ < 100: 2e-5.
        value = (4 * fine.diagnostics[name][-1] - coarse.diagnostics[name][-1]) / 3
        v.equal(f"plane, t = 0.7: {name.replace('_', ' ')}, extrapolated", value, expected, 2e-5, "e^{−At}")
    # The steady state is the discrete Gibbs state, whose moments are spectrally accurate.
    steady = v.run(*PLANE, "grid.shape=[80, 80]", "solver.dt=0.2", "time.end=24", "output.every=24",
                   "exact={density='1'}")  # fmt: skip
    inverse = NOISE * np.linalg.inv(A)
    for name, expected in zip(MOMENTS[2:], inverse[[0, 0, 1], [0, 1, 1]], strict=True):
        v.equal(f"plane, steady: {name.replace('_', ' ')}", steady.diagnostics[name][-1], expected, 1e-10, "κA⁻¹")
    return fine


def distance(run) -> float:
    """L1 distance to the Gaussian, from its values at the centres: cell averages differ by h²/24 Δρ."""
    mean, cov = ornstein_uhlenbeck_2d(run.t[-1], MEAN, COVARIANCE, A, NOISE)
    x, y = run.centers
    area = np.prod([c[1] - c[0] for c in run.centers])
    return float(area * np.sum(np.abs(run.rho[-1] - gaussian(x, y[:, None], mean=mean, cov=cov))))


def jko(v: Validation) -> None:
    """Ten JKO steps of a round Gaussian under the correlated drift: a recursion for each axis of A.

    With rates λ = 4, 1 of the case, along x = ±y: (1 + λτ) s² − sₙ s − κτ = 0 for the widths, m/(1 + λτ) for the means.
    The density of the transport is that at its middle: a step Δs errs by ½ Δs (Δs/s)² at most, a shift likewise, where
    the flow lies 6e-3 away.  Richardson's rule leaves 1e-5.
    """
    tau, rates, means, width = 0.05, np.array([4.0, 1.0]), np.array([0.2, 0.3]), np.full(2, np.sqrt(0.2))
    runs = [v.run("ou_2d_correlated", "params.mu=0.2", "params.mv=0.3", "params.s0=0.2", f"grid.shape=[{n}, {n}]",
                  "grid.lower=[-3, -3]", "grid.upper=[3, 3]", "time.end=0.5", "output.every=0.5",
                  f"solver={{method='jko', tau={tau}, tolerance=1e-10}}") for n in (48, 96)]  # fmt: skip
    coarse, fine = (np.array([run.diagnostics[name][-1] for name in MOMENTS]) for run in runs)
    widening = shifting = 0.0
    for _ in range(10):
        last, width = width, (width + np.sqrt(width**2 + 2 * (1 + rates * tau) * tau)) / (2 * (1 + rates * tau))
        drift, means = means * rates * tau / (1 + rates * tau), means / (1 + rates * tau)
        widening += np.max(np.abs(width - last) ** 3 / np.minimum(width, last) ** 2)
        shifting += 0.5 * np.max(drift**3 / np.minimum(width, last) ** 2)
    (a, b), (mu, mv) = width**2, means
    expected = np.array([(mu + mv) / np.sqrt(2), (mu - mv) / np.sqrt(2), (a + b) / 2, (a - b) / 2, (a + b) / 2])
    slack = np.repeat([shifting, widening * np.max(width)], (2, 3)) + 1e-5
    for k, name in enumerate(MOMENTS):
        v.equal(f"JKO: {name.replace('_', ' ')} after 10 steps", (4 * fine[k] - coarse[k]) / 3, expected[k], slack[k],
                "JKO recursion")  # fmt: skip


def figure(left, right, line, plane) -> None:
    x = line.centers[0]
    for k, t in enumerate(line.t):
        mean, variance = ornstein_uhlenbeck(t, M0, S0, LAM, KAPPA)
        left.plot(x, gaussian(x, mean=mean, cov=variance), "k-", lw=0.6)
        left.plot(x[::4], line.rho[k][::4], ".", ms=5, label=f"$t = {t:g}$")
    left.set(xlim=(-3, 4), xlabel="$x$", ylabel=r"$\rho$", title="closed form (lines), every fourth of 400 cells")
    left.legend(frameon=False)
    x, y = plane.centers
    for rho, t in ((plane.rho[0], 0.0), (plane.rho[-1], END)):
        mean, cov = ornstein_uhlenbeck_2d(t, MEAN, COVARIANCE, A, NOISE)
        levels = np.array([0.05, 0.3, 0.7]) / (2 * np.pi * np.sqrt(np.linalg.det(cov)))
        right.contour(x, y, rho, levels=levels, colors="C0" if t == 0 else "C1")
        right.contour(x, y, gaussian(x, y[:, None], mean=mean, cov=cov), levels=levels, colors="k", linestyles="--",
                      linewidths=0.7)  # fmt: skip
    right.set(xlim=(-2, 3), ylim=(-3, 2), aspect="equal", xlabel="$x$", ylabel="$y$",
              title=f"full covariance, $t = 0$ and {END}; dashed: closed form")  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
