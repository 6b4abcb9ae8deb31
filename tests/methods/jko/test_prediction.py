"""Steps by prediction and correction: how near the first is, and that the second ends quickly and at the minimum."""

import numpy as np
import pytest

from wgfpde.energy.dynamics import Dynamics
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid
from wgfpde.linear.multigrid.solver import Multigrid
from wgfpde.methods.jko import interior
from wgfpde.methods.jko.attempt import Attempt
from wgfpde.methods.jko.convex import ConvexStep
from wgfpde.methods.jko.minimise import Minimiser
from wgfpde.methods.jko.newton import NewtonSolver
from wgfpde.methods.jko.predicted import correction
from wgfpde.methods.jko.predicted.correction import Correction
from wgfpde.methods.jko.predicted.prediction import Predictor
from wgfpde.methods.jko.predicted.start import _slope
from wgfpde.methods.jko.secant import SecantAscent
from wgfpde.transport.benamou_brenier.operators import Staggering

LAWS = {"entropy": Internal("entropy", 1.0), "m=0.8": Internal("power", 1.0, 0.8)}


def bend(s):
    return s + 0.1 * np.sin(2 * np.pi * s)


GRIDS = {
    "line": Grid([-3.0], [3.0], [60], False, [bend]),
    "circle": Grid([-3.0], [3.0], [50], True),
    "plane": Grid([-3.0, -4.0], [3.0, 4.0], [24, 20], False, [None, bend]),
    "cylinder": Grid([-3.0, -4.0], [3.0, 4.0], [20, 24], [True, False], [bend, None]),
}


def well(x, y=0.0):
    return 4.0 * np.cos(np.pi * x / 3) + 0.5 * y**2


def steep(x, y=0.0):
    return (x**2 - 1) ** 2 + 0.5 * y**2


def problem(grid, law, tau, variance=0.25, potential=well, dynamics=None):
    """(step, solver): a bell in a well."""
    flow = Flow(grid, Energy(LAWS[law], potential), dynamics=dynamics)
    stagger = Staggering(grid, 1, flow.mobility)
    c = grid.coordinates()
    rho = np.exp(-((c["x"] - 0.3) ** 2 + c.get("y", 0.0) ** 2) / (2 * variance)).reshape(stagger.shape)
    step = ConvexStep(
        stagger, LAWS[law], rho / np.sum(stagger.volume * rho), flow.potential.reshape(stagger.shape), tau
    )
    predictor = Predictor(flow, stagger)
    return step, NewtonSolver(Multigrid(grid), stagger.shape, 1e-8, 100, predictor)


@pytest.fixture
def no_fall_back(monkeypatch):
    def run(self):
        raise AssertionError("the correction did not get there")

    monkeypatch.setattr(SecantAscent, "run", run)


# ---------------------------------------------------------------------------------------------------- prediction


@pytest.mark.parametrize("diffusion", [None, lambda x, y=0.0: 0.25 + 0.0 * x])
@pytest.mark.parametrize("name", ["line", "plane"])
def test_the_envelope_of_a_parabola(name, diffusion):
    """u = ½(x − a)² gives φ = −½ · 2/(2 + D)(x − a)² to the cell size, as distances are divided by √D."""
    grid = GRIDS[name]
    dynamics = None if diffusion is None else Dynamics(diffusion)
    flow = Flow(grid, Energy(LAWS["entropy"], lambda x, y=0.0: 0.0 * x), dynamics=dynamics)
    stagger = Staggering(grid, 1, flow.mobility)
    transform = Predictor(flow, stagger)._transform
    d, square = 1.0 if diffusion is None else 0.25, sum((v - 0.2) ** 2 for v in grid.coordinates().values())
    found = transform.hopf_lax((0.5 * square).reshape(transform.shape), 0.5).reshape(grid.shape)
    h = max(np.max(axis.widths) for axis in grid.axes)
    assert np.max(np.abs(found - square / (2.0 + d))) <= 0.6 * h**2 / d


