"""The page about a run: what stands in it, that it needs nothing outside itself, and that no density is falsified."""

import base64
import io
import json
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import CASE, hills, ramp, write_run

from wgfpde.base.html import Markup
from wgfpde.cli import main
from wgfpde.errors import StoreError
from wgfpde.output import report
from wgfpde.output.report import density_animation, page, sections
from wgfpde.output.report import grey_frames as frames_module
from wgfpde.output.report.density_animation import animated
from wgfpde.output.report.grey_frames import Scale, averaged, colours, frames, pixels, scale_of


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    """Drawing takes seconds and has tests of its own; `with_figures` puts it back."""
    drawn = page.drawn_figures
    monkeypatch.setattr(page, "drawn_figures", lambda *args: [(Markup("<img>"), "a figure")])
    return drawn


@pytest.fixture
def with_figures(no_figures, monkeypatch):
    monkeypatch.setattr(page, "drawn_figures", no_figures)


def data_of(html: str) -> dict:
    """What the page gives its script."""
    return json.loads(re.search(r'<script type="application/json" id="animation">(.*?)</script>', html, re.S)[1])


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


def levels(png: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))


class Outline(HTMLParser):
    """Headings in order, addresses that a page asks for, and whether all tags are closed."""

    VOID = frozenset({"meta", "img", "input", "br", "link"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.addresses += [value for name, value in attributes if name in ("src", "href", "srcset", "action", "data")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


# ---- the page ------------------------------------------------------------------------------------------


def test_order_of_the_page(tmp_path):
    outline = Outline(report.html_of(write_run(tmp_path, ramp())))
    assert outline.headings == [
        "A <made-up> run", "Density", "Promises", "Energy and convergence", "Steps", "Parameters", "Diagnostics",
        "Case file", "Provenance",
    ]  # fmt: skip
    assert outline.open == []


def test_nothing_outside_the_page_is_asked_for(tmp_path, with_figures):
    html = report.html_of(write_run(tmp_path, hills()))
    addresses = Outline(html).addresses
    assert addresses and all(address.startswith("data:") for address in addresses)
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttpRequest|import\(", html)
    pictures = [a for a in addresses if a.startswith("data:image/png;base64,")]
    assert len(pictures) >= 3
    for address in pictures:
        Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).verify()


def test_what_was_asked_and_answered(tmp_path):
    run = write_run(tmp_path, ramp(), error_l1=[0.0, 0.5, 0.125])
    html = report.html_of(run)
    for part in (
        "A &lt;made-up&gt; run", "Fokker-Planck: linear diffusion in a potential.",
        "∂<sub>t</sub>ρ = κΔρ + ∇·(ρ∇V)", "E(ρ) = ∫U(ρ) + ∫Vρ", "<dd>0.5·(ρ ln ρ − ρ)</dd>", "<dd>theta·x²/2</dd>",
        "All 3 promises kept", "L¹ 0.125", "4 steps; dt = 0.05 throughout", "wgfpde run output.h5",
        "<td><code>energy.internal.kappa</code></td><td><code>0.5</code></td><td>command line</td>",
        'initial = { density = &quot;1&quot; }', "<td>wgfpde run case.toml</td>",
    ):  # fmt: skip
        assert part in html, part
    assert "BROKEN" not in html


def test_a_broken_promise_stands_in_front(tmp_path):
    html = report.html_of(write_run(tmp_path, ramp(), energy=[0.0, 2.0, 1.0]))
    assert "1 of 3 promises BROKEN: energy rise." in html
    assert html.index("BROKEN") < html.index("<h2>Density")


@pytest.mark.parametrize(
    ("end", "words"),
    [("failed", "Failed: t = 0 to 0.1 of 0.4"), ("interrupted", "wgfpde resume"), ("running", "wgfpde resume")],
)
def test_a_run_that_did_not_end_says_so(tmp_path, end, words):
    verdict = sections.verdict(report.summary(write_run(tmp_path, ramp(2), end=end)))
    assert words in verdict and 'class="verdict broken"' in verdict


def test_no_snapshot_yet(tmp_path):
    html = report.html_of(write_run(tmp_path, [], end="running"))
    outline = Outline(html)
    assert outline.headings[:2] == ["A <made-up> run", "Parameters"] and outline.open == []
    assert "there is nothing to judge" in html and "<script" not in html and "None" not in html


def test_one_snapshot(tmp_path):
    html = report.html_of(write_run(tmp_path, ramp(1)))
    assert data_of(html)["t"] == [0.0] and "<h2>Steps" not in html


def test_a_run_made_in_python(tmp_path):
    html = report.html_of(write_run(tmp_path, ramp(), resolved="", case="", attributes={"made_in": "python"}))
    assert "run that script again" in html and "wgfpde run output.h5" not in html and "Case file" not in html


def test_text_of_the_case_cannot_break_out(tmp_path):
    evil = CASE + '# </pre></script><script>alert("x")</script>\n'
    html = report.html_of(write_run(tmp_path, ramp(), case=evil, attributes={"title": "</title><script>"}))
    assert html.count("<script") == 2 and "</pre></script>" not in html


def test_embedded_data_cannot_end_its_element():
    text = page._embedded({"a": "</script>"})
    assert "<" not in text and json.loads(text) == {"a": "</script>"}


def test_write(tmp_path, capsys):
    run = write_run(tmp_path / "run", ramp())
    assert main(["report", str(run.folder)]) == 0
    assert capsys.readouterr().out == f"{run.folder / 'report.html'}\n"
    assert main(["report", str(run.path), "--out", str(tmp_path / "new" / "page.html")]) == 0
    assert (tmp_path / "new" / "page.html").read_text("utf-8") == (run.folder / "report.html").read_text("utf-8")
    assert report.write(run, tmp_path) == tmp_path / "report.html"


def test_what_the_page_reads_is_shipped():
    root = Path(report.__file__).resolve().parent
    patterns = tomllib.loads((root.parents[2] / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    read = {path.name for path in root.iterdir() if path.suffix in (".js", ".css")}
    assert read == {"density.js", "slider.js", "page.css"}
    assert read == {path.name for pattern in patterns["wgfpde.output.report"] for path in root.glob(pattern)}


def test_where_it_cannot_be_written(tmp_path):
    run = write_run(tmp_path / "run", ramp())
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*file/page\.html"):
        report.write(run, tmp_path / "file" / "page.html")


# ---- densities as lines --------------------------------------------------------------------------------


def test_lines_hold_the_densities(tmp_path):
    run = write_run(tmp_path, ramp())
    gibbs = np.linspace(1.0, 2.0, 8)
    data = animated(run, exact=lambda t: np.full(8, 1.0 + t), gibbs=gibbs).data
    assert data["t"] == run.t.tolist() and data["x"] == [0.0, 2.0]
    assert np.array_equal(floats(data["centers"]), run.centers[0].astype("f4"))
    assert np.array_equal(floats(data["rho"]).reshape(3, 8), np.asarray(run.rho).astype("f4"))
    assert np.allclose(floats(data["exact"]).reshape(3, 8)[:, 0], [1.0, 1.1, 1.2], atol=0)
    assert np.array_equal(floats(data["gibbs"]), gibbs.astype("f4"))
    assert (data["top"], data["high"], data["low"], data["zero"]) == (21.0, 21.0, 1.0, True)


def test_legend_names_what_is_drawn(tmp_path):
    run = write_run(tmp_path, ramp())
    assert "exact" not in animated(run).legend and "steady" not in animated(run).legend
    assert "exact" in animated(run, exact=lambda t: np.ones(8)).legend
    assert "steady state" in animated(run, gibbs=np.ones(8)).legend


def test_a_tail_below_single_precision_stays_positive(tmp_path):
    rho = np.array([0.0, 1e-300, 1e-30, 1.0])
    values = floats(animated(write_run(tmp_path, [rho])).data["rho"])
    assert values[0] == 0 and np.all(values[1:] > 0) and values[2] == np.float32(1e-30)


def test_long_lines_are_averaged_and_the_page_says_so(tmp_path):
    run = write_run(tmp_path, ramp(4, cells=512))
    shown = animated(run, budget=4096)
    values = floats(shown.data["rho"]).reshape(4, -1)
    assert 8 <= values.shape[1] < 512 and sum(len(shown.data[k]) for k in ("rho", "centers")) <= 4096
    assert np.allclose(values.mean(axis=1), [rho.mean() for rho in ramp(4, cells=512)], atol=0)
    assert any("each an average over" in note for note in shown.notes)


def test_many_snapshots_are_thinned(tmp_path, monkeypatch):
    monkeypatch.setattr(density_animation, "MOST", 8)
    run = write_run(tmp_path, ramp(25))
    shown = animated(run)
    assert len(shown.data["t"]) == 8
    assert (shown.data["t"][0], shown.data["t"][-1]) == (run.t[0], run.t[-1])
    gaps = np.diff(shown.data["t"])
    assert gaps.max() < 1.5 * gaps.min()
    assert "8 of 25 snapshots, evenly chosen." in shown.notes


# ---- densities as pictures -----------------------------------------------------------------------------


def test_level_zero_is_vacuum_and_nothing_else():
    scale = Scale(top=1.0, low=1e-10, high=1.0, peak=1.0, zero=True)
    rho = np.array([0.0, 5e-324, 1e-200, 1e-10, 1e-5, 1.0, 7.0])
    assert scale.linear(rho, 0).tolist() == [0, 1, 1, 1, 1, 255, 255]
    assert scale.logarithmic(rho).tolist() == [0, 1, 1, 1, 128, 255, 255]


def test_levels_are_true_to_half_a_step():
    scale = Scale(top=2.0, low=1e-6, high=2.0, peak=2.0, zero=False)
    rho = np.geomspace(1e-6, 2.0, 1000)
    assert np.abs((scale.linear(rho, 0) - 1.0) / 254 * 2.0 - rho).max() <= 0.5 / 254 * 2.0 * (1 + 1e-12)
    decoded = np.exp((scale.logarithmic(rho) - 1.0) / 254 * np.log(2e6)) * 1e-6
    assert np.abs(np.log(decoded / rho)).max() <= 0.5 / 254 * np.log(2e6) * (1 + 1e-9)


def test_scale_of_ordinary_densities():
    scale = scale_of(iter([np.array([0.0, 1.0]), np.array([0.5, 0.75])]))
    assert (scale.top, scale.low, scale.high, scale.peak, scale.zero) == (1.0, 0.5, 1.0, 1.0, True)


def test_densities_that_one_scale_would_hide_have_each_their_own(tmp_path):
    hill = np.array([[1.0, 2.0, 4.0], [0.0, 1.0, 2.0]])
    run = write_run(tmp_path, [hill, 20 * hill, 300 * hill])
    scale = scale_of(iter(run.rho))
    assert scale.tops == (4.0, 80.0, 1200.0)
    found = animated(run)
    assert found.data["tops"] == [4.0, 80.0, 1200.0] and "ends at its own peak" in found.notes[0]
    for png in found.data["frames"]:
        assert levels(png)[:2][::-1].tolist() == [[65, 128, 255], [0, 65, 128]]
    assert "tops" not in animated(write_run(tmp_path / "b", hills())).data
    assert found.data["across"] == "x"


def test_a_peak_at_the_start_does_not_darken_all_else():
    scale = scale_of(iter([np.full(2, high) for high in (100.0, 9.0, 4.0, 2.0)]))
    assert scale.top == 5.0 and scale.peak == 100.0
    assert scale_of(iter([np.full(2, high) for high in (1.0, 9.0, 40.0, 100.0)])).top == 100.0


@pytest.mark.parametrize("rho", [np.zeros(3), np.array([0.0, np.inf, np.nan]), np.full(3, 2.0)])
def test_scale_of_what_has_no_range(rho):
    scale = scale_of(iter([rho]))
    assert 0 < scale.low < scale.high and scale.top > 0
    assert scale.logarithmic(rho).dtype == np.uint8


def test_pictures_hold_both_scales_with_y_up(tmp_path):
    run = write_run(tmp_path, hills())
    scale = scale_of(iter(run.rho))
    data = animated(run).data
    assert (data["width"], data["height"]) == (12, 6) and (data["x"], data["y"]) == ([0.0, 2.0], [-1.0, 1.0])
    for k, png in enumerate(data["frames"]):
        picture = levels(png)
        assert np.array_equal(picture[:6], scale.linear(run.rho[k], k)[::-1])
        assert np.array_equal(picture[6:], scale.logarithmic(run.rho[k])[::-1])
        assert np.array_equal(picture[6:] == 0, run.rho[k][::-1] == 0)


def test_pictures_keep_to_their_budget(tmp_path):
    noise = np.random.default_rng(5).random((3, 40, 60))
    run = write_run(tmp_path, list(noise))
    scale = scale_of(iter(run.rho))
    found = frames(run, range(3), scale, budget=6000)
    assert sum(map(len, found.pngs)) <= 6000
    assert 8 <= found.width < 60 and found.width / found.height == pytest.approx(1.5, rel=0.15, abs=0)
    full = frames(run, range(3), scale)
    assert (full.width, full.height) == (60, 40)


def test_large_grids_are_drawn_smaller_and_the_page_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(frames_module, "MOST_PIXELS", 8)
    shown = animated(write_run(tmp_path, hills(nx=16, ny=6)))
    assert (shown.data["width"], shown.data["height"]) == (8, 6)
    assert "Drawn on 8 × 6 equal pixels for 16 × 6 cells: each pixel is the average over what it covers." in shown.notes


def test_stretched_cells_are_drawn_where_they_lie(tmp_path):
    """ρ = 1 for x < 0.5 on cells that grow from left to right: a quarter of the picture is lit."""
    rho = np.zeros((4, 8))
    rho[:, :4] = 1.0
    run = write_run(tmp_path, [rho], mapping=[lambda s: s**2, None])
    assert run.edges[0][4] == pytest.approx(0.5, rel=1e-9, abs=0)
    data = animated(run).data
    lit = levels(data["frames"][0])[: data["height"]] == 255
    assert (data["width"], data["height"]) == (16, 4)
    assert lit.mean() == 0.25 and lit[:, :4].all()


def test_averages_keep_the_mass_and_the_vacuum():
    rng = np.random.default_rng(3)
    edges = (np.sort(rng.random(14)), np.linspace(-1.0, 1.0, 10))
    rho = rng.random((9, 13))
    rho[:, 6:] = 0.0
    coarse = averaged(rho, edges, (5, 3))
    volume = np.diff(edges[1])[:, None] * np.diff(edges[0])
    assert coarse.mean() * np.ptp(edges[0]) * 2.0 == pytest.approx(np.sum(rho * volume), rel=1e-13, abs=0)
    empty = np.linspace(edges[0][0], edges[0][-1], 6)[:-1] >= edges[0][6]
    assert np.array_equal(coarse[0] == 0, empty)


def test_equal_cells_are_left_alone():
    rho = np.arange(6.0).reshape(2, 3)
    assert averaged(rho, (np.linspace(0, 1, 4), np.linspace(0, 1, 3)), (3, 2)) is rho
    assert pixels(np.linspace(0.0, 1.0, 4)) == 3 and pixels(np.array([0.0, 0.2, 1.0])) == 4


def test_colours_are_magma():
    import matplotlib

    expected = 255 * matplotlib.colormaps["magma"](np.linspace(0.0, 1.0, 256))[:, :3]
    assert np.abs(colours() - expected).max() < 3


def test_the_still_picture_is_the_last_density(tmp_path):
    run = write_run(tmp_path, hills())
    data = base64.b64decode(re.search(r"base64,([^\"]+)", animated(run).still)[1])
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    y, x = np.unravel_index(np.argmax(picture.sum(axis=2)), picture.shape[:2])
    rho = run.rho[-1][::-1]
    assert (y, x) == np.unravel_index(np.argmax(rho), rho.shape)
