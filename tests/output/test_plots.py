"""Figures show what is in the file: their lines, scales and labels are compared with the stored numbers."""

import matplotlib
import matplotlib.image
import numpy as np
import pytest
from drawn_runs import LINE, PLANE, holds, make, ydata

from wgfpde.cli import main
from wgfpde.energy.snapshot import Traits
from wgfpde.errors import CaseError, StoreError
from wgfpde.output.plots import Options, draw, plot
from wgfpde.store import read

# ---- files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [LINE, PLANE], ids=["1d", "2d"])
@pytest.mark.parametrize("count", [1, 9])
def test_a_png_lies_in_the_run_folder(tmp_path, grid, count):
    before = dict(matplotlib.rcParams)
    paths = plot(make(tmp_path, grid, np.exp(-3.0 * np.arange(count))))
    assert paths == [tmp_path / "plots" / "density.png"]
    picture = matplotlib.image.imread(paths[0])
    assert min(picture.shape[:2]) > 500 and picture[..., :3].std() > 0.05
    assert dict(matplotlib.rcParams) == before, "the caller's style is left alone"


def test_another_folder_and_a_running_run(tmp_path):
    folder = make(tmp_path, LINE, [1.0, 0.5, 0.2], status="running")
    assert plot(folder / "output.h5", tmp_path / "a" / "b") == [tmp_path / "a" / "b" / "density.png"]
    assert "(running)" in draw(folder).get_suptitle()


def test_vector_files_and_names(line, tmp_path):
    energy = Options(field="energy", format="pdf")
    pdf = plot(line, options=energy)[0]
    assert pdf.name == "energy.pdf" and pdf.read_bytes()[:4] == b"%PDF"
    assert b"CreationDate" not in pdf.read_bytes(), "drawn again, it is the same file"
    svg = plot(line, tmp_path / "some" / "a.svg", options=Options(field="energy"))[0]
    assert svg == tmp_path / "some" / "a.svg" and "<svg" in svg.read_text() and "<dc:date>" not in svg.read_text()
    assert plot(line, tmp_path / "v1.0", options=Options(log=True))[0] == tmp_path / "v1.0" / "density_log.png"


def test_files_that_cannot_be(line, tmp_path):
    with pytest.raises(CaseError, match="written as png, pdf, svg"):
        plot(line, tmp_path / "a.jpg")
    with pytest.raises(CaseError, match="leave one of the two out"):
        plot(line, tmp_path / "a.png", options=Options(format="pdf"))
    with pytest.raises(CaseError, match="expected a format among"):
        plot(line, options=Options(format="bmp"))
    (tmp_path / "plots").write_text("")
    with pytest.raises(StoreError, match="Choose another folder"):
        plot(line)


def test_nothing_to_draw(tmp_path):
    with pytest.raises(StoreError, match="nothing to draw"):
        plot(make(tmp_path, LINE, []))


# ---- how the energy falls ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "energies", [[1.0] * 6, [np.inf, 2.0, 1.0, 1.0, 1.0], [np.nan] * 5], ids=["flat", "inf", "nan"]
)
def test_flat_infinite_and_missing_energies(tmp_path, energies):
    run = read(make(tmp_path, LINE, energies))
    for field in ("rho", "energy"):
        draw(run, Options(field=field)).canvas.draw()


@pytest.mark.parametrize(
    ("energies", "kl", "scale", "label"),
    [
        ([5.0, 4.0, 3.5], None, "linear", "$E(t)$"),
        ([-1.6799, -1.6791, -1.6790], None, "linear", "$E(t) - E(t_0)$"),
        (np.exp(-2.0 * np.arange(8)), None, "log", r"$E(t) - E(t_\mathrm{end})$"),
        (-np.arange(8.0), 10.0 ** -np.arange(8), "log", r"$(E - E_\infty)/\kappa$"),
    ],
)
def test_how_the_energy_is_drawn(tmp_path, energies, kl, scale, label):
    more = {} if kl is None else {"kl_gibbs": kl}
    axes = draw(make(tmp_path, LINE, energies, **more)).axes[1]
    if label == "$E(t) - E(t_0)$":
        assert np.array_equal(ydata(axes)[0], np.array(energies) - energies[0])
    assert axes.get_yscale() == scale and axes.get_ylabel() == label
    if kl is not None:
        assert np.array_equal(ydata(axes)[0], kl)


# ---- other fields ------------------------------------------------------------------------------------------


def test_any_diagnostic_is_a_field(tmp_path):
    run = read(make(tmp_path, LINE, mean_x=[1.0, 0.5, 0.2, 0.1]))
    axes = draw(run, Options(field="mean_x")).axes[0]
    assert axes.get_ylabel() == "The mean_x" and holds(ydata(axes), run.diagnostics["mean_x"])
    assert draw(run, Options(field="mean_x", log=True)).axes[0].get_yscale() == "log"


def test_energy_and_its_parts(tmp_path):
    parts = {"energy_internal": [2.0, 1.0, 1.0, 1.0], "energy_potential": [1.0, 1.0, 0.5, 0.2]}
    run = read(make(tmp_path, LINE, dissipation=[9.0, 8.0, 4.0, 0.5], **parts))
    top, _, loss = draw(run, Options(field="energy")).axes
    assert all(holds(ydata(top), run.diagnostics[name]) for name in ("energy", *parts))
    assert holds(ydata(loss), run.diagnostics["dissipation"])
    assert np.allclose(loss.patches[0].get_data().values, -np.diff(run.diagnostics["energy"]) / 0.1, atol=0)


