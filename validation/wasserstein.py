"""Wasserstein distances and geodesics: Gaussians, uniform densities and dilations against their closed forms.

The distances behind the diagnostic w2_previous and the command w2, and the shortest paths between densities: exact by
quantiles in one dimension; in two, distances between bounds and paths by the Benamou–Brenier problem.
"""

import contextlib
import io
import json

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import main, validate_script
from wgfpde.energy.equations import profile_second_moment

CORRELATED = 0.3119261449908
"""tr(Σ₁ + Σ₂ − 2(Σ₁^½Σ₂Σ₁^½)^½), Σ₁ = [[1, .3], [.3, .5]], Σ₂ = [[.4, −.1], [−.1, .9]]: W₂² of centred Gaussians."""
C2 = 0.531923040535
"""∫|y|²F of Barenblatt's profile in 2D, m = 2: dilations R₁ to R₂ have W₂² = c₂(R₁ − R₂)²."""
UNIFORM = 13 / 12
"""From U[0, 1] to U[½, 2½]: (Δ mid)² + (Δ length)²/12."""
LINE = (
    "double_well_1d", 'solver={method="geodesic"}', "time.end=1", "output.every=0.25",
    'output.diagnostics=["w2_previous"]',
)  # fmt: skip
PLANE = ("double_well_2d", 'solver={method="geodesic"}', "time.end=1", "output.every=0.5")


def check(v: Validation) -> None:
    runs = [*line(v), *plane(v)]
    distances(v, *runs[-3:])
    v.draw(figure, *runs[-3:], panels=3)


def line(v: Validation):
    """Exact in 1D: the quantiles of densities constant on cells; the boxes have their ends on edges."""
    boxes = v.run(*LINE, "grid.shape=[240]", "grid.lower=[-1]", "grid.upper=[3]", "initial.mass=1",
                  "initial.density=where(x > 0, where(x < 1, 1, 0), 0)",
                  "target.density=where(x > 0.5, where(x < 2.5, 0.5, 0), 0)")  # fmt: skip
    v.equal("1D: W₂² between uniform densities", squared(boxes), UNIFORM, 1e-12, "quantiles")
    # Averages over cells add h²/12 to a variance, and taking them for constant adds it again; what is left is h⁴.
    bells = v.run(*LINE, "grid.shape=[400]", "grid.lower=[-10]", "grid.upper=[10]",
                  "initial.density=exp(-(x + 1)**2/0.5)", "initial.mass=3",
                  "target.density=exp(-(x - 0.5)**2/2.88)")  # fmt: skip
    widths = [np.sqrt(s**2 + 0.05**2 / 6) for s in (0.5, 1.2)]
    expected = 3 * (1.5**2 + (widths[1] - widths[0]) ** 2)
    v.equal("1D: W₂² between Gaussians of mass 3", squared(bells), expected, 1e-6, "closed form")
    shape = 1.442249570307  # b of Barenblatt's profile, m = 2: the half-width b R of the parabola has the scale R
    dilation = v.run(*LINE, "grid.shape=[400]", "grid.lower=[-2]", "grid.upper=[2]", "initial.mass=1",
                     "initial.density=maximum(0, 0.25 - x**2)", "target.density=maximum(0, 2.25 - x**2)")  # fmt: skip
    # both variances are h²/6 too large, as above: a relative h²/6 of 1/σ₁σ₂ = 15
    expected = profile_second_moment(2.0, 1) / shape**2
    v.equal("1D: W₂², a dilation of a parabola", squared(dilation), expected, expected * 15 * 0.01**2 / 6,
            "c₂(R₁ − R₂)²")  # fmt: skip
    middle = np.abs(boxes.centers[0] - 1) < 0.75  # its ends are edges
    off = np.sum(np.abs(boxes.rho[2] - middle / 1.5)) / 60
    v.at_most("1D: L1 error of the path of uniform densities at t = 1/2", off, 1e-12, "U[¼, 1¾]")
    # the command, of two snapshots that are averages over cells: a half of the way, to h²/6 of 1/σ² again
    v.equal("1D: W₂ of the snapshots at t = 1/4, 3/4 by the command", _w2(boxes, 0.25, 0.75), np.sqrt(UNIFORM) / 2,
            60**-2, "half the way")  # fmt: skip
    # ∫ρ ln ρ = −M ln σ + const; ln σ of cell averages changes by h²/12σ², 8e-4 at σ = ½
    spread = np.log(0.5 + 0.7 * bells.t)
    change = bells.diagnostics["entropy"] - bells.diagnostics["entropy"][0]
    v.at_most("1D: error of the entropy along the path of Gaussians", np.max(np.abs(change + 3 * (spread - spread[0]))),
              3 * 0.05**2 / 6 / 0.5**2, "−M ln σ(t)")  # fmt: skip
    for run in (boxes, bells):
        speed = run.diagnostics["w2_previous"][1:] / np.sqrt(squared(run))
        # the path is averaged over cells, which moves mass by less than half a cell
        h = run.edges[0][1] - run.edges[0][0]
        v.at_most("1D: speed of the path minus its mean", np.max(np.abs(speed - 0.25)), h, "geodesic")
    return boxes, bells


