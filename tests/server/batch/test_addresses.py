"""Sources at addresses: an HTTP server on this machine, and fsspec's memory."""

import functools
import html
import http.server
import importlib
import json
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from jobs import Run, contents, errors, rows
from videos import write_video

from dirdet.batch import remote_reads
from dirdet.batch.errors import JobStoppedError, SourceError
from dirdet.batch.listing.open_source import open_source
from dirdet.batch.listing.source import SourceOptions, Tally
from dirdet.batch.source_picture import Entry
from dirdet.batch.video.timeline import parse_rate
from dirdet.errors import MissingExtraError, NotFoundError, PictureError, UnreadableError


@dataclass
class Server:
    """Serves a folder, with parts of files; may be told to fail.

    Attributes:
        asked: the paths of all requests for content.
        fails: how many of the next requests for content are answered 503.
        ranges: whether parts are given.
        files_fail: whether all files are answered 503, folders not.
    """

    folder: Path
    address: str = ""
    asked: list[str] = field(default_factory=list[str])
    fails: int = 0
    ranges: bool = True
    files_fail: bool = False


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *arguments: Any, server_told: Server) -> None:
        self.told = server_told
        super().__init__(*arguments, directory=str(server_told.folder))

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.told.asked.append(self.path)
        if self.told.fails or (self.told.files_fail and not self.path.endswith("/")):
            self.told.fails = max(0, self.told.fails - 1)
            self.send_error(503)
            return
        path = Path(self.translate_path(self.path))
        asked = self.headers.get("Range")
        if not path.is_file() or asked is None or not self.told.ranges:
            super().do_GET()
            return
        data = path.read_bytes()
        first, _, last = asked.removeprefix("bytes=").partition("-")
        found = data[int(first) : int(last or len(data)) + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(found)))
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(found) - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(found)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    told = Server(tmp_path / "served")
    told.folder.mkdir()
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, server_told=told))
    told.address = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield told
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's file system in memory, with b.png, sub/a.png and notes.txt below memory://shots."""
    system: Any = importlib.import_module("fsspec").filesystem("memory")
    for name in ("b.png", "sub/a.png", "notes.txt", ".hidden.png"):
        system.pipe_file(f"/shots/{name}", name.encode())
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_reads, "PAUSE_S", 0.01)


def listed(source: str, **options: object) -> list[Entry]:
    return list(open_source(source, SourceOptions(**options)).entries(Tally()))  # pyright: ignore[reportArgumentType]


def names(source: str, **options: object) -> list[str]:
    return [entry.name for entry in listed(source, **options)]


