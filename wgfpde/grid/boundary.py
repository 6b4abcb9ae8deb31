"""What the ends of an axis are: walls as values.

    no-flux          F = 0 at the end: mass stays
    periodic         the end is identified with the other one: the axis closes to a ring, with one face more
    absorbing        ρ = 0 at the end: what reaches it is gone
    robin = K        F = Kρ at the end, outwards, K > 0 in length/time
    density = g      ρ = g ≥ 0 at the end: mass comes in and goes out
    inflow = j       F = j ≥ 0 inwards, mass/(time · area)

Each end of each axis has its own; an axis closes only as a whole.  What kernels get of this is `ring`, 0 or 1, and
arrays; what an open wall adds to the rates is in `energy.openings`.  Walls are called x_lower, x_upper, y_lower,
y_upper.  g and j may be functions of the other coordinate, or formulas; of a formula that was read from a file the
function is not known until a case is built.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..base.toml import shortened, show, to_value
from ..base.unsupported import wall_instead
from ..errors import CaseError

VALUED = ("robin", "density", "inflow")
"""Walls that have a value, the key of a table in case files."""
PLAIN = ("no-flux", "periodic", "absorbing")
SIDES = ("lower", "upper")
LONGEST = 2000
"""Letters of a boundary as a file may hold it."""


@dataclass(frozen=True)
class Wall:
    """One end of an axis.

    name : in the case file, and in the file of a run.   value : of those that have one, a number, or the text of what
    `function` computes.   function : g or j as a function of the other coordinate, f(y=…), or f() in 1D.

    Raises CaseError for a value that makes no wall.
    """

    name: str
    value: float | str | None = None
    function: Callable[..., Any] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.name not in VALUED:
            return
        allowed = self.value is not None if self.name != "robin" else isinstance(self.value, int | float)
        if isinstance(self.value, int | float):
            allowed = _finite(self.value) and self.value >= 0 and (self.value > 0 or self.name != "robin")
        if not allowed or isinstance(self.value, bool):
            wanted = "a positive number" if self.name == "robin" else "a number ≥ 0 or a formula"
            raise CaseError(f"{self.name}: expected {wanted}, found {show(self.value)}")

    @property
    def closes(self) -> bool:
        """Whether it is joined to the other end."""
        return self.name == "periodic"

    @property
    def open(self) -> bool:
        """Whether mass may pass."""
        return self.name not in ("no-flux", "periodic")

    @property
    def lets_in(self) -> bool:
        """Whether mass may come in."""
        return self.name in ("density", "inflow")

    @property
    def in_case(self) -> str | dict[str, float | str | None]:
        """As a case file says it."""
        return {self.name: self.value} if self.name in VALUED else self.name

    def values(self, places: Mapping[str, Any], shape: tuple[int, ...], where: str) -> np.ndarray:
        """Its value at places of the other coordinate, an array of `shape`.   where : how messages name the wall.

        Raises CaseError where it is negative or not finite, or a formula without its function.
        """
        if self.value is None:
            return np.zeros(shape)
        try:
            with np.errstate(all="ignore"):
                found = float(self.value) if self.function is None else self.function(**places)
        except ValueError:
            raise CaseError(
                f"{where}: {self.name} = {show(self.value)} is known as a text only, as a file holds it; build the "
                "case, or give a function"
            ) from None
        with np.errstate(all="ignore"):
            values = np.array(np.broadcast_to(np.asarray(found, dtype=float), shape))
        bad = ~(np.isfinite(values) & (values >= 0))
        if np.any(bad):
            place = "".join(f" at {name} = {np.ravel(at)[np.argmax(bad)]:.6g}" for name, at in places.items())
            raise CaseError(f"{where}: {self.name} must be finite and ≥ 0; found {values[bad][0]:.6g}{place}")
        return values


def _finite(value: float) -> bool:
    """Whether a number is one in double precision; an integer of a file may be larger."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


NO_FLUX, PERIODIC, ABSORBING = (Wall(name) for name in PLAIN)
WALLS = {wall.name: wall for wall in (NO_FLUX, PERIODIC, ABSORBING)}
"""Those without a value, by name."""
CHOICES = ", ".join([*(f'"{name}"' for name in PLAIN), "{ robin = K }", '{ density = "…" }']) + ' or { inflow = "…" }'
"""All of them, for messages."""


