"""What JKO steps add to the table of steps; each name is a field of `Report`."""

from __future__ import annotations

from ...energy.flow import Column

STEP_COLUMNS = (
    Column("linear", "1", "linear iterations", "Conjugate-gradient iterations, summed over the step.", integer=True),
    Column("continuity", "1", "continuity residual", "Residual of rho - rho0 + div m = 0, relative to the mass."),
    Column("hamilton_jacobi", "1", "Hamilton-Jacobi residual", "Residual of tau E'(rho) + phi - k(phi) - s = 0."),
    Column("complementarity", "1", "complementarity", "Residual of rho s = 0, with the slack s of rho >= 0."),
    Column("primal", "1", "primal value", "1/2 W2^2 + tau E at the density accepted; V + W*rho frozen as converged."),
    Column("dual", "1", "dual value", "A lower bound of the primal value, from the potential phi."),
    Column("transport", "1", "transport cost", "1/2 W2^2 between the ends of the step."),
    Column("drive_residual", "1", "interaction residual", "Residual of the outer iteration on V + W*rho."),
)
