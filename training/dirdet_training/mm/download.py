"""Downloads weights: interrupted downloads continue where they ended, and the hash in a file's name is checked."""

import os
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import httpx

from dirdet.bundle.bundle import sha256_of
from dirdet.errors import DirdetError

# OpenMMLab and torchvision end names with the beginning of the content's sha256, for example -047c8118.pth.
NAMED_HASH = re.compile(r"-([0-9a-f]{8,64})\.pth$")
ATTEMPTS = 3
PAUSE_S = 1.0
TIMEOUT = httpx.Timeout(30.0)


class DownloadError(DirdetError):
    """A file could not be downloaded, or is not the one that its name promises."""


def download(address: str, path: Path, *, on_bytes: Callable[[int, int | None], None] = lambda *_: None) -> Path:
    """Downloads a file unless it exists, and checks the hash in its name.

    What an interrupted download has is kept as PATH.part, and the next one continues from there.

    Args:
        address: http or https.
        path: of the file.
        on_bytes: is called with the number of bytes so far and in total.

    Raises:
        DownloadError: the server cannot be reached, refuses, or sends another content; names the address.
    """
    if path.is_file():
        check_hash(path, address)
        return path
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _fetch(address, part, on_bytes)
        check_hash(part, address, name=path.name)
        os.replace(part, path)  # noqa: PTH105 - also where the file has appeared meanwhile
    except OSError as exc:
        raise DownloadError(f"{address} cannot be stored as {path}: {exc.strerror or exc}") from exc
    return path


def check_hash(file: Path, address: str, *, name: str | None = None) -> None:
    """Compares a file's sha256 with the beginning that its name has; a file that differs is removed.

    Raises:
        DownloadError: they differ.
    """
    promised = NAMED_HASH.search(name or file.name)
    if promised is None:
        return
    actual = sha256_of(file)
    if not actual.startswith(promised[1]):
        file.unlink()
        raise DownloadError(
            f"{address} has another content than its name says: expected a sha256 that begins with {promised[1]}, "
            f"found {actual[: len(promised[1])]}; the file was removed"
        )


def _fetch(address: str, part: Path, on_bytes: Callable[[int, int | None], None]) -> None:
    """Completes a partial file, in several attempts while each brings bytes.

    Raises:
        DownloadError: the server cannot be reached, refuses, or its connections end early.
    """
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_S)
        try:
            missing = _request(address, part, on_bytes)
        except httpx.HTTPStatusError as exc:
            code = exc.response.status_code
            raise DownloadError(f"{address} cannot be downloaded: the server answers {code}") from exc
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            reason = str(exc) or type(exc).__name__
            continue
        if not missing:
            return
        reason = f"the connection ended {missing} bytes early"
    kept = part.stat().st_size if part.is_file() else 0
    advice = f"; {kept} bytes are kept, and the same command continues from there" if kept else ""
    raise DownloadError(
        f"{address} cannot be downloaded: {reason}{advice}; or download it by other means and name the file"
    )


def _request(address: str, part: Path, on_bytes: Callable[[int, int | None], None]) -> int:
    """Appends one response to a partial file; returns how many bytes are still missing."""
    have = part.stat().st_size if part.is_file() else 0
    # Without compression, so that the lengths are those of the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with httpx.stream("GET", address, headers=headers, timeout=TIMEOUT, follow_redirects=True) as response:
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _beyond(response, part, have)
        response.raise_for_status()
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            have = 0  # the server does not continue files
        length = response.headers.get("Content-Length", "")
        total = have + int(length[:20]) if length.isdecimal() else None
        with part.open("ab" if have else "wb") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                have += len(chunk)
                on_bytes(have, total)
    return max(total - have, 0) if total is not None else 0


def _beyond(response: httpx.Response, part: Path, have: int) -> int:
    """The answer to a request beyond the file's end: it is complete, or what is here is not its beginning."""
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    if total == str(have):
        return 0
    part.unlink()
    return int(total[:20]) if total.isdecimal() else 1
