"""Formula text → vectorised function.  The text is translated by a closed grammar and never evaluated as Python.

`vocabulary`, `syntax` and `grammar` say what a formula may be, `program` is what becomes of it, `compile` hands it out.
`derivative` and `gradients` differentiate it, `polynomials` knows what it is of low degree.
"""
