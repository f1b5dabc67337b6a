"""A real browser, and pictures of what it shows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.support.paths import ROOT

NAMES = ("chromium", "chromium-browser", "google-chrome")

#: Nothing but the page: no updates, no accounts, no question at the first start.
ALONE = [
    *(
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
    ),
    *("--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
]

#: Seconds for a page to show what is looked for, on a busy machine.
PATIENCE = 60


class Browser:
    """A page, with a numbered picture of each thing that was seen."""

    def __init__(self, page: Page, pictures: Path) -> None:
        self.page = page
        self._pictures = pictures
        self._count = 0

    def picture(self, name: str) -> None:
        """Keep what is shown now as NN-name.png."""
        self._count += 1
        path = self._pictures / f"{self._count:02}-{name}.png"
        self.page.screenshot(path=str(path))


@contextmanager
def browser(topic: str) -> Iterator[Browser]:
    """An installed Chromium; pictures go to ``artifacts/<topic>`` in the checkout.

    Skips where there is none; where there must be one, as in CI, that is a failure.
    """
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        reason = f"no browser: install one of {', '.join(NAMES)}"
        if os.environ.get("EXCURSION_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    pictures = ROOT / "artifacts" / topic
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=ALONE)
        page = started.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(PATIENCE * 1_000)
        expect.set_options(timeout=PATIENCE * 1_000)
        shown = Browser(page, pictures)
        try:
            yield shown
        except BaseException:
            shown.picture("when-it-failed")
            raise
        finally:
            started.close()
