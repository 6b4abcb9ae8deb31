"""Tables: rows in any order, interpolation, coverage, rings, missing places, and what is refused."""

import contextlib

import numpy as np
import pytest
from PIL import Image

from wgfpde import Grid
from wgfpde.errors import CaseError
from wgfpde.grid.tables.array_file import picture
from wgfpde.grid.tables.objects import table_of_object
from wgfpde.grid.tables.pieces import between, nearest, pieces_of
from wgfpde.grid.tables.radial_table import RadialTable
from wgfpde.grid.tables.table import free_energy, scaled, table_in_text, table_of
from wgfpde.grid.tables.tabulated import KINDS, Tabulated
from wgfpde.grid.text_columns import read_columns

X, Y = np.linspace(-2, 2, 33), np.linspace(-1.5, 2.5, 41)


def well(x, y=0.0):
    return (x**2 - 1) ** 2 + 2 * (y - x**2 / 2) ** 2


def text_table(text, dim, column=None):
    return table_in_text(read_columns("t.dat", text.encode(), "value", holes=True), dim, "t.dat", column)


def plane(kind="cubic", values=None, **more):
    values = well(X, Y[:, None]) if values is None else values
    return Tabulated(table_of([X, Y], values, "t.dat"), kind, **more)


# ---- columns of text ---------------------------------------------------------------------------------------


def test_rows_in_any_order_and_columns_by_name():
    rows = [f"{y},{x},{x + 10 * y}" for x in (3, 1, 2) for y in (0, 5)]
    table = text_table("\n".join(["y,x,V", *rows[::-1]]), 2)
    assert [p.tolist() for p in table.places] == [[1, 2, 3], [0, 5]]
    assert table.values.tolist() == [[1, 2, 3], [51, 52, 53]]


def test_plumed_header():
    text = (
        "#! FIELDS phi psi file.free der_phi der_psi\n#! SET min_phi -pi\n#! SET max_phi pi\n#! SET nbins_phi 2\n"
        "#! SET periodic_phi true\n#! SET min_psi 0\n#! SET max_psi 1\n#! SET periodic_psi false\n"
        "-3.14159265 0 1 9 9\n 0 0 2 9 9\n\n-3.14159265 1 3 9 9\n 0 1 inf 9 9\n"
    )
    table = text_table(text, 2)
    assert table.names == ("phi", "psi")
    assert table.periods == (pytest.approx(2 * np.pi, rel=1e-9, abs=0), None)
    assert table.values[0].tolist() == [1, 2]
    assert table.values[1, 0] == 3 and np.isnan(table.values[1, 1])
    assert text_table(text, 2, "der_psi").values[0, 0] == 9


@pytest.mark.parametrize(
    "text", ["0 1\n1 2\n", "# r  W\n0 1\n1 2\n", "r;W\n0;1\n1;2\n", "0,1\n\n1,2\n", "\ufeffx,V\n0,1\n1,2"]
)
def test_headers_and_separators(text):
    table = text_table(text, 1)
    assert table.places[0].tolist() == [0, 1] and table.values.tolist() == [1, 2]


def test_missing_places_are_not_listed_nan_inf_or_empty():
    table = text_table("x,y,V\n0,0,1\n1,0,\n0,1,nan\n2,0,inf\n2,1,5\n", 2)
    assert np.isnan(table.values).tolist() == [[False, True, True], [True, True, False]]


