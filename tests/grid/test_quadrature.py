"""Cell averages of formulas: peaks, jumps and singularities have the mass they should, or a sentence says why not."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from wgfpde.errors import CaseError
from wgfpde.formulas.compile import compile_expression
from wgfpde.grid import Grid, halving, quadrature
from wgfpde.grid.halving import halved
from wgfpde.grid.initial import from_expression, normalise
from wgfpde.grid.quadrature import cell_averages, romberg

SQUARE = Grid([-1.0, -1.0], [1.0, 1.0], [64, 64])
MAPPINGS = [None, lambda s: s + 0.1 * np.sin(2 * np.pi * s) / np.pi]


def formula(text, dim=1, **params):
    return compile_expression(text, ("x", "r") if dim == 1 else ("x", "y", "r"), params)


def averages(function, grid):
    return cell_averages(function, [axis.edges for axis in grid.axes])


def mass(function, grid):
    """The mass and the estimate of its error, which the mass itself must keep to."""
    found = averages(function, grid)
    return float(np.sum(found.values * grid.cell_volume)), found.error


def check(function, grid, exact, rel):
    found, error = mass(function, grid)
    assert found == pytest.approx(exact, rel=rel, abs=0)
    assert abs(found - exact) <= (error + 1e-13) * exact


def near(function, grid, exact, most, unseen):
    """The estimate is at most `most`, and the mass within it and what may be unseen."""
    found, error = mass(function, grid)
    assert error <= most and abs(found - exact) <= error * exact + unseen


# Peaks


def test_the_narrow_peak_of_twenty_cells():
    peak = formula("exp(-(x-10.5)**2/(2*0.03**2))/(0.03*sqrt(2*pi))")
    check(peak, Grid([0.0], [20.0], [20]), 1.0, 1e-10)
    for mapping in MAPPINGS:
        for periodic in (False, True):
            check(peak, Grid([0.0], [20.0], [20], periodic=periodic, mapping=[mapping]), 1.0, 1e-10)


@settings(max_examples=40, deadline=None)
@given(
    width=st.floats(math.log(0.002), math.log(10)).map(math.exp),
    place=st.floats(-1.0, 1.0),
    floor=st.sampled_from([0.0, 1.0]),
    mapping=st.sampled_from(MAPPINGS),
)
def test_peaks_of_all_widths_in_1d(width, place, floor, mapping):
    grid = Grid([-100.0], [100.0], [200], mapping=[mapping])
    exact = 1 + 200 * floor
    check(formula("b + exp(-(x-c)**2/(2*w**2))/(w*sqrt(2*pi))", b=floor, c=place, w=width), grid, exact, 1e-9)


@settings(max_examples=15, deadline=None)
@given(
    width=st.floats(math.log(0.002), math.log(10)).map(math.exp),
    ratio=st.floats(0.5, 2.0),
    x=st.floats(-1.0, 1.0),
    y=st.floats(-1.0, 1.0),
    mapping=st.sampled_from(MAPPINGS),
)
def test_peaks_of_all_widths_in_2d(width, ratio, x, y, mapping):
    """On a background from the h/128 on that the documentation names."""
    grid = Grid([-32.0, -48.0], [32.0, 48.0], [32, 48], mapping=[mapping, None])
    widths = (width, ratio * width)
    parts = [
        erf((end - c) / (math.sqrt(2) * w)) / 2
        for c, w, ends in zip((x, y), widths, ((-32, 32), (-48, 48)), strict=True)
        for end in ends
    ]
    exact = (parts[1] - parts[0]) * (parts[3] - parts[2])
    text = "b + exp(-(x-p)**2/(2*v**2) - (y-q)**2/(2*w**2))/(2*pi*v*w)"
    for floor in (0.0, 1.0) if min(widths) > 2 / 64 else (0.0,):
        density = formula(text, 2, b=floor, p=x, q=y, v=widths[0], w=widths[1])
        check(density, grid, exact + 64 * 96 * floor, 1e-8)


@pytest.mark.parametrize("offset", [1 / 128, 0.0, 3 / 128])
def test_the_narrowest_peaks_on_a_background(offset):
    """The limits that the documentation names, at the places that are farthest from all points."""
    w = 1 / (12 * 64)
    line = formula("1 + exp(-(x-c)**2/(2*w**2))/(w*sqrt(2*pi))", c=offset, w=w)
    check(line, Grid([-1.0], [1.0], [2]), 3.0 if offset else 2.5 + 0.5, 1e-9)
    w, shift = 1 / (8 * 16), 4 * offset
    plane = formula("1 + exp(-((x-c)**2 + (y-c)**2)/(2*w**2))/(2*pi*w**2)", 2, c=shift, w=w)
    check(plane, Grid([-1.0, -1.0], [1.0, 1.0], [2, 2]), 5.0, 1e-9)


def test_what_is_seen_at_one_point_is_not_lost():
    """A box of a ten-thousandth of a cell around one point of the look, on a background."""
    box = formula("1 + 1e5*(abs(x - c) < 5e-5)", c=3 / 64)
    check(box, Grid([-2.0], [2.0], [4]), 4 + 10, 1e-9)
    box = formula("1 + 1e6*(abs(x - c) < 5e-4)*(abs(y + c) < 5e-4)", 2, c=3 / 16)
    check(box, Grid([-2.0, -2.0], [2.0, 2.0], [4, 4]), 16 + 1, 1e-8)


def test_a_wave_that_the_points_of_the_look_meet_at_its_tops():
    """64 waves a cell: R_64 and R_32 agree on the tops, and Gauss's points, which are not equispaced, do not."""
    for grid in (Grid([0.0], [1.0], [5]), Grid([0.0], [1.0], [5], True)):
        found = averages(lambda x: 1 + 0.5 * np.cos(2 * np.pi * 320 * x), grid)
        assert found.values == pytest.approx(np.ones(5), rel=1e-9, abs=0)


