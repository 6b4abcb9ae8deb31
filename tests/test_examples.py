"""The scripts of docs/examples run as they stand, in a folder of their own, and print what they are about.

The case on the page about case files is one.
"""

import ast
import importlib.util
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wgfpde.cases.loading import loads

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = {path.name: path for path in sorted((ROOT / "docs" / "examples").glob("*.py"))}
LONGEST = 60
"""Lines of an example at most: it is read on a page."""
OF_EXTRAS = {"08_neural_flow.py": "torch", "09_barycentres_2d.py": "ot", "10_wfr_distance.py": "ot"}
"""Examples that need a library of an extra: they are skipped where it is not installed."""


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """name → (what the example printed, the folder it ran in); each runs once, all at the same time."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    running = {}
    for name, path in EXAMPLES.items():
        if name in OF_EXTRAS and importlib.util.find_spec(OF_EXTRAS[name]) is None:
            continue
        folder = tmp_path_factory.mktemp(path.stem)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"}
        running[name] = subprocess.Popen([sys.executable, str(path)], cwd=folder, env=environment, **pipes), folder
    found = {}
    for name, (process, folder) in running.items():
        out, errors = process.communicate()
        assert process.returncode == 0, f"{name}: {errors}"
        assert not errors, f"{name} wrote to stderr: {errors}"
        found[name] = out, folder
    return found


def numbers(pattern: str, text: str) -> list[float]:
    return [float(value.rstrip("%")) for value in re.findall(pattern, text)]


@pytest.fixture(params=["kept", "run"])
def told(request):
    """name → what an example of an extra prints: as kept for the pages, and run where its library is installed."""

    def text_of(name: str) -> str:
        if request.param == "kept":
            return (ROOT / "docs" / "examples" / "kept" / name).with_suffix(".txt").read_text(encoding="utf-8")
        pytest.importorskip(OF_EXTRAS[name])
        return request.getfixturevalue("printed")[name][0]

    return text_of


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_short(name):
    assert len(EXAMPLES[name].read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_examples_of_extras_are_told_and_kept():
    """Else the suite would fail, and the pages would stop, where only the package is installed."""
    installed = {"numpy", "scipy", "matplotlib", "wgfpde"}
    for name, path in EXAMPLES.items():
        tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        used = {(node.names[0].name if isinstance(node, ast.Import) else str(node.module)).split(".")[0]
                for node in tree if isinstance(node, ast.Import | ast.ImportFrom)}  # fmt: skip
        assert used - installed == {OF_EXTRAS[name]} if name in OF_EXTRAS else used <= installed, name
    kept = {path.name for path in (ROOT / "docs" / "examples" / "kept").iterdir()}
    assert kept == {f"{name.removesuffix('.py')}.{kind}" for name in OF_EXTRAS for kind in ("txt", "png")}


def test_first_run(printed):
    text, folder = printed["01_first_run.py"]
    shares = numbers(r"([\d.]+)% in the right well", text)
    assert shares[0] == 100.0
    assert shares == sorted(shares, reverse=True)
    assert 50.0 < shares[-1] < 53.0  # both wells are alike: one half in the end
    assert (folder / "double_well.png").stat().st_size > 10_000


def test_orders_of_jko(printed):
    text, _ = printed["02_order_of_jko.py"]
    first, second = numbers(r"fitted order ([\d.]+)", text)
    assert 0.9 < first < 1.1
    assert second > 1.5


def test_energy_in_code(printed):
    text, folder = printed["03_energy_in_code.py"]
    means = re.findall(r"tends to ([\d.]+) \(self-consistency: ([\d.]+)\)", text)
    assert len(means) == 3
    for mean, expected in means:
        assert abs(float(mean) - float(expected)) < 5e-3
    assert (folder / "desai_zwanzig.png").stat().st_size > 10_000


def test_own_stopping_rule(printed):
    text, folder = printed["04_own_stopping_rule.py"]
    through = numbers(r"([\d.]+)% are through", text)
    assert through[0] == 0.0
    assert 50.0 <= through[-1] < 52.0  # stopped by its rule, more than half as printed, long before the end
    assert not list(folder.iterdir())  # a march leaves nothing on disk


def test_distance_to_equilibrium(printed):
    text, folder = printed["05_distance_to_equilibrium.py"]
    [rate] = numbers(r"W2 .* at the rate ([\d.]+)", text)
    [rate_of_energy] = numbers(r"KL .* at the rate ([\d.]+)", text)
    assert abs(rate - 1.0) < 0.01  # e^{-t}: the mean of the process
    assert abs(rate_of_energy - 2.0) < 0.02
    assert (folder / "distance.png").stat().st_size > 10_000


def test_reverse_diffusion(printed):
    """Exact for Gaussians: both start from N(0, 1), not from the law at the end."""
    text, folder = printed["06_reverse_diffusion.py"]
    ode = np.array(re.findall(r"ODE.*mean ([\d.]+) and variance ([\d.]+)", text), dtype=float)
    variance = 1 - 0.7 * np.exp(-3.0)
    exact = 0.8 * (1 - np.sqrt(0.3 / variance) * np.exp(-1.5)), 0.3 / variance
    assert exact == pytest.approx((0.7004796952, 0.3108328183), abs=1e-10)
    errors = np.abs(ode - exact)
    assert np.all(errors <= [[7.3e-4, 1.9e-3], [1.8e-4, 4.6e-4], [4.6e-5, 1.4e-4]])
    assert np.all(np.log2(errors[:-1] / errors[1:]) > 1.75)  # four digits after the second are printed
    [(mean, spread)] = np.array(re.findall(r"SDE.*mean ([\d.]+) and variance ([\d.]+)", text), dtype=float)
    assert abs(mean - 0.78761964) < 4 * np.sqrt(0.3 / 40_000)
    assert abs(spread - 0.30016764) < 4 * 0.3 * np.sqrt(2 / 40_000)
    assert (folder / "reverse_diffusion.png").stat().st_size > 10_000


def test_quantum_relative_entropy(printed):
    text, folder = printed["07_quantum_relative_entropy.py"]
    rates = np.array(re.findall(r"rates ([\d.]+) ([\d.]+) ([\d.]+)", text), dtype=float)
    qubit = 2 * np.cosh(0.585)
    np.testing.assert_allclose(rates, [[qubit, qubit, 2 * qubit], [0.5, 0.5, 1.0]], rtol=0, atol=6e-5)
    for right, wrong in re.findall(r"generator ([\d.e-]+), with −ω for ω ([\d.e-]+)", text):
        assert float(right) < 1e-14
        assert float(wrong) > 1e-2
    assert (folder / "quantum_relative_entropy.png").stat().st_size > 10_000


@pytest.fixture(scope="module")
def quantum(tmp_path_factory):
    """The names of the example on quantum relative entropy; `states`, `sigma` and `jumps` are the oscillator's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("quantum"))
        return runpy.run_path(str(EXAMPLES["07_quantum_relative_entropy.py"]))


