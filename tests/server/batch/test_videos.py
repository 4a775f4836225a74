"""Frames of videos as pictures: which there are, that each is the right one, and what becomes of broken videos."""

import random
import shutil
import struct
import sys
from array import array
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from jobs import Run, errors, rows
from PIL import Image
from videos import STEP, write_video

from dirdet.batch.listing.open_source import open_source
from dirdet.batch.listing.source import SourceOptions, Tally
from dirdet.batch.source_picture import Entry
from dirdet.batch.video.timeline import Timeline, parse_rate, selected
from dirdet.errors import MissingExtraError, ParameterError, PictureError
from dirdet.pictures.reading import read_picture


def listed(source: Path | str, fps: str | None = None) -> list[Entry]:
    options = SourceOptions(videos=None if fps is None else parse_rate(fps))
    return list(open_source(str(source), options).entries(Tally()))


def names(source: Path | str, fps: str | None = None) -> list[str]:
    return [entry.name for entry in listed(source, fps)]


def number(entry: Entry) -> int:
    """Which frame a picture is of, by its grey."""
    return round(float(np.asarray(read_picture(entry.open())).mean()) / STEP)


@pytest.mark.parametrize(
    ("file", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.avi", "mpeg4"), ("a.webm", "libvpx")],
)
def test_every_frame_is_the_right_one_in_whatever_order(tmp_path: Path, file: str, codec: str) -> None:
    entries = listed(write_video(tmp_path / file, codec=codec))
    assert [entry.name for entry in entries] == [f"{file}@{n / 10:.3f}s" for n in range(20)]
    assert [number(entry) for entry in entries] == list(range(20))
    order = list(range(20))
    random.Random(0).shuffle(order)
    assert [number(entries[n]) for n in order] == order
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(number, entries)) == list(range(20))


