"""Files that a job is told to read: none holds it up, or makes it take memory for what it only claims."""

import json
import os
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import hostile_files as hostile
import pytest
from measured import Measured, measured

# Lists a source, reads every picture of it, and says what is wrong with each.
READING = """
import json, sys
from dirdet.batch.errors import SourceError
from dirdet.batch.listing.open_source import open_source
from dirdet.batch.listing.source import SourceOptions
from dirdet.batch.listing.source import Tally
from dirdet.errors import PictureError
told = {}
try:
    for entry in open_source(sys.argv[1], SourceOptions(all_files=len(sys.argv) > 2)).entries(Tally()):
        try:
            told[entry.name] = len(entry.open().read())
        except PictureError as exc:
            told[entry.name] = str(exc)
except SourceError as exc:
    told["source"] = str(exc)
print(json.dumps(told))
"""
# numpy, PyAV and pyarrow with what they read; the bound that is promised is 1 GiB.
MOST_MIB = 512
WITHIN_S = 20


def read(source: Path | str, *more: str, most_mib: float = MOST_MIB) -> dict[str, str | int]:
    """What becomes of each picture of a source, within bounds of memory and time."""
    ended: Measured = measured(READING, source, *more, within_s=60)
    assert ended.status == 0, ended.stderr or f"ended after {ended.seconds:.0f} s"
    assert ended.peak_mib < most_mib
    assert ended.seconds < WITHIN_S
    return json.loads(ended.stdout)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    names = ("a.png", "a.mp4", "a.tar", "a.zip")
    for name in names:
        os.mkfifo(folder / name)
    (folder / "zero.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s.png"))
        told = read(f"{folder}/*.*", "all files")
    for name in names:
        assert "named pipe" in str(told[f"{folder}/{name}"]), name
    assert "a device" in str(told[f"{folder}/zero.png"])
    assert "a socket" in str(told[f"{folder}/s.png"])
    (folder / "list.txt").write_text("a.png\na.mp4\nzero.png\n")
    assert all("expected a file" in str(fault) for fault in read(folder / "list.txt").values())


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.parquet", "a.json"])
def test_a_list_that_is_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    assert "named pipe" in str(read(tmp_path / name)["source"])


