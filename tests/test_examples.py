"""The scripts of docs/examples run as they stand, in a folder of their own, and print what they are about.

The case on the page about case files is one.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from wgfpde.cases.loading import loads

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = {path.name: path for path in sorted((ROOT / "docs" / "examples").glob("*.py"))}
LONGEST = 40
"""Lines of an example at most: it is read on a page."""


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """name → (what the example printed, the folder it ran in); each runs once, all at the same time."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    running = {}
    for name, path in EXAMPLES.items():
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


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_short(name):
    assert len(EXAMPLES[name].read_text(encoding="utf-8").splitlines()) <= LONGEST


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
    assert 50.0 < through[-1] < 52.0  # stopped by its rule, long before the end
    assert not list(folder.iterdir())  # a march leaves nothing on disk


def test_distance_to_equilibrium(printed):
    text, folder = printed["05_distance_to_equilibrium.py"]
    [rate] = numbers(r"W2 .* at the rate ([\d.]+)", text)
    [rate_of_energy] = numbers(r"KL .* at the rate ([\d.]+)", text)
    assert abs(rate - 1.0) < 0.01  # e^{-t}: the mean of the process
    assert abs(rate_of_energy - 2.0) < 0.02
    assert (folder / "distance.png").stat().st_size > 10_000


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
