"""Every file of a folder is in the results or among the errors, whatever it is."""

import json
import os
import stat
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobs import Run, errors, rows
from PIL import Image

from dirdet.batch.errors import JobStoppedError
from dirdet.commands.detect import command as detect_command


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def turned(picture: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(picture, "JPEG", exif=exif)


def animated() -> bytes:
    return saved(noise(64, 48), "WEBP", save_all=True, append_images=[noise(64, 48).rotate(180)])


def sixteen_bit() -> bytes:
    return saved(Image.fromarray(np.arange(60 * 80, dtype=np.uint16).reshape(60, 80) * 13), "PNG")


GOOD: dict[str, tuple[Callable[[], bytes], tuple[int, int]]] = {
    "grey.png": (lambda: saved(noise(80, 60).convert("L"), "PNG"), (80, 60)),
    "palette.png": (lambda: saved(noise(80, 60).quantize(16), "PNG"), (80, 60)),
    "see-through.png": (lambda: saved(noise(80, 60).convert("RGBA"), "PNG"), (80, 60)),
    "cmyk.jpg": (lambda: saved(noise(80, 60).convert("CMYK"), "JPEG"), (80, 60)),
    "sixteen.png": (sixteen_bit, (80, 60)),
    "turned.jpg": (lambda: turned(noise(80, 60)), (60, 80)),
    "page.gif": (lambda: saved(noise(8, 8), "GIF"), (8, 8)),
    "page.avif": (lambda: saved(noise(8, 8), "AVIF"), (8, 8)),
    "animated.webp": (animated, (64, 48)),
    "truly-a-png.jpg": (lambda: saved(noise(80, 60), "PNG"), (80, 60)),
    "SHOUTED.JPG": (lambda: saved(noise(80, 60), "JPEG"), (80, 60)),
    "one.png": (lambda: saved(noise(1, 1), "PNG"), (1, 1)),
    "thread.png": (lambda: saved(noise(3000, 1), "PNG"), (3000, 1)),
    "wide.jpg": (lambda: saved(Image.new("RGB", (6000, 4000)), "JPEG"), (6000, 4000)),
    "сова 梟 بومة 🦉.png": (lambda: saved(noise(80, 60), "PNG"), (80, 60)),
    "with\nnewline, comma.png": (lambda: saved(noise(80, 60), "PNG"), (80, 60)),
}
BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty.jpg": (lambda: b"", "not a picture"),
    "text.png": (lambda: b"hello", "not a picture"),
    "page.jp2": (lambda: saved(noise(8, 8), "JPEG2000"), "not a picture"),
    "cut.jpg": (lambda: saved(noise(80, 60), "JPEG")[:900], "broken"),
    "header-only.png": (lambda: b"\x89PNG\r\n\x1a\n", "broken"),
    "bomb.png": (lambda: saved(Image.new("1", (20_000, 20_000)), "PNG"), "too large"),
    "heavy.bmp": (lambda: b"BM" + bytes(33 * 2**20), "too large"),
}


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    folder = tmp_path / "odd"
    folder.mkdir()
    for name, (make, _) in [*GOOD.items(), *BAD.items()]:
        (folder / name).write_bytes(make())
    (folder / "notes.txt").write_text("not tried")
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "nowhere.png").symlink_to("missing.png")
    (folder / "itself.png").symlink_to("itself.png")
    (folder / "folder.png").mkdir()
    (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(saved(noise(8, 8), "PNG"))
    os.mkfifo(folder / "pipe.png")
    return folder


def test_every_file_is_in_the_results_or_among_the_errors(run: Run, odd: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(odd, "--out", out)
    assert result.exit_code == 3, result.output
    told = {row["picture"]: row for row in rows(out, "pictures")}
    good = {name: size for name, (_, size) in GOOD.items()} | {"caf\\xe9.png": (8, 8)}
    assert {name: (row["width"], row["height"]) for name, row in told.items() if row["error"] is None} == good
    reasons = {name: reason for name, (_, reason) in BAD.items()}
    reasons |= {"nowhere.png": "not found", "itself.png": "unreadable", "pipe.png": "unreadable"}
    assert {name: reason for name, (reason, _) in errors(out).items()} == reasons
    assert errors(out)["empty.jpg"][1].endswith("the file is empty")
    assert "1 file skipped" in result.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in" / "locked").mkdir(parents=True)
    (tmp_path / "in" / "secret.png").write_bytes(saved(noise(8, 8), "PNG"))
    (tmp_path / "in" / "secret.png").chmod(0)
    (tmp_path / "in" / "locked").chmod(0)
    run(tmp_path / "in", "--out", tmp_path / "out")
    (tmp_path / "in" / "locked").chmod(stat.S_IRWXU)
    assert {name: reason for name, (reason, _) in errors(tmp_path / "out").items()} == {
        "secret.png": "unreadable",
        "locked": "unreadable",
    }


def test_strict_stops_at_the_first_and_says_which(run: Run, odd: Path, tmp_path: Path) -> None:
    with pytest.raises(JobStoppedError, match=r"--strict"):
        run(odd, "--out", tmp_path / "out", "--strict")
    assert run(odd, "--out", tmp_path / "out").exit_code == 3  # without it the job goes on


def test_figures_are_those_of_detect(run: Run, tmp_path: Path, photographs: Path) -> None:
    """A batch rounds in another order than a picture alone, so to a tolerance."""
    from click.testing import CliRunner

    names = ["chelsea.png", "coffee.png", "rocket.jpg"]
    (tmp_path / "in").mkdir()
    for name in names:
        (tmp_path / "in" / name).symlink_to(photographs / name)
    every = ["--score-threshold", "0.05"]
    run(tmp_path / "in", "--out", tmp_path / "out", *every)
    alone = CliRunner().invoke(detect_command, [*(str(photographs / name) for name in names), "--json", *every])
    expected = [
        (image["name"].rpartition("/")[2], found)
        for image in json.loads(alone.stdout)["images"]
        for found in image["detections"]
    ]
    told = rows(tmp_path / "out", "detections")
    assert len(told) == len(expected) > 5
    for row, (name, found) in zip(told, expected, strict=True):
        assert (row["picture"], row["label"]) == (name, found["label"])
        assert [row["x1"], row["y1"], row["x2"], row["y2"]] == pytest.approx(found["box"], abs=0.1)
        figures = ("score", "purity", "integrity", "iou", "confidence", "score_calibrated", "iou_calibrated")
        assert [row[each] for each in figures] == pytest.approx([found[each] for each in figures], abs=1e-3)
