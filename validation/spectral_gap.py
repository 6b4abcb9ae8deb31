"""Spectral gaps of Fokker–Planck equations: known to many digits, exponentially small, and seen in a run.

∂t ρ = ∇·(κ∇ρ + ρ∇V) forgets its start at the rate λ₁, the gap of its generator.  Ornstein–Uhlenbeck has λ_n = nλ; for
the quartic double well the gaps are known from a pseudospectral solution of the Schrödinger problem that is unitarily
equivalent.  A scheme whose rates are not in detailed balance, or a run whose steps lose digits, gives other numbers.
"""

import contextlib
import io
import json
from pathlib import Path

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import main, validate_script

GAPS = {
    1.0: (0.79208842659, 3.54888918), 0.5: (0.42294464540, 2.31491325), 0.25: (0.18717041809, 1.50102842),
    0.1: (0.033545287308, 0.927372103), 0.05: (0.0027761406353, 0.822247125),
}  # fmt: skip
"""λ₁ and λ₂ of V = x⁴/4 − x²/2 by κ."""
HALF = {1.0: 4.0, 0.5: 3.4, 0.25: 3.0, 0.1: 2.6, 0.05: 2.3}
"""Walls at ±HALF, where π is below e^{−50} of its peak: they change an eigenvalue by less than 1e-10 of it."""


def check(v: Validation) -> None:
    # Extrapolated from h, h/2 and h/4 the error is c h⁶: with 400, 800 and 1600 cells below 1e-9 of λ₁.
    found = spectrum(v, "ou_1d", "--richardson", "grid.shape=[1600]", "grid.lower=[-8]", "grid.upper=[8]",
                     "energy.internal.kappa=1", "energy.potential=x**2/2")  # fmt: skip
    for n in (1, 2, 3):
        v.equal(f"Ornstein–Uhlenbeck, eigenvalue {n}", found["extrapolated"][n], n, 1e-8 * n, "λ_n = nλ")
    for kappa, (first, second) in GAPS.items():
        wide = f"grid.lower=[{-HALF[kappa]}]", f"grid.upper=[{HALF[kappa]}]", f"energy.internal.kappa={kappa}"
        found = spectrum(v, "double_well_1d", "--richardson", "grid.shape=[1600]", *wide)
        v.equal(f"double well, gap at κ = {kappa}", found["extrapolated"][1], first, 1e-8 * first, "DVR")
        v.equal(f"double well, λ₂ at κ = {kappa}", found["extrapolated"][2], second, 1e-8 * second, "DVR")
    # (x² − 1)² = 4 (x⁴/4 − x²/2) + 1 with κ = 1 is four times as fast as κ = 1/4.  With 64², 128² and 256² cells c h⁶
    # is below 1e-8.
    found = spectrum(v, "double_well_2d", "--richardson", "grid.shape=[256, 256]",
                     solver="2D spectrum")  # fmt: skip
    v.equal("double well in 2D, gap at κ = 1", found["extrapolated"][1], 4 * GAPS[0.25][0], 1e-8, "scaled from 1D")
    decays(v)


def decays(v: Validation) -> None:
    """χ(t) = ‖ρ/π − M‖ falls at the gap, or at λ₂ where the start is even.

    Steps of second order decay at λ(1 + c(λdt)²), c = γ − γ² − 1/6 = 0.04: 4e-6 and 2e-4 of λ₁, λ₂ at dt = 0.05.  The
    fit begins where other modes change the slope by less than 1e-4, and their χ² falls by e^{−3.9} and e^{−6.3} from
    one snapshot to the next (every 1.5, 1): over ten of them less than a tenth of that is left.
    """
    dt = "solver={method='fv', dt=0.05}"
    run = v.run("double_well_1d", dt, "time.end=30", "output.every=1.5")
    slow = spectrum(v, run.folder)
    v.about("Fokker-Planck", "double_well_1d", "1D fv")
    v.equal("decay of a run, over the gap", slow["observed"]["rate"] / slow["gap"], 1, 2e-5, "spectral theorem")
    even = v.run("double_well_1d", dt, "initial.density=exp(-x**2)", "time.end=15", "output.every=1")
    fast = spectrum(v, even.folder)
    v.about("Fokker-Planck", "double_well_1d", "1D fv")
    v.equal("the mode of an even start", fast["observed"]["mode"], 2, 0, "symmetry")
    ratio = fast["observed"]["rate"] / fast["eigenvalues"][2]
    v.equal("decay of an even start, over λ₂", ratio, 1, 3e-4, "spectral theorem")
    v.draw(figure, (run, slow), (even, fast), panels=2)


def spectrum(v: Validation, case: str | Path, *options: str, solver: str = "1D spectrum") -> dict:
    """What `wgfpde spectrum CASE … --json` says.   options : flags, and overrides without their --set."""
    words = [part for text in options for part in ([text] if text.startswith("--") else ["--set", text])]
    v.runs.mkdir(parents=True, exist_ok=True)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main(
            ["spectrum", str(case), *words, "--modes", "4", "--no-plot", "--json", "--out", str(v.runs / "s.h5")]
        )
    if code != 0:
        raise ValueError(f"wgfpde spectrum {case} ended with exit code {code}")
    v.about("Fokker-Planck", Path(case).stem, solver)
    return json.loads(said.getvalue())


def figure(gaps, decay, slow, fast) -> None:
    kappa = np.array(list(GAPS))
    fine = np.linspace(0.045, 1, 200)
    gaps.loglog(kappa, [first for first, _ in GAPS.values()], "o", label="gap")
    gaps.loglog(fine, np.sqrt(2) / np.pi * np.exp(-0.25 / fine), "k--", lw=0.8, label="Kramers")
    gaps.set(xlabel=r"$\kappa$", ylabel=r"$\lambda_1$", title=r"double well $x^4/4 - x^2/2$")
    gaps.legend(frameon=False)
    for (run, found), label in ((slow, "start in one well"), (fast, "even start")):
        value, observed = found["eigenvalues"][found["observed"]["mode"]], found["observed"]
        x = run.centers[0]
        gibbs = np.exp(-(x**4 / 4 - x**2 / 2) / 0.25)
        excess = np.abs(run.rho[:] / run.rho[-1].sum() - gibbs / gibbs.sum()).sum(axis=1)
        (points,) = decay.semilogy(run.t, excess, "o", ms=3, label=label)
        t = np.array(observed["window"])
        k = int(np.argmin(np.abs(run.t - t[0])))
        decay.semilogy(t, excess[k] * np.exp(-value * (t - t[0])), "--", lw=0.8, color=points.get_color())
    decay.set(xlabel="$t$", ylabel=r"$\|\rho(t) - \rho_\infty\|_{L^1}$", title="dashed: slopes of the eigenvalues")
    decay.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
