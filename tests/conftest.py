"""Hypothesis profiles: the default run is repeatable, the nightly one explores.  And signals as a terminal has them."""

import signal

from hypothesis import HealthCheck, settings

CALM = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
settings.register_profile("default", deadline=None, derandomize=True, database=None, suppress_health_check=CALM)
settings.register_profile("nightly", deadline=None, max_examples=1000, suppress_health_check=CALM, print_blob=True)
settings.load_profile("default")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a suite started in the background; runs respect that
    signal.signal(signal.SIGINT, signal.default_int_handler)
