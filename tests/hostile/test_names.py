"""Names that come from others: a list, or a server's redirects, lead to nothing that the user did not name."""

import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dirdet.batch.listing.open_source import open_source
from dirdet.batch.listing.source import SourceOptions, Tally
from dirdet.batch.source_picture import Entry
from dirdet.errors import PictureError, UnreadableError

PASSWORD = "Basic " + b64encode(b"user:secret").decode()


class Server:
    """Gives files, redirects, and knows what it was asked with which password."""

    def __init__(self) -> None:
        """Listens."""
        server = self
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.asked: list[tuple[str, str | None]] = []

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                server.asked.append((self.path, self.headers.get("Authorization")))
                data = server.files.get(self.path)
                if self.path in server.redirects:
                    self.send_response(302)
                    self.send_header("Location", server.redirects[self.path])
                    data = b""
                else:
                    self.send_response(404 if data is None else 200)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(data or b"")

        self._listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._listening.server_port}"
        self._thread = threading.Thread(target=self._listening.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._listening.shutdown()
        self._thread.join()
        self._listening.server_close()


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Server]]:
    """The one that is named, and another on the same machine; ~/.netrc has a password for both."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    both = Server(), Server()
    yield both
    for server in both:
        server.close()


def listed(source: str | Path, **options: Any) -> list[Entry]:
    return list(open_source(str(source), SourceOptions(**options)).entries(Tally()))


def test_a_listed_name_is_not_redirected_to_another_server(servers: tuple[Server, Server]) -> None:
    named, other = servers
    other.files["/secret.png"] = b"secret"
    named.files["/list.txt"] = b"a.png\nb.png\n"
    named.files["/c.png"] = b"c"
    named.redirects = {"/a.png": f"{other.address}/secret.png", "/b.png": "/c.png"}
    away, within = listed(f"{named.address}/list.txt")
    with pytest.raises(UnreadableError, match=r"redirects to another.*127\.0\.0\.1"):
        away.open()
    assert within.open().read() == b"c"
    assert other.asked == []
    assert {password for _, password in named.asked} == {PASSWORD}


def test_a_listed_name_is_not_led_away_in_two_steps(servers: tuple[Server, Server]) -> None:
    named, other = servers
    named.files["/list.txt"] = b"a.png\n"
    named.redirects = {"/a.png": "/b.png", "/b.png": f"{other.address}/secret.png"}
    with pytest.raises(UnreadableError, match="redirects to another"):
        listed(f"{named.address}/list.txt")[0].open()
    assert other.asked == []


def test_a_typed_address_is_redirected_without_its_password(servers: tuple[Server, Server]) -> None:
    named, other = servers
    other.files["/stored.png"] = b"stored"
    named.redirects = {"/typed.png": f"{other.address}/stored.png"}
    [entry] = listed(f"{named.address}/typed.png{{,}}")
    assert entry.open().read() == b"stored"
    assert {password for _, password in other.asked} == {None}
    assert {password for _, password in named.asked} == {PASSWORD}


OUTSIDE = [
    "/etc/hostname.png",
    "../secret.png",
    "sub/../../secret.png",
    "../in-other/a.png",
    "http://127.0.0.1:9/a.png",
]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("kind", ["txt", "csv", "json"])
def test_a_list_names_nothing_outside_its_folder(tmp_path: Path, name: str, kind: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    text = {"txt": name, "csv": f"path\n{name}", "json": f'{{"images": [{{"id": 1, "file_name": "{name}"}}]}}'}[kind]
    (folder / f"list.{kind}").write_text(text)
    [entry] = listed(folder / f"list.{kind}")
    with pytest.raises(PictureError, match="outside"):
        entry.open()


def test_pictures_says_otherwise(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"wanted")
    (folder / "a.png").write_bytes(b"a")
    (folder / "list.txt").write_text(f"./a.png\n{folder}/a.png\nsub/../a.png\n{tmp_path}/secret.png\n")
    told = [entry.fault for entry in listed(folder / "list.txt")]
    assert [fault is None for fault in told] == [True, True, True, False]
    entries = listed(folder / "list.txt", pictures=Path("/"))
    assert entries[1].open().read() == b"a"
    assert entries[3].open().read() == b"wanted"


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "%2e%2e/secret.png", "..%2fsecret.png", "..%5csecret.png", "ADDRESS/secret.png", "a/../../s.png"],
)
def test_a_list_at_an_address_names_nothing_outside_its_folder(servers: tuple[Server, Server], name: str) -> None:
    named, _ = servers
    named.files["/in/list.txt"] = name.replace("ADDRESS", named.address).encode()
    [entry] = listed(f"{named.address}/in/list.txt")
    with pytest.raises(PictureError, match="outside"):
        entry.open()
    assert {path for path, _ in named.asked} == {"/in/list.txt"}
