"""Where functions and densities of a case come from beside formulas: tables in files, and features."""
