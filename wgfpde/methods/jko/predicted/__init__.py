"""JKO steps from a prediction of their end: two steps of the finite volumes, then Newton's method on all unknowns."""
