"""Walls are values: names, pairs, rings, and what is refused."""

import pytest

import wgfpde as wgf
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.grid.boundary import NO_FLUX, PERIODIC, Boundary, Wall, boundary_of


@pytest.mark.parametrize("ends", ["periodic", ("periodic", "periodic"), True, Boundary(PERIODIC, PERIODIC)])
def test_a_ring(ends):
    found = boundary_of(ends)
    assert found == Boundary(PERIODIC, PERIODIC) and found.ring == 1 and str(found) == "periodic"
    assert Grid([0.0], [1.0], [4], ends if not isinstance(ends, tuple) else [ends]).x.boundary == found


@pytest.mark.parametrize("ends", ["no-flux", ["no-flux", "no-flux"], False, Boundary(), "no-flux, no-flux"])
def test_walls(ends):
    found = boundary_of(ends)
    assert found == Boundary(NO_FLUX, NO_FLUX) and found.ring == 0 and found.names == ("no-flux", "no-flux")


@pytest.mark.parametrize("ends", ["periodic,periodic", " periodic , periodic ", ["periodic"], "periodic"])
def test_one_name_is_for_both_ends_and_spaces_do_not_matter(ends):
    assert boundary_of(ends) == Boundary(PERIODIC, PERIODIC)


def test_as_a_case_file_says_it():
    """A wall of another kind, as a later one will be."""
    other = Wall("open")
    assert Boundary().in_case == "no-flux" and Boundary(PERIODIC, PERIODIC).in_case == "periodic"
    mixed = Boundary(NO_FLUX, other)
    assert mixed.in_case == ["no-flux", "open"] and str(mixed) == "no-flux, open" and mixed.ring == 0


@pytest.mark.parametrize("ends", [(PERIODIC, NO_FLUX), (NO_FLUX, PERIODIC)])
def test_an_axis_closes_as_a_whole(ends):
    with pytest.raises(CaseError, match="joins the two ends"):
        Boundary(*ends)


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ("wall", 'expected "no-flux", "periodic", "absorbing", .*found "wall"'),
        (["no-flux"] * 3, "a pair, found"),
        ({"robin": 10**400}, "robin: expected a positive number, found 1000"),
        ({"density": 10**400}, "density: expected a number ≥ 0 or a formula, found 1000"),
        ("{ lower = { inflow = " + "9" * 400 + " } }", "inflow: expected a number ≥ 0"),
        (["no-flux", "periodic"], 'joins the two ends of an axis: .*found \\["no-flux", "periodic"\\]'),
    ],
)
def test_what_is_refused(ends, words):
    with pytest.raises(CaseError, match=words):
        boundary_of(ends)


def test_each_end_of_each_axis_in_a_case_file():
    """A pair of names is the same boundary as one name for both."""
    base = ["grid.shape=[8, 8]", "time.end=0.01", "output.every=0.01", "solver.dt=0.005"]
    name, pair = (["no-flux", "periodic"], [["no-flux", "no-flux"], ["periodic", "periodic"]])
    runs = []
    for boundary in (name, pair):
        runs.append(wgf.run(wgf.load("heat_2d", base), progress=False, grid={"boundary": boundary}))
    assert (runs[0].rho[-1] == runs[1].rho[-1]).all()
    assert wgf.load("heat_2d", base, grid={"boundary": pair}) == wgf.load("heat_2d", base, grid={"boundary": name})
    assert runs[0].periodic == runs[1].periodic == (False, True)


@pytest.mark.parametrize(
    ("boundary", "words"),
    [
        (["no-flx", "no-flux"], r'grid\.boundary\[0\]: expected "no-flux", .*, found "no-flx"; did you mean "no-flux"'),
        (["no-flux", ["no-flux", "periodic"]], r'grid\.boundary\[1\]: "periodic" joins the two ends of an axis'),
        (["no-flux"], r"grid\.boundary: expected 2 entries, one per axis of grid\.shape, found 1"),
    ],
)
def test_mistakes_in_a_case_file(boundary, words):
    with pytest.raises(CaseError, match=words):
        wgf.load("heat_2d", grid={"boundary": boundary})
