"""A thermal qubit and a damped oscillator: Lindblad's equation is the gradient flow of quantum relative entropy."""

import numpy as np
from matplotlib.figure import Figure
from scipy.linalg import expm, logm
from scipy.special import softmax


def lindblad(rho, jumps):
    """Σ e^(−ω/2) (2VρV* − V*Vρ − ρV*V) over jumps (V, ω), of which V has real entries."""
    return sum(np.exp(-w / 2) * (2 * V @ rho @ V.T - V.T @ V @ rho - rho @ V.T @ V) for V, w in jumps)


def gradient_flow(rho, sigma, jumps, sign=1):
    """−Σ [V*, [ρ]_ω [V, ln ρ − ln σ]], σVσ⁻¹ = e^(−ω) V; [ρ]_ω: times the log mean of e^(ω/2) p_i and e^(−ω/2) p_j."""
    p, basis = np.linalg.eigh(rho)
    force, found = logm(rho) - logm(sigma), 0.0
    for V, w in jumps:
        x = (np.log(p[:, None] / p) + sign * w) / 2  # log mean of a and b: √(ab) sinh(x)/x, x = ½ ln(a/b)
        mean = np.sqrt(p[:, None] * p) * np.divide(np.sinh(x), x, out=np.ones_like(x), where=x != 0)
        flux = basis @ (mean * (basis.conj().T @ (V @ force - force @ V) @ basis)) @ basis.conj().T
        found = found - V.T @ flux + flux @ V.T
    return found


axes = Figure(figsize=(6, 3.2), layout="constrained").subplots()
axes.set(xlabel="$t$", ylabel=r"$\mathrm{tr}\,\rho(\ln\rho - \ln\sigma)$", ylim=(1e-5, 2))
ladder = np.diag(np.sqrt(np.arange(1.0, 16.0)), 1)  # n → n − 1 on 16 levels, with √n
for name, w, lower in (("qubit", 1.17, ladder[:2, :2]), ("oscillator", np.log(3), 0.1875**0.25 * ladder)):
    sigma, jumps = np.diag(softmax(-w * np.arange(len(lower)))), ((lower, -w), (lower.T, w))
    kick, units = expm((lower - lower.T) / lower[0, 1]), np.eye(lower.size).reshape(-1, *lower.shape)
    matrix, states = np.array([lindblad(unit, jumps).ravel() for unit in units]).T, [kick @ sigma @ kick.T]
    print(f"{name}: rates", *(f"{rate:.4f}" for rate in np.sort(-np.linalg.eigvals(matrix).real)[1:4]))
    step, rho = expm(0.1 * matrix), (states[0] + sigma) / 2
    while len(states) < 31:
        states.append((step @ states[-1].ravel()).reshape(lower.shape))
    right, wrong = (gradient_flow(rho, sigma, jumps, sign) - lindblad(rho, jumps) for sign in (1, -1))
    print(f"{name}: gradient flow − generator {abs(right).max():.0e}, with −ω for ω {abs(wrong).max():.1e}")
    axes.semilogy(np.arange(31) / 10, [np.trace(rho @ (logm(rho) - logm(sigma))).real for rho in states], label=name)
axes.legend(frameon=False)
axes.figure.savefig("quantum_relative_entropy.png", dpi=120)
