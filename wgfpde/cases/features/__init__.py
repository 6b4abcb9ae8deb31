"""The features of a case: their tables, their data, the functions that they make."""
