"""Whether a run that is on disk is the run of a case, so that it need not be solved again."""

from __future__ import annotations

from .. import __version__
from ..base.toml import show
from ..cases.schema import Case
from ..errors import CaseError
from ..output.compare.run_records import case_changes
from ..runs.provenance import check_unchanged
from ..store import Run


def difference(run: Run, case: Case) -> str:
    """Why a stored run is not one of this case by this version, or "".

    It may record more diagnostics than the case asks for.  Functions given in Python cannot be compared.
    """
    version = str(run.attributes.get("source", "")).split("; ")[-1]
    if version != f"wgfpde {__version__}":
        return f"it is by {version or 'an unknown version'}"
    if case._code is not None:
        return "functions given in Python cannot be compared"
    changes = case_changes(run.resolved_toml, case.resolved_toml())
    before, now = changes.pop("output.diagnostics", (None, None))
    if missing := set(now or ()) - set(before or ()) - set(run.diagnostics):
        return f"it does not record {', '.join(sorted(missing))}"
    for key, values in changes.items():
        was, wanted = (show(v) if v is not None else "absent" for v in values)
        return f"its {key} is {was}, not {wanted}"
    try:
        check_unchanged(run.data_files, run.path)
    except CaseError as error:
        return str(error)
    return ""
