"""What a result of a study offers in a notebook: its figure, its arrays for xarray, and a table of its numbers.

All three are made from the study that the command line would write, so that `found.plot().savefig(…)` is the picture
of `wgfpde spectrum …`, and `found.to_xarray()` what xarray opens of its file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..base import html
from ..errors import CaseError
from ..store import Study

if TYPE_CHECKING:
    import xarray

    from .stationary import Steady

LINES = 12
"""Rows of a table, at most."""


class Shown:
    """A result that knows how to be drawn, once `shown` has said of which study it is."""

    _made: Callable[[], Study] | Study | None = None

    def as_study(self) -> Study:
        """The labelled arrays that its file would hold.  Raises CaseError for a result of no case."""
        if self._made is None:
            raise CaseError("this result was not found of a case, and has no title, units or grid to draw it with")
        return self._made if isinstance(self._made, Study) else self._made()

    def plot(self) -> Any:
        """The figure that the command line draws of it, a Matplotlib Figure; a notebook shows it."""
        from ..output import plots

        study = self.as_study()
        return plots.OF_STUDIES[study.kind](study)

    def to_xarray(self) -> xarray.Dataset:
        """All its arrays, with coordinates, units and names.  Raises CaseError where xarray is not installed."""
        return dataset_of(self.as_study())

    def _rows(self) -> Iterable[tuple[str, object]]:
        """Names and values for the table of a notebook."""
        return ()

    def _repr_html_(self) -> str:
        title = type(self).__name__
        if self._made is not None:
            title = f"{title} of {self.as_study().attributes['title']}"
        return f"<b>{html.text(title)}</b>{html.table([], self._rows())}"

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: arrays in place of the function that makes them."""
        return {**vars(self), **({} if self._made is None else {"_made": self.as_study()})}


Result = TypeVar("Result", bound=Shown)


def shown(found: Result, made: Callable[[], Study]) -> Result:
    """The same result, which can be drawn from now on.   made : gives its study, when asked for."""
    object.__setattr__(found, "_made", made)
    return found


class States(list["Steady"], Shown):
    """The stationary states of a search, the lowest energy first: a list that can be drawn."""

    def __repr__(self) -> str:
        each = [f"{state.verdict} {state.energy:.6g}".strip() for state in self[:LINES]]
        return f"States({len(self)}, by energy: {', '.join(each)}{', …' if len(self) > LINES else ''})"

    def _repr_html_(self) -> str:
        head = ["state", "energy", "verdict", "growth rate", "residual"]
        rows = [
            (k, f"{s.energy:.10g}", s.verdict, f"{s.eigenvalue:.6g}", f"{s.residual:.1g}") for k, s in enumerate(self)
        ]
        title = "Stationary states" if self._made is None else f"States of {self.as_study().attributes['title']}"
        return f"<b>{html.text(title)}</b>{html.table(head, rows, (0, 1, 3, 4))}"


def dataset_of(study: Study) -> xarray.Dataset:
    """A study as xarray would open its file.  Raises CaseError where xarray is not installed."""
    try:
        import xarray
    except ImportError:
        raise CaseError("to_xarray needs xarray: pip install 'wgfpde[xarray]'") from None

    def entry(name: str) -> tuple[Sequence[str], Any, dict[str, str]]:
        one = study.variables[name]
        about = {"units": one.units, "long_name": one.long_name, "description": one.description}
        return one.dims, np.asarray(one.values), {key: text for key, text in about.items() if text}

    places = [name for name, one in study.variables.items() if one.dims == (name,)]
    data = {name: entry(name) for name in study.variables if name not in places}
    return xarray.Dataset(data, {name: entry(name) for name in places}, dict(study.attributes))


def number(value: float, digits: int = 3) -> str:
    """A number for a table, nothing where there is none."""
    return "" if np.isnan(value) else f"{value:.{digits}g}"


def numbers(values: Iterable[float], digits: int = 6) -> str:
    """Some numbers in a row, cut after LINES of them."""
    found = [f"{value:.{digits}g}" for value in values]
    return ", ".join(found[:LINES]) + (", …" if len(found) > LINES else "")
