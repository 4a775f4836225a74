"""dirdet bench decode: what counts decodes to the pixels that serving reads."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from dirdet_bench.serving.decode import SCALED, SETTINGS, command, encoded, pillow_alone, place_files, read
from dirdet_bench.serving.other_decoders import difference, other_decoder
from dirdet_bench.serving.other_projects.decoder_process import rate


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (60, 80, 3), np.uint8)).save(path)
    return path


def test_rates_are_told_for_each_type_and_number_of_threads(picture: Path, tmp_path: Path) -> None:
    out, plot = tmp_path / "a.json", tmp_path / "a.svg"
    arguments = [str(picture), "--seconds", "0", "--rounds", "2", "--threads", "1", "--threads", "2"]
    result = CliRunner().invoke(command, [*arguments, "--json", str(out), "--plot", str(plot)])
    assert result.exit_code == 0, result.output
    rows = json.loads(out.read_text())["rows"]
    usual = ["Pillow alone", "read", "read and placed"]
    of_kind = {"JPEG": [*usual, SCALED], "PNG": usual, "WEBP": usual}
    assert [(row["group"], row["name"]) for row in rows] == [
        (f"{kind}, {threads}", name)
        for kind, names in of_kind.items()
        for threads in ("1 thread", "2 threads")
        for name in names
    ]
    assert all(row["median"] > 0 and row["unit"] == "/s" for row in rows)
    assert [row["goal"] for row in rows[:3]] == [None, {"at_least": 0.95}, {"at_least": 0.8}]
    assert "pictures a second" in plot.read_text()


def test_every_thread_decodes_at_least_once() -> None:
    seen: list[bytes] = []
    assert rate(seen.append, [b"a"], threads=3, seconds=0) > 0
    assert seen == [b"a"] * 3


def test_files_are_placed_by_every_thread(picture: Path, bundle_folder: Path) -> None:
    assert bundle_folder.is_dir()
    assert place_files([picture], threads=2, seconds=0.2) > 1


def test_another_decoder_reads_the_same_pixels_in_its_process(picture: Path) -> None:
    with other_decoder("torchvision") as decoder:
        assert difference(decoder.decoded(picture), read(picture.read_bytes()), "PNG") is None
        assert decoder.rate([picture], threads=2, seconds=0) > 0


@pytest.mark.parametrize("kind", list(SETTINGS))
def test_what_serving_reads_is_what_pillow_decodes(picture: Path, kind: str) -> None:
    with Image.open(picture) as opened:
        content = encoded(opened.convert("RGB"), kind)
    np.testing.assert_array_equal(read(content), pillow_alone(content))


def test_other_pixels_are_told() -> None:
    black, grey = np.zeros((4, 5, 3), np.uint8), np.full((4, 5, 3), 2, np.uint8)
    assert difference(black, black, "PNG") is None
    assert difference(black, grey, "JPEG") == "its pixels differ by 2.00 of 255 in the mean, more than 1.5"
    assert difference(black, grey[:3], "PNG") == "its pixels are (4, 5, 3), not (3, 5, 3)"
