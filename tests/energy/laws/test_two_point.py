"""The two-point flux of an array law by hand: one's own mean, the limiter, vacuum; and what its record says."""

from types import MappingProxyType
from typing import Literal

import numpy as np
import pytest

from wgfpde.base.case_table import Positive, Table
from wgfpde.energy.laws import ArrayLaw
from wgfpde.energy.laws.array_law import two_point
from wgfpde.errors import CaseError


class Own(Table):
    kind: Literal["own"]
    kappa: Positive = 1.0


class Parameters:
    parameters = MappingProxyType({"kappa": 1.0})


def cube(mean=None, **more):
    """U = ρ³/2, U' = 3ρ²/2, U'' = 3ρ, p = ρ³."""
    return ArrayLaw(
        "own", Own, lambda r, kappa: r**3 / 2, lambda r, kappa: 1.5 * r**2, lambda r, kappa: 3 * r, mean, **more
    )


LOG = ArrayLaw("own", Own, lambda r, kappa: r * np.log(r) - r, lambda r, kappa: np.log(r), lambda r, kappa: 1 / r)


def lopsided(a, b, kappa):
    """M_e = (a + 2b)/3, whose two derivatives differ."""
    return (a + 2 * b) / 3, np.full_like(a, 1 / 3), np.full_like(a, 2 / 3)


def numbers(law, a, b, dphi):
    face = two_point(law, Parameters, np.array([a]), np.array([b]), np.array([dphi]))
    return {name: float(values[0]) for name, values in vars(face).items()}


def close(found, **wanted):
    assert found == pytest.approx(wanted, rel=1e-13, abs=1e-300)


def test_a_mean_of_ones_own_while_the_limiter_sleeps():
    """ΔU' = ±9/2, Δξ = ±5."""
    close(
        numbers(cube(lopsided), 1.0, 2.0, 0.5),
        flux=-25 / 3, left=10 / 3, right=40 / 3, work=125 / 3, gate=1.0, bend=3.0, rise=4.5,
    )  # fmt: skip
    close(
        numbers(cube(lopsided), 2.0, 1.0, -0.5),
        flux=20 / 3, left=4 / 3 * 6 + 5 / 3, right=4 / 3 * 3 - 10 / 3, work=100 / 3, gate=1.0, bend=3.0, rise=4.5,
    )  # fmt: skip


def test_a_mean_of_ones_own_that_is_limited():
    """The donor 0.1 gives M = 0.2: below M_e = 0.7, at Δξ = 1.485 − 3."""
    dxi = 1.485 - 3.0
    close(
        numbers(cube(lopsided), 0.1, 1.0, -3.0),
        flux=-0.2 * dxi, left=0.2 * 0.3 - 2 * dxi, right=0.2 * 3, work=0.2 * dxi**2, gate=0.0, bend=0.03, rise=1.485,
    )  # fmt: skip


def test_the_default_mean():
    """M_e = Δp/ΔU' = 7/4.5 for 1 and 2; their mean where they are close."""
    assert numbers(cube(), 1.0, 2.0, 0.5)["flux"] == pytest.approx(-5 * 7 / 4.5, rel=1e-14, abs=0)
    assert numbers(cube(), 1.0, 1.0, 0.5)["flux"] == -0.5


def test_vacuum_of_a_law_without_it():
    """U'(0) = −∞: from an empty cell d·F = −Δp, whatever the drift; between two nothing happens, at no cost."""
    for dphi in (-7.0, 0.0, 7.0):
        found = numbers(LOG, 0.0, 1.5, dphi)
        assert found | {"bend": 0.0} == found
        assert (found["flux"], found["work"], found["gate"]) == (-1.5, np.inf, 1.0)
        assert numbers(LOG, 1.5, 0.0, dphi)["flux"] == 1.5
        nothing = numbers(LOG, 0.0, 0.0, dphi)
        assert nothing == dict(flux=0.0, left=0.0, right=0.0, work=0.0, gate=1.0, bend=0.0, rise=0.0)


def test_a_pressure_below_zero_is_refused():
    """U = 1 + ρ² bends enough in every dimension, but 1 is paid for each cell that is not empty."""
    law = ArrayLaw("own", Own, lambda r, kappa: 1 + r**2, lambda r, kappa: 2 * r, lambda r, kappa: 2 + 0 * r)
    for dim in (1, 2):
        with pytest.raises(CaseError, match=f"not displacement convex in {dim}D: at ρ = 1e-08"):
            law.check_dimension(Parameters, dim)


def test_what_is_declared_is_told():
    assert cube(large=3.0).growth(Parameters) == 3.0 and cube().growth(Parameters) is None
    assert cube(text="ρ**3/2").formula({}) == "ρ**3/2" and cube().formula({}) == "own(ρ)"
    assert cube().empties(Parameters) and not LOG.empties(Parameters)