def filled(folder: Path, content: bytes = b"") -> Path:
    """b.png, roll 1/a.png and notes.txt; each holds its name unless told."""
    for name in ("b.png", "roll 1/a.png", "notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content or name.encode())
    return folder


def test_a_folder_in_memory(memory: Any) -> None:
    entries = listed("memory://shots")
    assert [(entry.name, entry.size) for entry in entries] == [("b.png", 5), ("sub/a.png", 9)]
    assert [entry.open().read() for entry in entries] == [b"b.png", b"sub/a.png"]
    assert names("memory://shots/**/*.png") == [
        "memory:///shots/.hidden.png",
        "memory:///shots/b.png",
        "memory:///shots/sub/a.png",
    ]
    memory.rm_file("/shots/b.png")
    with pytest.raises(NotFoundError):
        entries[0].open()


def test_a_folder_of_a_web_server(server: Server) -> None:
    filled(server.folder)
    entries = listed(server.address + "/")
    assert [(entry.name, entry.size) for entry in entries] == [("b.png", 5), ("roll 1/a.png", 12)]
    assert [entry.open().read() for entry in entries] == [b"b.png", b"roll 1/a.png"]
    with pytest.raises(SourceError, match="no such file"):
        names(server.address + "/elsewhere/")


ODD = [
    "it's.jpg",
    "a&b.jpg",
    "100%.jpg",
    "a b.png",
    "é.png",
    "x#y.png",
    "q?.png",
    "[1].png",
    'say "hi".png',
    "a+b;c.png",
]
STYLES: dict[str, Callable[[str], str]] = {
    "Apache": lambda name: html.escape(quote(name, safe="'&+;"), quote=True).replace("&#x27;", "'"),
    "nginx": lambda name: quote(name, safe="'&+;()!$,"),
    "numbers": lambda name: "".join(f"&#{ord(each)};" for each in quote(name)),
    "absolute": lambda name: f"/{quote(name)}",
}


@pytest.mark.parametrize("style", STYLES)
def test_any_name_is_listed_as_it_is(server: Server, style: str) -> None:
    for name in ODD:
        (server.folder / name).write_bytes(name.encode())
    lines = [f'<a class="x" HREF="{STYLES[style](name)}">{html.escape(name)}</a><br>' for name in ODD]
    others = ['<a href="?C=N;O=D">Name</a>', '<a href="../">up</a>', "<a href='http://elsewhere.example/z.png'>z</a>"]
    (server.folder / "index.html").write_text("<html>" + "\n".join([*others, *lines]))
    entries = listed(server.address + "/")
    assert {entry.name: entry.open().read() for entry in entries} == {name: name.encode() for name in ODD}
    assert names(f"{server.address}/*.jpg") == sorted(
        f"{server.address}/{quote(name)}" for name in ODD if "jpg" in name
    )


def test_archives_by_parts_and_by_braces(server: Server) -> None:
    folder = filled(server.folder)
    for number in range(2):
        with tarfile.open(folder / f"shard-{number:03d}.tar", "w") as tar:
            tar.add(folder / "b.png", "b.png")
            tar.add(folder / "notes.txt", "b.json")
            tar.add(folder / "roll 1" / "a.png", "a.png")
    with zipfile.ZipFile(folder / "p.zip", "w") as zipped:
        zipped.write(folder / "b.png", "b.png")
    entries = listed(server.address + "/shard-{000..001}.tar")
    assert [entry.name for entry in entries] == [
        f"{server.address}/shard-00{shard}.tar/{name}" for shard in (0, 1) for name in ("b.png", "a.png")
    ]
    assert [entry.open().read() for entry in entries[:2]] == [b"b.png", b"roll 1/a.png"]
    [entry] = listed(server.address + "/p.zip")
    assert entry.open().read() == b"b.png"
    missing = listed(server.address + "/shard-{001..002}.tar")
    with pytest.raises(UnreadableError, match="no such file"):
        missing[-1].open()
    server.ranges = False
    with tarfile.open(folder / "large.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("a.png"))
        (folder / "large.png").write_bytes(bytes(2 * remote_reads.BUFFER_BYTES))
        tar.add(folder / "large.png", "large.png")
    [fault] = listed(server.address + "/large.tar")
    with pytest.raises(UnreadableError, match="download it"):
        fault.open()


def test_a_query_reaches_the_server_and_no_result(server: Server) -> None:
    folder = filled(server.folder)
    with tarfile.open(folder / "s.tar", "w") as tar:
        tar.add(folder / "b.png", "b.png")
    [entry] = listed(server.address + "/s.tar?signature=secret")
    assert entry.name == f"{server.address}/s.tar/b.png"
    assert entry.open().read() == b"b.png"
    assert all("secret" in path for path in server.asked)


def test_lists_name_what_is_below_the_address_that_was_typed(server: Server, memory: Any, tmp_path: Path) -> None:
    filled(server.folder)
    foreign = "http://127.0.0.2:9/x.png"
    (server.folder / "list.txt").write_text(
        f"b.png\nroll 1/a.png\nmissing.png\n{server.address}/b.png?x=1\n{foreign}\n"
    )
    entries = listed(server.address + "/list.txt")
    assert [entry.size for entry in entries] == [5, 12, None, 5, None]
    assert entries[1].open().read() == b"roll 1/a.png"
    with pytest.raises(NotFoundError):
        entries[2].open()
    with pytest.raises(UnreadableError, match="outside"):
        entries[4].open()
    # A list on this machine names addresses only where --pictures says which.
    (tmp_path / "list.txt").write_text("memory://shots/b.png\nsub/a.png\n")
    with pytest.raises(PictureError, match="outside"):
        listed(str(tmp_path / "list.txt"))[0].open()
    entries = listed(str(tmp_path / "list.txt"), pictures="memory://shots")
    assert [entry.open().read() for entry in entries] == [b"b.png", b"sub/a.png"]
    coco = {"images": [{"id": 7, "file_name": "sub/a.png"}]}
    memory.pipe_file("/shots/coco.json", json.dumps(coco).encode())
    assert [(entry.name, entry.image_id) for entry in listed("memory://shots/coco.json")] == [("sub/a.png", 7)]


def test_a_video_at_an_address(server: Server) -> None:
    write_video(server.folder / "a.mp4", frames=5)
    entries = listed(server.address + "/a.mp4")
    assert [entry.name for entry in entries] == [f"{server.address}/a.mp4@{n / 10:.3f}s" for n in range(5)]
    assert entries[3].open().read(2) == b"BM"
    assert names(server.address + "/", videos=parse_rate("2")) == ["a.mp4@0.000s"]


def test_what_fails_is_tried_again_a_few_times(server: Server) -> None:
    filled(server.folder)
    [entry, _] = listed(server.address + "/")
    server.fails = remote_reads.ATTEMPTS - 1
    assert entry.open().read() == b"b.png"
    server.fails = remote_reads.ATTEMPTS
    with pytest.raises(UnreadableError, match="cannot be fetched: the server answers 503"):
        entry.open()
    server.asked.clear()
    (server.folder / "b.png").unlink()
    with pytest.raises(NotFoundError):
        entry.open()
    assert len(server.asked) == 1


def test_a_server_that_is_gone_stops_the_job(server: Server, run: Run, many: Path, tmp_path: Path) -> None:
    picture = (many / "roll 0" / "02.png").read_bytes()
    for number in range(25):
        (server.folder / f"{number:02d}.png").write_bytes(picture)
    arguments = [server.address + "/", "--out", tmp_path / "out", "--part", 5, "--no-report"]
    server.files_fail = True
    with pytest.raises(JobStoppedError, match=r"2\d pictures in a row could not be fetched.*503"):
        run(*arguments)
    server.files_fail = False
    assert run(*arguments).exit_code == 0  # those of parts that were whole by then are tried again
    assert len(rows(tmp_path / "out", "pictures")) == 25


def test_a_job_at_an_address_has_the_results_of_one_here(server: Server, run: Run, many: Path, tmp_path: Path) -> None:
    filled(server.folder, (many / "roll 0" / "02.png").read_bytes())
    (server.folder / "c.png").write_bytes(b"broken")
    run(server.address + "/", "--out", tmp_path / "there")
    run(server.folder, "--out", tmp_path / "here", "--no-report")
    parts = {key: value for key, value in contents(tmp_path / "here").items() if key.endswith(".parquet")}
    assert {key: contents(tmp_path / "there")[key] for key in parts} == parts
    assert list(errors(tmp_path / "there")) == ["c.png"]
    assert "data:image/jpeg" in (tmp_path / "there" / "report.html").read_text("utf-8")


def test_a_picture_that_was_not_reached_is_tried_again(server: Server, run: Run, many: Path, tmp_path: Path) -> None:
    filled(server.folder, (many / "roll 0" / "02.png").read_bytes())
    arguments = [server.address + "/", "--out", tmp_path / "out", "--no-report", "--workers", 1]
    server.files_fail = True
    assert run(*arguments).exit_code == 3
    assert [reason for reason, _ in errors(tmp_path / "out").values()] == ["not reached"] * 2
    server.files_fail = False
    result = run(*arguments)
    assert "part 0 could not be reached before and were tried again" in result.stdout
    assert result.exit_code == 0
    assert "already finished" in run(*arguments).stdout


def test_passwords_and_missing_packages_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="must not contain a user and password") as refused:
        open_source("http://me:secret@127.0.0.1/", SourceOptions())
    assert "secret" not in str(refused.value)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(SourceError, match="s3fs"):
        open_source("s3://bucket/photos", SourceOptions())
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingExtraError, match=r"\.\[remote\]"):
        open_source("memory://shots", SourceOptions())
