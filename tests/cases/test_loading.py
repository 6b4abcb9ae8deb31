"""Case files: what is accepted, and what it means."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from case_texts import BASE_1D, BASE_2D
from hypothesis import given
from hypothesis import strategies as st

from wgfpde.base.toml import to_toml
from wgfpde.cases.building import build
from wgfpde.cases.loading import from_mapping, load, loads
from wgfpde.cases.schema import Case
from wgfpde.cases.sources.case_files import presets
from wgfpde.cases.table_places import json_schema
from wgfpde.cases.times import check_multiples, nearest_steps, output_times
from wgfpde.errors import CaseError

# ---- what is accepted ---------------------------------------------


def test_defaults_are_filled_in(write):
    case = load(write())
    assert case.title == "a"
    assert case.schema_version == 1
    assert case.grid.boundary == ["no-flux"]
    assert case.solver.order == 2 and case.solver.dt == 1 / 200
    assert case.output.every == 0.1
    assert case.time.start == 0.0
    assert case.params == {"k": 2.0} and type(case.params["k"]) is float
    assert type(case.initial.mass) is float
    assert case.path == write() and case.text == BASE_1D


@pytest.mark.parametrize("base", [BASE_1D, BASE_2D])
@pytest.mark.parametrize(
    "overrides",
    [
        [],
        [
            "solver.dt=adaptive",
            "solver.first_dt=1e-300",
            "solver.tolerance=1e-3",
            "solver.stationary=1e-8",
        ],
        ["energy.internal={kind='power', m=2}", 'energy.interaction="0.5*r**2"'],
        [
            "energy.internal.kind=none",
            "output.times=[0.25, 0.5]",
            'title="a \\"quoted\\" \\t tîtle\\u007f"',
        ],
        ["solver={method='jko', tau=0.1}", 'params={"κ"=1e22}'.replace("κ", "kk")],
        ["solver={method='jko', tau=0.05, algorithm='pdhg', inner_steps=4, congestion=9}", "output.every=0.1"],
        ["solver={method='geodesic'}", "target.density='1'", "output.diagnostics=['w2_previous']"],
        ['exact.density="t*x"', "initial.sampling=centre", "time.start=-1"],
    ],
)
def test_resolved_toml_loads_to_an_equal_case(write, base, overrides):
    case = load(write(base), overrides)
    resolved = case.resolved_toml()
    again = load(write(resolved, "resolved.toml"))
    assert again == case
    assert again.resolved_toml() == resolved
    assert loads(resolved) == case
    assert from_mapping(tomllib.loads(resolved)) == case


@pytest.mark.parametrize(
    ("tau", "every"), [(0.1, 0.1), (0.01, 0.1), (1 / 3, 1 / 3), (1 / 7, 1 / 7), (1 / 21, 3 / 21), (1.0, 1.0)]
)
def test_defaults_of_jko(write, tau, every):
    """Snapshots come every tenth of the span, or at the next multiple of the step."""
    case = load(write(), [f"solver={{method='jko', tau={tau!r}}}"])
    assert case.output.every == pytest.approx(every, rel=1e-15, abs=0)
    assert case.solver.tolerance == 1e-8 and case.solver.algorithm == "newton" and case.solver.scheme == "jko"
    assert load(case.path, [f"solver={{method='jko', tau={tau!r}, algorithm='pdhg'}}"]).solver.tolerance == 1e-6


def test_steps_may_be_short_of_a_time_by_rounding(write):
    load(write(), ["solver={method='jko', tau=0.3333333333}"])
    load(write(), ["solver={method='jko', tau=1e-6}", "output.times=[0.1, 0.123456]"])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.floats(1e-3, 1.0))
def test_the_nearest_steps_serve_all_times(a, b, denominator, tau):
    spans = [a / denominator, b / denominator]
    steps = nearest_steps([0.0, *spans], tau)
    for step in steps:
        check_multiples(spans, step, 0.0, [])
        assert step >= tau / 1000
    assert len(steps) <= 2 and steps == sorted(steps)
    if steps:
        assert steps[0] <= tau * (1 + 1e-9)
    for between in np.linspace(*steps, 7)[1:-1] if len(steps) == 2 else []:  # none is nearer
        with pytest.raises(CaseError, match="is not a multiple"):
            check_multiples(spans, between, 0.0, [])


def test_cases_differ(write):
    assert load(write()) != load(write(), ["time.end=2"])


def test_to_toml_round_trip():
    data = {
        "a": 1,
        "b": 0.1,
        "c": 1e-300,
        "d": True,
        "text": 'quote " back \\ tab \t nul \u0001 del \x7f ρ\n',
        "list": [1.0, 2.5e17],
        "table": {"key with blank": "x", "inner": {"p": [1], "q": {}}},
        "empty": {},
    }
    assert tomllib.loads(to_toml(data)) == data


def test_data_files_are_relative_to_the_case(write, tmp_path):
    case = load(write(), ["initial.file=rho.npy"])
    assert case.initial.file == str(Path("rho.npy").resolve())
    text = BASE_1D.replace('density = "1 + x**2"', 'file = "rho.npy"')
    assert load(write(text)).initial.file == str(tmp_path / "rho.npy")


def test_includes_merge_key_by_key(write, tmp_path):
    (tmp_path / "sub").mkdir()
    write('title = "base"\n' + BASE_1D.replace('"1 + x**2"', '"2"'), "sub/base.toml")
    path = write('include = ["sub/base.toml"]\n[grid]\nshape = [32]\n[solver]\ndt = 0.5\n')
    case = load(path)
    assert case.grid.shape == [32] and case.grid.lower == [-1.0]
    assert case.solver.dt == 0.5
    assert case.title == "a"
    assert loads(case.text, path, path.parent) == case


def test_another_method_replaces_the_solver_table(write):
    case = load(write(), ["solver.tau=0.1", "solver.method=jko"])
    assert case.solver.method == "jko" and case.solver.tau == 0.1


def test_another_kind_keeps_kappa(write):
    path = write(BASE_1D.replace('"entropy"', '"power", m = 2, kappa = 0.3'))
    assert load(path, ["energy.internal.kind=entropy"]).energy.internal.kappa == 0.3


def test_exclusive_keys_replace_each_other(write):
    text = BASE_1D + "[output]\nevery = 0.1\n"
    case = load(write(text), ["output.times=[0.5]", "initial.samples=p.csv"])
    assert case.output.every is None and case.initial.density is None


@pytest.mark.parametrize("name", sorted(presets()))
def test_presets_are_valid_and_self_contained(name):
    case = load(name)
    assert loads(case.resolved_toml()) == case
    assert "include" not in tomllib.loads(presets()[name].read_text(encoding="utf-8")), "`new` copies one file"


def test_json_schema_names_every_table():
    schema = json_schema()
    json.dumps(schema)
    tables = {
        "schema",
        "title",
        "params",
        "grid",
        "energy",
        "dynamics",
        "initial",
        "target",
        "terminal",
        "exact",
        "sinks",
        "solver",
        "time",
        "output",
        "include",
    }
    assert set(schema["properties"]) == tables
    assert schema["additionalProperties"] is False


# ---- build ---------------------------------------------


def test_build_1d(write):
    problem = build(load(write(), ['exact.density="x*t + 3"']))
    assert problem.equation == "Fokker-Planck"
    assert problem.initial.t == 0.0 and problem.initial.rho.shape == (16,)
    assert problem.flow.mass(problem.initial.rho) == pytest.approx(1.0, rel=1e-14, abs=0)
    assert problem.sampling == "average" and problem.stationary is None
    assert problem.exact is not None
    np.testing.assert_allclose(problem.exact(2.0), 2 * problem.flow.grid.x.centers + 3, rtol=1e-14)


def test_build_2d_with_mapping(write):
    problem = build(load(write(BASE_2D), ['grid.mapping=["s**2", "s"]', 'grid.boundary=["no-flux", "periodic"]']))
    grid = problem.flow.grid
    assert grid.shape == (6, 8)
    assert not grid.x.uniform and grid.y.uniform and grid.y.ring
    np.testing.assert_allclose(grid.x.edges, -1 + 2 * (np.arange(9) / 8) ** 2)


@pytest.mark.parametrize(("base", "radius"), [(BASE_1D, "abs(x)"), (BASE_2D, "hypot(x, y)")])
def test_every_formula_over_the_grid_knows_r(write, base, radius):
    def built(r):
        keys = {
            "energy.potential": f"{r}**3",
            "energy.interaction": f"exp(-{r})",
            "initial.density": f"1 + {r}",
            "exact.density": f"t + {r}",
        }
        return build(load(write(base), [f'{key}="{text}"' for key, text in keys.items()]))

    a, b = built("r"), built(radius)
    np.testing.assert_allclose(a.initial.rho, b.initial.rho, rtol=1e-14)
    np.testing.assert_allclose(a.exact(1.0), b.exact(1.0), rtol=1e-14)
    np.testing.assert_allclose(a.flow.variation(a.initial.rho), b.flow.variation(a.initial.rho), rtol=1e-12)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["output.every=0.5"], [0, 0.5, 1]),
        (["output.every=0.4"], [0, 0.4, 0.8, 1]),
        (["output.every=0.1"], np.linspace(0, 1, 11)),
        (["output.every=5"], [0, 1]),
        (["output.times=[0.3]"], [0, 0.3, 1]),
        (["output.times=[0, 0.3, 1]"], [0, 0.3, 1]),
        (["output.times=[]"], [0, 1]),
        (
            ["time.start=1e6", "time.end=1000000.3", "output.every=0.1"],
            1e6 + np.array([0, 0.1, 0.2, 0.3]),
        ),
    ],
)
def test_output_times(write, overrides, expected):
    times = output_times(load(write(), overrides))
    np.testing.assert_allclose(times, expected, rtol=0, atol=1e-9)
    assert len(times) == len(expected)


@pytest.mark.parametrize(
    ("internal", "potential", "interaction", "name"),
    [
        ('{kind="entropy"}', None, None, "heat"),
        ('{kind="entropy"}', "x", None, "Fokker-Planck"),
        ('{kind="power",m=2}', None, None, "porous medium"),
        ('{kind="power",m=2}', "x", None, "porous medium with drift"),
        ('{kind="power",m=0.5}', None, None, "fast diffusion"),
        ('{kind="entropy"}', None, "r", "McKean-Vlasov"),
        ('{kind="power",m=3}', "x", "r", "aggregation-diffusion"),
        ('{kind="none"}', None, "r", "aggregation"),
        ('{kind="none"}', "x", None, "drift"),
    ],
)
def test_equation_name(write, internal, potential, interaction, name):
    text = BASE_1D.replace('{ kind = "entropy" }', internal).replace('potential = "k*x**2/2"', "")
    extra = [f'energy.potential="{potential}"'] if potential else []
    extra += [f'energy.interaction="{interaction}"'] if interaction else []
    assert load(write(text), extra).equation == name


def test_initial_density_from_files(write, tmp_path, monkeypatch):
    np.save(tmp_path / "rho.npy", np.full(16, 0.25))
    text = BASE_1D.replace('density = "1 + x**2"', 'file = "rho.npy"').replace("mass = 1", "")
    problem = build(load(write(text)))
    np.testing.assert_array_equal(problem.initial.rho, np.full(16, 0.25))
    (tmp_path / "p.csv").write_text("-0.99\n0.5\n")
    problem = build(load(write(text.replace('file = "rho.npy"', 'samples = "p.csv"'))))
    assert problem.flow.mass(problem.initial.rho) == pytest.approx(1.0, rel=1e-9, abs=0)


def test_initial_density_from_an_old_run(write, tmp_path, monkeypatch):
    from wgfpde import store

    (tmp_path / "old.h5").write_bytes(b"")
    edges = (np.linspace(-1, 1, 5),)
    monkeypatch.setattr(store, "read_last", lambda path: (np.array([0.0, 1.0, 2.0, 3.0]), edges, 7.0, 1))
    text = BASE_1D.replace('density = "1 + x**2"', 'file = "old.h5"').replace("mass = 1", "")
    problem = build(load(write(text)))
    np.testing.assert_allclose(problem.initial.rho, np.repeat([0.0, 1.0, 2.0, 3.0], 4))
    assert problem.initial.t == 0.0


def test_case_is_immutable(write):
    case = load(write())
    assert isinstance(case, Case)
    with pytest.raises(ValueError, match="frozen"):
        case.title = "b"


def test_only_public_names_are_completed():
    """In a notebook: the keys of a table and what it says of itself, nothing of pydantic."""
    case = load("ou_1d")
    assert {"grid", "solver", "title", "equation", "resolved_toml", "cells"} <= set(dir(case))
    assert {"shape", "lower", "upper"} <= set(dir(case.grid)) and "dt" in dir(case.solver)
    for table in (case, case.grid, case.energy.internal, case.solver, case.output):
        odd = {"refused", "copy", "dict", "json", "construct", "schema", "validate"} | {
            n for n in dir(table) if "model" in n
        }
        assert not odd & set(dir(table)) and not [name for name in dir(table) if name.startswith("_")]
        assert all(hasattr(table, name) for name in dir(table))