def test_a_rate_takes_frames_by_their_times(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4")
    assert names(video, "2") == ["a.mp4@0.000s", "a.mp4@0.500s", "a.mp4@1.000s", "a.mp4@1.500s"]
    assert names(video, "0.5") == ["a.mp4@0.000s"]
    assert [number(entry) for entry in listed(video, "2")] == [0, 5, 10, 15]
    assert names(video, "1000") == names(video, "all") == names(video)


def test_a_variable_rate(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mkv", times_ms=[0, 40, 500, 510, 1500, 1501, 3000, 3333, 9000])
    assert names(video)[:4] == ["a.mkv@0.000s", "a.mkv@0.040s", "a.mkv@0.500s", "a.mkv@0.510s"]
    chosen = listed(video, "1")
    assert [entry.name for entry in chosen] == ["a.mkv@0.000s", "a.mkv@1.500s", "a.mkv@3.000s", "a.mkv@9.000s"]
    assert [number(entry) for entry in chosen] == [0, 4, 6, 8]


@pytest.mark.parametrize("fps", ["30", "10", "29.97"])
def test_rounded_timestamps_lose_no_frame(fps: str) -> None:
    """Matroska has milliseconds: the second frame of thirty is at 0.033."""
    pts = [round(1000 * n / float(fps)) for n in range(300)]
    kept = selected(Timeline(array("q", pts), Fraction(1, 1000)), parse_rate(fps))
    assert [each for each, _ in kept] == pts


@pytest.mark.parametrize("turn", [90, -90, 180])
def test_a_frame_stands_as_a_player_shows_it(tmp_path: Path, turn: int) -> None:
    [entry, *_] = listed(write_video(tmp_path / "a.mp4", frames=3, turn=turn, top_left=True))
    picture = read_picture(entry.open())
    stored = Image.new("L", (64, 48))
    stored.paste(255, (0, 0, 32, 24))
    expected = np.asarray(stored.rotate(turn, expand=True)) > 0
    assert picture.size == expected.shape[::-1]
    seen = np.asarray(picture.convert("L")) > 100
    assert (seen == expected).mean() > 0.97


MATRICES = {
    (1, 0, 0, 1): (0, 0),
    (-1, 0, 0, 1): (1, 0),
    (1, 0, 0, -1): (0, 1),
    (-1, 0, 0, -1): (1, 1),
    (0, 1, 1, 0): (0, 0),
    (0, 1, -1, 0): (1, 0),
    (0, -1, 1, 0): (0, 1),
    (0, -1, -1, 0): (1, 1),
}


@pytest.mark.parametrize("matrix", MATRICES, ids=str)
def test_mirrors_and_transposes_are_no_turns(tmp_path: Path, matrix: tuple[int, int, int, int]) -> None:
    """ISO 14496-12, 6.2.2: x' = ax + cy, y' = bx + dy; the bright quarter, stored at the top left, moves along."""
    video = write_video(tmp_path / "a.mp4", frames=3, top_left=True)
    data = bytearray(video.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (each * 2**16 for each in matrix)
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 2**30)
    video.write_bytes(data)
    [entry, *_] = listed(video)
    picture = read_picture(entry.open())
    right, bottom = MATRICES[matrix]
    assert picture.size == ((64, 48) if matrix[0] else (48, 64))
    width, height = picture.size
    seen = np.asarray(picture.convert("L")) > 100
    quarter = (
        slice(bottom * height // 2, (bottom + 1) * height // 2),
        slice(right * width // 2, (right + 1) * width // 2),
    )
    assert seen[quarter].mean() > 0.95
    assert seen.mean() < 0.3


def test_a_folder_has_videos_where_a_rate_is_given(tmp_path: Path) -> None:
    write_video(tmp_path / "b.mp4", frames=3)
    (tmp_path / "a.png").write_bytes(b"")
    assert names(tmp_path) == ["a.png"]
    tally = Tally()
    list(open_source(str(tmp_path), SourceOptions()).entries(tally))
    assert tally.left_out() == ["1 video: --fps takes frames"]
    assert names(tmp_path, "1") == ["a.png", "b.mp4@0.000s"]
    assert names(f"{tmp_path}/*.mp4") == [f"{tmp_path}/b.mp4@0.{n}00s" for n in range(3)]
    (tmp_path / "list.txt").write_text("b.mp4\n")
    assert names(tmp_path / "list.txt", "5") == ["b.mp4@0.000s", "b.mp4@0.200s"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Invalid data"),
        (b"hello", "Invalid data"),
        # A playlist and a list of files would have FFmpeg open what they name.
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n", "Invalid"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "Invalid"),
    ],
)
def test_what_is_no_video_is_an_entry_that_says_so(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    [entry] = listed(tmp_path / "a.mp4")
    with pytest.raises(PictureError, match=words):
        entry.open()


def test_a_video_that_breaks_off_gives_what_comes_before(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mkv", frames=100).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    *before, last = listed(tmp_path / "cut.mkv")
    assert 20 < len(before) < 100
    assert number(before[10]) == 10
    assert last.name == "cut.mkv"
    with pytest.raises(PictureError, match=r"only \d\.\d of its 10\.0 s can be read"):
        last.open()


def test_a_job_goes_on_past_a_broken_video_and_resumes_exactly(run: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    write_video(source / "a.mp4", frames=12)
    (source / "b.mp4").write_bytes(b"broken")
    arguments = [source, "--out", out, "--fps", 5, "--part", 4]
    assert run(*arguments).exit_code == 3
    told = rows(out, "pictures")
    assert [row["picture"] for row in told] == [f"a.mp4@{n / 5:.3f}s" for n in range(6)] + ["b.mp4"]
    assert (told[0]["width"], told[0]["height"]) == (64, 48)
    assert errors(out)["b.mp4"][0] == "unreadable"
    before = [path.read_bytes() for path in sorted((out / "detections").iterdir())]
    shutil.rmtree(out / "detections")
    assert "computed again" in run(*arguments).stdout
    assert [path.read_bytes() for path in sorted((out / "detections").iterdir())] == before


def test_what_is_missing_or_misspelt_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = write_video(tmp_path / "a.mp4", frames=2)
    for text in ("0", "-1", "often", "1/0", "1001"):
        with pytest.raises(ParameterError, match="fps"):
            parse_rate(text)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"\.\[video\]"):
        listed(video)