def test_a_peak_without_width_is_refused(monkeypatch):
    needle = formula("exp(-(x-10.5)**2/(2*w**2))/(w*sqrt(2*pi))", w=1e-15)
    with pytest.raises(CaseError, match=r'density "exp.*narrower than a cell.* x = 10.5: halving the cell left'):
        from_expression(needle, Grid([0.0], [20.0], [20]))
    monkeypatch.setattr(quadrature, "REFINED", 2**18)
    with pytest.raises(CaseError, match=r"narrower than a cell.* x = -?0.25, y = -?0.25: halving"):
        from_expression(formula("1/r**2", 2), Grid([-1.0] * 2, [1.0] * 2, [4, 4]))
    unseen = formula("exp(-(x-10.503)**2/(2*w**2))", w=1e-6)
    with pytest.raises(CaseError, match=r"found 0. .*narrower than a cell"):
        normalise(from_expression(unseen, Grid([0.0], [20.0], [20])), Grid([0.0], [20.0], [20]))


# Jumps and kinks


@pytest.mark.parametrize("upper", [400e-9, 410e-9])
def test_an_interval_in_metres(upper):
    check(formula("1/50e-9*(x>100e-9)*(x<150e-9)"), Grid([0.0], [upper], [50]), 1.0, 1e-9)


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("r < 0.5", math.pi / 4),
        ("where((x + 1.2/3)**2 + (y - 0.1)**2 < 0.09, 0.9, 0)", 0.081 * math.pi),
        ("maximum(abs(x) < 0.25, abs(y) < 0.25)", 1.75),
        ("maximum(abs(x - 0.01) < 0.26, abs(y + 0.02) < 0.26)*1", 2 * 1.04 - 0.52**2),
        ("abs(x) + abs(y - 0.013) < 0.7", 0.98),
        ("(abs(x - 0.01) < 0.253)*(abs(y + 0.02) < 0.137)", 4 * 0.253 * 0.137),
        ("maximum(0, 1 - 4*r**2)", math.pi / 8),
        ("sqrt(maximum(0, 1 - 4*r**2))", math.pi / 6),
    ],
)
def test_jumps_and_kinks_in_2d(text, exact):
    check(formula(text, 2), SQUARE, exact, 1e-9)


@pytest.mark.parametrize("periodic", [False, True])
def test_jumps_on_stretched_axes(periodic):
    grid = Grid([-1.0, -1.0], [1.0, 1.0], [20, 30], periodic=periodic, mapping=MAPPINGS)
    check(formula("r < 0.5", 2), grid, math.pi / 4, 1e-9)
    check(formula("abs(x - 0.1) < 0.5"), Grid([-1.0], [1.0], [30], mapping=MAPPINGS[1:]), 1.0, 1e-9)


@settings(max_examples=3, deadline=None)
@given(x=st.floats(-0.4, 0.4), y=st.floats(-0.4, 0.4), radius=st.floats(0.05, 0.5), turn=st.floats(0, math.pi))
def test_the_estimate_is_honest(x, y, radius, turn):
    """Discs and turned rectangles anywhere, also where a small budget leaves them unresolved.

    Beside the estimate there may be tips in cells that they reach into less than a gap wide.
    """
    grid = Grid([-1.2, -1.2], [1.2, 1.2], [6, 6])
    gap = 0.4 / 16
    place = {"p": x, "q": y, "w": radius}
    disc = formula("(x - p)**2 + (y - q)**2 < w**2", 2, **place)
    turned = "abs(c*(x - p) + d*(y - q)) < w", "abs(c*(y - q) - d*(x - p)) < w/2"
    rectangle = formula(f"({turned[0]})*({turned[1]})", 2, c=math.cos(turn), d=math.sin(turn), **place)
    near(disc, grid, math.pi * radius**2, 1e-7, gap**3 / radius)
    near(rectangle, grid, 2 * radius**2, 1e-7, gap**2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quadrature, "REFINED", 2**16)
        patch.setattr(quadrature, "UNRESOLVED", 1.0)
        near(disc, grid, math.pi * radius**2, 0.1, gap**3 / radius)
        near(rectangle, grid, 2 * radius**2, 0.1, gap**2)


