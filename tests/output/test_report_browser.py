"""The page about a run in a browser: from a file, without a network, the slider moves what is shown."""

import os
import shutil

import numpy as np
import pytest
from samples import hills, ramp, write_run

from wgfpde.base.html import Markup
from wgfpde.output import report
from wgfpde.output.report import page as page_module

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
ARGUMENTS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; install one or name it in CHROMIUM")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture(scope="module", params=["1d", "2d"])
def file(request, tmp_path_factory):
    """The page of a run in 1D or 2D, four snapshots long, without its figures."""
    densities = ramp(4) if request.param == "1d" else hills(4, nx=40, ny=30)
    run = write_run(tmp_path_factory.mktemp("run"), densities)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_module, "drawn_figures", lambda *args: [(Markup("<b>figure</b>"), "")])
        return report.write(run)


@pytest.fixture
def opened(browser, file):
    """The page, opened; afterwards: it asked for nothing and complained of nothing."""
    asked, complaints = [], []
    tab = browser.new_page()
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(file.as_uri())
    wait_for(tab, 3)
    yield tab
    tab.close()
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert complaints == []


def wait_for(tab, number: int, scale: str = "linear") -> str:
    """Wait until a snapshot is drawn; the pixels, as the browser packs them."""
    tab.wait_for_selector(f'#density[data-shown="{number} {scale}"]')
    return tab.evaluate("document.getElementById('density').toDataURL()")


def test_the_last_time_is_shown_first(opened):
    assert opened.text_content("#time") == "t = 0.3"
    assert opened.input_value("#slider") == "3" and opened.get_attribute("#slider", "max") == "3"
    assert opened.is_hidden("noscript") and opened.is_visible("#density")


def test_keys_move_the_time_and_the_picture(opened):
    last = wait_for(opened, 3)
    opened.focus("#slider")
    opened.keyboard.press("ArrowLeft")
    before = wait_for(opened, 2)
    assert opened.text_content("#time") == "t = 0.2"
    opened.keyboard.press("Home")
    first = wait_for(opened, 0)
    assert opened.text_content("#time") == "t = 0"
    assert len({last, before, first}) == 3
    opened.keyboard.press("End")
    assert wait_for(opened, 3) == last


def test_keys_work_without_the_focus_too(opened):
    opened.keyboard.press("ArrowLeft")
    opened.keyboard.press("ArrowLeft")
    wait_for(opened, 1)
    opened.keyboard.press("ArrowRight")
    wait_for(opened, 2)
    assert opened.text_content("#time") == "t = 0.2"


def test_the_slider_is_filled(opened):
    opened.fill("#slider", "1")
    wait_for(opened, 1)
    assert opened.text_content("#time") == "t = 0.1"


def test_logarithmic_and_back(opened):
    linear = wait_for(opened, 3)
    opened.check("#log")
    assert wait_for(opened, 3, "log") != linear
    opened.uncheck("#log")
    assert wait_for(opened, 3) == linear


def test_play_runs_from_the_start_to_the_end(opened):
    assert "Play" in opened.text_content("#play")
    opened.click("#play")
    assert "Pause" in opened.text_content("#play")
    wait_for(opened, 0)
    wait_for(opened, 1)
    opened.click("#play")
    assert "Play" in opened.text_content("#play")
    opened.click("#play")
    wait_for(opened, 3)
    opened.wait_for_function("document.getElementById('play').textContent.includes('Play')")


@pytest.mark.parametrize("file", ["2d"], indirect=True)
def test_pixels_are_the_density(opened):
    """The brightest place on the canvas is the peak of the last density, at cell (6, 2) of 40 × 30."""
    box = opened.evaluate("""() => {
        const pen = canvas.getContext("2d"), size = { w: canvas.width - 2 * 110, h: canvas.height };
        const data = pen.getImageData(0, 0, size.w, size.h).data, left = 2 * 62, top = 2 * 12;
        const width = size.w - left, height = size.h - top - 2 * 48;
        let best = -1, place = null;
        for (let y = 4; y < height - 4; y++) for (let x = 4; x < width - 4; x++) {
            const at = 4 * ((top + y) * size.w + left + x), bright = data[at] + data[at + 1] + data[at + 2];
            if (bright > best) { best = bright; place = [x / width, 1 - y / height]; }
        }
        return place;
    }""")
    assert np.allclose(box, [6.5 / 40, 2.5 / 30], atol=0.03)


def test_without_scripts_the_last_density_is_there(browser, file):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(file.as_uri())
    assert tab.is_visible(".still") and not tab.is_visible("#density") and not tab.is_visible("#slider")
    assert "t = 0.3" in tab.text_content(".still")
    context.close()


def test_on_paper_the_controls_are_gone(opened):
    opened.emulate_media(media="print")
    assert opened.is_visible("#density") and opened.is_visible("#time")
    assert not opened.is_visible("#play") and not opened.is_visible("#slider")
