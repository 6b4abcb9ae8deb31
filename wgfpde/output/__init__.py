"""What one makes of a stored run: plots, a page, comparisons, and what was promised and kept."""
