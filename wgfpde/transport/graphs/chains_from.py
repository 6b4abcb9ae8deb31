"""Chains from what one has: a matrix of rates, a flow on a grid, a graph of networkx.

The generator of a Fokker–Planck equation on its cells, by Scharfetter and Gummel, is a reversible chain,

    q_ij = a/h_i,   q_ji = b/h_j,     π_i ∝ h_i e^{−V_i/κ},     a, b of `energy.rates`

and the finite volumes are the gradient flow of entropy in the metric of Maas on it, exactly: with the logarithmic mean
θ of densities relative to π the flux is that of Scharfetter and Gummel, w θ(f_i, f_j)(ln f_i − ln f_j) = a ρ_i − b ρ_j.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ...energy.flow import Flow
from ...errors import CaseError
from ...grid.public_arguments import public
from .reversible_chain import Chain

BALANCE = 1e-9
"""Relative difference of π_i q_ij and π_j q_ji that rounding of given rates may leave."""


@public
def from_rates(rates: ArrayLike) -> Chain:
    """The chain with these rates, a matrix (n, n) of q_ij ≥ 0; its diagonal does not matter.

    π follows from ratios of rates along a tree.  Raises CaseError where the chain is not reversible or not connected.
    """
    q = np.array(rates, dtype=float)
    if q.ndim != 2 or q.shape[0] != q.shape[1] or len(q) < 2:
        raise CaseError(f"rates are a square matrix of two states at least; found the shape {q.shape}.")
    np.fill_diagonal(q, 0.0)
    if not np.all(np.isfinite(q)) or np.any(q < 0):
        raise CaseError("rates are finite numbers ≥ 0 off the diagonal.")
    one_way = np.argwhere((q > 0) & (q.T == 0))
    if len(one_way):
        i, j = one_way[0]
        raise CaseError(f"the chain is not reversible: it jumps from {i} to {j} and not back. Give both rates.")
    i, j = np.nonzero(np.triu(q))
    log_pi = _along_a_tree(len(q), i, j, np.log(q[i, j]) - np.log(q[j, i]))
    off = np.abs(log_pi[i] + np.log(q[i, j]) - log_pi[j] - np.log(q[j, i]))
    if np.any(off > BALANCE):
        k = int(np.argmax(off))
        raise CaseError(
            f"the chain is not reversible: no pi is in balance with its rates, which miss by a factor "
            f"{np.exp(off[k]):.6g} between {i[k]} and {j[k]}. Around every loop the products of the rates must be "
            "the same both ways."
        )
    return Chain.of_rates(log_pi, np.stack([i, j], axis=1), q[i, j], q[j, i])


def _along_a_tree(states: int, i: Any, j: Any, rise: Any) -> Any:
    """ln π with ln π_j − ln π_i = rise along a spanning tree of the edges; 0 in parts that are not reached."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order

    links = coo_array((np.ones(2 * len(i)), (np.r_[i, j], np.r_[j, i])), shape=(states, states)).tocsr()
    order, before = breadth_first_order(links, 0, directed=False)
    known = {(a, b): r for a, b, r in zip(np.r_[i, j].tolist(), np.r_[j, i].tolist(), [*rise, *(-rise)], strict=True)}
    log_pi = np.zeros(states)
    for state in order[1:].tolist():
        log_pi[state] = log_pi[before[state]] + known[int(before[state]), state]
    return log_pi


@public
def from_flow(flow: Flow) -> Chain:
    """The chain of a Fokker–Planck equation on its cells, in the order of the flattened grid; forbidden cells are left
    out, as in `studies.spectrum`.

    Raises CaseError where the flow is no Fokker–Planck equation in balance, and where forbidden cells cut the grid.
    """
    from ...energy.rates import faces_of, sg_network  # loads kernels

    if not flow.has_gibbs:
        raise CaseError(
            "a reversible chain is that of a linear flow in a closed box: the entropy, no interaction, no exits and no "
            f"force; found {flow.energy}{', with exits' if flow.exits else ''}."
        )
    faces = faces_of(flow)
    phi = np.zeros(flow.grid.shape) if flow.potential is None else flow.potential
    a, b = sg_network(flow, phi.ravel())
    volume, kept = np.array(flow.grid.cell_volume).ravel(), flow.allowed.ravel()
    between, number = kept[faces.lower] & kept[faces.upper], np.cumsum(kept) - 1
    edges = np.stack([faces.lower, faces.upper], axis=1)[between]
    log_pi = (np.log(volume) + flow.unit_gibbs[1].ravel())[kept]
    forth, back = a[between] / volume[edges[:, 0]], b[between] / volume[edges[:, 1]]
    return Chain.of_rates(log_pi, number[edges], forth, back)


@public
def from_networkx(graph: Any, weight: str = "weight", pi: Literal["uniform", "degree"] = "uniform") -> Chain:
    """The chain of a graph of networkx, with states in the order of its nodes.

    weight : the attribute of an edge, 1 where it has none.
    pi : "uniform", jumps at the rate of the weight; "degree", the random walk that leaves every node at rate 1.
    A directed graph has the rates themselves as weights, and π follows from them.
    Raises CaseError where it is not connected, not reversible, or has loops or several edges between two nodes.
    """
    if not hasattr(graph, "is_multigraph"):
        raise CaseError(f"expected a graph of networkx, found {type(graph).__name__}")
    if graph.is_multigraph():
        raise CaseError(
            "a chain has one edge between two states: make a Graph of the multigraph, with sums of weights."
        )
    nodes = {node: k for k, node in enumerate(graph)}
    if len(nodes) < 2:
        raise CaseError(f"a chain has two states at least; the graph has {len(nodes)}.")
    links = [(nodes[a], nodes[b], float(about.get(weight, 1.0))) for a, b, about in graph.edges(data=True)]
    if graph.is_directed():
        rates = np.zeros((len(nodes), len(nodes)))
        for i, j, rate in links:
            rates[i, j] = rate
        return from_rates(rates)
    if pi not in ("uniform", "degree"):
        raise CaseError(f'pi is "uniform" or "degree"; found {pi!r}.')
    if not links:
        raise CaseError("the graph has no edges: it needs to be connected.")
    edges, weights = np.array([link[:2] for link in links]), np.array([link[2] for link in links])
    measure = np.full(len(nodes), 1.0 / len(nodes))
    if pi == "degree":
        degree = np.bincount(edges.ravel(), np.repeat(weights, 2), len(nodes))
        if np.any(degree <= 0):
            raise CaseError("a node of the graph has no edges: it needs to be connected.")
        measure = degree / np.sum(degree)
        weights = weights / np.sum(degree)
    else:
        weights = weights / len(nodes)
    return Chain(measure, edges, weights)
