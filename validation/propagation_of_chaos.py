"""Propagation of chaos: crowds of N against their mean field, by exact laws at finite N and finite τ.

N particles that attract each other depend on each other; as N grows two of them become independent, and each follows
the mean-field equation.  For V = λx²/2, W = κx²/2 the joint law is Gaussian at every N: mean and differences decay at λ
and λ + κ, so that variances, covariances and the entropy relative to the mean field are known at every step.
"""

import numpy as np

from wgfpde.claims import Validation, fitted_order
from wgfpde.cli import validate_script

LAM, KAPPA, START, TAU = 1.0, 2.0, 0.2, 0.05
CROWD = (
    "mckean_vlasov_quadratic_1d", "energy.internal.kappa=1", "energy.potential=x**2/2", "energy.interaction=x**2",
    "grid.lower=[-10]", "grid.upper=[10]", "grid.shape=[400]", "initial.mass=1.0", "time.start=0", "exact=",
    f"initial.density=exp(-x**2/{2 * START})",
)  # fmt: skip
SIZES = (2, 4, 8, 16)
EIGHT = (0.4300465341, 0.1149420146, 0.0699270833)
"""N = 8, 20 steps of 0.05 from 0.2: variance, variance of the mean, covariance of two."""
JOINT = 0.4685804932
"""Variance of one of N = 2, κ = 1, at t = 0.37 from 0.2."""


