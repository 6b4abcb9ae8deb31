"""Verbs that ask questions about a case or about many runs: spectrum, exits, stationary, converge, sweep, watch.

Each is a module with `add(verbs)`, which declares it, its action, and how its answer is printed; what is asked is
answered by the room `studies`, and the figure beside the file is drawn by `output/plots`.
"""