def test_a_displaced_oscillator_loses_its_entropy_at_rate_1(quantum):
    """ln 3 e^(−t): its mean decays at ½, its shape is thermal.  Cut to 16 levels, of which the last hold 1e-6."""
    log, sigma, states = quantum["logm"], quantum["sigma"], quantum["states"]
    for k in (0, 10, 20):
        entropy = np.trace(states[k] @ (log(states[k]) - log(sigma))).real
        assert entropy == pytest.approx(np.log(3) * np.exp(-k / 10), rel=1e-3, abs=0)


@pytest.mark.parametrize("size", [2, 16])
def test_sign_of_omega(quantum, size):
    """V σ = e^ω σ V, and the form of a gradient flow is the generator for this sign only, at complex states as well."""
    lower = quantum["ladder"][:size, :size]
    sigma, jumps = np.diag(np.exp(-1.17 * np.arange(size))), ((lower, -1.17), (lower.T, 1.17))
    for jump, omega in jumps:
        np.testing.assert_allclose(sigma @ jump, np.exp(-omega) * jump @ sigma, rtol=1e-12)
    rng = np.random.default_rng(1)
    rho = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    rho = rho @ rho.conj().T + 0.1 * np.eye(size)
    rho /= np.trace(rho)
    generator = quantum["lindblad"](rho, jumps)
    right, wrong = (abs(quantum["gradient_flow"](rho, sigma / np.trace(sigma), jumps, sign) - generator).max()
                    for sign in (1, -1))  # fmt: skip
    assert right < 1e-13
    assert wrong > 0.05


def test_lindblad_is_that_of_qutip(quantum):
    qutip = pytest.importorskip("qutip")
    jumps, rho = quantum["jumps"], quantum["states"][3]
    collapse = [np.sqrt(2 * np.exp(-w / 2)) * qutip.Qobj(V) for V, w in jumps]
    generator = qutip.liouvillian(qutip.Qobj(np.zeros_like(rho)), collapse)
    found = qutip.vector_to_operator(generator * qutip.operator_to_vector(qutip.Qobj(rho))).full()
    np.testing.assert_allclose(quantum["lindblad"](rho, jumps), found, rtol=0, atol=1e-14)


def test_neural_flow(told):
    text = told("08_neural_flow.py")
    [untrained] = numbers(r"energy: ([\d.]+) untrained", text)
    [trained] = numbers(r", ([\d.]+) trained", text)
    assert untrained > 2.0
    assert 0 < trained < 0.02
    assert max(numbers(r"L1 ([\d.]+)", text)) < 0.04
    energies = np.array(re.findall(r"energy (-[\d.]+) \((-[\d.]+) on", text), dtype=float)
    assert np.all(np.abs(energies[:, 0] - energies[:, 1]) < 0.03)
    assert np.all(np.diff(energies, axis=0) < 0)


