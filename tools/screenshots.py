"""Takes the docs' pictures of page, review and report, in light, dark and on a telephone (docs/*.webp)."""

import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

DOCS = Path(__file__).resolve().parent.parent / "docs"
SCREENS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.5, "has_touch": True},
}
PHOTOGRAPHS = Path(str(files("skimage"))) / "data"
CHINA = Path(str(files("sklearn"))) / "datasets" / "images" / "china.jpg"
PICTURES = (CHINA, PHOTOGRAPHS / "chelsea.png", PHOTOGRAPHS / "coffee.png", PHOTOGRAPHS / "astronaut.png")
REVIEW = ("--score-threshold", "0.2", "--keep", "score_calibrated >= 0.5", "--review", "score_calibrated >= 0.1")


@contextmanager
def served() -> Generator[str]:
    """Address of a server with the shipped detector."""
    command = [sys.executable, "-m", "dirdet", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            log = ""
            while not log.rstrip().endswith(" ready"):
                log += server.stderr.readline() if server.stderr else " ready"
            yield re.findall(r"listening on (\S+)", log)[0]
        finally:
            server.terminate()


def save(page: Page, name: str) -> None:
    """Writes the window as docs/NAME.webp."""
    page.wait_for_timeout(700)  # fonts, pictures, and what is drawn in the next frame
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        shot.convert("RGB").save(DOCS / f"{name}.webp", quality=82, method=6)


def settle(page: Page) -> None:
    """Waits until every picture is detected."""
    page.locator(".badge.done").nth(len(PICTURES) - 1).wait_for()
    page.wait_for_timeout(300)


def take(browser: Browser, address: str, report: Path, screen: str) -> None:
    """The three pictures of one kind of screen."""
    page = browser.new_context(**SCREENS[screen]).new_page()
    page.goto(address)
    page.locator("#classes li").first.wait_for()
    page.set_input_files("#file", [str(path) for path in PICTURES])
    settle(page)
    # The house in light; the cat, with what is said of its box, elsewhere.
    page.locator(".thumb").nth(0 if screen == "light" else 1).click()
    if screen != "light":
        page.locator("#list .row").first.click()
    save(page, f"page_{screen}")
    page.locator("#review-switch").click()
    page.keyboard.press("r")
    page.keyboard.press("a")
    save(page, f"review_{screen}")
    page.goto(report.as_uri())
    save(page, f"report_{screen}")
    page.context.close()


def main() -> None:
    """Needs chromium on the path, and the environment of `make test`."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("the pictures need chromium on the path")
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "photos", Path(folder) / "found"
        source.mkdir()
        for path in PICTURES:
            shutil.copy(path, source)
        subprocess.run([sys.executable, "-m", "dirdet", "batch", source, "--out", out, *REVIEW], check=True)
        with served() as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            for screen in SCREENS:
                take(browser, address, out / "report.html", screen)


if __name__ == "__main__":
    main()
