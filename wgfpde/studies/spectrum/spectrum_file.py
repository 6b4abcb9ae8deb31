"""A spectrum on disk: a study of the kind "spectrum"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...energy.flow import Flow
from ...grid import Array
from ...store import Study, Variable, coordinates_of, dims_of, study_of
from .gap_and_modes import Spectrum
from .observed_decay import Observed

KIND = "spectrum"


def spectrum_study(
    flow: Flow,
    found: Spectrum,
    about: Mapping[str, Any],
    texts: Mapping[str, str],
    limit: tuple[Array, Array] | None = None,
    observed: Observed | None = None,
) -> Study:
    """A spectrum and what was learnt beside it as a study.

    about : attributes, such as the title.   texts : case_toml and resolved_toml.   limit : extrapolated eigenvalues and
    their estimated errors, (k+1,) each.
    """
    variables = [
        Variable("mode", ("mode",), np.arange(len(found.eigenvalues)), "1", "mode", "From 0, the steady state."),
        *coordinates_of(found.grid),
        *_modes(flow, found),
    ]
    if limit is not None:
        variables += [
            _of_modes("extrapolated", limit[0], "1/time", "eigenvalue at h = 0", "Richardson extrapolation in h."),
            _of_modes("extrapolation_error", limit[1], "1/time", "its error", "Estimated: the last step of the rule."),
        ]
    attributes = {
        "gap": found.gap, "relaxation_time": found.relaxation_time, "curvature": found.curvature,
        "found_by": found.method, "note": found.note,
        **about,
    }  # fmt: skip
    if observed is not None:
        variables += _decay(observed)
        attributes |= {
            "observed_rate": observed.rate, "observed_mode": observed.mode, "stepped_rate": observed.stepped,
            "observed_from": observed.window[0], "observed_to": observed.window[1], "observed_reason": observed.reason,
            "observed_note": observed.note,
        }  # fmt: skip
    return study_of(KIND, variables, attributes, texts)


def _of_modes(name: str, values: Array, units: str, long_name: str, description: str) -> Variable:
    return Variable(name, ("mode",), values, units, long_name, description)


def _modes(flow: Flow, found: Spectrum) -> list[Variable]:
    space = dims_of(found.grid)
    potential = np.zeros(found.grid.shape) if flow.potential is None else flow.potential
    if flow.forbidden is not None:
        potential = np.where(flow.forbidden, np.nan, potential)
    return [
        _of_modes("eigenvalue", found.eigenvalues, "1/time", "eigenvalue", "Decay rates of the generator, ascending."),
        _of_modes("residual", found.residuals, "1/time", "residual", "Norm of -L phi - lambda phi in L2(pi)."),
        Variable("phi", ("mode", *space), found.modes, "1", "mode", "Observables, orthonormal in L2(pi)."),
        Variable("pi", space, found.pi, "1", "Gibbs state", "Of mass 1; phi*pi are the densities that decay."),
        Variable("log_pi", space, flow.unit_gibbs[1], "1", "ln pi", "Finite also where pi underflows."),
        Variable("potential", space, potential, "1", "potential", "V at the cell centres."),
    ]


def _decay(observed: Observed) -> list[Variable]:
    distance = "Distance of the run from its Gibbs state in L2(1/pi)."
    return [
        Variable("t", ("t",), observed.t, "1", "time", "Of the snapshots of the run."),
        Variable("chi", ("t",), observed.chi, "1", "distance chi", distance),
        Variable("amplitude", ("t", "mode"), observed.amplitudes, "1", "amplitude", "Integral of rho phi."),
    ]
