"""Which pictures `dirdet detect` is asked for."""

import os
import sys
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from PIL import Image

from dirdet.commands import detect_pictures as sources
from dirdet.commands.detect_pictures import Source, find_sources
from dirdet.errors import NotAPictureError, NotFoundError, ParameterError, PictureTooLargeError, UnreadableError
from dirdet.pictures.reading import PictureLimits

Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]


def size_of(source: Source) -> tuple[int, int]:
    with source.regions() as regions:
        return regions.size


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.png", "c.gif", "README", "sub/d.tiff", ".git/e.png"):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"")
    return tmp_path / "pictures"


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Puts bytes on standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(data)))


def names(found: list[Source], folder: Path) -> list[str]:
    return [str(Path(each.name).relative_to(folder)) for each in found]


def test_no_name_is_no_picture() -> None:
    assert find_sources([], recursive=True) == []


def test_a_file_is_itself_whatever_it_is_called(folder: Path) -> None:
    typed = [str(folder / "notes.txt"), "missing", str(folder / ".hidden.png"), "./-"]
    assert [each.name for each in find_sources(typed, recursive=False)] == typed


def test_a_folders_pictures_sorted_and_no_other_files(folder: Path) -> None:
    assert names(find_sources([str(folder)], recursive=False), folder) == ["a.png", "b.JPG", "c.gif"]


def test_folders_in_it_only_when_asked_for(folder: Path) -> None:
    found = names(find_sources([str(folder)], recursive=True), folder)
    assert found == ["a.png", "b.JPG", "c.gif", os.path.join("sub", "d.tiff")]  # noqa: PTH118


def test_the_order_typed_holds_between_folders_and_files(folder: Path) -> None:
    found = find_sources([str(folder / "sub"), "-", str(folder)], recursive=False)
    assert [Path(each.name).name for each in found] == ["d.tiff", "-", "a.png", "b.JPG", "c.gif"]


def test_a_folder_without_pictures_is_an_error_of_its_own(tmp_path: Path) -> None:
    [deeper] = find_sources([str(tmp_path)], recursive=False)
    with pytest.raises(NotFoundError, match="holds no picture; --recursive"):
        size_of(deeper)
    [empty] = find_sources([str(tmp_path)], recursive=True)
    with pytest.raises(NotFoundError, match=r"holds no picture$"):
        size_of(empty)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(folder: Path) -> None:
    (folder / "sub").chmod(0)
    [source] = find_sources([str(folder)], recursive=True)
    (folder / "sub").chmod(0o700)
    with pytest.raises(UnreadableError, match="sub"):
        size_of(source)


def test_a_link_to_nowhere_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    [source] = find_sources([str(tmp_path)], recursive=False)
    with pytest.raises(NotFoundError):
        size_of(source)


@pytest.mark.parametrize("name", ["missing.png", "missing/a.png"])
def test_what_does_not_exist(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such file or folder"):
        size_of(Source(str(tmp_path / name)))


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_a_name_that_none_has(name: str) -> None:
    [source] = find_sources([name], recursive=True)
    with pytest.raises(UnreadableError):
        size_of(source)


def test_standard_input(stdin: Callable[[bytes], None], rectangles: Rectangles, encode: Encode) -> None:
    stdin(encode(rectangles(30, 20)))
    assert size_of(Source("-")) == (30, 20)


def test_standard_input_without_a_picture(stdin: Callable[[bytes], None]) -> None:
    stdin(b"")
    with pytest.raises(NotAPictureError, match="is empty"):
        size_of(Source("-"))


def test_standard_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UnreadableError, match="closed"):
        size_of(Source("-"))


def test_no_more_of_standard_input_than_of_a_file(
    stdin: Callable[[bytes], None], monkeypatch: pytest.MonkeyPatch, rectangles: Rectangles, encode: Encode
) -> None:
    data = encode(rectangles())
    monkeypatch.setattr(sources, "DEFAULT_LIMITS", PictureLimits(max_bytes=len(data) - 1))
    stdin(data)
    with pytest.raises(PictureTooLargeError):
        size_of(Source("-"))


def test_standard_input_is_read_once_only() -> None:
    with pytest.raises(ParameterError, match="only once"):
        find_sources(["-", "a.png", "-"], recursive=False)


def test_a_pipe(rectangles: Rectangles, encode: Encode) -> None:
    reading, writing = os.pipe()
    os.write(writing, encode(rectangles(30, 20)))
    os.close(writing)
    try:
        assert size_of(Source(f"/dev/fd/{reading}")) == (30, 20)
    finally:
        os.close(reading)