@pytest.mark.parametrize(
    ("text", "dim", "column", "message"),
    [
        ("x,y,V\n0,0,1\n1,0,2\n0,0,3\n1,1,1\n0,1,1\n", 2, None, "x = 0, y = 0 is listed twice, again in data row 3"),
        ("x,V\n0,1\n0,2\n", 1, None, "listed twice"),
        ("0 1 2\n1 2 3\n", 1, None, 'has 2 columns of values, "2", "3"; say which is meant by column'),
        ("x,a,b\n0,1,2\n1,2,3\n", 1, "c", 'no column "c" of values; found "a", "b"'),
        ("0 1\n1 2\n", 2, None, "a 2D table has 2 columns of places and one of values; found 2 columns"),
        ("0 1\n1 -inf\n", 1, None, "found −inf"),
        ("0 nan\n1 inf\n", 1, None, "holds no finite value"),
        ("nan 1\n1 2\n", 1, None, "x must be finite; found nan in data row 1"),
        ("0 1\n", 1, None, "at least two places along x; found 1"),
        ("0 1\n1 two\n", 1, None, "must hold numbers, one value a row"),
        ("0 1\n1\n", 1, None, "as many in every row: data row 2 has 1, the first has 2."),
        ("0 1\n1 1_0\n", 1, None, 'found "1_0" in data row 2.'),
        ("x,V\n", 1, None, "holds a header line but no values"),
        ("\n".join(f"{k} {k * k % 7}.5 1" for k in range(9)), 2, None, "are no table on a grid"),
        (
            "#! FIELDS x V\n#! SET min_x 0\n#! SET max_x no\n#! SET periodic_x true\n0 1\n1 2\n",
            1,
            None,
            "do not say from",
        ),
    ],
)
def test_text_that_is_refused(text, dim, column, message):
    with pytest.raises(CaseError, match=message.replace("(", r"\(")):
        text_table(text, dim, column)


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(CaseError, match="is not a text file"):
        read_columns("t.dat", b"\xff\xfe\x00\x81", "value")


# ---- interpolation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [None, 3.0])
def test_the_places_beside_a_point(period):
    """The nearest one and those on either side, on a ring across its seam; beyond open ends the outermost two."""
    places = np.array([0.0, 0.4, 1.0, 2.5])
    points = np.random.default_rng(3).uniform(-4.0, 7.0, 400)
    after = np.mod(places - points[:, None], 3.0)  # way on to each place of the ring
    left, right = between(places, points, period)
    if period is None:
        expected = np.argmin(np.abs(places - points[:, None]), axis=1)
        np.testing.assert_array_equal(right, left + 1)
        np.testing.assert_array_equal(left, np.clip(np.sum(places <= points[:, None], axis=1) - 1, 0, 2))
    else:
        expected = np.argmin(np.minimum(after, 3.0 - after), axis=1)
        np.testing.assert_array_equal(right, np.argmin(after, axis=1))
        np.testing.assert_array_equal(left, np.argmin(3.0 - after, axis=1))
    np.testing.assert_array_equal(nearest(places, points, period), expected)


