"""A run in the files that others expect."""
