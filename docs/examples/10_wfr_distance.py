"""How far a run that grows and decays has come: its Wasserstein-Fisher-Rao distance, by POT, between bounds."""

import numpy as np
import ot
from matplotlib.figure import Figure

import wgfpde as wgf

RATE = 2.0
DELTA = RATE**-0.5  # mass that would go farther than π DELTA decays and grows instead


def distance(x, a, y, b):
    """A lower and an upper bound of inf ∫∫(|v|² + α²/RATE) ρ over ∂t ρ + ∇·(ρv) = αρ, as a distance; a at x, b at y.

    4 DELTA² times the least of Σ cγ + KL(γ1|a) + KL(γ2|b) over plans γ, c = −2 ln cos(min(|x − y|/2 DELTA, π/2)).  Any
    plan bounds it from above, and any u from below, with v = min(c − u), by Σ a(1 − e^(−u)) + Σ b(1 − e^(−v)).
    """
    angle = np.minimum(abs(x[:, None] - y) / (2 * DELTA), np.pi / 2 * (1 - 1e-12))
    cost = -2 * np.log(np.cos(angle))
    plan = ot.unbalanced.mm_unbalanced(a, b, cost, reg_m=1, div="kl", numItermax=3000, stopThr=0)
    first, second = plan.sum(1), plan.sum(0)
    kl = sum(np.sum(p * np.log(np.where(p > 0, p / q, 1)) - p + q) for p, q in ((first, a), (second, b)))
    u = -np.log(first / a)
    v = np.min(cost - u[:, None], axis=0)
    u = np.min(cost - v, axis=1)
    least = a @ -np.expm1(-u) + b @ -np.expm1(-v)
    return 2 * DELTA * np.sqrt([least, np.sum(plan * cost) + kl])


low, high = distance(np.array([0.0]), np.array([1.3]), np.array([0.9]), np.array([0.4]))
exact = 2 * DELTA * np.sqrt(1.3 + 0.4 - 2 * np.sqrt(1.3 * 0.4) * np.cos(0.9 / (2 * DELTA)))
print(f"two points: {low:.6f} to {high:.6f}, in closed form {exact:.6f}")

grid = wgf.Grid([-4.0], [4.0], [120])
energy = wgf.Energy(wgf.Internal("entropy", kappa=0.7), potential=lambda x: 0.75 * x**2)
solver = {"method": "wfr", "rate": RATE, "balanced": False, "dt": 0.005}
start = np.exp(-((grid.x.centers - 1) ** 2))
problem = wgf.problem(grid, energy, start, mass=0.4, end=1.0, every=0.25, solver=solver)
run, rows = wgf.run(problem, progress=False), []
x, h, fallen = grid.x.centers, grid.x.widths, run.diagnostics["energy"][0] - run.diagnostics["energy"]
for t, rho, fall in zip(run.t[1:], run.rho[1:], fallen[1:], strict=True):
    low, high = distance(x, run.rho[0] * h, x, rho * h)
    still = 2 * DELTA * np.sqrt(np.sum(h * (np.sqrt(run.rho[0]) - np.sqrt(rho)) ** 2))
    rows.append([high, np.sqrt(t * fall), still])
    print(f"t = {t:.2f}: {low:.4f} to {high:.4f}, at most √(t ΔE) = {rows[-1][1]:.4f} and, unmoved, {still:.4f}")

left, right = Figure(figsize=(8, 3.2), layout="constrained").subplots(1, 2)
for axes in (left, right):
    shades = [f"tab:{name}" for name in ("blue", "orange", "green", "red", "purple")]
    axes.set_prop_cycle(color=shades, ls=["-", "--", "-.", ":", (0, (10, 2))])
left.plot(x, np.transpose(run.rho), label=[f"$t = {t:g}$" for t in run.t])
left.set(xlabel="$x$", ylabel=r"$\rho$")
names = ["distance", r"$\sqrt{t\,\Delta E}$", "by decay and growth alone"]
right.plot(run.t, [[0, 0, 0], *rows], marker=".", label=names)
right.set(xlabel="$t$", title="from the start")
for axes in (left, right):
    axes.legend(frameon=False, fontsize="small")
left.figure.savefig("wfr_distance.png", dpi=120)