def total(step, solver, phi, rho):
    return Correction(Attempt(solver, step), phi, rho).residual()


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", GRIDS)
def test_a_prediction_is_near_and_nearer_for_shorter_steps(name, law):
    found = []
    for tau in (0.04, 0.01):
        step, solver = problem(GRIDS[name], law, tau)
        found.append(total(step, solver, *solver.predictor(step)))
    assert found[0] <= 0.3
    assert found[1] <= 0.7 * found[0]


def test_the_prediction_of_a_steep_step_beats_the_potential_at_its_start():
    """−τξ(ρ⁰) moves mass across each other's way."""
    step, solver = problem(Grid([-3.0], [3.0], [200]), "entropy", 0.05, 0.25, steep)
    rho = step.rho0
    naive = -step.tau * step.internal.derivative(rho) - step.tau_v
    assert total(step, solver, *solver.predictor(step)) <= 0.3 * total(step, solver, naive, rho)


@pytest.mark.parametrize(("name", "size"), [("line", [400]), ("circle", [400]), ("plane", [120, 160])])
def test_the_predicted_potential_solves_the_equation_of_hamilton_and_jacobi(name, size):
    """r₁ = u + φ − k(φ) is far below k(φ), weighted by ρ; both change when the parabolas have the wrong width."""
    old = GRIDS[name]
    grid = Grid(
        [axis.lower for axis in old.axes],
        [axis.upper for axis in old.axes],
        size,
        [bool(axis.ring) for axis in old.axes],
    )
    step, solver = problem(grid, "entropy", 0.1)
    phi, rho = solver.predictor(step)
    left = step.stagger.zeros()
    wrong, _ = step.slack_residual(phi, rho, step.stagger.zeros(), left)
    k = step.depth(phi) + phi + step.tau_v
    assert wrong <= 0.2 * step.integral(rho * k)


@pytest.mark.parametrize("name", GRIDS)
def test_a_gibbs_state_stays_to_the_bit(name):
    step, solver = problem(GRIDS[name], "entropy", 0.1)
    gibbs = np.exp(-step.tau_v / step.tau)
    step = ConvexStep(step.stagger, step.internal, gibbs / step.integral(gibbs), step.tau_v / step.tau, 0.1)
    found = solver.solve(step)
    assert found.iterations == 0 and np.array_equal(found.certificate.rho, step.rho0)


# ---------------------------------------------------------------------------------------------------- correction


@pytest.mark.parametrize("variance", [0.05, 0.25])
@pytest.mark.parametrize("tau", [1e-3, 0.01, 0.05, 1.0])
def test_few_iterations_on_every_grid(tau, variance, no_fall_back):
    """The double well, whose walls move mass through 10 to 50 cells; at most 7 iterations and 35 of CG."""
    for n in (32, 64, 128):
        step, solver = problem(Grid([-3.0, -4.0], [3.0, 4.0], [n, n]), "entropy", tau, variance, steep)
        found = solver.solve(step)
        assert found.certificate.gap <= 1e-9 and found.continuity <= 1e-10
        assert found.iterations <= 7 and found.linear <= 35


@pytest.mark.parametrize("tau", [1e-3, 0.05, 0.5])
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", GRIDS)
def test_the_end_is_that_of_the_ascent_on_the_dual(name, law, tau, no_fall_back, monkeypatch):
    step, solver = problem(GRIDS[name], law, tau)
    found = solver.solve(step)
    assert found.iterations <= 9
    monkeypatch.undo()
    other = NewtonSolver(solver.multigrid, solver.shape, 1e-10, 200).solve(step)
    assert step.integral(np.abs(found.certificate.rho - other.certificate.rho)) <= 1e-9
    assert found.certificate.gap <= 1e-8 and found.hamilton_jacobi <= 1e-9


