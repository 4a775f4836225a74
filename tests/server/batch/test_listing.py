"""What a source's pictures are: folders with links, patterns, lists, tables, COCO files, archives."""

import json
import os
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.errors import SourceError
from dirdet.batch.listing.open_source import open_source
from dirdet.batch.listing.source import SourceOptions, Tally
from dirdet.batch.picture_plan import Choice, chosen, read_plan, write_plan
from dirdet.batch.source_picture import Entry
from dirdet.errors import PictureError


def listed(source: Path | str, **options: object) -> list[Entry]:
    return list(open_source(str(source), SourceOptions(**options)).entries(Tally()))  # pyright: ignore[reportArgumentType]


def names(source: Path | str, **options: object) -> list[str]:
    return [entry.name for entry in listed(source, **options)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """b.png, c.jpg and sub/a.png; each holds its own name."""
    root = tmp_path / "in"
    (root / "sub").mkdir(parents=True)
    for name in ("b.png", "c.jpg", "sub/a.png", "sub/notes.txt"):
        (root / name).write_text(name)
    return root


def test_a_folder_and_those_in_it(folder: Path) -> None:
    assert names(folder) == ["b.png", "c.jpg", "sub/a.png"]
    assert names(folder, all_files=True) == ["b.png", "c.jpg", "sub/a.png", "sub/notes.txt"]


def test_links_make_no_loop_and_nothing_comes_twice(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "far.png").write_text("far")
    (tmp_path / "blob").write_text("blob")
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "a link").symlink_to("sub")
    (folder / "out").symlink_to(tmp_path / "elsewhere")
    (folder / "again").symlink_to(tmp_path / "elsewhere")
    (folder / "a-same.png").symlink_to("b.png")
    (folder / "x.png").symlink_to(tmp_path / "blob")
    (folder / "y.png").symlink_to(tmp_path / "blob")
    assert names(folder) == ["b.png", "c.jpg", "x.png", "sub/a.png", "again/far.png"]


def test_the_results_folder_is_not_looked_into(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "drawn.png").write_text("")
    assert "out/drawn.png" not in names(folder, besides=folder / "out")


def test_a_pattern(folder: Path) -> None:
    assert names(f"{folder}/**/*.png") == [f"{folder}/b.png", f"{folder}/sub/a.png"]
    (folder / "b2.png").symlink_to("b.png")
    assert names(f"{folder}/*.png") == [f"{folder}/b.png"]


def test_a_list(folder: Path) -> None:
    (folder / "list.txt").write_text(f"\ufeffsub/a.png\r\n\n  b.png\nb.png\nmissing.png\n{folder}/c.jpg\n", "utf-8")
    entries = listed(folder / "list.txt")
    assert [entry.name for entry in entries] == ["sub/a.png", "b.png", "missing.png", f"{folder}/c.jpg"]
    assert entries[0].open().read() == b"sub/a.png"
    with pytest.raises(PictureError, match="no such file"):
        entries[2].open()
    (folder.parent / "elsewhere.txt").write_text("b.png")
    assert listed(folder.parent / "elsewhere.txt", pictures=folder)[0].open().read() == b"b.png"


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_a_column_of_a_table(folder: Path, suffix: str) -> None:
    path = folder / f"table.{suffix}"
    columns = {"label": ["x", "y", "z"], "path": ["b.png", "sub/a.png", "b.png"]}
    if suffix == "parquet":
        parquet().write_table(arrow().table(columns), path)
    else:
        between = "," if suffix == "csv" else "\t"
        path.write_text("\n".join(between.join(row) for row in [list(columns), *zip(*columns.values(), strict=True)]))
    assert names(path) == ["b.png", "sub/a.png"]
    assert names(path, column="path") == ["b.png", "sub/a.png"]
    with pytest.raises(SourceError, match="no column 'paths'; it has label, path"):
        names(path, column="paths")


def test_images_of_coco_keep_their_ids(folder: Path) -> None:
    path = folder / "coco.json"
    path.write_text(json.dumps({"images": [{"id": 7, "file_name": "b.png"}, {"id": 3, "file_name": "sub/a.png"}]}))
    assert [(entry.name, entry.image_id) for entry in listed(path)] == [("b.png", 7), ("sub/a.png", 3)]
    path.write_text('{"images": [{"id": 7}]}')
    with pytest.raises(SourceError, match=r"file_name.*images\[0\]"):
        names(path)
    path.write_text("[1]")
    with pytest.raises(SourceError, match="no COCO file"):
        names(path)


def test_two_records_of_one_picture_are_counted_and_named(folder: Path) -> None:
    path = folder / "coco.json"
    images = [{"id": number, "file_name": name} for number, name in ((1, "b.png"), (2, "b.png"), (3, "sub/a.png"))]
    path.write_text(json.dumps({"images": images}))
    tally = Tally()
    found = open_source(str(path), SourceOptions()).entries(tally)
    assert [(entry.name, entry.image_id) for entry in found] == [("b.png", 1), ("sub/a.png", 3)]
    assert tally.left_out() == ["1 repeat of a name or a link left out, the first 'b.png (id 2)'"]


