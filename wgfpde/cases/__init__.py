"""A TOML text → a validated case → a problem that is ready to march.

`loading` reads it with its includes and overrides, `schema` and `tables` say what may stand in it, `building` is the
only place where a problem (`problems`) is put together; `energies`, `times` and `case_densities` build its parts.
In `sources` lie case files, tables, features and functions in Python; in `limits` what a case may ask for; `varying`
makes many of one.
"""