def test_barycentres(told):
    text = told("09_barycentres_2d.py")
    gaussians = np.array(re.findall(r"reg ([\d.]+): mean (\S+), variance ([\d.]+)", text), dtype=float)
    np.testing.assert_allclose(gaussians[:, 1], -0.1, rtol=0, atol=1e-4)
    np.testing.assert_allclose(gaussians[:, 2], 0.02 + gaussians[:, 0] / 2, rtol=0, atol=5e-5)
    costs = np.array(re.findall(r"= ([\d.]+), at least ([\d.]+)", text), dtype=float)
    assert len(costs) == 6
    assert np.all(costs[:, 0] >= costs[:, 1])
    assert np.all(costs[:, 0] < 1.2 * costs[:, 1])


def test_wfr_distance(told):
    text = told("10_wfr_distance.py")
    [(low, high, exact)] = re.findall(r"points: ([\d.]+) to ([\d.]+), in closed form ([\d.]+)", text)
    assert low == high == exact
    rows = np.array(
        re.findall(r": ([\d.]+) to ([\d.]+), at most .* ([\d.]+) and, unmoved, ([\d.]+)", text), dtype=float
    )
    low, high, by_energy, unmoved = rows.T
    assert len(rows) == 4
    assert np.all(high - low < 4e-4)
    assert np.all(high < by_energy)
    assert np.all(by_energy < unmoved)


def test_bias_laboratory(printed):
    """Orders on the way, and who ends in the Gibbs state."""
    text, folder = printed["11_bias_laboratory.py"]
    rows = re.findall(r"^(?:… )?(\w+) +\w+ = +([\d.∞]+) +(.*)$", text, re.MULTILINE)
    found = {(name, level): np.array(values.split(), dtype=float) for name, level, values in rows}
    assert all(len(values) == 6 for values in found.values())

    def slopes(name: str, coarse: str, fine: str):
        return np.log2(found[name, coarse] / found[name, fine])

    assert slopes("fv", "0.02", "0.01")[:3] == pytest.approx([2, 4, 2], rel=0.1, abs=0)
    for name in ("jko", "langevin", "sinkhorn"):
        assert slopes(name, "0.01", "0.005")[:3] == pytest.approx([1, 2, 1], rel=0.1, abs=0)
    for name in ("langevin", "sinkhorn"):
        assert slopes(name, "0.01", "0.005")[3:] == pytest.approx([1, 2, 1], rel=0.1, abs=0)
    assert slopes("compensated", "0.04", "0.02")[3:] == pytest.approx([2, 4, 2], rel=0.05, abs=0)
    assert slopes("plain", "0.04", "0.02")[3:] == pytest.approx([1, 2, 1], rel=0.25, abs=0)
    for step, bias in (("0.02", 5.594e-2), ("0.01", 2.709e-2), ("0.005", 1.337e-2)):
        assert found["langevin", step][3] == pytest.approx(bias, rel=0.02, abs=0)
    assert found["sinkhorn", "0.01"][3] == pytest.approx(2.43545e-2, rel=1e-3, abs=0)  # φPφ, by sums over 6,000 cells
    assert max(values[3] for (name, _), values in found.items() if name in ("fv", "jko")) < 2e-5
    crowds = np.array([found["svgd", level] for level in ("10", "20", "40", "80")])
    assert np.all(np.isnan(crowds[:, [0, 1, 3, 4]]))
    least = np.array([0.0977570, 0.0530072, 0.0294197, 0.0168066])  # of N points of equal mass
    assert np.all((crowds[:, 5] > 0.999 * least) & (crowds[:, 5] < 1.04 * least))
    assert (folder / "bias_laboratory.png").stat().st_size > 10_000


def test_chains_and_curvature(printed):
    text, folder = printed["12_chains_and_curvature.py"]
    (gap, least), (below, negative) = re.findall(r"gap ([\d.]+), curvature (-?[\d.]+)", text)
    assert float(least) <= float(gap) and abs(float(negative) + 1) < 0.03 and abs(float(below) - 0.1872) < 1e-3
    assert float(re.findall(r"gradient flow to (\S+)", text)[0]) < 1e-13
    assert (folder / "chains.png").stat().st_size > 10_000


def test_the_case_on_its_page_is_one():
    page = (ROOT / "docs" / "case_file.rst").read_text(encoding="utf-8")
    text, *_ = re.findall(r"\.\. code-block:: toml\n\n((?:   .*\n|\n)+)", page)
    case = loads("".join(line.removeprefix("   ") for line in text.splitlines(keepends=True)))
    assert case.params == {"theta": 1.0}
    assert case.solver.dt == "adaptive"