def plane(v: Validation):
    """Benamou–Brenier: errors of order h² and 1/N² (N inner steps), here 2 % at most, and Richardson's rule.

    Between wide densities that are close to each other a gap of 1e-3 leaves 0.3 % of W₂² on each grid, and the rule may
    double that.  At the walls the Gaussians are 4 standard deviations away.
    """
    found = []
    for name, start, end, box, expected in (
        ("correlated Gaussians", "exp(-(0.5*x**2 - 0.6*x*y + y**2)/0.82)", "exp(-(0.9*x**2 + 0.2*x*y + 0.4*y**2)/0.7)",
         4, CORRELATED),
        ("a dilation of a paraboloid", "maximum(0, 0.36 - r**2)", "maximum(0, 1 - r**2)", 1.2, None),
    ):  # fmt: skip
        runs = [v.run(*PLANE, f"grid.shape=[{n}, {n}]", f"grid.lower=[{-box}, {-box}]", f"grid.upper=[{box}, {box}]",
                      f"initial.density={start}", "initial.mass=1", f"target.density={end}",
                      f"solver.inner_steps={n // 4}") for n in (24, 48)]  # fmt: skip
        radius = 1.263237555492  # b: the paraboloid of radius bR has the scale R
        expected = C2 * (0.4 / radius) ** 2 if expected is None else expected
        values = [squared(run) for run in runs]
        v.equal(f"2D: W₂², {name}, 48 × 48", values[1], expected, 0.03 * expected, "closed form")
        v.equal(f"2D: W₂², {name}, extrapolated", (4 * values[1] - values[0]) / 3, expected, 0.01 * expected,
                "closed form")  # fmt: skip
        found.append(runs[1])
    # Means and standard deviations are linear in t: the densities of the path against their own closed form.
    path = v.run("geodesic_2d", "output.every=0.25", 'output.diagnostics=["w2_previous"]')
    v.at_most("2D: L1 error of the path at t = 1/2", path.diagnostics["error_l1"][2], 0.05, "closed form")
    # (2, 1.2) apart, and standard deviations of 0.5 and 0.3 change places: 0.08 more.  Here h²/6 of 1/σ² is 3 %.
    v.equal("2D: W₂², a shift and a change of shape", squared(path), 2**2 + 1.2**2 + 0.08, 0.03 * 5.5, "closed form")
    # distances between its snapshots, found afresh
    speed = 4 * path.diagnostics["w2_previous"][1:]
    v.at_most("2D: speed, largest over smallest less 1", np.max(speed) / np.min(speed) - 1, 0.01, "geodesic")
    entropy = path.diagnostics["entropy"]
    exact = -np.log((0.5 - 0.2 * path.t) * (0.3 + 0.2 * path.t))
    # h²/12 of 1/σ², twice, at the narrowest: 0.03 in all
    off = np.max(np.abs(entropy - entropy[0] - exact + exact[0]))
    v.at_most("2D: error of the change of the entropy along the path", off, 0.03, "−ln σ₁σ₂")
    v.at_least("2D: smallest second difference of the entropy", np.min(np.diff(entropy, 2)), 0.0, "convexity")
    return [*found, path]


def distances(v: Validation, correlated, paraboloid, path) -> None:
    """W₂ by the command, between densities constant on cells: averages add h²/12 to a variance, and taking them for
    constant adds it again, here 4e-3 of W₂ at most; and the bounds, which hold to that."""
    for name, run, expected, off in (
        ("correlated Gaussians", correlated, np.sqrt(CORRELATED), 6e-3),
        ("a dilation of a paraboloid", paraboloid, np.sqrt(C2) * 0.4 / 1.263237555492, 3e-3),
        ("a shift and a change of shape", path, np.sqrt(2**2 + 1.2**2 + 0.08), 1e-3),
    ):
        found = _asked(run, run, 0.0, 1.0)
        v.equal(f"2D: W₂ by the command, {name}", found["w2"], expected, off * expected, "closed form")
        v.at_most(f"2D: lower bound of W₂, {name}", found["lower"], expected * (1 + off), "closed form")
        v.at_least(f"2D: upper bound of W₂, {name}", found["upper"], expected * (1 - off), "closed form")
    box = ("heat_2d", "grid.shape=[32, 32]", "grid.lower=[0, 0]", "grid.upper=[32, 32]", "time.end=0.001",
           "output.every=0.001", "initial.mass=1")  # fmt: skip
    boxes = [v.run(*box, f"initial.density={_box(left)}") for left in (4, 20)]
    found = _asked(*boxes, 0.0, 0.0)
    v.equal("2D: W₂ of 2 × 2 cells moved by 16", found["w2"], 16.0, 16e-3, "translation")


def _box(left: float) -> str:
    return f"where(x > {left:g}, where(x < {left + 2:g}, where(y > 4, where(y < 6, 1, 0), 0), 0), 0)"


def squared(run) -> float:
    """W₂² between the ends: the steps are at constant speed."""
    return float(np.sum(np.sqrt(2 * run.steps["transport"]))) ** 2


def _w2(run, start: float, end: float) -> float:
    """What `wgfpde w2` prints of two snapshots of a run."""
    return float(_asked(run, run, start, end)["w2"])


def _asked(a, b, start: float, end: float) -> dict[str, float]:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        main(["w2", str(a.path), str(b.path), "--time-a", str(start), "--time-b", str(end), "--json"])
    return json.loads(text.getvalue())


def figure(left, middle, right, correlated, dilation, path) -> None:
    for axes, run, name in ((left, correlated, "correlated"), (middle, dilation, "dilation"), (right, path, "shift")):
        for k, colour in ((0, "C0"), (len(run) // 2, "k"), (len(run) - 1, "C1")):
            axes.contour(*run.centers, run.rho[k], levels=4, colors=colour, linewidths=0.8)
        axes.set(aspect="equal", xlabel="$x$", ylabel="$y$", title=f"{name}: $t = 0, ½, 1$")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
