"""What a person does and sees on the page."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

FIGURES = ("score", "purity", "integrity", "iou", "confidence")


def photograph(name: str) -> Path:
    return Path(str(files("skimage"))) / "data" / name


def choose(page: Any, *pictures: Path | tuple[str, bytes]) -> None:
    """Gives files to the page as its file dialog does, and waits until each is answered."""
    given = [
        picture if isinstance(picture, Path) else {"name": picture[0], "mimeType": "image/png", "buffer": picture[1]}
        for picture in pictures
    ]
    page.set_input_files("#file", given)
    settled(page)


def settled(page: Any) -> None:
    """Waits until the picture that is looked at is answered, and one frame more."""
    page.locator("#stage:not(.off), #failure:not([hidden])").first.wait_for()
    frame(page)


def frame(page: Any) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))")


def move(page: Any, **settings: float) -> None:
    """Moves sliders, as dragging them does."""
    for name, value in settings.items():
        page.locator(f"#{name}").evaluate(
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); }",
            str(value),
        )
    frame(page)


def rows(page: Any) -> list[dict[str, Any]]:
    """The list: what stands in each row."""
    return [_row(text) for text in page.locator("#list .row").evaluate_all("rows => rows.map(row => row.ariaLabel)")]


def _row(text: str) -> dict[str, Any]:
    told: dict[str, Any] = {"label": text.partition(",")[0], "text": text}
    for name in FIGURES:
        if found := re.search(rf"\b{name} ([0-9.]+)", text, re.IGNORECASE):
            told[name] = float(found[1])
    return told


def boxes(page: Any) -> list[int]:
    """Which candidates are drawn."""
    drawn = page.locator("#stage .box").evaluate_all("boxes => boxes.map(box => Number(box.dataset.row))")
    return sorted(drawn)
