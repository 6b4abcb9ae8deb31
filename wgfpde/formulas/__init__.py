"""Formula text → vectorised function.  The text is translated by a closed grammar and never evaluated as Python."""