@pytest.mark.parametrize(("kind", "order"), [("cubic", 4), ("linear", 2), ("pchip", 2), ("nearest", 1)])
def test_order_of_interpolation(kind, order):
    """In the largest error; pchip loses order 3 at extrema."""
    q = np.random.default_rng(1).uniform(-1, 1, 400)
    errors = []
    for n in (17, 33, 65, 129):
        x = np.linspace(-1, 1, n)
        table = Tabulated(table_of([x, x], np.sin(3 * x + 2 * x[:, None]), "t"), kind)
        errors.append(np.max(np.abs(table(x=q, y=q[::-1]) - np.sin(3 * q + 2 * q[::-1]))))
    fitted = -np.polyfit(np.log([16, 32, 64, 128]), np.log(errors), 1)[0]
    assert order - 0.25 < fitted < order + 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_values_at_the_places_are_those_of_the_table(kind):
    assert plane(kind)(x=X, y=Y[:, None]) == pytest.approx(well(X, Y[:, None]), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_tensor_and_scattered_points_agree(kind):
    rng = np.random.default_rng(2)
    x, y = rng.uniform(-2, 2, 7), rng.uniform(-1.5, 2.5, 5)
    table = plane(kind)
    outer = table(x=x, y=y[:, None])
    both = np.broadcast_arrays(x, y[:, None])
    assert outer.shape == (5, 7)
    assert table(x=both[0], y=both[1]) == pytest.approx(outer, rel=1e-12, abs=1e-12)
    mixed = table(x=x[:, None, None], y=y[None, :, None] * np.ones((1, 1, 1)))
    assert mixed.shape == (7, 5, 1) and pytest.approx(outer, rel=1e-12, abs=1e-12) == mixed[..., 0].T


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ring", [False, True])
def test_averages_are_those_of_the_interpolant(kind, ring):
    """Against Gauss's rule between all kinks: table places, their middles, cell edges."""
    x = np.arange(12) / 12
    grid = Grid([0.25 if ring else 0.0], [1.25 if ring else 0.9], [7], "periodic" if ring else "no-flux",
                None if ring else [lambda s: s + 0.3 * s * (s - 1)])  # fmt: skip
    table = Tabulated(table_of([x], 2 + np.sin(2 * np.pi * x) + np.cos(6 * np.pi * x), "t"), kind).on(grid)
    nodes, weights = np.polynomial.legendre.leggauss(4)
    expected = []
    for low, high in zip(grid.x.edges[:-1], grid.x.edges[1:], strict=True):
        cuts = np.unique(np.clip(np.concatenate([[low, high], np.arange(0, 40) / 24]), low, high))
        middle, half = 0.5 * (cuts[1:] + cuts[:-1]), 0.5 * np.diff(cuts)
        expected.append(np.sum(half * (table(x=middle + half * nodes[:, None]).T @ weights)) / (high - low))
    assert table.averages(grid) == pytest.approx(np.array(expected), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("kind", ["cubic", "pchip", "linear"])
def test_rings_close_smoothly(kind):
    """A shifted table of a periodic function gives the same values everywhere, and no kink at its seam."""
    n, shift = 24, 7
    x = 2 * np.pi * np.arange(n) / n
    grid = Grid([-np.pi], [np.pi], [50], "periodic")
    one = Tabulated(table_of([x], np.exp(np.sin(x)), "t"), kind).on(grid)
    two = Tabulated(table_of([x + x[shift]], np.exp(np.sin(x + x[shift])), "t"), kind).on(grid)
    q = np.linspace(-7, 7, 301)
    assert one(x=q) == pytest.approx(two(x=q), rel=1e-12, abs=0)
    assert np.max(np.abs(one(x=q) - np.exp(np.sin(q)))) < {"cubic": 3e-4, "pchip": 2e-2, "linear": 3e-2}[kind]


# ---- on a grid ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lower", "upper", "message"),
    [
        ([-2.5, -1], [1, 1], r"x begins at -2.5 and x of the table at -2 \("),
        ([-1, -1], [1, 3], r"y ends at 3 and y of the table at 2.5"),
        ([-2.5, -1], [3, 1], "x begins at .*; x ends at 3"),
        ([-1.4, -1.9], [2.4, 1.9], "It looks transposed: its first coordinate fits y"),
    ],
)
def test_tables_that_do_not_cover_the_grid(lower, upper, message):
    with pytest.raises(CaseError, match=message):
        plane().on(Grid(lower, upper, [8, 8]))


def test_a_table_reaches_half_a_spacing_beyond_its_places():
    centres = Grid([-1, -1], [1, 1], [10, 10])
    table = Tabulated(table_of([centres.x.centers, centres.y.centers], np.zeros((10, 10)), "t"))
    assert table.on(centres).on(Grid([-1, -1], [1, 1], [37, 5])).table.dim == 2
    with pytest.raises(CaseError, match="does not cover"):
        table.on(Grid([-1.01, -1], [1, 1], [10, 10]))
    with pytest.raises(CaseError, match="has 2 coordinates and the grid 1"):
        table.on(Grid([-1], [1], [10]))


@pytest.mark.parametrize("last", [0.5, np.nan])
def test_a_last_place_that_repeats_the_first_is_left_out(last):
    x = np.linspace(0, 1, 9)
    values = np.cos(2 * np.pi * x)
    values[-1] = values[0] if last == 0.5 else last
    closed = Tabulated(table_of([x], values, "t")).on(Grid([0], [1], [10], "periodic"))
    assert len(closed.table.places[0]) == 8 and closed(x=np.array([1.0])) == pytest.approx(1.0, rel=1e-9, abs=0)


def test_plumeds_last_place_of_value_zero_is_left_out():
    x = np.linspace(0, 1, 9)
    values = 2 + np.cos(2 * np.pi * x)
    values[-1] = 0
    grid = Grid([0], [1], [10], "periodic")
    assert len(Tabulated(table_of([x], values, "t", ("x",), (1.0,))).on(grid).table.places[0]) == 8
    with pytest.raises(CaseError, match="one period on, it jumps by 3"):
        Tabulated(table_of([x], values, "t")).on(grid)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("places", "function", "message"),
    [
        (np.linspace(0, 1, 11), lambda s: s**2, "one period on, it jumps by 1"),
        (np.arange(10) / 10, lambda s: s**2, "where it closes, between 0.9 and 1, it jumps by 0.81"),
        (np.linspace(0, 0.7, 11), lambda s: 0 * s, "spans 0.7 of the period 1: from 0.7 to 1 nothing is known"),
        (np.linspace(0, 1.3, 11), lambda s: 0 * s, "spans 1.3, more than the period 1"),
    ],
)
def test_tables_that_are_not_periodic_on_periodic_axes(axis, places, function, message):
    along = [np.linspace(0, 1, 7), np.linspace(0, 1, 7)]
    along[axis] = places
    values = function(along[0]) + 0 * along[1][:, None] if axis == 0 else 0 * along[0] + function(along[1])[:, None]
    ends = ["no-flux", "no-flux"]
    ends[axis] = "periodic"
    with pytest.raises(CaseError, match=message):
        Tabulated(table_of(along, values, "t")).on(Grid([0, 0], [1, 1], [8, 8], ends))