def test_rounding_does_not_set_the_scale_of_a_rate(tmp_path):
    run = read(make(tmp_path, LINE, dissipation=[1e-30, 2.0, 1.0, 0.5], heat=[0.0, 0.1, 0.2, 0.25]))
    loss = draw(run, Options(field="energy")).axes[2]
    rate = next(line for line in ydata(loss) if len(line) == 4)
    assert np.isnan(rate[0]) and rate[1:].tolist() == [2.0, 1.0, 0.5] and loss.get_ylim()[0] > 0.01


@pytest.mark.parametrize("falls", [True, False])
def test_along_a_path_no_decay_is_drawn(tmp_path, monkeypatch, falls):
    run = read(make(tmp_path, LINE, kl_gibbs=[1.0, 0.5, 0.2, 0.1], fisher_gibbs=[3.0, 1.5, 0.6, 0.3]))
    run.attributes.update(kappa=1.0, sobolev=1.0)
    monkeypatch.setattr("wgfpde.output.plots.slack_chain.traits_of", lambda run: Traits(lowers_energy=falls))
    names = [line.get_label() for line in draw(run, Options(field="certificates")).axes[0].lines]
    assert any("kappa H(0)" in name for name in names) == falls


def test_errors_over_time(tmp_path):
    run = read(make(tmp_path, LINE, error_l1=[0.0, 0.1, 0.2, 0.1], error_linf=[0.0, 0.3, 0.5, 0.1]))
    axes = draw(run, Options(field="error")).axes[0]
    assert axes.get_yscale() == "log" and len(axes.lines) == 2
    assert np.array_equal(ydata(axes)[0][1:], run.diagnostics["error_l1"][1:])


def test_the_gap_beside_its_tolerance(tmp_path, monkeypatch):
    run = read(make(tmp_path, LINE, jko=True, texts={"resolved_toml": "[solver]\ntolerance = 1e-8\n"}))
    steps = {"t": run.t[1:], "gap": np.array([1e-9, 5e-9, 0.0]), "iterations": np.array([3, 4, 5]),
             "linear": np.array([30, 40, 50]), "dt": np.full(3, 0.1), "residual": np.full(3, 1e-12)}  # fmt: skip
    run.__dict__["steps"] = steps
    gap, work = draw(run, Options(field="gap")).axes
    assert gap.get_yscale() == "log" and [1e-8, 1e-8] in [list(y) for y in ydata(gap)]
    assert np.array_equal(ydata(gap)[0][:2], steps["gap"][:2]) and np.isnan(ydata(gap)[0][2])
    assert holds(ydata(work), steps["linear"]) and holds(ydata(work), steps["iterations"])


def test_without_a_gap_the_steps_are_shown(line):
    line.__dict__["steps"] = {"t": np.array([0.1]), "dt": np.array([0.1]), "iterations": np.array([0]),
                              "residual": np.array([0.0]), "gap": np.array([np.nan])}  # fmt: skip
    size, residual = draw(line, Options(field="gap")).axes  # a linear scheme has no iterations to draw
    assert holds(ydata(size), [0.1])
    assert "0 in every step" in residual.texts[0].get_text()


def test_no_step_yet(tmp_path):
    run = read(make(tmp_path, LINE, [1.0]))
    with pytest.raises(StoreError, match="no step yet"):
        draw(run, Options(field="steps"))


# ---- mistakes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(field="enrgy"), 'did you mean "energy"'),
        (Options(field="error"), r"\[exact\]"),
        (Options(error=True), "no exact solution is known"),
        (Options(field="energy", times=(0.0,)), "Leave them out"),
        (Options(times=(0.0,), index=(0,)), "either by time or by number"),
        (Options(times=()), "no time was chosen"),
    ],
)
def test_options_that_cannot_be(line, options, message):
    with pytest.raises(CaseError, match=message):
        draw(line, options)


def test_a_time_that_is_not_stored(line):
    with pytest.raises(StoreError, match=r"the nearest is at t = 0\.2"):
        draw(line, Options(times=(0.22,)))


def test_references_of_another_shape(line):
    with pytest.raises(CaseError, match="steady state has the shape"):
        draw(line, gibbs=np.ones(7))


# ---- the command line --------------------------------------------------------------------------------------


def test_the_verb_passes_its_options_on(tmp_path, capsys, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "wgfpde.output.plots.plot", lambda run, out, **more: seen.append((run.path, out, more)) or [out]
    )
    folder = make(tmp_path, LINE)
    out = str(tmp_path / "a.pdf")
    assert main(["plot", str(folder), "--index=0,-1", "--log", "--out", out]) == 0
    assert main(["plot", str(folder), "--times", "0,0.2", "--error", "--out", out]) == 0
    assert main(["plot", str(folder), "--field", "energy", "--format", "pdf", "--out", out]) == 0
    assert capsys.readouterr().out.splitlines() == [out] * 3
    options = [more["options"] for _, _, more in seen]
    assert options == [
        Options(index=(0, -1), log=True),
        Options(times=(0.0, 0.2), error=True),
        Options(field="energy", format="pdf"),
    ]


def test_the_verb_refuses_what_is_no_time(tmp_path, capsys):
    for wrong in (["--times", "0,a"], ["--index", "1.5"], ["--times", "0", "--index", "0"]):
        assert main(["plot", str(tmp_path), *wrong]) == 2
    assert "expected times" in capsys.readouterr().err
