"""A folder and an archive of it give the same pictures, whatever their names and links are."""

import os
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dirdet.batch.listing.open_source import open_source
from dirdet.batch.listing.source import SourceOptions, Tally
from dirdet.errors import PictureError, UnreadableError

PARTS = ["a", "b.c", "d e", "it's", "x&y", "é", "-n", "images", "a.png"]
NAMES = st.lists(st.sampled_from(PARTS), min_size=0, max_size=2)
FILES = st.dictionaries(
    st.tuples(NAMES.map(tuple), st.sampled_from(PARTS), st.sampled_from([".png", ".jpg", ".txt", ""])),
    st.integers(0, 9),
)


def contents(source: Path) -> tuple[dict[str, bytes | str], Tally]:
    """By name below the source: the bytes, or the error."""
    tally = Tally()
    found: dict[str, bytes | str] = {}
    prefix = f"{source}/" if source.is_file() else ""
    for entry in open_source(str(source), SourceOptions()).entries(tally):
        assert entry.name not in found
        try:
            found[entry.name.removeprefix(prefix)] = entry.open().read()
        except PictureError as exc:
            found[entry.name.removeprefix(prefix)] = type(exc).__name__
    return found, tally


def packed(folder: Path, into: Path) -> None:
    """With links as links; members begin with `./`, as `tar -C folder .` writes them."""
    if into.suffix == ".tar":
        with tarfile.open(into, "w") as tar:
            tar.add(folder, ".")
        return
    with zipfile.ZipFile(into, "w") as zipped:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_symlink():
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o120777 << 16
                zipped.writestr(info, str(path.readlink()))
            elif path.is_file():
                zipped.write(path, name)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES)
@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_a_tree_of_names(
    suffix: str, files: dict[tuple[tuple[str, ...], str, str], int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    top = tmp_path_factory.mktemp("tree")
    folder = top / "in"
    folder.mkdir()
    for (folders, stem, ending), number in files.items():
        path = folder.joinpath(*folders, stem + ending)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(str(number).encode())
        except OSError:  # a folder of this name, or a file in place of a folder
            continue
    packed(folder, top / f"a{suffix}")
    (expected, passed_over), (found, archived) = contents(folder), contents(top / f"a{suffix}")
    assert found == expected
    assert archived.passed_over == passed_over.passed_over


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_links(suffix: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.png").write_bytes(b"a")
    (folder / "sub" / "blob").write_bytes(b"blob")
    os.link(folder / "a.png", folder / "hard.png")
    (folder / "same.png").symlink_to("a.png")
    (folder / "x.png").symlink_to("sub/blob")
    (folder / "y.png").symlink_to("sub/../sub/blob")
    (folder / "sub" / "chain.png").symlink_to("../same.png")
    (folder / "gone.png").symlink_to("missing.png")
    (folder / "again").symlink_to("sub")
    packed(folder, tmp_path / f"a{suffix}")
    (expected, tally), (found, archived) = contents(folder), contents(tmp_path / f"a{suffix}")
    assert sorted(expected) == ["a.png", "gone.png", "hard.png", "x.png"]
    assert expected["hard.png"] == b"a"
    assert expected["x.png"] == b"blob"
    assert found == expected | {"gone.png": UnreadableError.__name__}
    assert archived.repeated == tally.repeated == 3


def test_a_link_leads_to_nothing_outside_of_the_archive(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, target in (("a.png", "../secret.png"), ("b.png", str(tmp_path / "secret.png")), ("c.png", "c.png")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
        hard = tarfile.TarInfo("d.png")
        hard.type, hard.linkname = tarfile.LNKTYPE, "../secret.png"
        tar.addfile(hard)
    found, _ = contents(tmp_path / "a.tar")
    assert found == dict.fromkeys(("a.png", "b.png", "c.png", "d.png"), UnreadableError.__name__)


def test_a_sparse_member_is_named(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("a.png")
        stored = {"major": "1", "minor": "0", "realsize": "2000", "name": "a.png"}
        member.pax_headers = {f"GNU.sparse.{key}": value for key, value in stored.items()}
        data = b"1\n0\n4\n".ljust(512, b"\0") + b"data"
        member.size = len(data)
        tar.addfile(member, BytesIO(data))
    [entry] = open_source(str(tmp_path / "a.tar"), SourceOptions()).entries(Tally())
    assert entry.name.endswith("/a.png")
    with pytest.raises(UnreadableError, match="sparse"):
        entry.open()
