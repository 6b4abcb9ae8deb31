"""Every law by its record: derivatives, kernels against NumPy, and that nobody else decides by its name."""

import re
from pathlib import Path

import numpy as np
import pytest

import wgfpde
from wgfpde.energy.energy import Internal
from wgfpde.energy.laws import LAWS, by_code
from wgfpde.energy.laws.law import ENTROPY, NONE, POWER

PACKAGE = Path(wgfpde.__file__).parent
INTERNALS = [
    Internal("entropy", 0.7),
    Internal("power", 1.3, 0.6),
    Internal("power", 1.3, 1.5),
    Internal("power", 1.3, 2.0),
    Internal("power", 1.3, 3.0),
    Internal("none"),
]
EACH = pytest.mark.parametrize("internal", INTERNALS, ids=lambda u: f"{u.kind}-{u.m:g}")
RHO = np.logspace(-3, 2, 41)


@pytest.mark.parametrize("internal", [u for u in INTERNALS if u.kind == "power"], ids=lambda u: f"{u.m:g}")
@pytest.mark.parametrize("rise", [-0.3, 0.0, 2.0])
def test_what_flows_into_a_vacuum(internal, rise):
    """d·F ≥ 0, 0 of no density; its derivative in ρ where it flows and where nothing does, which is no less than 0."""
    h, rises = 1e-5 * RHO, np.full(RHO.shape, rise)
    flux, slope = internal.law.into_vacuum(RHO, rises, internal)
    ends = [internal.law.into_vacuum(RHO + side * h, rises, internal)[0] for side in (-1, 1)]
    assert flux.min() >= 0 and slope.min() >= 0
    even = (ends[0] > 0) == (ends[1] > 0)  # no kink in between
    np.testing.assert_allclose(slope[even], ((ends[1] - ends[0]) / (2 * h))[even], rtol=1e-7, atol=1e-9)
    assert np.count_nonzero(flux) > 5 and np.count_nonzero(even) > 35
    assert [part[0] for part in internal.law.into_vacuum(np.zeros(1), rises[:1], internal)] == [0.0, 0.0]


@EACH
def test_derivatives_and_pressure(internal):
    law, h = internal.law, 1e-4 * RHO
    slope = (internal.density(RHO + h) - internal.density(RHO - h)) / (2 * h)
    np.testing.assert_allclose(internal.derivative(RHO), slope, rtol=1e-6, atol=1e-6)
    bend = (internal.derivative(RHO + h) - internal.derivative(RHO - h)) / (2 * h)
    np.testing.assert_allclose(law.second_derivative(RHO, internal), bend, rtol=1e-6, atol=1e-12)
    wanted = RHO * internal.derivative(RHO) - internal.density(RHO)
    np.testing.assert_allclose(law.pressure(RHO, internal), wanted, rtol=1e-12, atol=1e-12)
    assert law.pressure(np.zeros(1), internal)[0] == 0.0
    assert internal.empties == bool(np.isfinite(internal.derivative(np.zeros(1))[0]))


@EACH
def test_kernels_say_what_the_record_says(internal):
    code, kappa, m = internal.code, internal.kappa, internal.m
    of = [by_code.internal_energy(r, code, kappa, m) for r in RHO]
    np.testing.assert_allclose(of, internal.density(RHO), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(
        [by_code.slope(r, code, kappa, m) for r in RHO], internal.derivative(RHO), rtol=1e-13, atol=1e-14
    )
    if not internal.law.vanishes:
        wanted = 1 / (internal.law.second_derivative(RHO, internal) + 0.4 / RHO)
        np.testing.assert_allclose([by_code.stiffness(r, 0.4, code, kappa, m) for r in RHO], wanted, rtol=1e-13)


@EACH
def test_the_free_density_inverts_the_slope(internal):
    if internal.law.vanishes:
        return
    for rho, y in zip(RHO, internal.derivative(RHO), strict=True):
        found, response = by_code.free_density(y, internal.code, internal.kappa, internal.m)
        assert found == pytest.approx(rho, rel=1e-12, abs=0)
        assert response == pytest.approx(1 / internal.law.second_derivative(rho, internal), rel=1e-11, abs=0)


@pytest.mark.parametrize("internal", INTERNALS[:-1], ids=lambda u: f"{u.kind}-{u.m:g}")
def test_the_conjugate_without_barrier(internal):
    """B(y) = c U(ρ) − yρ at c U'(ρ) = y, U with κ = 1."""
    c, code, m = 0.3, internal.code, internal.m
    plain = Internal(internal.kind, 1.0, m)
    for rho in (0.02, 1.5, 7.0):
        y = c * float(plain.derivative(np.array(rho)))
        found, value = by_code.dual_density(y, code, c, m, 0.0, 0.0)
        assert found == pytest.approx(rho, rel=1e-12, abs=0)
        assert value == pytest.approx(c * float(plain.density(np.array(rho))) - y * rho, rel=1e-11, abs=0)


def test_the_conjugate_of_the_entropy_is_finite_up_to_700():
    for level, infinite in ((690.0, False), (-690.0, False), (705.0, True), (1e4, True)):
        rho, value = by_code.dual_density(0.3 * level, ENTROPY, 0.3, 1.0, 0.0, 0.0)
        assert (value == -np.inf) == infinite and rho > 0
        assert infinite or rho == pytest.approx(np.exp(level), rel=1e-12, abs=0)


def test_without_internal_energy_there_is_only_the_barrier():
    """D = ρ/s; without barrier nothing where y ≤ 0 and no bound above."""
    assert by_code.stiffness(3.0, 0.5, NONE, 1.0, 1.0) == 6.0
    found = [by_code.free_density(y, NONE, 1.0, 1.0) for y in (-1.0, 0.0, 1.0)]
    assert found == [(0.0, 0.0), (0.0, 0.0), (np.inf, 0.0)]
    assert by_code.dual_density(0.0, NONE, 1.0, 1.0, 0.1, 0.0) == (np.inf, -np.inf)
    assert by_code.internal_energy(2.0, NONE, 1.0, 1.0) == by_code.slope(2.0, NONE, 1.0, 1.0) == 0.0


def test_one_coding():
    assert {law.kind: law.code for law in LAWS.values()} == {"entropy": ENTROPY, "power": POWER, "none": NONE}


def test_nobody_else_decides_by_the_name_of_a_law():
    decision = re.compile(r"internal\.kind *(?:[!=]=|(?:not )?in\b)|kind *[!=]= *\"(?:entropy|power|none)\"")
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name != "laws":
            assert not decision.search(path.read_text(encoding="utf-8")), f"{path}: ask the law instead"
