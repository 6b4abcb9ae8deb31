"""The tables of a case file but the solver's: where, what moves, from which density, when.

Everything that can be said about a table alone is checked here, strictly: no unknown key, no text for a number, nothing
infinite.  Descriptions serve the JSON Schema, the messages and the reference alike.
"""
