"""What a case may ask for: scales that double precision carries, and time, disk and formulas up to a limit unasked."""
