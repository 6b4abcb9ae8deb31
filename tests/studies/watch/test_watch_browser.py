"""The page of `wgfpde watch --browser` in a browser: it shows what goes on, and asks nobody else for anything."""

import os
import shutil

import pytest

from wgfpde.studies.watch.local_page import LocalPage
from wgfpde.studies.watch.state import State

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; install one or name it in CHROMIUM")

TITLE = '<img src=x onerror="document.title=1"> & more'
LINE = {"t": [0.0, 1.0], "energy": [2.0, 1.5], "at": 1.0, "rho": [0.0, 1.0, 0.5], "x": [0.0, 1.0, 2.0]}
MAP = LINE | {"rho": [[0.0, 1.0], [0.5, 0.25]], "x": [0.0, 1.0], "y": [0.0, 1.0]}
STATES = [
    State("run", TITLE, "running", 0.25, "t = 1 of 4", "", LINE),
    State("run", TITLE, "running", 0.5, "t = 2 of 4", "", MAP),
    State("sweep", TITLE, "failed", 1.0, "4 of 4 runs, 1 failed", "why", {"going": [("<b>theta</b>=1", 0.5)]}),
]


def test_the_page_follows(tmp_path):
    states, asked, complaints = list(STATES), [], []

    def look():
        return states.pop(0) if len(states) > 1 else states[0]

    with playwright.sync_playwright() as driver, LocalPage(look) as page:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--headless", "--disable-gpu"])
        tab = browser.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(page.address)
        for words in ("t = 1 of 4", "t = 2 of 4", "4 of 4 runs, 1 failed"):
            tab.wait_for_function(
                "words => document.getElementById('text').textContent === words", arg=words, timeout=9000
            )
            if "t =" in words:
                drawn = "() => { const c = document.getElementById('density'); return c.getContext('2d')"
                drawn += ".getImageData(0, 0, c.width, c.height).data.some(v => v > 0); }"
                assert tab.evaluate(drawn)
        assert tab.text_content("#title") == TITLE and "watch" in tab.title()
        assert tab.text_content("#going").startswith("<b>theta</b>=1") and tab.locator("#going b").count() == 0
        assert tab.evaluate("document.getElementById('run').hidden") and tab.text_content("#message") == "why"
        tab.wait_for_timeout(1500)
        count = len(asked)
        tab.wait_for_timeout(1500)
        assert len(asked) == count, "a sweep that is over is not asked about again"
        browser.close()
    assert complaints == [] and all(url.startswith(page.address) or url.endswith("favicon.ico") for url in asked)