@pytest.mark.parametrize("first", [-7.0, 0.0, 5.0])
def test_a_table_of_part_of_a_period_is_refused_wherever_it_lies(first):
    grid = Grid([first], [first + 1.0], [8], "periodic")
    with pytest.raises(CaseError, match=r"spans 0\.7 of the period 1: .* nothing is known"):
        Tabulated(table_of([first + np.linspace(0, 0.7, 11)], np.zeros(11), "t")).on(grid)
    Tabulated(table_of([first + np.arange(10) / 10], np.zeros(10), "t")).on(grid)


def test_a_period_of_the_file_must_be_that_of_the_axis():
    x = np.arange(8) / 8
    table = Tabulated(table_of([x], np.sin(2 * np.pi * x), "t", ("phi",), (1.0,)))
    with pytest.raises(CaseError, match="has the period 1 and axis x of the grid the length 2"):
        table.on(Grid([0], [2], [16], "periodic"))
    assert table.on(Grid([0.3], [0.9], [16])).rings == (1.0,)  # between walls it is as periodic


# ---- missing places ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_missing_places_are_forbidden_and_filled_for_the_interpolation(kind):
    values = well(X, Y[:, None])
    hidden = values > 4
    values[hidden] = np.nan
    grid = Grid([-2, -1.5], [2, 2.5], [64, 64])
    table = plane(kind, values).on(grid)
    index = [
        np.abs(places[:, None] - axis.centers).argmin(axis=0) for places, axis in zip((X, Y), grid.axes, strict=True)
    ]
    assert np.array_equal(table.forbidden_cells(grid), hidden[np.ix_(index[1], index[0])])
    assert np.all(np.isfinite(grid.sample(table)))
    allowed = ~table.forbidden_cells(grid)
    error = np.abs(grid.sample(table) - grid.sample(well))[allowed]
    assert np.mean(error) < {"cubic": 0.02, "pchip": 0.03, "linear": 0.04, "nearest": 0.4}[kind]


def test_missing_values_are_filled_around_a_ring():
    x = np.arange(10) / 10
    values = np.arange(10.0)
    values[0] = np.nan
    closed = Tabulated(table_of([x], values, "t"), "nearest").on(Grid([0], [1], [10], "periodic"))
    assert closed.filled[0] in (0.0, 10.0)
    values[1] = np.nan
    closed = Tabulated(table_of([x], values, "t"), "nearest").on(Grid([0], [1], [10], "periodic"))
    assert closed.filled[:2].tolist() == [10.0, 1.0]