def test_a_metric_of_its_own(no_fall_back):
    dynamics = Dynamics(lambda x, y: 0.3 + 0.2 * np.sin(x) * np.cos(y))
    step, solver = problem(GRIDS["plane"], "entropy", 0.1, dynamics=dynamics)
    assert solver.solve(step).iterations <= 8


def test_thin_tails_need_the_matrix_to_carry_the_potential_on(monkeypatch):
    """Without L_ε the potential of cells that hold 1e-40 is noise, and the dual bound that it gives none."""
    step, solver = problem(Grid([-3.0, -4.0], [3.0, 4.0], [128, 128]), "entropy", 0.01, 0.05, steep)
    assert Correction(Attempt(solver, step), *solver.predictor(step)).run() is not None
    monkeypatch.setattr(correction, "THIN", 0.0)
    assert Correction(Attempt(solver, step), *solver.predictor(step)).run() is None


@pytest.mark.parametrize("factor", [1e-14, 1e-9])
def test_how_thin_a_thin_tail_is_does_not_matter(factor, monkeypatch):
    step, solver = problem(Grid([-3.0, -4.0], [3.0, 4.0], [64, 64]), "entropy", 0.01, 0.05, steep)
    one = solver.solve(step).certificate.rho
    monkeypatch.setattr(correction, "THIN", factor)
    assert step.integral(np.abs(solver.solve(step).certificate.rho - one)) <= 1e-9


@pytest.mark.parametrize("wrong", [None, "noise", "zero"])
def test_a_useless_prediction_costs_only_time(wrong):
    step, solver = problem(GRIDS["plane"], "entropy", 0.05)
    right = solver.solve(step).certificate
    noise = np.random.default_rng(1).normal(size=step.rho0.shape)
    made = {None: None, "noise": (50.0 * noise, np.exp(20 * noise)), "zero": (noise, np.zeros_like(noise))}[wrong]
    solver.predictor = lambda step: made
    found = solver.solve(step).certificate
    assert found.gap <= 1e-8 and step.integral(np.abs(found.rho - right.rho)) <= 1e-7


def test_the_solution_nearby_is_where_the_next_starts(no_fall_back):
    """A potential that differs by 1e-4: two iterations, and no prediction."""
    step, solver = problem(GRIDS["plane"], "entropy", 0.05)
    last = solver.solve(step)
    solver.predictor = None
    other = ConvexStep(step.stagger, step.internal, step.rho0, step.tau_v / step.tau + 1e-4 * np.sin(step.tau_v), 0.05)
    assert solver.solve(other, None, last).iterations <= 2


# -------------------------------------------------------------------------------------------------------- vacuum


@pytest.mark.parametrize(
    ("m", "tau", "most"),
    [(1.5, 0.01, 8), (2.0, 1e-3, 7), (2.0, 0.05, 8), (3.0, 0.05, 9), (4.0, 0.01, 7), (4.0, 0.05, 10), (8.0, 0.01, 9)],
)
def test_steps_with_vacuum_take_few_iterations_on_every_grid(m, tau, most, monkeypatch):
    """A paraboloid with a front in the double well, three steps one after another, each from its prediction."""

    def ascend(*_, **__):
        raise AssertionError("the prediction did not get there")

    monkeypatch.setattr(Attempt, "ascend", ascend)
    for n in (32, 64, 96):
        grid = Grid([-3.0, -4.0], [3.0, 4.0], [n, n])
        flow = Flow(grid, Energy(Internal("power", 1.0, m), steep))
        c, minimiser = grid.coordinates(), Minimiser(flow, "newton", 1, 1e-8, None, None, 1)
        rho = np.maximum(1 - c["x"] ** 2 - c["y"] ** 2, 0.0)
        rho /= flow.mass(rho)
        for _ in range(3):
            step = minimiser.solve(rho, tau, {})
            assert step.numbers["gap"] <= 1e-8 and step.rho.min() >= 0.0 and step.numbers["iterations"] <= most
            assert flow.mass(step.rho) == pytest.approx(flow.mass(rho), rel=1e-13, abs=0)
            assert flow.value(step.rho) + step.numbers["transport"] / tau <= flow.value(rho) * (1 + 1e-13)
            rho = step.rho