def test_jumps_on_edges_are_exact():
    found = averages(formula("(abs(x) < 0.25)*(abs(y) < 0.5)", 2), SQUARE)
    assert found.error <= 1e-15 and np.all(np.abs(found.values - np.round(found.values)) <= 1e-15)
    assert found.values.sum() == pytest.approx(16 * 32, rel=1e-15, abs=0)
    found = averages(formula("(x > 1000.1)*(x < 1000.6)"), Grid([1000.0], [1001.0], [50]))  # edges by rounding
    assert found.error <= 1e-14 and np.all(np.abs(found.values - np.round(found.values)) <= 1e-14)
    assert found.values.sum() == pytest.approx(25, rel=1e-14, abs=0)


def test_tips_thinner_than_a_gap():
    """Rows see no chord that is thinner than a gap: columns do, and quarters of the cell."""
    tips = formula("(abs(c*x + d*y) < 0.5)*(abs(c*y - d*x) < 0.25)", 2, c=math.cos(1.0), d=math.sin(1.0))
    check(tips, Grid([-1.2, -1.2], [1.2, 1.2], [12, 12]), 0.5, 1e-7)


@pytest.mark.parametrize("tolerance", [1.0, 1e-9])
def test_halving_has_degree_7(tolerance):
    """On the first level, and on deeper ones."""

    def power(tag, s):
        return s[None] ** (tag[:, None] + 5)

    values, _ = halved(power, np.ones(3), tolerance, np.zeros(3), 1, lambda: True)
    exact = 1 / np.arange(6, 9)
    assert values == pytest.approx(exact, rel=1e-14, abs=0)


# Smooth functions


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_smooth_averages_are_as_before(mapping):
    """In 1D those of Gauss's rule to the last bits, in 2D the closed form."""
    line = Grid([-1.0], [1.0], [32], mapping=[mapping])
    for text in ("exp(-x**2/0.05)", "2 + sin(9*x)", "1/(1 + 25*x**2)"):
        function = formula(text)
        assert averages(function, line).values == pytest.approx(line.average(function, 12), rel=1e-14, abs=0)
    grid = Grid([-1.0, -1.0], [1.0, 2.0], [30, 40], mapping=[mapping, None])
    width = 0.15
    parts = [np.diff(erf(axis.edges / (math.sqrt(2) * width))) * width * math.sqrt(math.pi / 2) for axis in grid.axes]
    exact = np.multiply.outer(parts[1], parts[0]) / grid.cell_volume
    found = averages(formula("exp(-r**2/(2*w**2))", 2, w=width), grid)
    assert found.values == pytest.approx(exact, rel=1e-12, abs=1e-12)
    assert found.error <= 1e-9


@pytest.mark.parametrize(("dim", "text"), [(1, "exp(-x**2/w)*(x < w)"), (2, "exp(-r**2/w)*(x < 0.3*w)")])
def test_units_do_not_count(dim, text):
    """x → ax and ρ → cρ: the same averages, relatively, and the same estimate."""
    known = averages(formula(text, dim, w=0.1), Grid([-1.0] * dim, [1.0] * dim, [20] * dim))
    for unit in (2.0**-30, 1e-9, 1e12):
        w = 0.1 * unit
        text_there = text.replace("/w)", f"/({0.1}*{unit!r}**2))*{1 / unit!r}")
        found = averages(formula(text_there, dim, w=w), Grid([-unit] * dim, [unit] * dim, [20] * dim))
        assert found.values * unit == pytest.approx(known.values, rel=1e-10, abs=1e-10)
        assert found.error == pytest.approx(known.error, rel=1e-2, abs=1e-15)


# Singular functions, and functions of something else


def test_singular_functions():
    for size in (20, 21):
        check(formula("1/sqrt(abs(x))"), Grid([-1.0], [1.0], [size]), 4.0, 1e-6)
        check(formula("1/r", 2), Grid([-1.0] * 2, [1.0] * 2, [size, size]), 8 * math.log(1 + math.sqrt(2)), 1e-6)
        sinc = averages(formula("(sin(x)/x)**2"), Grid([-1.0], [1.0], [size]))
        assert np.all(np.isfinite(sinc.values)) and sinc.error <= 1e-12
        with pytest.raises(CaseError, match="no finite integral, in the cell at x = "):
            from_expression(formula("1/abs(x)"), Grid([-1.0], [1.0], [size]))