def check(v: Validation) -> None:
    crowds = {n: crowd(v, n, 40_000 if n == 8 else 160_000 // n) for n in SIZES}
    laws(v, crowds)
    joint(v)
    steady(v)
    bistable = ordered(v)
    v.draw(figure, crowds, bistable, panels=2)


def crowd(v: Validation, n: int, replicas: int):
    solver = f"solver={{method='langevin', tau={TAU}, particles={n * replicas}, replicas={replicas}, seed=11}}"
    return v.run(*CROWD, solver, "time.end=1", "output.every=1")


def _variance(rate: float, steps: int = 20) -> float:
    s = START + (20 / 400) ** 2 / 12  # drawn from averages over cells
    for _ in range(steps):
        s = (1 - rate * TAU) ** 2 * s + 2 * TAU
    return s


def _exact(n: int) -> np.ndarray:
    """Variance of one, of the mean, covariance of two."""
    mean, apart = _variance(LAM) / n, _variance(LAM + KAPPA)
    return np.array([mean + (1 - 1 / n) * apart, mean, mean - apart / n])


def _measured(run) -> tuple[np.ndarray, np.ndarray]:
    """The same of a run, each with its standard error, from independent replicas."""
    replicas = run.attributes["replicas"]
    x = run.fields["position"][-1].reshape(replicas, -1)
    n = x.shape[1]
    each = (x**2).mean(axis=1), x.mean(axis=1) ** 2, (x.sum(axis=1) ** 2 - (x**2).sum(axis=1)) / (n * (n - 1))
    return np.array([e.mean() for e in each]), np.array([e.std() / np.sqrt(replicas) for e in each])


def laws(v: Validation, crowds) -> None:
    """z-scores at a fixed seed; what N changes falls as 1/N; and entropies relative to the mean field.

    The shift of the start by h²/12 = 2e-4 is (0.95²)²⁰ = 0.13 or less of that at the end.
    """
    for expected, exact in zip(EIGHT, _exact(8), strict=True):
        v.equal("N = 8: exact law, less the width of a cell at the start", exact, expected, 3e-5, "reference numbers")
    for n, run in crowds.items():
        found, error = _measured(run)
        score = np.max(np.abs((found - _exact(n)) / error))
        v.at_most(f"N = {n}: largest |z| of variance, variance of the mean, covariance", score, 4, "exact law")
    field = v.run(*CROWD, f"solver={{method='langevin', tau={TAU}}}", "initial.sampling=centre", "time.end=1",
                  "output.every=1")  # fmt: skip
    limit = _variance(LAM + KAPPA) - 0.85**40 * (20 / 400) ** 2 / 12
    v.equal("mean field: variance of the law", field.diagnostics["variance_x"][-1], limit, 1e-10, "recursion")
    excess = [_measured(run)[0][0] - limit for run in crowds.values()]
    v.equal("order in 1/N of what N adds to the variance", -fitted_order(SIZES, excess), 1.0, 0.05, "1/N")
    # H(one of N | mean field) = ½[u − ln(1 + u)] with 1 + u the ratio of variances: of order 1/N².  160,000 particles
    # know a variance to 0.35 %, u = 0.2 and 0.1 of N = 8 and 16 to 2 and 4 %, and H to twice that: two standard errors.
    entropies = [0.5 * (u - np.log1p(u)) for u in np.array(excess) / limit]
    exact = [0.5 * (u - np.log1p(u)) for u in [_exact(n)[0] / limit - 1 for n in SIZES]]
    v.equal("H(one of 8 | mean field) over the exact one", entropies[2] / exact[2], 1.0, 0.1, "Gaussian entropies")
    v.equal("order in 1/N of that entropy", -fitted_order(SIZES, entropies), -fitted_order(SIZES, exact), 0.15,
            "towards 2 (Lacker, Le Flem)")  # fmt: skip


def joint(v: Validation) -> None:
    """The joint law of N = 2 solves a Fokker–Planck equation in the plane, V = ½(x² + y²) + ½(x − y)²: finite volumes.

    Errors a h² + b h⁴ with dt ∝ h; Richardson's rule leaves some h⁴ = 2e-5 (h = 0.07) of the variance.
    """
    runs = [v.run("ou_2d_correlated", "energy.internal.kappa=1", "energy.potential=(x**2 + y**2 + (x - y)**2)/2",
                  "exact=", "grid.lower=[-4.5, -4.5]", "grid.upper=[4.5, 4.5]", f"grid.shape=[{n}, {n}]",
                  "initial.density=exp(-(x**2 + y**2)/0.4)", "initial.mass=1.0", "time.end=0.37",
                  f"solver.dt={2.96 / n}", "output.every=0.37") for n in (64, 128)]  # fmt: skip
    coarse, fine = (run.diagnostics["variance_x"][-1] for run in runs)
    v.equal("N = 2, finite volumes of the joint law: variance of one", (4 * fine - coarse) / 3, JOINT, 3e-5,
            "eigenmodes")  # fmt: skip


def steady(v: Validation) -> None:
    """In the end, τ → 0: v_N = (1/N)/λ + (1 − 1/N)/(λ + κ), with 1/(λ(1 − λτ/2)) for 1/λ at finite τ."""
    for n, expected in ((2, 2 / 3), (8, 5 / 12), (64, 0.34375)):
        replicas = 160_000 // n
        run = v.run(*CROWD, f"solver={{method='langevin', tau=0.01, particles={n * replicas}, replicas={replicas}, "
                    f"seed={n}}}", "time.end=6", "output.every=6")  # fmt: skip
        found, error = _measured(run)
        finite = sum(w / (r * (1 - r * 0.005)) for w, r in ((1 / n, LAM), (1 - 1 / n, LAM + KAPPA)))
        v.equal(f"N = {n}: steady variance at τ = 0.01", found[0], finite, 4 * error[0], "finite τ")
        v.at_most(f"N = {n}: what finite τ changes of {expected:.6g}", abs(finite - expected), 0.02 * expected, "τ → 0")


def ordered(v: Validation):
    """Bistable crowds: the mean at t = 2 lies O(1/N) from the mean field's, by finite volumes of the same case.

    4000 replicas of 8 leave a standard error of 0.008 of a difference of 0.1.
    """
    short = ("grid.shape=[200]", "time.end=2", "output.every=0.5")
    field = v.run("chaos_desai_zwanzig_1d", "solver={method='fv', dt=0.01}", *short)
    runs = {n: v.run("chaos_desai_zwanzig_1d", f"solver={{method='langevin', tau=0.02, particles={n * r}, "
                     f"replicas={r}, seed=2}}", *short) for n, r in ((4, 8000), (16, 4000), (64, 1000))}  # fmt: skip
    short_of = [field.diagnostics["mean_x"][-1] - run.diagnostics["particle_mean_x"][-1] for run in runs.values()]
    v.at_least("bistable crowds of 4: how much less they agree than their mean field", short_of[0], 0.05, "finite N")
    v.at_least("the same of 4 over that of 16", short_of[0] / short_of[1], 2.0, "falls with N")
    error = runs[64].diagnostics["standard_error_x"][-1]
    v.at_most("bistable crowds of 64: their distance from the mean field", abs(short_of[2]), 0.012 + 4 * error, "1/N")
    return field, runs


def figure(left, right, crowds, bistable) -> None:
    limit = _variance(LAM + KAPPA)
    sizes = np.array(SIZES)
    left.loglog(sizes, [_exact(n)[0] - limit for n in sizes], "k-", lw=0.8, label="exact law")
    measured = [_measured(run) for run in crowds.values()]
    left.errorbar(sizes, [m[0][0] - limit for m in measured], [m[1][0] for m in measured], fmt="o", label="particles")
    left.set(xlabel="$N$", title="variance of one, less that of the mean field")
    left.legend(frameon=False)
    field, runs = bistable
    right.plot(field.t, field.diagnostics["mean_x"], "k-", label="mean field")
    for mark, (n, run) in zip("osv^D", runs.items(), strict=False):
        d = run.diagnostics
        right.errorbar(run.t, d["particle_mean_x"], d["standard_error_x"], fmt=f"{mark}-", ms=3, label=f"$N = {n}$")
    right.set(xlabel="$t$", ylabel="mean", title="bistable crowds agree less than their mean field")
    right.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
