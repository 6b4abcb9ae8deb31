"""Paths that are solved as a whole, from a start to a target or to an end that costs.

`method` (geodesics), `bridge_method`, `game_method` and `sinkhorn_method` are what a case asks for; `geodesics`,
`bridge`, `potential_game` and `sinkhorn` solve it.   `propagator` is the linear step that bridges and games share.
"""
