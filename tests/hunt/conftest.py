"""How long the hunts search: WGFPDE_HUNT_EXAMPLES problems a property, 300 unless it is set."""

import os

from hypothesis import HealthCheck, settings

CALM = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
settings.register_profile(
    "hunt",
    deadline=None,
    max_examples=int(os.environ.get("WGFPDE_HUNT_EXAMPLES", "300")),
    suppress_health_check=CALM,
    print_blob=True,
)