def paraboloid(grid, m, tau, potential=well):
    """(step, solver): a density with a front."""
    flow = Flow(grid, Energy(Internal("power", 1.0, m), potential))
    stagger = Staggering(grid)
    c = grid.coordinates()
    rho = np.maximum(1 - (c["x"] - 0.3) ** 2 - c.get("y", 0.0) ** 2, 0.0).reshape(stagger.shape)
    step = ConvexStep(
        stagger, flow.internal, rho / np.sum(stagger.volume * rho), flow.potential.reshape(rho.shape), tau
    )
    return step, NewtonSolver(Multigrid(grid), stagger.shape, 1e-8, 200, Predictor(flow, stagger))


@pytest.mark.parametrize("m", [2.0, 4.0, 8.0])
@pytest.mark.parametrize("name", GRIDS)
def test_cells_that_go_their_own_way_take_few_iterations_on_every_axis(name, m, monkeypatch):
    monkeypatch.setattr(Attempt, "ascend", None)  # nothing falls back
    for tau in (0.01, 0.05):
        step, solver = paraboloid(GRIDS[name], m, tau)
        found = solver.solve(step)
        assert found.certificate.gap <= 1e-8 and found.iterations <= 12


def test_a_change_keeps_a_value_positive_with_one_slope():
    for value in (1e-300, 1.0, 1e10):
        for r in (-1e9, -3.0, -0.6, -0.5, -0.45, -0.4, 0.0, 7.0):
            kept = interior.kept_positive(value, r * value)
            assert kept == pytest.approx(value * (1 + r if r >= -0.5 else -0.25 / r), rel=1e-14, abs=0)
            assert kept > 0.0
    h = 1e-7
    left, right = (interior.kept_positive(1.0, -0.5 + d) - 0.5 for d in (-h, h))
    assert left == pytest.approx(-h, rel=1e-5, abs=0) and right == pytest.approx(h, rel=1e-5, abs=0)
    rho, slack = np.array([[1.0, 2.0]]), np.array([[3.0, 1.0]])
    interior.move_apart(0, 1, rho, np.array([[-3.0, 1.0]]), slack, np.array([[-6.0, -0.25]]))
    np.testing.assert_allclose([rho, slack], [[[1 / 12, 3.0]], [[0.375, 0.75]]], rtol=1e-15)


def test_linear_solutions_are_as_fine_as_a_front_needs(monkeypatch):
    """m = 8: where each leaves 3e-2 of its residual the iteration from the prediction fails, and ascent takes over."""
    step, solver = paraboloid(Grid([-3.0, -4.0], [3.0, 4.0], [64, 64]), 8.0, 0.05, steep)
    assert solver.solve(step).iterations <= 12
    monkeypatch.setattr(interior, "FINER", 0.03)
    monkeypatch.setattr(interior, "FALLS", np.inf)
    assert solver.solve(step).iterations > 20


@pytest.mark.parametrize("m", [1.5, 2.0, 4.0])
@pytest.mark.parametrize("name", GRIDS)
def test_with_vacuum_the_end_is_that_of_the_ascent(name, m):
    grid, tau = GRIDS[name], 0.05
    flow = Flow(grid, Energy(Internal("power", 1.0, m), well))
    stagger = Staggering(grid)
    c = grid.coordinates()
    rho = np.maximum(1 - (c["x"] - 0.3) ** 2 - c.get("y", 0.0) ** 2, 0.0).reshape(stagger.shape)
    step = ConvexStep(
        stagger, flow.internal, rho / np.sum(stagger.volume * rho), flow.potential.reshape(rho.shape), tau
    )
    found = NewtonSolver(Multigrid(grid), stagger.shape, 1e-10, 200, Predictor(flow, stagger)).solve(step).certificate
    other = NewtonSolver(Multigrid(grid), stagger.shape, 1e-10, 200).solve(step).certificate
    assert found.gap <= 1e-10 and abs(found.primal - other.primal) <= 1.1e-10 * other.scale
    assert step.integral(np.abs(found.rho - other.rho)) <= 3e-4


