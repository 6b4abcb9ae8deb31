"""Points beside a density in the plane: weights whose power cells hold the points' masses."""
