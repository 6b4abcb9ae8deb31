"""The entropic JKO step on a grid, as in the literature, in NumPy: what `wgfpde`'s JKO steps are measured against.

    ρ₁ = argmin_ρ  min_γ ⟨C, γ⟩ + ε KL(γ | 1)  +  τE(ρ),    C = ½|x − y|²,  γ1 = ρ₀,  γᵀ1 = ρ

γ = diag(a) K diag(b), K = e^{−C/ε} = Kˣ ⊗ Kʸ, and in turn

    a = ρ₀/(Kb),    s = Ka,    ρ = argmin τE(ρ) + ε KL(ρ | s),    b = ρ/s:
    entropy + V     ρ = (s^ε e^{−τV})^{1/(τ + ε)}
    ρ² + V          ρ = εy/(2τ),  y + ln y = ln(2τ/ε) + ln s − τV/ε   (Wright's omega function)

until ρ moves by less than `tolerance` in L¹.  Preserves: mass to that tolerance, ρ ≥ 0.  The step is blurred by ε:
its error is of order ε as long as ε resolves the cells, ε ≳ h².  K is applied axis by axis, one matrix product each;
logarithms (`log_domain`) cost n exponentials a cell and axis and are for ε at which e^{−C/ε} or b under- or overflows.
Reference: Peyré (2015), DOI 10.1137/15M1010087.
"""

from __future__ import annotations

import numpy as np
from scipy.special import wrightomega

Array = np.ndarray


def entropic_step(
    rho: Array,
    axes: list[Array],
    potential: Array,
    m: float,
    tau: float,
    eps: float,
    tolerance: float = 1e-7,
    max_iterations: int = 5000,
    log_domain: bool = False,
) -> tuple[Array, int]:
    """One step from rho (values on the product of the axes); returns the density and the iterations.

    Raises FloatingPointError where the scalings leave double precision (then `log_domain`) or do not converge.
    """
    costs = [-((axis[:, None] - axis) ** 2) / (2 * eps) for axis in axes]
    h = np.prod([axis[1] - axis[0] for axis in axes])
    kernels = [np.exp(cost) for cost in costs]
    log_rho = np.log(np.maximum(rho, 1e-300))
    log_b, last = np.zeros_like(rho), rho
    for iteration in range(1, max_iterations + 1):
        log_a = log_rho - _blur(log_b, kernels, costs, log_domain)
        log_s = _blur(log_a, kernels, costs, log_domain)
        log_new = _proximal(log_s, potential, m, tau, eps)
        log_b = log_new - log_s
        new = np.exp(log_new)
        if not np.all(np.isfinite(new)):
            raise FloatingPointError("the scalings left double precision: use log_domain, or a larger eps")
        change = h * np.sum(np.abs(new - last))
        if change < tolerance:
            return new, iteration
        last = new
    raise FloatingPointError(f"not converged after {max_iterations} iterations: ρ still moves by {change:.1e}")


def _blur(log_v: Array, kernels: list[Array], costs: list[Array], log_domain: bool) -> Array:
    """ln(K e^v), axis by axis; K is symmetric."""
    if not log_domain:
        top = log_v.max()
        v = np.exp(log_v - top)
        for k, kernel in enumerate(kernels):
            v = np.moveaxis(np.tensordot(kernel, v, axes=(1, k)), 0, k)
        return np.log(np.maximum(v, 1e-300)) + top
    for k, cost in enumerate(costs):
        moved = np.moveaxis(log_v, k, 0).reshape(cost.shape[0], -1)
        out = np.empty_like(moved)
        for i, row in enumerate(cost):
            terms = row[:, None] + moved
            top = terms.max(axis=0)
            out[i] = top + np.log(np.exp(terms - top).sum(axis=0))
        log_v = np.moveaxis(out.reshape(np.moveaxis(log_v, k, 0).shape), 0, k)
    return log_v


def _proximal(log_s: Array, potential: Array, m: float, tau: float, eps: float) -> Array:
    """ln ρ of argmin τE(ρ) + ε KL(ρ | s)."""
    if m == 1:
        return (eps * log_s - tau * potential) / (tau + eps)
    z = np.log(2 * tau / eps) + log_s - tau * potential / eps
    return np.log(np.maximum(wrightomega(z), 1e-300)) + np.log(eps / (2 * tau))
