"""Numbers of what methods of few degrees of freedom hold beside the density: of Gaussians, and of parcels with inertia.

The usual numbers are those of the density on the cells, with the error of the grid; these are without it.
"""

from __future__ import annotations

import numpy as np

from .registry import State, diagnostic, with_field

OF_GAUSSIANS, OF_PARCELS = with_field("covariance"), with_field("edge_velocity")


@diagnostic("energy of the Gaussians", applies=OF_GAUSSIANS)
def gaussian_energy(s: State) -> float:
    """E of the Gaussians on the whole space, by their means and covariances; never rises."""
    return float(s.snapshot.fields["gaussian_energy"][0])


@diagnostic("smallest variance of the Gaussians", applies=OF_GAUSSIANS)
def least_variance(s: State) -> float:
    """Smallest eigenvalue of the covariances of all components."""
    return float(np.min(np.linalg.eigvalsh(s.snapshot.fields["covariance"])))


@diagnostic("kinetic energy", applies=OF_PARCELS)
def kinetic_energy(s: State) -> float:
    """1/2 int rho |v|^2 of the parcels."""
    return float(s.snapshot.fields["parcel_energies"][0])


@diagnostic("total energy", applies=OF_PARCELS)
def total_energy(s: State) -> float:
    """Kinetic energy of the parcels and their E, which has V at their edges; never rises."""
    return float(np.sum(s.snapshot.fields["parcel_energies"]))
