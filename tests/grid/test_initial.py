"""Initial densities: conservative, non-negative, and clear about bad data."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wgfpde.errors import CaseError
from wgfpde.formulas.compile import compile_expression
from wgfpde.grid import Grid
from wgfpde.grid.initial import from_array, from_expression, from_npy, from_samples, normalise, remap

LINE = Grid([-1.0], [1.0], [8])
PLANE = Grid([-1.0, 0.0], [1.0, 3.0], [4, 3])
STRETCHED = Grid([0.0], [1.0], [6], mapping=[lambda s: s**2])


def formula(text, grid=PLANE):
    return compile_expression(text, ("x", "y", "r") if grid.dim == 2 else ("x", "r"), where="initial.density")


def edges(grid):
    return tuple(axis.edges for axis in grid.axes)


def mass(rho, grid):
    return float(np.sum(rho * grid.cell_volume))


def check(rho, grid):
    assert rho.shape == grid.shape and rho.dtype == np.float64
    assert rho.flags.c_contiguous and rho.flags.writeable
    assert np.all(rho >= 0) and not np.any(np.signbit(rho))


# Formulas and arrays


@pytest.mark.parametrize("sampling", ["average", "centre"])
@pytest.mark.parametrize("text", ["1", "x**2", "exp(-x**2)", "abs(x) < 0.5", "-0.0*x**2"])
@pytest.mark.parametrize("grid", [LINE, PLANE, STRETCHED])
def test_formula(text, grid, sampling):
    check(from_expression(formula(text, grid), grid, sampling), grid)


def test_average_and_centre_differ_as_they_should():
    h = 0.25
    centre = from_expression(formula("x**2", LINE), LINE, "centre")
    average = from_expression(formula("x**2", LINE), LINE, "average")
    np.testing.assert_allclose(average - centre, h**2 / 12, rtol=1e-12)
    np.testing.assert_array_equal(from_expression(lambda x: x**2, LINE, "centre"), centre)


def test_formula_refused():
    with pytest.raises(CaseError, match=r'density "x" must be ≥ 0.*in 6 of 12.*being -0.75 at x = -0.75'):
        from_expression(formula("x"), PLANE)
    with pytest.raises(CaseError, match=r'density "log\(x\)" must be finite.*nan.*x = -0.75, y = 0.5'):
        from_expression(formula("log(x)"), PLANE)
    with pytest.raises(CaseError, match=r"found inf"):
        from_expression(formula("10**10**10 + x"), PLANE, "centre")
    with pytest.raises(CaseError, match=r'"average" or "centre"; found \'center\''):
        from_expression(formula("1"), PLANE, "center")


def test_tiny_negatives_are_refused_not_clipped():
    with pytest.raises(CaseError, match=r"-1e-300 at x = 0.125"):
        from_array(np.where(np.arange(8) == 4, -1e-300, 1.0), LINE)


def test_array():
    data = np.arange(12.0).reshape(3, 4)
    rho = from_array(data, PLANE)
    check(rho, PLANE)
    assert not np.shares_memory(rho, data)
    check(from_array(np.asfortranarray(data), PLANE), PLANE)
    check(from_array(np.ones(8, dtype=np.float32), LINE), LINE)
    check(from_array(np.ones(8, dtype=bool), LINE), LINE)
    check(from_array(np.full(8, -0.0), LINE), LINE)


@pytest.mark.parametrize(
    ("values", "grid", "words"),
    [
        (np.ones((4, 3)), PLANE, r"the grid's shape \(ny, nx\), ordered \(y, x\), here \(3, 4\).*transposed"),
        (np.ones(12), PLANE, r"found \(12,\)"),
        (np.ones((8, 1)), LINE, r"\(nx,\) here \(8,\); found \(8, 1\)"),
        (np.ones(8, dtype=complex), LINE, "real numbers; found the type complex128"),
        (np.array(["a"] * 8), LINE, "real numbers"),
        (np.array([None] * 8), LINE, "real numbers"),
        (np.full(8, np.nan), LINE, "rho must be finite in every cell; it is not in 8 of 8"),
        (np.full(8, -1.0), LINE, "≥ 0"),
    ],
)
def test_array_refused(values, grid, words):
    with pytest.raises(CaseError, match=words):
        from_array(values, grid, "rho")


def test_npy(tmp_path):
    data = np.arange(12.0).reshape(3, 4)
    np.save(tmp_path / "rho.npy", data)
    rho = from_npy(tmp_path / "rho.npy", PLANE)
    check(rho, PLANE)
    np.testing.assert_array_equal(rho, data)
    np.testing.assert_array_equal(from_npy(str(tmp_path / "rho.npy"), PLANE), data)


def test_npy_refused(tmp_path):
    file = tmp_path / "rho.npy"
    with pytest.raises(CaseError, match=r"found nothing at .*rho\.npy"):
        from_npy(file, LINE)
    with pytest.raises(CaseError, match="found a folder"):
        from_npy(tmp_path, LINE)
    for garbage in (b"", b"hello", b"\x80\x04N."):
        file.write_bytes(garbage)
        with pytest.raises(CaseError, match=r"is not a NumPy \.npy file.*numpy\.save"):
            from_npy(file, LINE)
    np.save(file, np.ones(8))
    whole = file.read_bytes()
    for cut in (7, 30, len(whole) - 8):
        file.write_bytes(whole[:cut])
        with pytest.raises(CaseError, match="cannot be read as a NumPy array"):
            from_npy(file, LINE)
    file.write_bytes(whole.replace(b"(8,)", b"(9**999,)"[:4]))
    with pytest.raises(CaseError):
        from_npy(file, LINE)
    np.save(file, np.array([{}] * 8, dtype=object), allow_pickle=True)
    with pytest.raises(CaseError, match="cannot be read as a NumPy array"):
        from_npy(file, LINE)
    np.save(file, np.zeros((0, 8)))
    with pytest.raises(CaseError):
        from_npy(file, LINE)
    np.savez(tmp_path / "rho.npz", rho=np.ones(8))
    with pytest.raises(CaseError, match=r"is not a NumPy \.npy file"):
        from_npy(tmp_path / "rho.npz", LINE)


# Points


def write(tmp_path, text):
    file = tmp_path / "points.csv"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "text",
    [
        "0.1,0.5\n-0.9,2.5\n0.1,0.6\n",
        "x,y\n0.1,0.5\n-0.9,2.5\n0.1,0.6",
        "y, x\n0.5,0.1\n2.5,-0.9\n0.6,0.1",
        "0.1 0.5\n-0.9\t2.5\n\n# comment\n  0.1   0.6\n",
        "x;y\r\n0.1;0.5\r\n-0.9;2.5\r\n0.1;0.6\r\n",
        "\ufeffx,y\n0.1,0.5\n-0.9,2.5\n0.1,0.6",
        '"X","Y"\n0.1,0.5\n-0.9,2.5\n0.1,0.6',
        "# y,x\n0.5,0.1\n2.5,-0.9\n0.6,0.1",
        "# two columns, x and y\n0.1,0.5\n-0.9,2.5\n0.1,0.6",
        "#\n# x and what y is\n0.1 0.5\n-0.9 2.5\n0.1 0.6",
        "x,y,weight\n0.1,0.5,2\n-0.9,2.5,1\n0,0,0",
        "weight,x,y\n2,0.1,0.5\n1,-0.9,2.5",
        "x weight y\n2e-1 2 0.5\n-0.9 1 2.5",
    ],
)
def test_samples_formats(tmp_path, text):
    rho = from_samples(write(tmp_path, text), PLANE)
    check(rho, PLANE)
    expected = np.zeros((3, 4))
    expected[0, 2], expected[2, 0] = 2 / 3, 1 / 3
    np.testing.assert_allclose(rho * PLANE.cell_volume, expected, rtol=1e-15)


def test_samples_on_edges_and_wrapped(tmp_path):
    file = write(tmp_path, "-1\n1\n0\n0.9999\n")
    np.testing.assert_allclose(from_samples(file, LINE) * 0.25 * 4, [1, 0, 0, 0, 1, 0, 0, 2])
    ring = Grid([-1.0], [1.0], [8], periodic=True)
    file = write(tmp_path, "1\n-1\n3\n-1e-30\n1.1\n-1.1\n201.1\n-1.00000000000000000001")
    np.testing.assert_allclose(from_samples(file, ring) * 0.25 * 8, [6, 0, 0, 0, 1, 0, 0, 1])
    np.testing.assert_allclose(mass(from_samples(write(tmp_path, "0.3\n0.9\n0\n1"), STRETCHED), STRETCHED), 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no points"),
        ("# x\n\n", "holds no points"),
        ("x,y\n", "a header line but no points"),
        ("0.1,0.5\n0.2\n", "as many in every row"),
        ("0.1,0.5\n0.2,abc\n", "must hold numbers.*abc"),
        ("0.1\n0.2\n", r"must hold 2 columns \(x, y\) for a 2D grid; found 1"),
        ("0.1,0.5,1\n", r"found 3.*names it \"weight\""),
        ("x,y,z\n0.1,0.5,1\n", "found 3 under the header x, y, z"),
        ("x,weight\n0.1,0.5\n", "found 2 under the header x, weight"),
        ("x,rho\n0.1,0.5\n", r"2 columns \(x, y\).*found 2 under the header x, rho. rho is no axis of the grid"),
        ("# x,rho\n0.1,0.5\n", "found 2 under the header x, rho. rho is no axis"),
        ("t;density\n0.1;0.5\n", "found 2 under the header t, density. t, density is no axis.*npy"),
        ("lon,lat\n0.1,0.5\n", "found 2 under the header lon, lat. lon, lat is no axis.*or name them as above"),
        ("x,x\n0.1,0.5\n", "found 2 under the header x, x."),
        ("x,0.5\n0.1,0.5\n", "found 2 under the header x, 0.5."),
        (",x,y\n0,0.1,0.5\n", "found 3 under the header , x, y."),
        ("x,y,rho\n0.1,0.5,1\n", "found 3 under the header x, y, rho. rho is no axis"),
        ("weight\n0.1\n", "found 1 under the header weight"),
        ("0.1,0.5\n0.1,nan\n", "finite numbers; found '0.1,nan' in data row 2"),
        ("0.1,0.5\n1.5,0.5\n-3,0.5\n", r"2 of 3 points.*x in \[-1, 1\]; the first is x = 1.5 in data row 2"),
        ("0.1,0.5\n1.5,0.5\n-3,0.5\n", r"Widen the grid: the points span \[-3, 1.5\]"),
        ("0.1,-0.5\n", r"spans y in \[0, 3\]"),
        ("x,y,weight\n0.1,0.5,-1\n", "weights.*≥ 0; found -1 in data row 1"),
        ("x,y,weight\n0.1,0.5,0\n", "positive, finite sum; found 0"),
    ],
)
def test_samples_refused(tmp_path, text, words):
    with pytest.raises(CaseError, match=words):
        from_samples(write(tmp_path, text), PLANE)


@pytest.mark.parametrize(
    "text",
    ["0.1\n0.9\n", "x\n0.1\n0.9\n", "x,weight\n0.1,1\n0.9,1\n", "weight,x\n2,0.1\n2,0.9", "# weight x\n2 0.1\n2 0.9"],
)
def test_samples_on_a_line(tmp_path, text):
    for grid in (LINE, STRETCHED, Grid([-1.0], [1.0], [8], periodic=True)):
        rho = from_samples(write(tmp_path, text), grid)
        assert np.count_nonzero(rho) == 2 and mass(rho, grid) == pytest.approx(1.0, rel=1e-14, abs=0)


@pytest.mark.parametrize(
    ("header", "words"),
    [("rho", "rho is no axis"), ("t", "t is no axis"), ("y", "y is no axis"), ("# y", "y is no"), ("x,rho", "rho")],
)
def test_samples_on_a_line_refused(tmp_path, header, words):
    row = "0.1,0.2" if "," in header else "0.1"
    with pytest.raises(CaseError, match=rf"1 column \(x\) for a 1D grid; found . under the header .*{words}"):
        from_samples(write(tmp_path, f"{header}\n{row}\n"), LINE)


def test_samples_not_a_text_file(tmp_path):
    file = tmp_path / "points.csv"
    file.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(CaseError, match="not a text file"):
        from_samples(file, LINE)
    with pytest.raises(CaseError, match="found nothing"):
        from_samples(tmp_path / "none.csv", LINE)


@given(points=st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 3)), min_size=1, max_size=60))
@settings(max_examples=40, deadline=None)
def test_samples_are_all_counted(tmp_path_factory, points):
    file = tmp_path_factory.mktemp("points") / "p.csv"
    file.write_text("\n".join(f"{x!r},{y!r}" for x, y in points))
    counts = from_samples(file, PLANE) * PLANE.cell_volume * len(points)
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-12 * len(points))
    x, y = np.transpose(points)
    reference, *_ = np.histogram2d(y, x, bins=[PLANE.y.edges, PLANE.x.edges])
    np.testing.assert_array_equal(np.round(counts), reference)


# Remapping


@st.composite
def cut_points(draw, lower=0.0, upper=1.0):
    inner = draw(st.lists(st.floats(0.001, 0.999), min_size=1, max_size=12, unique=True))
    return np.array([lower, *(lower + (upper - lower) * np.unique(inner)), upper])


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_remap_keeps_mass_and_sign(data):
    dim = data.draw(st.sampled_from([1, 2]))
    source = tuple(data.draw(cut_points()) for _ in range(dim))
    target = tuple(data.draw(cut_points(data.draw(st.sampled_from([0.0, -0.5])), 1.0)) for _ in range(dim))
    shape = tuple(len(e) - 1 for e in reversed(source))
    rho = data.draw(arrays(float, shape, elements=st.floats(0, 1e3)))
    moved = remap(rho, source, target)
    assert moved.shape == tuple(len(e) - 1 for e in reversed(target)) and np.all(moved >= 0)
    assert np.max(moved) <= np.max(rho) * (1 + 1e-12)
    before, after = np.sum(rho * _volumes(source)), np.sum(moved * _volumes(target))
    assert after == pytest.approx(before, rel=1e-13, abs=0)


def _volumes(axes):
    widths = [np.diff(e) for e in reversed(axes)]
    return widths[0] if len(widths) == 1 else widths[0][:, None] * widths[1]


def test_remap_to_the_same_grid_is_exact():
    rng = np.random.default_rng(0)
    for grid in (LINE, PLANE, STRETCHED, Grid([0.1], [0.7], [97], mapping=[lambda s: (s + s**3) / 2])):
        rho = rng.random(grid.shape)
        moved = remap(rho, edges(grid), edges(grid))
        np.testing.assert_array_equal(moved, rho)
        assert moved.flags.c_contiguous and not np.shares_memory(moved, rho)


def test_remap_refines_and_coarsens():
    fine, coarse = Grid([0.0], [1.0], [12]), Grid([0.0], [1.0], [4])
    rho = np.arange(12.0)
    np.testing.assert_allclose(remap(rho, edges(fine), edges(coarse)), rho.reshape(4, 3).mean(1), rtol=1e-14)
    refined = remap(np.arange(4.0), edges(coarse), edges(fine))
    np.testing.assert_allclose(refined, np.repeat(np.arange(4.0), 3), rtol=1e-13)


def test_remap_treats_axes_in_order():
    rho = np.outer([1.0, 2.0, 3.0], [1.0, 0.0, 0.0, 4.0])
    wide = Grid([-2.0, 0.0], [2.0, 6.0], [8, 6])
    moved = remap(rho, edges(PLANE), edges(wide))
    expected = np.zeros((6, 8))
    expected[:3, 2:6] = rho
    np.testing.assert_allclose(moved, expected, rtol=1e-14)


def test_remap_refuses_to_lose_mass():
    with pytest.raises(CaseError, match=r"0.25 of the earlier run's mass lies outside.*Widen"):
        remap(np.ones(8), edges(LINE), (np.array([-0.5, 0.0, 1.0]),))
    with pytest.raises(CaseError, match=r"^1 of the earlier"):
        remap(np.ones(8), edges(LINE), (np.array([5.0, 6.0, 7.0]),))
    with pytest.raises(CaseError, match=r"0.5 of the earlier"):
        remap(np.ones((3, 4)), edges(PLANE), (PLANE.x.edges, np.array([0.0, 1.5])))
    empty_outside = np.where(LINE.x.centers < -0.5, 0.0, 1.0)
    moved = remap(empty_outside, edges(LINE), (np.array([-0.5, 0.0, 1.0]),))
    np.testing.assert_allclose(moved, [1.0, 1.0])
    np.testing.assert_array_equal(remap(np.zeros(8), edges(LINE), (np.array([5.0, 6.0]),)), [0.0])
    nearly = (np.nextafter(-1, 0), *LINE.x.edges[1:])
    np.testing.assert_allclose(remap(np.ones(8), edges(LINE), (np.array(nearly),)), 1.0)


def test_remap_refused():
    with pytest.raises(CaseError, match=r"shape \(8,\) on cells of shape \(3, 4\)"):
        remap(np.ones(8), edges(PLANE), edges(PLANE))
    with pytest.raises(CaseError, match="grid of dimension 2"):
        remap(np.ones(8), edges(LINE), edges(PLANE))
    for bad in (-1.0, np.nan):
        with pytest.raises(CaseError, match="finite and ≥ 0"):
            remap(np.full(8, bad), edges(LINE), edges(LINE))


# Mass


@given(arrays(float, 6, elements=st.floats(0, 1e6)), st.floats(1e-6, 1e6))
@settings(max_examples=50, deadline=None)
def test_normalise(rho, target):
    if mass(rho, STRETCHED) < 1e-300:
        with pytest.raises(CaseError):
            normalise(np.zeros(6), STRETCHED, target)
        return
    scaled = normalise(rho, STRETCHED, target)
    check(scaled, STRETCHED)
    assert mass(scaled, STRETCHED) == pytest.approx(target, rel=1e-14, abs=0)
    np.testing.assert_array_equal(normalise(rho, STRETCHED), rho)


def test_normalise_refused():
    with pytest.raises(CaseError, match=r"positive, finite mass; found 0.*support"):
        normalise(np.zeros(8), LINE, None)
    with pytest.raises(CaseError, match="found inf"):
        normalise(np.full(8, 1.7e308), LINE, 1.0)
    with pytest.raises(CaseError, match="must be finite"):
        normalise(np.full(8, np.nan), LINE, 1.0)
    with pytest.raises(CaseError, match="≥ 0"):
        normalise(np.full(8, -1.0), LINE, 1.0)
    for target in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(CaseError, match=r"initial\.mass must be a positive number"):
            normalise(np.ones(8), LINE, target)
    with pytest.raises(CaseError, match="overflow"):
        normalise(np.array([1e-300, *[0.0] * 7]), LINE, 1e300)