def test_archives_are_read_without_unpacking(folder: Path) -> None:
    with (
        tarfile.open(folder.parent / "shard-0.tar", "w") as tar,
        zipfile.ZipFile(folder.parent / "p.zip", "w") as zipped,
    ):
        for name in ("sub/a.png", "b.png", "sub/notes.txt"):
            tar.add(folder / name, name)
            zipped.write(folder / name, name)
    for archive in ("shard-0.tar", "p.zip"):
        entries = listed(folder.parent / archive)
        assert [entry.name for entry in entries] == [
            f"{folder.parent}/{archive}/{each}" for each in ("sub/a.png", "b.png")
        ]
        assert [entry.open().read() for entry in entries] == [b"sub/a.png", b"b.png"]
    assert len(names(f"{folder.parent}/*.tar")) == 2


def test_shards_of_a_webdataset_by_braces(tmp_path: Path) -> None:
    for shard in range(3):
        with tarfile.open(tmp_path / f"shards-{shard:03d}.tar", "w") as tar:
            for name in ("0001.jpg", "0001.json", "0001.cls", "0002.left.jpg", "0002.right.jpg"):
                member = tarfile.TarInfo(name)
                member.size = len(name)
                tar.addfile(member, BytesIO(name.encode()))
    entries = listed(f"{tmp_path}/shards-{{000..001}}.tar")
    pictures = ("0001.jpg", "0002.left.jpg", "0002.right.jpg")
    assert [entry.name for entry in entries] == [
        f"{tmp_path}/shards-00{n}.tar/{name}" for n in (0, 1) for name in pictures
    ]
    assert entries[-1].open().read() == b"0002.right.jpg"
    assert names(f"{tmp_path}/shards-{{002,*}}.tar")[:3] == [f"{tmp_path}/shards-002.tar/{name}" for name in pictures]
    assert len(names(f"{tmp_path}/shards-{{002,*}}.tar")) == 9
    for pattern, words in (
        ("shards-{002..003}.tar", r"shards-003\.tar: there is no such file"),
        ("{1..2", "braces do not close"),
        ("{1..999999999}.tar", "more than 100000 names"),
        ("{1..1000}{1..1000}.tar", "more than 100000 names"),
        ("{a,{0..9999}{0..9999}}.tar", "more than 100000 names"),
        ("{" + "9" * 60 + "..1}.tar", "more than 100000 names"),
    ):
        with pytest.raises(SourceError, match=words):
            names(f"{tmp_path}/{pattern}")


def test_an_archive_that_breaks_off_gives_what_comes_before(folder: Path) -> None:
    path = folder.parent / "cut.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(folder / "b.png", "b.png")
        tar.add(folder / "c.jpg", "c.jpg")
    with tarfile.open(path) as tar:
        cut = tar.getmembers()[1].offset + 300
    path.write_bytes(path.read_bytes()[:cut])
    first, last = listed(path)
    assert first.open().read() == b"b.png"
    with pytest.raises(PictureError, match="cannot be read"):
        last.open()


def test_what_is_no_source_is_said(folder: Path) -> None:
    for name, words in [
        (folder / "nothing", "no such file or folder"),
        (folder / ("n" * 300), "no such file or folder"),
        (folder / "b.png", "for one picture use `dirdet detect`"),
    ]:
        with pytest.raises(SourceError, match=words):
            names(name)
    (folder / "shard.tar.gz").write_bytes(b"")
    with pytest.raises(SourceError, match="expected an uncompressed tar"):
        names(folder / "shard.tar.gz")


def test_a_sample_is_drawn_by_its_seed_and_keeps_the_order(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number:02d}.png").write_text("")
    source = open_source(str(tmp_path), SourceOptions())

    def drawn(**choice: int) -> list[str]:
        return [entry.name for entry in chosen(source, Choice(**choice), Tally())]

    assert drawn(sample=10, seed=1) == drawn(sample=10, seed=1) == sorted(drawn(sample=10, seed=1))
    assert drawn(sample=10, seed=1) != drawn(sample=10, seed=2)
    assert drawn(limit=3) == ["00.png", "01.png", "02.png"]
    assert len(drawn(sample=100)) == 40


@given(
    st.lists(
        st.builds(
            Entry,
            name=st.text(st.characters(codec="utf-8")),
            path=st.binary(),
            member=st.none() | st.text(st.characters(codec="utf-8")),
            offset=st.none() | st.integers(0, 2**62),
            size=st.none() | st.integers(0, 2**62),
            image_id=st.none() | st.integers(-(2**62), 2**62),
        ),
        max_size=20,
    ),
    st.integers(0, 20),
)
def test_a_plan_gives_back_what_was_planned(
    tmp_path_factory: pytest.TempPathFactory, entries: list[Entry], start: int
) -> None:
    path = tmp_path_factory.mktemp("plan") / "sources.parquet"
    assert write_plan(path, entries, Tally()).pictures == len(entries)
    assert list(read_plan(path, start)) == entries[start:]


def test_names_of_any_bytes_have_a_name(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.png"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    [entry] = listed(tmp_path)
    assert (entry.name, entry.path) == ("\\xff.png", path)