def test_values_that_are_not_finite_are_handed_on():
    values = averages(formula("log(x)"), Grid([-1.0], [1.0], [4])).values
    assert np.array_equal(np.isfinite(values), [False, False, True, True])


def test_a_function_of_the_grid_is_refused():
    data = np.ones(SQUARE.shape)
    with pytest.raises(CaseError, match=r"a function of points .* it gave an array of shape \(64, 64\)"):
        from_expression(lambda x, y: data, SQUARE)
    assert np.all(averages(lambda x, y: 3.0, SQUARE).values == pytest.approx(3, rel=1e-15, abs=0))


# Cost


@pytest.mark.parametrize("waves", [20.0, 40.0, 100.0])
def test_waves_within_a_cell_are_no_peak(waves):
    """Smooth, but up to 13 waves a cell: finer looks know what halving would not within its cost."""
    grid = Grid([-5.0, -5.0], [5.0, 5.0], [12, 12])
    found = averages(lambda x, y: 1 + 0.9 * np.sin(waves * x) * np.sin(waves * y), grid).values
    sine = -np.diff(np.cos(waves * grid.x.edges)) / waves / grid.x.widths
    assert found == pytest.approx(1 + 0.9 * np.outer(sine, sine), rel=2e-9, abs=0)


@pytest.mark.parametrize("grid", [Grid([0.0], [1.0], [30]), Grid([0.0] * 2, [1.0] * 2, [12, 12])])
def test_the_cost_is_bounded(grid, monkeypatch):
    """For noise, which no halving resolves."""
    monkeypatch.setattr(quadrature, "REFINED", 2**18)
    monkeypatch.setattr(quadrature, "UNRESOLVED", 1.0)
    random, spent = np.random.default_rng(1), []

    def noise(**place):
        shape = np.broadcast_shapes(*(v.shape for v in place.values()))
        spent.append(math.prod(shape))
        return random.random(shape)

    found = averages(noise, grid)
    look = grid.size * (65 + 12 if grid.dim == 1 else 17**2)
    assert look < sum(spent) <= look + 6 * quadrature.REFINED
    assert found.error > 1e-4 and np.all(np.abs(found.values - 0.5) < 0.3)


def test_blocks_and_batches_change_nothing(monkeypatch):
    line, plane = formula("abs(x - 0.1) < 0.3"), formula("r < 0.5", 2)
    grids = Grid([-1.0], [1.0], [50]), Grid([-1.0] * 2, [1.0] * 2, [30, 20])
    known = [averages(f, g) for f, g in zip((line, plane), grids, strict=True)]
    monkeypatch.setattr(quadrature, "BLOCK", 2000)
    monkeypatch.setattr(halving, "BATCH", 7)
    for function, grid, before in zip((line, plane), grids, known, strict=True):
        found = averages(function, grid)
        assert found.values == pytest.approx(before.values, rel=1e-14, abs=0)


def test_large_grids_are_looked_at_less_finely(monkeypatch):
    monkeypatch.setattr(quadrature, "LOOK", 64**2 * 81)
    count = []
    averages(lambda x, y: count.append(x.size * y.size) or x + y, SQUARE)
    assert sum(count) == 64**2 * 81


@pytest.mark.parametrize("n", [4, 8, 16, 64])
def test_weights_of_romberg(n):
    weights, s = romberg(n), np.arange(n + 1) / n
    assert np.all(weights > 0) and weights.sum() == pytest.approx(1, rel=1e-15, abs=0)
    degree = 2 * int(math.log2(n)) + 1
    for power in range(1, degree + 1):
        assert weights @ s**power == pytest.approx(1 / (power + 1), rel=1e-13, abs=0)
    assert abs(weights @ s ** (degree + 1) - 1 / (degree + 2)) > 1e-14


@pytest.mark.parametrize("ulps", [3, 8, 100, 10**9])
def test_values_at_edges_are_taken_inside_of_the_cell(ulps):
    """A hair from the edge, which is less than the cell: at most a quarter of one that is a few roundings wide."""
    edges = 1e6 + np.spacing(1e6) * ulps * np.arange(4)
    cells = quadrature.Cells(lambda x: x, [edges], "x")
    ((lower,), (span,)) = cells.lower, cells.spans
    assert np.all(lower >= edges[:-1]) and np.all(lower + span <= edges[1:]) and np.all(span >= 0.49 * np.diff(edges))
