"""Every packaged case gives what it gave: densities and diagnostics of coarse runs against stored references.

A closed form tells whether a solver is right; a reference tells whether anything has changed.  The error of a
discretisation hides changes far below it, a new library or compiler may bring one, and a case without a closed form
has nothing else to be held against.  `wgfpde validate --regenerate` makes the references anew and prints what changed.
"""

import math

from wgfpde.claims import Validation
from wgfpde.claims.regression import RTOL, changes, names, overrides, reference
from wgfpde.cli import validate_script
from wgfpde.errors import StoreError

# Runs repeat bit for bit on one machine; another rounds sums and elementary functions differently.  Data changed by
# 1e-14 of themselves, or kernels compiled for the plainest processor, change a number by at most 2e-10 of its scale
# (the swarm, where W is found by an outer iteration; all others 1e-11).


def check(v: Validation) -> None:
    for name in names():
        try:
            study = reference(name)
        except StoreError as error:
            v.about("other", name)
            v.equal(str(error), math.nan, 0.0, 0.0)
            continue
        change = changes(v.run(name, *overrides(study)), study)
        where = f", worst in {change.worst.name}" if change.worst and change.value > RTOL else ""
        told = f" ({'; '.join(change.notes)})" if change.notes else ""
        v.at_most(f"{name}: largest change, relative{where}{told}", change.value, RTOL, study.attributes["made_with"])


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
