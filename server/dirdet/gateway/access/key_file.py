"""The key file: read at the start and again when it changes, so that keys change without a restart."""

import logging
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from hmac import compare_digest
from pathlib import Path
from typing import IO

from dirdet.errors import KeyFileError
from dirdet.files import write_whole
from dirdet.gateway.access.api_keys import Key, digest, parse_lines
from dirdet.gateway.access.rate_limits import TokenBucket

log = logging.getLogger(__name__)

# Seconds until a change of the file takes effect, at most.
CHECK_EVERY_S = 1.0


class KeyFile:
    """The keys of a file, and what each has used of its rate.

    A changed file that is broken is ignored: the keys before it stay, and the log says why. An empty file removes all
    keys.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Reads the file.

        Raises:
            KeyFileError: the file cannot be read or is broken; names the line.
        """
        self.path = path
        self._clock = clock
        self._buckets: dict[Key, TokenBucket] = {}
        self._seen = _identity(path)
        self._checked_at = clock()
        self.keys = read_keys(path)
        if not self.keys:
            log.warning("%s holds no key: every request is refused", path)

    def find(self, presented: bytes) -> Key | None:
        """The key, if the file holds it; takes the same time whether it does or not."""
        self._renew()
        asked = digest(presented)
        found = None
        for key in self.keys:
            if compare_digest(key.digest, asked):
                found = key
        return found

    def bucket(self, key: Key) -> TokenBucket | None:
        """The token bucket of a key; None where its rate is not limited."""
        if key.rate is None:
            return None
        if key not in self._buckets:
            self._buckets[key] = TokenBucket(key.rate, clock=self._clock)
        return self._buckets[key]

    def _renew(self) -> None:
        """Reads the file again if it has changed, which is checked once a second."""
        now = self._clock()
        if now - self._checked_at < CHECK_EVERY_S:
            return
        self._checked_at = now
        identity = _identity(self.path)
        if identity == self._seen:
            return
        self._seen = identity  # a broken file is logged once
        try:
            keys = read_keys(self.path)
        except KeyFileError as exc:
            log.error("%s; the keys from before it stay", exc)
            return
        # A key whose line has not changed keeps its bucket.
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if key in keys}
        self.keys = keys
        log.info("%s was read again: %d keys", self.path, len(keys))


def read_keys(path: Path) -> list[Key]:
    """The keys of a file.

    Raises:
        KeyFileError: the file cannot be read or is broken; names the line.
    """
    try:
        return parse_lines(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise KeyFileError(f"{path}: there is no such file; `dirdet key NAME --append {path}` begins it") from exc
    except OSError as exc:
        raise KeyFileError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise KeyFileError(f"{path}: expected text in UTF-8; byte {exc.start} is none") from exc
    except ValueError as exc:
        raise KeyFileError(f"{path}, {exc}") from exc


def append_key(path: Path, key: Key) -> None:
    """Adds a line to the file, or creates it; a reader sees the file before or after, never between.

    A new file has mode 0600; an existing one keeps its mode, and its owner and group as far as allowed.

    Raises:
        KeyFileError: the file is broken, or has a key of this name.
    """
    path = path.resolve()  # of a link, its target
    before, text = None, ""
    if path.exists():
        if any(each.name == key.name for each in read_keys(path)):
            raise KeyFileError(
                f"{path}: there is a key {key.name!r} already; take its line out first, or choose a name"
            )
        before, text = path.stat(), path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        text += "\n"
    text += key.line() + "\n"

    def fill(file: IO[bytes]) -> None:
        os.fchmod(file.fileno(), 0o600 if before is None else stat.S_IMODE(before.st_mode))
        if before is not None:
            with suppress(PermissionError):
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
        file.write(text.encode())

    write_whole(path, fill)


def _identity(path: Path) -> tuple[int, ...] | None:
    """What changes whenever the file does, links followed; None if the file cannot be examined."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_dev, found.st_mtime_ns, found.st_ctime_ns, found.st_size
