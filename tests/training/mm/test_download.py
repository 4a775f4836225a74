"""Weights from a server that is slow, ends early, lies or is not there."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import torch
from click.testing import CliRunner

from dirdet.errors import DirdetError
from dirdet_training.commands.train import command as train_command
from dirdet_training.mm import download as module
from dirdet_training.mm import zoo
from dirdet_training.mm.checkpoints import fetched
from dirdet_training.mm.configs import ConfigError, read_config
from dirdet_training.mm.download import DownloadError, download
from dirdet_training.mm.zoo import checkpoint_of, trained_weights

CONTENT = bytes(range(256)) * 40
NAME = f"weights-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


class Server:
    """Serves CONTENT; `ends_after` ends a response early, `ranges` continues files."""

    def __init__(self) -> None:
        self.content, self.ends_after, self.ranges, self.status = CONTENT, len(CONTENT), True, 200
        self.asked: list[str | None] = []
        told = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                told.asked.append(asked)
                if told.status != 200:
                    self.send_error(told.status)
                    return
                start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and told.ranges else 0
                if start >= len(told.content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(told.content)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(told.content) - start))
                self.end_headers()
                self.wfile.write(told.content[start : start + told.ends_after])

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}/{NAME}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    started = Server()
    yield started
    started.server.shutdown()
    started.server.server_close()


def test_a_file_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    path = download(server.address, tmp_path / "cache" / NAME, on_bytes=lambda *pair: told.append(pair))
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    download(server.address, path)
    assert server.asked == [None]
    assert [file.name for file in path.parent.iterdir()] == [NAME]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_ends_early_is_continued(server: Server, tmp_path: Path, *, ranges: bool) -> None:
    server.ranges, server.ends_after = ranges, len(CONTENT) // 2 + 1
    path = tmp_path / NAME
    if ranges:
        assert download(server.address, path).read_bytes() == CONTENT
        assert server.asked[1] == f"bytes={len(CONTENT) // 2 + 1}-"
        return
    with pytest.raises(DownloadError, match=r"bytes are kept, and the same command continues"):
        download(server.address, path)
    assert not path.exists()
    server.ends_after = len(CONTENT)
    assert download(server.address, path).read_bytes() == CONTENT, (
        "from its beginning, as the server knows no other way"
    )


def test_a_download_goes_on_where_the_last_one_ended(server: Server, tmp_path: Path) -> None:
    part = tmp_path / f"{NAME}.part"
    for begun in (CONTENT[:100], CONTENT, CONTENT + b"more"):
        part.write_bytes(begun)
        assert download(server.address, tmp_path / NAME).read_bytes() == CONTENT
        (tmp_path / NAME).unlink()
    assert server.asked[0] == "bytes=100-"


def test_another_content_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(DownloadError, match=r"expected a sha256 that begins with [0-9a-f]{8}, found"):
        download(server.address, tmp_path / NAME)
    (tmp_path / NAME).write_bytes(b"of an earlier day")
    with pytest.raises(DownloadError, match="the file was removed"):
        download(server.address, tmp_path / NAME)
    assert list(tmp_path.iterdir()) == []


def test_errors_of_the_server_and_the_network_are_one_line(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(DownloadError, match="the server answers 404") as caught:
        download(server.address, tmp_path / NAME)
    assert "\n" not in str(caught.value)
    for address in ("http://127.0.0.1:9/weights.pth", "ftp://127.0.0.1/weights.pth", "http:///weights.pth"):
        with pytest.raises(DownloadError, match="cannot be downloaded: ") as caught:
            download(address, tmp_path / "weights.pth")
        assert address in str(caught.value)
        assert "\n" not in str(caught.value)
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match="cannot be stored"):
        download(server.address, tmp_path / "file" / NAME)


def test_weights_of_mmdetections_own_configs(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(zoo, "weights_by_config", lambda: {"faster_rcnn/mine": server.address})
    path = trained_weights("mmdet::faster_rcnn/mine.py")
    assert path == tmp_path / "checkpoints" / NAME
    assert path.read_bytes() == CONTENT
    assert fetched(server.address) == path, "a config's own address has the same cache"
    assert checkpoint_of("mmdet::faster_rcnn/mine", None, downloads=True, option="CHECKPOINT") == path
    for config in ("faster_rcnn_dir_lite0_scenes", "mmdet::faster_rcnn/other"):
        with pytest.raises(DirdetError, match="--download: "):
            trained_weights(config)
    with pytest.raises(DirdetError, match="replaces CHECKPOINT"):
        checkpoint_of("mmdet::faster_rcnn/mine", path, downloads=True, option="CHECKPOINT")
    with pytest.raises(DirdetError, match=r"expected CHECKPOINT, or --download"):
        checkpoint_of("mine.py", None, downloads=False, option="CHECKPOINT")


def test_mmdetections_own_configs_have_names() -> None:
    named: Any = read_config("mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco")
    assert named.model.type == "FasterRCNN"
    with pytest.raises(ConfigError, match="MMDetection has no config 'faster_rcnn/none'"):
        read_config("mmdet::faster_rcnn/none")


def test_training_needs_a_config_and_downloads_only_for_a_retrofit() -> None:
    for arguments, named in (
        (["--download"], "--download has no effect without --retrofit"),
        ([], "Missing argument 'CONFIG'"),
    ):
        result = CliRunner().invoke(train_command, arguments)
        assert result.exit_code == click.UsageError.exit_code
        assert named in result.output
