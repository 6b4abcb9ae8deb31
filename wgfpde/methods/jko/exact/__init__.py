"""JKO steps with the distance itself, W₂, in place of inner steps of its transport."""
