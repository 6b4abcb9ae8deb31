"""The network simplex method between two finite sets of masses, on the pairs that it is given.

    min Σ c_ij π_ij,    Σ_j π_ij = a_i,    Σ_i π_ij = b_j,    π ≥ 0          on the pairs (i, j) of a list

A basis is a tree of n + m + 1 nodes: sources, targets, and a root to which each is joined at the price `detour`, so
that there is a plan on any list.  Masses are whole numbers: plans are exact, and what is empty is empty.  A pivot takes
in a pair that is cheaper than the tree, c_ij + p_i − p_j < 0 for its potentials p, and shifts mass round the cycle that
it closes; of the pairs that run empty first, that is let go which keeps the tree strongly feasible: no cycling.  Since
a basis stays one when pairs are added to the list, the next list starts where the last one ended.

The tree is kept as parents, children in linked lists and sizes of subtrees; a pivot visits the nodes of its cycle and
of the subtree that is hung elsewhere.

References: Ahuja, Magnanti, Orlin (1993), Network Flows, chapter 11; Cunningham (1976), A network simplex method,
Mathematical Programming 11.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array

NONE = -1
PARENT, PAIR, UP, CHILD, NEXT, BEFORE, SIZE = range(7)
"""Rows of `links`: of each node, its parent, the pair by which it hangs there (NONE: its detour), whether that pair
leads up, its first child, its next and last brother, and how many nodes its subtree has."""


class SpanningTree:
    """A plan that is a tree, and its potentials.   a, b : (n,), (m,) whole numbers > 0 of one sum.

    detour : price of the way over the root for each mass, half of it on each side; above all prices of pairs.
    """

    def __init__(self, a: Array, b: Array, detour: float) -> None:
        self.n, nodes = len(a), len(a) + len(b) + 1
        root = nodes - 1
        self.flow = np.concatenate([a, b, [0]]).astype(np.int64)
        """Of the pair by which each node hangs."""
        self.potential = np.concatenate([np.full(len(a), -0.5 * detour), np.full(len(b), 0.5 * detour), [0.0]])
        self.links = np.full((7, nodes), NONE, dtype=np.int64)
        self.links[PARENT, :root] = root
        self.links[UP] = np.arange(nodes) < len(a)
        self.links[NEXT, : root - 1] = np.arange(1, root)
        self.links[BEFORE, 1:root] = np.arange(root - 1)
        self.links[CHILD, root], self.links[SIZE], self.links[SIZE, root] = 0, 1, nodes
        self._detour, self._slack = 0.5 * detour, 1e-13 * detour
        self.pivots = 0

    def improve(self, tails: Array, heads: Array, costs: Array, most: int) -> None:
        """Make the plan optimal on these pairs at these prices, or stop after so many pivots.

        tails, heads : (k,) numbers of sources and targets.   The pairs of the tree must be there, at their places.
        """
        reprice(tails, costs, self._detour, self.links, self.potential)
        block = max(64, int(np.sqrt(len(tails))))
        heads = heads + self.n
        self.pivots += pivot(tails, heads, costs, self.links, self.flow, self.potential, self._slack, block, most)
        reprice(tails, costs, self._detour, self.links, self.potential)

    def pairs(self) -> tuple[Array, Array]:
        """Numbers of the pairs of the tree, and what is moved on each."""
        pair = self.links[PAIR, :-1]
        return pair[pair != NONE], self.flow[:-1][pair != NONE]

    def cost(self, costs: Array) -> float:
        """Of the plan, in units of the masses, detours included."""
        prices = np.append(costs, self._detour)[self.links[PAIR, :-1]]  # NONE is the last
        return float(np.sum(prices * self.flow[:-1]))


@njit(cache=True, nogil=True)
def _detach(links, node):
    before, after = links[BEFORE, node], links[NEXT, node]
    if before == NONE:
        links[CHILD, links[PARENT, node]] = after
    else:
        links[NEXT, before] = after
    if after != NONE:
        links[BEFORE, after] = before


@njit(cache=True, nogil=True)
def _attach(links, node, parent):
    first = links[CHILD, parent]
    links[PARENT, node], links[BEFORE, node], links[NEXT, node] = parent, NONE, first
    if first != NONE:
        links[BEFORE, first] = node
    links[CHILD, parent] = node


@njit(cache=True, nogil=True)
def _following(links, node, top):
    """The next node of the subtree of `top`, parents first, or NONE."""
    if links[CHILD, node] != NONE:
        return links[CHILD, node]
    while node != top:
        if links[NEXT, node] != NONE:
            return links[NEXT, node]
        node = links[PARENT, node]
    return NONE


@njit(cache=True, nogil=True)
def _meeting(links, u, v):
    """The lowest node above both."""
    while u != v:
        if links[SIZE, u] < links[SIZE, v]:
            u = links[PARENT, u]
        else:
            v = links[PARENT, v]
    return u


@njit(cache=True, nogil=True)
def _leaving(links, flow, i, j, join):
    """The node whose pair runs empty first when mass goes from i to j, whether it is on the side of i, and its mass."""
    least, out, first = np.int64(2**62), NONE, True
    u = i
    while u != join:
        if links[UP, u] == 1 and flow[u] < least:
            least, out = flow[u], u
        u = links[PARENT, u]
    u = j
    while u != join:
        if links[UP, u] == 0 and flow[u] <= least:
            least, out, first = flow[u], u, False
        u = links[PARENT, u]
    return out, first, least


@njit(cache=True, nogil=True)
def _rehang(links, flow, start, out, parent, pair, up, held):
    """Hang the subtree of `out` at `parent` by its node `start`; the pairs between the two turn over."""
    whole, before, node = links[SIZE, out], 0, start
    while True:
        old = links[PARENT, node], links[PAIR, node], links[UP, node], flow[node], links[SIZE, node]
        _detach(links, node)
        _attach(links, node, parent)
        links[PAIR, node], links[UP, node], flow[node], links[SIZE, node] = pair, up, held, whole - before
        if node == out:
            return
        parent, pair, up, held, before = node, old[1], 1 - old[2], old[3], old[4]
        node = old[0]


@njit(cache=True, nogil=True)
def pivot(tails, heads, costs, links, flow, potential, slack, block, most):
    """Pivots until no pair is cheaper than the tree by more than `slack`; returns how many."""
    count, at, arcs = 0, 0, tails.size
    while count < most:
        best, worst, seen = NONE, -slack, 0
        while seen < arcs:
            for _ in range(min(block, arcs - seen)):
                r = costs[at] + potential[tails[at]] - potential[heads[at]]
                if r < worst:
                    worst, best = r, at
                at = at + 1 if at + 1 < arcs else 0
                seen += 1
            if best != NONE:
                break
        if best == NONE:
            break
        i, j = tails[best], heads[best]
        join = _meeting(links, i, j)
        out, first, shifted = _leaving(links, flow, i, j, join)
        for u, sign in ((i, -1), (j, 1)):
            while u != join:
                flow[u] += sign * shifted if links[UP, u] == 1 else -sign * shifted
                u = links[PARENT, u]
        part = links[SIZE, out]
        u = links[PARENT, out]
        while u != join:
            links[SIZE, u] -= part
            u = links[PARENT, u]
        start, under = (i, j) if first else (j, i)
        u = under
        while u != join:
            links[SIZE, u] += part
            u = links[PARENT, u]
        _rehang(links, flow, start, out, under, best, 1 if first else 0, shifted)
        rise, u = (-worst if first else worst), start
        while u != NONE:
            potential[u] += rise
            u = _following(links, u, start)
        count += 1
    return count


@njit(cache=True, nogil=True)
def reprice(tails, costs, detour, links, potential):
    """Potentials anew from the tree: pivots add up rounding."""
    root = potential.size - 1
    u = _following(links, root, root)
    while u != NONE:
        price = detour if links[PAIR, u] == NONE else costs[links[PAIR, u]]
        potential[u] = potential[links[PARENT, u]] - price if links[UP, u] == 1 else potential[links[PARENT, u]] + price
        u = _following(links, u, root)