def test_a_mobility_that_spans_more_than_double_precision_is_no_reason_to_refuse():
    """Neighbours in the metric of D become one place; a prediction is a guess, and the step itself was always taken."""
    flow = Flow(Grid([-9.0], [9.0], [60]), Energy(LAWS["entropy"]), dynamics=Dynamics(lambda x: np.exp(-(x**2))))
    Predictor(flow, Staggering(flow.grid, 1, flow.mobility))


def test_a_quick_way_that_fails_leaves_the_slow_one_its_iterations(monkeypatch):
    step, solver = problem(GRIDS["plane"], "entropy", 0.05)
    right = solver.solve(step).certificate

    def spent(self):
        while True:
            self.attempt.linearise(step.point(np.zeros(step.rho0.shape), 0.0), np.zeros(step.rho0.shape))
            self.attempt.solve_linear(self.attempt.rhs, 0.1)

    monkeypatch.setattr(Correction, "run", spent)
    found = solver.solve(step)
    assert found.certificate.gap <= 1e-8 and found.iterations > solver.max_iterations
    assert step.integral(np.abs(found.certificate.rho - right.rho)) <= 1e-7


@pytest.mark.parametrize("m", [2.0, 4.0, 8.0])
@pytest.mark.parametrize("shape", [(1, 5), (2, 4), (3, 2), (2, 2)])
def test_a_cell_is_relaxed_to_the_best_of_its_own_values(shape, m):
    """D falls to both sides of what is found; m = 8, to 1e-5 of the reach: 7e-7 of it were left.  Between walls an axis
    of two cells is like any other."""
    best = []
    for seed in range(40 if shape[0] == 1 else 15):
        rng = np.random.default_rng(seed)
        rho0 = (rng.random(shape) * (rng.random(shape) < 0.6) + np.eye(*shape)) * 2.0
        dim = 1 if shape[0] == 1 else 2
        stagger, v = Staggering(Grid([0.0] * dim, [1.0] * dim, shape[::-1][:dim])), rng.normal(size=shape)
        step = ConvexStep(stagger, Internal("power", 1.0, m), rho0, v, 10.0 ** rng.uniform(-3, 0))
        phi, bad = 0.01 * rng.normal(size=shape), np.zeros(shape)
        bad[tuple(rng.integers(shape))] = 1.0
        step.relax(bad, phi)
        reach = 100.0 * step.c * step.internal.law.dual_scale(float(rho0.max()), m)
        beside = [step.dual(phi + way * reach * bad) for size in (1e-5, 1e-6, 1e-7) for way in (-size, size)]
        best.append((step.dual(phi) - max(beside)) / reach)
    assert min(best) >= -1e-13


@pytest.mark.parametrize("name", GRIDS)
def test_a_start_by_the_slope_is_tau_times_that_of_the_energy(name):
    """τ(U'(ρ⁰) + V) up to a constant, where ρ⁰ spreads into no vacuum."""
    tau = 0.05
    step, _ = problem(GRIDS[name], "entropy", tau, variance=40.0)
    flow = Flow(GRIDS[name], Energy(LAWS["entropy"], well))
    rest = _slope(step) - tau * flow.variation(step.rho0.reshape(flow.grid.shape)).reshape(step.rho0.shape)
    assert np.ptp(rest) <= 1e-13 * np.abs(_slope(step)).max()