def test_missing_error():
    values = well(X, Y[:, None])
    values[20, 16] = np.nan
    with pytest.raises(CaseError, match=r"no value in 4 of the grid's 5120 cells, as at x = -0.03125, y = 0.475"):
        plane("cubic", values, missing="error").on(Grid([-2, -1.5], [2, 2.5], [64, 80]))
    plane("cubic", values, missing="error").on(Grid([0.2, -1.5], [2, 2.5], [32, 32]))


def test_how_far_cubic_leaves_the_values():
    """A plateau at 12 κ, as free energies are cut: by 0.19 κ above, never below the least value (design, section 1)."""
    x = np.linspace(-2, 2, 41)
    grid = Grid([-2], [2], [2001])
    table = Tabulated(table_of([x], np.minimum((x**2 - 1) ** 2, 1.2), "t")).on(grid)
    beyond, place = table.excess(grid)
    assert beyond == pytest.approx(0.019, abs=2e-3) and place.startswith(("x = 1.4", "x = -1.4", "x = 1.5", "x = -1.5"))
    below = Tabulated(table_of([x], -table.table.values, "t")).on(grid)
    assert below.excess(grid)[0] == pytest.approx(beyond, rel=1e-12, abs=0)  # under a plateau as over one
    for kind in ("pchip", "linear", "nearest"):
        assert Tabulated(table.table, kind).on(grid).excess(grid)[0] == pytest.approx(0, abs=1e-12)


# ---- what becomes of the values ----------------------------------------------------------------------------


def test_scale_and_histogram():
    table = table_of([np.arange(4.0)], np.array([1.0, 2.0, 0.0, 4.0]), "t")
    assert scaled(table, -2.0).values.tolist() == [-2, -4, 0, -8]
    values = free_energy(table, 0.5).values
    assert values[[0, 1, 3]] == pytest.approx(-0.5 * np.log([1, 2, 4]), abs=1e-15) and np.isnan(values[2])
    with pytest.raises(CaseError, match="a histogram has values ≥ 0; found -2"):
        free_energy(scaled(table, -0.5), 1.0)
    with pytest.raises(CaseError, match="a number other than 0"):
        scaled(table, 0.0)


def test_interactions_by_r():
    r = np.linspace(0, 2, 21)
    w = RadialTable(table_of([r], np.exp(-(r**2)), "w.csv"))
    x, y = np.array([-0.3, 0.5, 5.0]), np.array([0.4, 0.0, 1.0])
    assert w(x=x, y=y)[:2] == pytest.approx(np.exp(-(x**2 + y**2))[:2], rel=1e-4, abs=0)
    assert w(x=x)[2] == w(x=x, y=y)[2] == pytest.approx(np.exp(-4), rel=1e-12, abs=0)
    assert np.array_equal(w(x=-x), w(x=x))
    with pytest.raises(CaseError, match=r'begins at r = 0.1, .* at_zero = "constant"'):
        RadialTable(table_of([r[1:]], np.exp(-(r[1:] ** 2)), "w.csv"))
    late = RadialTable(table_of([r[5:]], r[5:], "w.csv"), "linear", "constant")
    assert late(x=np.array([0.0, 0.2, 1.0])) == pytest.approx([0.5, 0.5, 1.0], rel=1e-12, abs=0)
    with pytest.raises(CaseError, match="r is a distance"):
        RadialTable(table_of([r - 1], r, "w.csv"))
    with pytest.raises(CaseError, match=r"it is missing at r = 0\.1"):
        RadialTable(table_of([r], np.where(r == r[1], np.nan, r), "w.csv"))


