"""Games of tests, solved."""

from wgfpde.energy.equations import gaussian
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid
from wgfpde.methods.paths.potential_game import PotentialGame

NU, T, S0 = 0.3, 1.5, 0.4


def line(n, length=5.0, **more):
    return Grid([-length], [length], [n], **more)


def solved(grid, steps, energy, terminal=None, tolerance=1e-10, nu=NU, span=T, s0=S0, order=2):
    start = grid.sample(lambda **x: gaussian(*x.values(), cov=s0))
    flow = Flow(grid, energy)
    start = start / flow.mass(start)
    end = None if terminal is None else Flow(grid, terminal)
    game = PotentialGame(flow, end, start, span, steps, nu, order)
    return game, game.solve(tolerance, 200)
