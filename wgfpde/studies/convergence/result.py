"""What a study of convergence found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...base import html
from ...cases.schema import Case
from ...cases.varying import Vary
from ...grid import Array
from ...store import Run, Study
from ..study_views import Shown, number
from .orders import Limit
from .solved_runs import Solved

SLACK = 0.1
"""Part of an expected order that a fitted one may lack: coarse runs are not yet in the asymptotic range."""


@dataclass(frozen=True, repr=False)
class Convergence(Shown):
    """What `converge` found; arrays have one entry for each of the n runs, from the coarsest to the finest.

    varied : the keys, in that order too.   against : "exact" or "finest".   t : the time compared, or NaN where the
    runs end at different times.   size_key : the key that gives `sizes`.   h : mean cell width of the first axis.
    folder : of the runs, None where they are not kept.   solved : the runs, failed ones included.
    values : diagnostic → (n,).   limits : diagnostic → its extrapolated limit, or None.
    errors : norm or diagnostic → (n,), NaN where there is none.   orders : the same, between a run and that before it.
    fitted, fitted_last : the order over all runs, and over the last three errors.   notes : sentences.
    """

    case: Case
    folder: Path | None
    varied: tuple[Vary, ...]
    against: str
    t: float
    sizes: Array
    h: Array
    solved: tuple[Solved, ...]
    values: dict[str, Array]
    limits: dict[str, Limit | None]
    errors: dict[str, Array]
    orders: dict[str, Array]
    fitted: dict[str, float]
    fitted_last: dict[str, float]
    notes: tuple[str, ...]

    @property
    def size_key(self) -> str:
        return self.varied[0].key

    @property
    def runs(self) -> list[Run]:
        """The runs that finished; none where they are not kept."""
        return [] if self.folder is None else [s.run for s in self.solved if s.finished and s.run is not None]

    @property
    def failures(self) -> dict[int, str]:
        """Number of a run, from 0 → why it did not finish."""
        return {k: s.failure for k, s in enumerate(self.solved) if not s.finished}

    @property
    def steps(self) -> Array:
        return np.array([s.steps for s in self.solved])

    @property
    def seconds(self) -> Array:
        """Of the march, as each run recorded it."""
        return np.array([s.seconds for s in self.solved])

    def __repr__(self) -> str:
        found = ", ".join(f"{name} {order:.2f}" for name, order in self.fitted.items())
        return f"Convergence({len(self.solved)} runs over {self.size_key}; fitted orders: {found or 'none'})"

    def as_study(self) -> Study:
        from .convergence_file import convergence_study

        return convergence_study(self)

    def _repr_html_(self) -> str:
        names = list(self.errors)
        head = ["run", *(f"{kind} {name}" for name in names for kind in ("error", "order")), "steps", "seconds"]
        rows = [
            [self.label(k), *(number(table[name][k]) for name in names for table in (self.errors, self.orders)),
             one.steps, f"{one.seconds:.3g}"]
            for k, one in enumerate(self.solved)
        ]  # fmt: skip
        fitted = ", ".join(f"{name} {order:.3g}" for name, order in self.fitted.items()) or "none"
        table = html.table(head, rows, range(1, len(head)))
        return f"<b>{html.text(self.case.title)}</b>{table}<p>fitted orders: {html.text(fitted)}</p>"

    def without_folder(self) -> Convergence:
        """The same study once its folder is about to go: what is read late of the runs is read now."""
        assert len(self.steps) == len(self.solved)
        return replace(self, folder=None)

    def label(self, k: int) -> str:
        """What run k is: "grid.shape = 64, solver.dt = 0.01"."""
        return ", ".join(f"{v.key} = {v.text(k)}" for v in self.varied)

    def met(self, order: float) -> dict[str, bool]:
        """Whether each fitted order is at least `order` less a tenth of it, over all runs and over the last three.

        NaN never is.  The last three count by themselves, since a study may begin well and then collapse.
        """
        least = (1 - SLACK) * order
        return {name: self.fitted[name] >= least and self.fitted_last[name] >= least for name in self.fitted}
