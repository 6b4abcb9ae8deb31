"""Reversible chains on finite graphs: heat flow, the metric in which it is the gradient flow of entropy, curvature.

    import wgfpde as wgf

    chain = wgf.graphs.Chain(pi, edges, weights)        # or from_rates(matrix), from_flow(flow), from_networkx(graph)
    chain.heat(rho, times), chain.gap, wgf.graphs.curvature(chain)
    wgf.graphs.geodesic(chain, rho0, rho1).distance

Densities are relative to the chain's invariant measure, Σ_i π_i ρ_i = 1.
"""

from .bakry_emery import curvature
from .chains_from import from_flow, from_networkx, from_rates
from .maas_metric import ChainGeodesic, geodesic, log_mean, onsager
from .reversible_chain import Chain

__all__ = [
    "Chain", "ChainGeodesic", "curvature", "from_flow", "from_networkx", "from_rates", "geodesic", "log_mean",
    "onsager",
]  # fmt: skip
