"""What the file and the folder of a run say of it, and the digest by which a checkpoint knows its case."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from ..cases.problems import Problem
from ..cases.schema import Case
from ..diagnostics.certificates import convexity
from ..energy.driving.in_time import frozen
from .provenance import provenance_of


def attributes_of(case: Case, problem: Problem) -> dict[str, Any]:
    record = problem.record
    known = {} if case._draft.run is None else case._draft.run.data_files
    return {
        "title": record.title,
        "equation": problem.equation,
        "method": record.method,
        "sampling": problem.sampling,
        "averaging_error": max(problem.averaging.values(), default=0.0),
        "verdict": "",
        "resolution": "",
        **problem.attributes,
        **constants_of(problem),
        **_drive(problem),
        **provenance_of(case.path.resolve().parent, record.files, known, record.in_code, _seed(case)),
    }


def _seed(case: Case) -> str:
    """What the random numbers of a run start from."""
    return str(getattr(case.solver, "seed", "not kept")) if case.traits.random else "none: this method draws nothing"


def constants_of(problem: Problem) -> dict[str, Any]:
    """Those of the inequalities that the run records."""
    flow = problem.flow
    if not flow.fills_box or flow.driven:
        return {}
    found = convexity(flow)
    least = {} if flow.mobility is None else {"diffusion_least": min(float(d.min()) for d in flow.mobility)}
    return least | {
        "kappa": flow.internal.kappa,
        "convexity": found.bound, "convexity_source": found.bound_source,
        "sobolev": found.sobolev, "sobolev_source": found.sobolev_source,
    }  # fmt: skip


def _drive(problem: Problem) -> dict[str, Any]:
    """What depends on time, and whether a force drives the flow."""
    flow = problem.flow
    if not flow.driven and flow.push is None:
        return {}
    found = {"driven": ", ".join(sorted(flow.driven)), "force": int(flow.push is not None)}
    return found | ({"kappa": flow.internal.kappa} if flow.internal.law.linear_diffusion else {})


def texts_of(problem: Problem) -> dict[str, str]:
    """The texts beside the file."""
    return {f"{name}.toml": problem.record.texts.get(f"{name}_toml", "") for name in ("case", "resolved")}


def digest_of(case: Case, problem: Problem) -> str:
    """What a checkpoint is of: the case without what changes no step before its end, and functions by their values."""
    late = set() if case.traits.path else {"end"}
    known = case.model_dump(mode="json", exclude_defaults=True, exclude={"title": True, "output": True, "time": late})
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
    if problem.record.in_code:
        energy, grid, dynamics = case._code.energy, problem.flow.grid, case._code.dynamics
        digest.update(problem.initial.rho.tobytes())
        with np.errstate(all="ignore"):
            moving = () if dynamics is None else dynamics.diffusion
            features = () if energy.features is None else energy.features.functions
            if energy.features is not None:
                digest.update(np.array([energy.features.targets, energy.features.weights]).tobytes())
            for t in (float(problem.times[0]), 0.5) if problem.flow.driven else (0.0,):
                now = energy.at(t)
                functions = now.potential, now.interaction, now.force, *features
                for function in (*functions, *(frozen(f, t) for f in moving)):
                    digest.update(b"" if function is None else grid.sample(function).tobytes())
            if energy.driven or energy.tilted:
                digest.update(repr((energy.at(float(problem.times[0])).internal, energy.tilt)).encode())
    return digest.hexdigest()