# ---- pandas and xarray -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [("y", "x"), ("x", "y"), ("psi", "phi")])
def test_data_arrays(dims):
    xarray = pytest.importorskip("xarray")
    values = well(X, Y[:, None])
    places = {dims[0]: Y, dims[1]: X} if dims != ("x", "y") else {"x": X, "y": Y}
    array = xarray.DataArray(values if dims != ("x", "y") else values.T, places, dims)
    for thing in (array, array.to_dataset(name="V")):
        table = table_of_object(thing)
        assert np.array_equal(table.values, values) and np.array_equal(table.places[0], X)
    with pytest.raises(CaseError, match="has no coordinate"):
        table_of_object(xarray.DataArray(values, dims=("y", "x")))
    with pytest.raises(CaseError, match='no variable "W"; found V'):
        table_of_object(array.to_dataset(name="V"), "W")


def test_pandas():
    pandas = pytest.importorskip("pandas")
    values = well(X, Y[:, None])
    x, y = (a.ravel() for a in np.meshgrid(X, Y))
    frame = pandas.DataFrame({"y": y, "V": values.ravel(), "x": x}).sample(frac=1, random_state=0)
    series = frame.set_index(["y", "x"])["V"]
    for thing in (frame, series):
        table = table_of_object(thing)
        assert np.array_equal(table.values, values) and np.array_equal(table.places[0], X)
    line = table_of_object(pandas.Series([1.0, 2.0, 3.0], index=[0.0, 2.0, 1.0]))
    assert line.values.tolist() == [1, 3, 2]


@pytest.mark.parametrize("period", [None, 4.0])
@pytest.mark.parametrize("kind", ["cubic", "pchip", "linear", "nearest"])
@pytest.mark.parametrize(("places", "values"), [
    ([0.0, 1e-300, 2.0, 3.0], [0.0, 1.0, 4.0, 9.0]),
    ([0.0, 1.0, 2.0, 3.0], [0.0, 1e308, -1e308, 0.0]),
    ([0.0, 1.0, 2.0, 3.0], [[0.0, 0.0], [0.0, 1e200], [0.0, 0.0], [0.0, 0.0]]),
])  # fmt: skip
def test_slopes_beyond_double_precision(kind, period, places, values):
    """SciPy would raise a ValueError of its own words, or warn."""
    with pytest.raises(CaseError, match=r"rise by more than 1e\+100"):
        pieces_of(kind, np.array(places), np.array(values), period)


def test_pictures_with_damaged_tags_say_nothing(tmp_path, recwarn):
    """Pillow warns of a tag that ends behind the file."""
    file = tmp_path / "v.tif"
    Image.fromarray(np.full((4, 5), 7, dtype="u1")).save(file)
    content = bytearray(file.read_bytes())
    with Image.open(file) as opened:
        at = opened.tag_v2._offset + 2 + 12 * (len(opened.tag_v2) - 1)
    content[at + 2 : at + 8] = (12).to_bytes(2, "little") + (10**6).to_bytes(4, "little")
    file.write_bytes(content)
    with contextlib.suppress(CaseError):
        picture(file)
    assert not list(recwarn)


@pytest.mark.parametrize("named", [("x", "y"), ("y", "x"), ("X", "Y"), ("Y", "X")])
def test_a_square_array_is_read_by_its_names_or_refused(named):
    """As many places along both: only names tell which is x, and without them turned round would pass unseen."""
    xarray = pytest.importorskip("xarray")
    places = np.linspace(-1, 1, 9)
    x, y = (places[:, None], places) if named[0].lower() == "x" else (places, places[:, None])
    array = xarray.DataArray(x + 10 * y, dict.fromkeys(named, places), named)
    found = Tabulated(table_of_object(array), "linear")(x=np.array([0.5]), y=np.array([0.25]))
    assert found[0] == pytest.approx(3.0, abs=1e-12)
    with pytest.raises(CaseError, match=r"9 places along a and as many along b.*rename"):
        table_of_object(array.rename(dict(zip(named, "ab", strict=True))))
    oblong = array.rename(dict(zip(named, "ab", strict=True)))[:5]
    assert table_of_object(oblong).values.shape == (5, 9)
