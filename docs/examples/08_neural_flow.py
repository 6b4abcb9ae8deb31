"""A network learns the velocity of the Fokker-Planck flow into two wells; its density is held against the grid's."""

import numpy as np
import torch
from matplotlib.figure import Figure

import wgfpde as wgf

S, TIMES = 0.1, 0.5 * np.linspace(0, 1, 17) ** 2  # from N(0, S), in steps that grow
torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
tanh, layer, z = torch.nn.Tanh(), torch.nn.Linear, torch.linspace(-4.5, 4.5, 73)
net = torch.nn.Sequential(layer(2, 16), tanh, layer(16, 16), tanh, layer(16, 1))  # (x, t) ↦ v
weights = torch.softmax(-(z**2) / 2, 0)  # ∫ f dN(0, 1) = Σ weights f(z)


def rates(state, t):
    """Of x, ln ρ and s = (ln ρ)' along paths: v, −v', −v's − v''; and ∫|v + ξ'|² dρ, −ξ' = −V' − s the flow's own v."""
    x, _, s = state if state.requires_grad else state.requires_grad_()
    v = net(torch.stack([x, torch.full_like(x, t)], 1))[:, 0]
    [slope] = torch.autograd.grad(v.sum(), x, create_graph=True)
    [bend] = torch.autograd.grad(slope.sum(), x, create_graph=True)
    return torch.stack([v, -slope, -slope * s - bend]), weights @ (v + 4 * x * (x**2 - 1) + s) ** 2


def march():
    """The states at TIMES by the midpoint rule, and ½∫∫|v + ξ'|² dρ dt = E(end) − E(0) + ½∫∫(|v|² + |ξ'|²) dρ dt."""
    states = [torch.stack([S**0.5 * z, -(z**2) / 2 - 0.5 * np.log(2 * np.pi * S), -z / S**0.5])]
    loss = torch.zeros(())
    for t, dt in zip(TIMES, np.diff(TIMES), strict=False):
        slope, _ = rates(states[-1], t)
        slope, gap = rates(states[-1] + dt / 2 * slope, t + dt / 2)
        states.append(states[-1] + dt * slope)
        loss = loss + dt / 2 * gap
    return [state.detach().numpy() for state in states], loss


optimizer = torch.optim.LBFGS(net.parameters(), max_iter=200, history_size=50, line_search_fn="strong_wolfe")
print(f"gap in the balance of energy: {march()[1]:.2f} untrained", end=", ")
optimizer.step(lambda: (optimizer.zero_grad(), loss := march()[1], loss.backward())[1])
states, loss = march()
print(f"{loss:.4f} trained")

grid, axes = wgf.Grid([-3.0], [3.0], [300]), Figure(figsize=(6, 3.2), layout="constrained").subplots()
energy = wgf.Energy(wgf.Internal("entropy"), potential=lambda x: (x**2 - 1) ** 2)
start = np.exp(-(grid.x.centers**2) / (2 * S))
run = wgf.run(wgf.problem(grid, energy, start, end=TIMES[-1], times=TIMES[4::4], mass=1.0), progress=False)
for k, (t, rho, on_grid) in enumerate(zip(run.t, run.rho, run.diagnostics["energy"], strict=True)):
    x, log, _ = states[4 * k]
    learned, value = np.exp(np.interp(grid.x.centers, x, log)), weights.numpy() @ (log + (x**2 - 1) ** 2) - 1
    print(f"t = {t:.3f}: L1 {sum(abs(learned - rho)) * 0.02:.4f}, energy {value:.4f} ({on_grid:.4f} on the grid)")
    axes.plot(x, np.exp(log), f"C{k}.")
    dash = ("-", "--", "-.", ":", (0, (10, 2)))[k]
    axes.plot(grid.x.centers, rho, f"C{k}", ls=dash, label=f"$t = {t:.3g}$")
axes.set(xlabel="$x$", ylabel=r"$\rho$", xlim=(-2.5, 2.5))
axes.legend(frameon=False)
axes.figure.savefig("neural_flow.png", dpi=120)