def test_a_pipe_in_a_folder_does_not_hold_up_detect(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    ended = measured("from dirdet.cli import main; import sys; main(sys.argv[1:])", "detect", tmp_path)
    assert ended.status == 1, ended.stderr
    assert "named pipe" in ended.stdout + ended.stderr


TARS: dict[str, Callable[[Path], Path]] = {
    "a long name": lambda path: hostile.tar_of_one_header(path, b"L"),
    "pax": lambda path: hostile.tar_of_one_header(path, b"x"),
    "global pax": lambda path: hostile.tar_of_one_header(path, b"g"),
    "many long names": lambda path: hostile.tar_of_many_headers(path, b"L"),
    "many pax": lambda path: hostile.tar_of_many_headers(path, b"x"),
    "many global pax": lambda path: hostile.tar_of_global_headers(path, hostile.jpeg()),
}


@pytest.mark.parametrize("make", TARS.values(), ids=TARS)
def test_a_tars_headers_are_bounded(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    told = read(make(tmp_path / "a.tar"), most_mib=320)
    assert "header" in str(told[str(tmp_path / "a.tar")])


@pytest.mark.parametrize("by", ["size", "pax"])
def test_a_tar_that_leads_back_ends(tmp_path: Path, by: str) -> None:
    told = read(hostile.tar_that_leads_back(tmp_path / "a.tar", by=by), most_mib=320)
    assert [name for name in told if name != f"{tmp_path}/a.tar"] == []
    assert "points backwards" in str(told[f"{tmp_path}/a.tar"])


def test_a_tar_in_order_is_read(tmp_path: Path) -> None:
    assert read(hostile.tar_of(tmp_path / "a.tar", b"12345")) == {f"{tmp_path}/a.tar/a.png": 5}


def test_a_zips_directory_is_bounded(tmp_path: Path) -> None:
    told = read(hostile.zip_of_a_large_directory(tmp_path / "a.zip"), most_mib=320)
    assert "64 MiB" in str(told[str(tmp_path / "a.zip")])


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zips_member_unpacks_to_no_more_than_it_says(tmp_path: Path, method: int) -> None:
    told = read(hostile.zip_that_unpacks_to_more(tmp_path / "a.zip", method), most_mib=320)
    assert isinstance(told[f"{tmp_path}/a.zip/a.png"], str)


def test_a_videos_claimed_frames_take_no_memory(tmp_path: Path) -> None:
    sample = hostile.jpeg()
    one = hostile.mov(tmp_path / "one.mov", b"jpeg", sample, samples=1, size_wh=(64, 48))
    assert [name for name in read(one) if "@" in name] == ["one.mov@0.000s"]
    claimed = hostile.mov(tmp_path / "many.mov", b"jpeg", sample, samples=30_000_000, size_wh=(64, 48))
    assert claimed.stat().st_size < 2000
    assert isinstance(read(claimed)["many.mov"], str)


def test_a_videos_large_pictures_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    sample = hostile.large_png(16_000)
    path = hostile.mov(tmp_path / "a.mov", b"png ", sample, samples=1, size_wh=(16_000, 16_000))
    assert "40 megapixels" in str(read(path)["a.mov"])


PARQUET: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a long name": (lambda path: hostile.parquet_of_a_long_name(path, mib=1), "has more than 65536 characters"),
    "longer names": (lambda path: hostile.parquet_of_a_long_name(path, mib=4), "768 MiB of memory"),
}


@pytest.mark.parametrize(("make", "words"), PARQUET.values(), ids=PARQUET)
def test_what_parquet_unpacks_to_is_bounded(tmp_path: Path, make: Callable[[Path], Path], words: str) -> None:
    path = make(tmp_path / "a.parquet")
    assert path.stat().st_size < 2**18
    assert words in str(read(path, most_mib=1024)["source"])


def test_parquet_names_no_more_than_its_size_allows(tmp_path: Path) -> None:
    path = hostile.parquet_of_many_names(tmp_path / "a.parquet")
    code = (
        "import sys; from pathlib import Path; from dirdet.batch.listing.parquet_names import parquet_names\n"
        "for name in parquet_names(Path(sys.argv[1]), None): pass"
    )
    ended = measured(code, path)
    assert "far more names than a file of its size" in ended.stderr
    assert ended.peak_mib < 320


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a" * 2**26)
    assert "line 1 has more than" in str(read(tmp_path / "a.txt", most_mib=320)["source"])


def test_a_list_of_zero_bytes_is_refused(tmp_path: Path) -> None:
    zeros = hostile.sparse(tmp_path / "a.txt", size=2 * hostile.GIB)
    assert "has zero bytes" in str(read(zeros, most_mib=320)["source"])


@pytest.mark.parametrize("text", ['{"a": ' + "[" * 200_000, '{"images": [], "annotations": ' + "[" * 200_000])
def test_json_without_end_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert "nested too deeply" in str(read(tmp_path / "a.json")["source"])


@pytest.mark.parametrize("name", ["truth.json", "results.json"])
def test_many_wrong_entries_take_no_memory(tmp_path: Path, name: str) -> None:
    """Each was an error of its own: 2 GiB of 9 MB."""
    good = '{"images": [], "annotations": [], "categories": []}'
    (tmp_path / "truth.json").write_text(good)
    (tmp_path / "results.json").write_text("[]")
    many = ",".join(["[]"] * 2_000_000)
    (tmp_path / name).write_text(f"[{many}]" if name == "results.json" else good.replace("[]", f"[{many}]", 1))
    code = (
        "import sys; from pathlib import Path; from dirdet.errors import ResultsError\n"
        "from dirdet.quality.ground_truth import read_ground_truth\n"
        "from dirdet.quality.detections_file import read_results\n"
        "try: read_results(Path(sys.argv[2]), read_ground_truth(Path(sys.argv[1])))\n"
        "except ResultsError as exc: print(exc)"
    )
    ended = measured(code, tmp_path / "truth.json", tmp_path / "results.json")
    assert "0" in ended.stdout, ended.stderr
    assert ended.peak_mib < 1024


@pytest.mark.parametrize("name", ["a.json", "truth.json", "bundle.json"])
def test_a_file_of_json_is_bounded_before_it_is_read(tmp_path: Path, name: str) -> None:
    hostile.sparse(tmp_path / name, size=3 * hostile.GIB)
    code = (
        "import sys; from pathlib import Path; from dirdet.errors import DirdetError\n"
        "from dirdet.quality.ground_truth import read_ground_truth; from dirdet.batch.coco_file import read_coco_file\n"
        "from dirdet.bundle.bundle import Bundle; path = Path(sys.argv[1])\n"
        "readers = {'a.json': read_coco_file, 'truth.json': read_ground_truth}\n"
        "try: readers[path.name](path) if path.name in readers else Bundle.open(path.parent)\n"
        "except DirdetError as exc: print(exc)"
    )
    ended = measured(code, tmp_path / name)
    assert "MiB" in ended.stdout, ended.stderr
    assert ended.peak_mib < 512


def test_what_else_comes_of_a_coco_file_takes_no_memory(tmp_path: Path) -> None:
    many = ",".join(["[]"] * 10_000_000)
    (tmp_path / "a.json").write_text(f'{{"images": [], "annotations": [{many}]}}')
    assert read(tmp_path / "a.json") == {}


@pytest.mark.parametrize("name", ["a\0b.mp4", "a\0b.png"])
def test_a_name_with_a_null_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text(name)
    assert [str(told) for told in read(tmp_path / "a.txt").values() if "null" not in str(told)] == []


def test_a_client_does_not_wait_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    code = "import sys; from dirdet.client.pictures import read; print(read(sys.argv[1]).error)"
    assert "named pipe" in measured(code, tmp_path / "a.png", within_s=20).stdout
