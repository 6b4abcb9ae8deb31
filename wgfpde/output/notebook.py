"""A run on disk with what one does with it in a notebook: a figure, arrays for xarray, a table."""

from __future__ import annotations

import difflib
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import store
from ..base import html
from ..errors import CaseError
from ..grid.grid import grid_text
from . import promises

if TYPE_CHECKING:
    import xarray


class Run(store.Run):
    """A run on disk, with what one does with it in a notebook.

    Densities are read when asked for.  See `wgfpde.store.Run` for the attributes: ``t``, ``rho``, ``diagnostics``,
    ``steps``, ``grid``, ``status`` and others.
    """

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the run.

        Parameters
        ----------
        ax
            Axes of Matplotlib to draw into: the density at some times, in 2D at one (default the last); or one
            diagnostic, one column of the steps, or the errors.
        **options
            As for ``wgfpde plot``: ``field``, ``times`` (or ``time``), ``index``, ``log``, ``error``, ``scale``,
            ``vmin``, ``vmax``, ``cmap``, ``size``, ``dpi``; the exact solution and the Gibbs state are drawn where they
            are known.

        Returns
        -------
        matplotlib.figure.Figure
            Shown by a notebook; ``figure.savefig("run.pdf")`` writes what ``wgfpde plot`` does.  With ``ax``, that.
        """
        from .plots import Options, draw, draw_on
        from .references import exact_and_gibbs, potential_of

        if "time" in options and "times" in options:
            raise CaseError("plot: time and times are one option; leave one of the two out")
        if "time" in options:
            options["times"] = options.pop("time")
        known = {field.name for field in fields(Options)}
        if unknown := sorted(set(options) - known):
            near = difflib.get_close_matches(unknown[0], known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}"
            raise CaseError(f"plot takes no {unknown[0]}; {hint}")
        for name in ("times", "index"):
            if options.get(name) is not None:
                given = options[name]
                options[name] = tuple(given) if isinstance(given, list | tuple | np.ndarray) else (given,)
        chosen = Options(**options)
        exact, gibbs = exact_and_gibbs(self) if chosen.field == "rho" else (None, None)
        potential = potential_of(self) if self.dim == 2 else None
        if ax is not None:
            return draw_on(ax, self, chosen, exact=exact, gibbs=gibbs, potential=potential)
        return draw(self, chosen, exact=exact, gibbs=gibbs, potential=potential)

    def __dir__(self) -> list[str]:
        """The public names."""
        return [name for name in super().__dir__() if not name.startswith("_") or name.startswith("__")]

    def to_xarray(self) -> xarray.Dataset:
        """All densities and diagnostics in memory, with coordinates, units and names.

        Returns
        -------
        xarray.Dataset
            ``rho`` over (t, x) or (t, y, x), other stored fields, and each diagnostic over t.

        Raises
        ------
        CaseError
            Where xarray is not installed.
        """
        try:
            import xarray
        except ImportError:
            raise CaseError("to_xarray needs xarray: pip install 'wgfpde[xarray]'") from None
        axes = ["x", "y"][: self.dim]
        data: dict[str, Any] = {
            "rho": (("t", *reversed(axes)), np.asarray(self.rho), {"units": "1", "long_name": "density"})
        }
        for name, stored in self.fields.items():
            label = self.field_labels[name]
            about = {"units": label.units, "long_name": label.long_name, "description": label.description}
            data[name] = (self.field_dims[name], np.asarray(stored), about)
        for name, values in self.diagnostics.items():
            label = self.labels[name]
            about = {"units": label.units, "long_name": label.long_name, "description": label.description}
            data[name] = ("t", values, about)
        for name, values in self.constants.items():
            label = self.constant_labels[name]
            about = {"units": label.units, "long_name": label.long_name, "description": label.description}
            data[name] = (tuple(reversed(axes)), values, about)
        places = dict(zip(axes, self.centers, strict=True))
        return xarray.Dataset(data, {"t": self.t, **places}, {"title": self.title, "status": self.status})

    def _repr_html_(self) -> str:
        rows = [("status", f"{self.status}: {self.message}"), ("grid", grid_text(self.edges))]
        rows += [("snapshots", f"{len(self)}, t = {self.t[0]:g} to {self.t[-1]:g}")] if len(self) else []
        found = promises.promises_of(self) if len(self) else []
        rows += [(p["name"], f"{p['measured']:.3g} ({'kept' if p['kept'] else 'BROKEN'})") for p in found]
        return f"<b>{html.text(self.title)}</b>{html.table([], [*rows, ('file', self.path)])}"