@dataclass(frozen=True)
class Boundary:
    """The two ends of an axis.  Raises CaseError where one end closes and the other does not."""

    lower: Wall = NO_FLUX
    upper: Wall = NO_FLUX

    def __post_init__(self) -> None:
        if self.lower.closes != self.upper.closes:
            raise CaseError(
                f'"{PERIODIC.name}" joins the two ends of an axis: expected it at both or at none, found '
                f'["{self.lower.name}", "{self.upper.name}"]'
            )

    @property
    def ring(self) -> int:
        """1 where the axis closes, else 0: what kernels are given."""
        return int(self.lower.closes)

    @property
    def open(self) -> bool:
        """Whether mass may pass one of the ends."""
        return self.lower.open or self.upper.open

    @property
    def closed(self) -> Boundary:
        """The same axis with walls in place of open ends."""
        return Boundary() if self.open else self

    @property
    def names(self) -> tuple[str, str]:
        return self.lower.name, self.upper.name

    @property
    def in_case(self) -> Any:
        """As a case file says it: a name, a pair of names, or a table where one end has a value."""
        if self.lower == self.upper:
            return self.lower.in_case
        if self.lower.value is None and self.upper.value is None:
            return list(self.names)
        return {"lower": self.lower.in_case, "upper": self.upper.in_case}

    def __str__(self) -> str:
        """One name where both ends are alike, else both: "no-flux"; with values, TOML.  `boundary_of` reads it."""
        if self.lower.value is None and self.upper.value is None:
            return ", ".join(dict.fromkeys(self.names))
        return to_value(self.in_case)


Ends = str | Mapping[str, Any] | Sequence[Any] | Boundary | bool
"""How the ends of an axis may be given: one wall for both, a pair, {"lower": …, "upper": …}, True for periodic, or the
value itself.  A wall is a name, {"robin": K}, {"density": …}, {"inflow": …}, or the value itself."""


def boundary_of(ends: Ends) -> Boundary:
    """The boundary that is meant.  Raises CaseError for another name, or for another number of them."""
    if isinstance(ends, Boundary):
        return ends
    if isinstance(ends, bool):
        return Boundary(PERIODIC, PERIODIC) if ends else Boundary()
    if isinstance(ends, str) and ends.lstrip()[:1] in ("[", "{"):
        return boundary_of(_read(ends))
    if isinstance(ends, Mapping) and set(ends) and set(ends) <= set(SIDES):
        return Boundary(*(wall_of(ends.get(side, NO_FLUX)) for side in SIDES))
    if isinstance(ends, Mapping | Wall) or not isinstance(ends, str | Sequence):
        walls = [wall_of(ends)]
    else:
        given = [part.strip() for part in ends.split(",")] if isinstance(ends, str) else list(ends)
        if len(given) not in (1, 2):
            raise CaseError(f"expected one wall for both ends of an axis, or a pair, found {show(given)}")
        walls = [wall_of(wall) for wall in given]
    return Boundary(*(walls * 2)[:2]) if len(walls) == 1 else Boundary(*walls)


def wall_of(given: Any) -> Wall:
    """The wall that is meant by a name, by a table with its value, or by itself.  Raises CaseError."""
    if isinstance(given, Wall):
        return given
    if isinstance(given, str) and given in WALLS:
        return WALLS[given]
    if isinstance(given, Mapping) and len(given) == 1 and next(iter(given)) in VALUED:
        name, value = next(iter(given.items()))
        if callable(value):
            return Wall(name, getattr(value, "text", None) or f"python: {getattr(value, '__name__', 'f')}", value)
        return Wall(name, value.item() if isinstance(value, np.generic) else value)
    found = next(iter(given), "") if isinstance(given, Mapping) else given
    near = difflib.get_close_matches(str(found), (*PLAIN, *VALUED, *(SIDES if isinstance(given, Mapping) else ())), n=1)
    if isinstance(given, str) and given in VALUED:
        hint = f"; write {{ {given} = … }}"
    elif isinstance(given, str) and (instead := wall_instead(given)):
        hint = f"; {instead}"
    else:
        hint = f'; did you mean "{near[0]}"?' if near else ""
    what = shortened(to_value(given)) if isinstance(given, Mapping) else show(given)
    raise CaseError(f"expected {CHOICES}, found {what}{hint}")


def _read(text: str) -> Any:
    """What a file says as TOML."""
    try:
        if len(text) > LONGEST:
            raise CaseError(f"expected {CHOICES}, found a text of {len(text)} letters")
        return tomllib.loads(f"ends = {text}")["ends"]
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise CaseError(f"expected {CHOICES}, found {show(text)}") from error
