"""What depends on time in an energy, and the work that it takes."""
