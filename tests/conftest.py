"""Hypothesis profiles: the default run is repeatable, the nightly one explores.  Signals as a terminal has them.  And
what tests of runs share."""

import signal

import pytest
from hypothesis import HealthCheck, settings

CALM = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
settings.register_profile("default", deadline=None, derandomize=True, database=None, suppress_health_check=CALM)
settings.register_profile("nightly", deadline=None, max_examples=1000, suppress_health_check=CALM, print_blob=True)
settings.load_profile("default")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a suite started in the background; runs respect that
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def whole(request, tmp_path_factory):
    """The folder of the run of a module's CASE, never stopped.  All kernels are loaded then, which children inherit."""
    from wgfpde.runs.runner import run

    place = tmp_path_factory.mktemp("whole") / "run"
    run(request.module.CASE, place)
    return place
