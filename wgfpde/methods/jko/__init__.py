"""The JKO scheme by Benamou and Brenier: every step a minimisation with a certificate.

`method` is what a case asks for, `stepper` marches, `minimise` solves a step by any algorithm: `newton` (with `secant`,
`relaxation`, `interior` for vacuum, `predicted` for a start), `exact` without inner steps, or pdhg of `transport`.
`certificate` proves it, `extrapolation` makes order 2 of it.
"""
