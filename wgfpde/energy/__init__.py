"""The energy of a Wasserstein gradient flow, and the same on a grid: values, variations, rates, fluxes, dissipation.

    E(ρ) = ∫U(ρ) + ∫Vρ + ½∬W(x−y)ρ(x)ρ(y),      ∂t ρ = ∇·(ρ ∇(U'(ρ) + V + W∗ρ))

An internal energy is one file of `laws`; a flow (`flow`) is an energy on a grid; the rates of its schemes are
assembled in `rates` and nowhere else.
"""
