"""Where mass leaves a grid, or comes in: open walls and sinks, and the rates at which it does.

faces       those to the outside and the cells that lose, by name
losses      volume/time a cell loses per density, mass/time it gains, in a potential
"""
